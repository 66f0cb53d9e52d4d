"""What clusters do to a run: kills, full disks, read-only folders, clocks that jump."""

import json
import os
import resource
import shutil
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch
from conftest import TSRNN, at_once, everything

from tsrnn import zoo
from tsrnn.batches import draw_batch
from tsrnn.files import read_checksums, read_table
from tsrnn.runs import begin, saved_history, seeded, states_on_disk
from tsrnn.schemas import PROMOTIONS
from tsrnn.training import train

# Threads that wait must not spin: two processes at once on two cores, beside other work, took five minutes.
ENVIRONMENT = os.environ | {"OMP_NUM_THREADS": str(torch.get_num_threads()), "OMP_WAIT_POLICY": "PASSIVE"}

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
    alone = ENVIRONMENT | {"OMP_NUM_THREADS": "1"}  # a fork and several threads do not go together
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
    train = "train -c single -s 1 -nn 40 --max-n 2 -b".split()
    command = [sys.executable, "-c", TSRNN, *train, str(tmp_path)]
    limit = 15_000

    def full() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    failed = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, preexec_fn=full)
    assert failed.returncode == 1 and failed.stderr.strip().splitlines()[-1].startswith(
        "tsrnn: File too large"
    )
    whole(tmp_path / "single_parity_neurons40_network_1")
    again = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True)
    assert again.returncode == 0, again.stderr
    whole(tmp_path / "single_parity_neurons40_network_1")


def test_the_clock_does_not_matter(small, tmp_path):
    """States are told apart by their epoch, whenever they say that they were written."""
    [wanted] = train(small, base_path=tmp_path / "a", progress=False)
    [folder] = train(replace(small, max_n=4), base_path=tmp_path / "b", progress=False)
    for epoch, path in states_on_disk(folder).items():
        os.utime(path, (0, 4e9 / (1 + epoch)))  # the later the epoch, the older it looks
    train(small, base_path=tmp_path / "b", progress=False)
    assert everything(folder) == everything(wanted)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to mount a folder as read-only")
def test_a_zoo_that_can_only_be_read(small, tmp_path):
    [folder] = train(small, base_path=tmp_path, progress=False)
    shutil.rmtree(folder / "state")
    read_only = 'mount --bind "$0" "$0" && mount -o remount,ro,bind "$0" && exec "$@"'

    def run(*arguments: str) -> subprocess.CompletedProcess:
        program = [sys.executable, "-m", "tsrnn", *arguments, "-b", str(tmp_path)]
        command = ["unshare", "-m", "sh", "-c", read_only, str(tmp_path), *program]
        return subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True)

    listed = run("zoo")
    if "mount" in listed.stderr or "unshare" in listed.stderr:
        pytest.skip("no mounting here")
    assert folder.name in listed.stdout
    verified = run("zoo", "verify", "--batches", "2")
    assert verified.returncode == 0, verified.stderr
    for arguments in (["analyse"], ["train", "-s", "1", "--max-n", "3", "-nn", "30"]):
        refused = run(*arguments)
        assert refused.returncode == 2, refused.stderr
        assert refused.stderr.startswith(f"tsrnn: cannot write to {tmp_path}")
        assert refused.stderr.count("\n") == 1


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
    ended = [*at_once(f"{trains[0]}/a", errors=tmp_path), *at_once(f"{trains[1]}/a", errors=tmp_path)]
    ended += at_once(*(f"{train}/b" for train in trains), errors=tmp_path)
    assert [code for code, _ in ended] == [0] * 4, ended
    for name in ("single_parity_neurons40_network_1", "single_parity_neurons40_network_2"):
        assert everything(tmp_path / "a" / name) == everything(tmp_path / "b" / name)
