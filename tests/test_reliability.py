"""What clusters do to a run: kills, full disks, read-only folders, clocks that jump."""

import ctypes
import json
import os
import resource
import shutil
import subprocess
import sys
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

import pytest
import torch
from conftest import at_once, everything

from tsrnn import zoo
from tsrnn.batches import draw_batch
from tsrnn.files import read_checksums, read_table
from tsrnn.runs import begin, saved_history, seeded, states_on_disk
from tsrnn.schemas import PROMOTIONS
from tsrnn.training import train

# Trains undisturbed, and again in fifty children, each killed at a random moment within three epochs' time.
KILLER = """
import json, os, random, signal, sys, time
from dataclasses import replace
from tsrnn.batches import draw_batch
from tsrnn.config import TrainConfig
from tsrnn.training import train
os.fsync = lambda handle: None  # a kill, unlike a power failure, leaves what was written
config, base = TrainConfig(**json.loads(sys.argv[1])), sys.argv[2]
train(replace(config, max_n=3), base_path=base + "/warm", progress=False)  # all that is imported late
began = time.monotonic()
train(config, base_path=base + "/a", progress=False)
epoch = (time.monotonic() - began) / 29
moments = random.Random(0)
for _ in range(50):
    child = os.fork()
    if child == 0:
        train(config, base_path=base + "/b", progress=False)
        os._exit(0)
    time.sleep(moments.uniform(0, 3 * epoch))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
"""


def whole(folder: Path) -> None:
    """Every file in the folder of a run can be read, or is the unfinished copy that a resume removes."""
    if (folder / "config.json").exists():
        zoo.read_config(folder)
    saved_history(folder)
    states_on_disk(folder)
    if (folder / "promotions.parquet").exists():
        read_table(folder / "promotions.parquet", PROMOTIONS)
    for path in zoo.checkpoints(folder):
        if path.name in read_checksums(folder):
            zoo.load_checkpoint(path)


def test_killed_at_fifty_moments_it_ends_the_same(small, tmp_path):
    """kill -9 during training, promotion and saving; then it finishes: bit for bit the uninterrupted run."""
    config = replace(small, max_n=30, measure_steps=0)
    alone = os.environ | {"OMP_NUM_THREADS": "1"}  # a fork and several threads do not go together
    arguments = [json.dumps(asdict(config)), str(tmp_path)]
    subprocess.run([sys.executable, "-c", KILLER, *arguments], env=alone, check=True)
    folder, wanted = tmp_path / "b" / config.folder(), tmp_path / "a" / config.folder()
    whole(folder)
    assert max(states_on_disk(folder)) > 0, "killed too early to be a test"
    to_the_end = (
        KILLER[: KILLER.index("train(config")] + "train(config, base_path=base + '/b', progress=False)"
    )
    subprocess.run([sys.executable, "-c", to_the_end, *arguments], env=alone, check=True)
    assert everything(folder) == everything(wanted)
    assert [path.name for path in (tmp_path / "b").rglob(".*")] == [".tsrnn-numbers"]


def test_on_a_full_disk_nothing_is_lost(tmp_path):
    """No file may grow beyond the limit: a checkpoint (8 kB) fits, the training state (21 kB) does not."""
    train = f"train -c single -s 1 -nn 40 --max-n 2 -b {tmp_path}"
    full = partial(resource.setrlimit, resource.RLIMIT_FSIZE, (15_000, 15_000))
    [(code, said)] = at_once(train, said=tmp_path, prepare=full)
    assert code == 1 and said.strip().splitlines()[-1].startswith("tsrnn: File too large")
    whole(tmp_path / "single_parity_neurons40_network_1")
    [(code, said)] = at_once(train, said=tmp_path)
    assert code == 0, said
    whole(tmp_path / "single_parity_neurons40_network_1")


def test_the_clock_does_not_matter(small, tmp_path):
    """States are told apart by their epoch, whenever they say that they were written."""
    [wanted] = train(small, base_path=tmp_path / "a", progress=False)
    [folder] = train(replace(small, max_n=4), base_path=tmp_path / "b", progress=False)
    for epoch, path in states_on_disk(folder).items():
        os.utime(path, (0, 4e9 / (1 + epoch)))  # the later the epoch, the older it looks
    train(small, base_path=tmp_path / "b", progress=False)
    assert everything(folder) == everything(wanted)


def make_read_only(folder: Path) -> None:
    """For this process alone, with mounts of its own."""
    own_mounts = 0x20000  # CLONE_NEWNS
    assert ctypes.CDLL(None).unshare(own_mounts) == 0
    for how in (["--make-rprivate", "/"], ["--bind", folder, folder], ["-o", "remount,ro,bind", folder]):
        subprocess.run(["mount", *how], check=True)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to mount a folder as read-only")
def test_a_zoo_that_can_only_be_read(small, tmp_path):
    if subprocess.run(["unshare", "-m", "true"], stderr=subprocess.DEVNULL).returncode:
        pytest.skip("no mounting here")
    base = tmp_path / "zoo"
    [folder] = train(small, base_path=base, progress=False)
    shutil.rmtree(folder / "state")
    run = partial(at_once, said=tmp_path, prepare=partial(make_read_only, base))
    [(_, listed), (verified, said)] = run(f"zoo -b {base}", f"zoo verify --batches 2 -b {base}")
    assert folder.name in listed
    assert verified == 0, said
    for code, said in run(f"analyse -b {base}", f"train -s 1 --max-n 3 -nn 30 -b {base}"):
        assert code == 2 and said.startswith(f"tsrnn: cannot write to {base}"), said
        assert said.count("\n") == 1


def test_data_and_initial_weights_do_not_depend_on_the_ensemble(small):
    """The same to the bit, alone or among others."""

    def drawn(numbers):
        runs = [begin(replace(small, seed=n)) for n in numbers]
        return runs, draw_batch(runs)

    (together, batch), (alone, own) = drawn([3, 4, 5]), drawn([4])
    assert all(torch.equal(p, together[1].parameters[name]) for name, p in alone[0].parameters.items())
    assert torch.equal(batch.s[1, : batch.lengths[1]], own.s[0])
    assert torch.equal(batch.labels[1], own.labels[0]) and torch.equal(batch.initial[1], own.initial[0])
    assert seeded(4, 0).initial_seed() != seeded(4, 1).initial_seed()


def test_the_number_of_other_processes_does_not_matter(tmp_path):
    """Two networks, one after the other and at the same time."""
    trains = [f"train -c single -nn 40 --max-epochs 1 -s {seed} -n {seed} -b {tmp_path}" for seed in (1, 2)]
    ended = [*at_once(f"{trains[0]}/a", said=tmp_path), *at_once(f"{trains[1]}/a", said=tmp_path)]
    ended += at_once(*(f"{train}/b" for train in trains), said=tmp_path)
    assert [code for code, _ in ended] == [0] * 4, ended
    for name in ("single_parity_neurons40_network_1", "single_parity_neurons40_network_2"):
        assert everything(tmp_path / "a" / name) == everything(tmp_path / "b" / name)
