"""What was once taken without a word, and wrong: each is refused in a line now, or comes out right."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from conftest import FIRST_LOOK, everything, killed_before_write

from tsrnn import InputError, WorkError, evaluation, load, tasks, training, zoo
from tsrnn.analysis.statistics import interval
from tsrnn.config import TrainConfig, jobs_of
from tsrnn.evaluation import verify
from tsrnn.files import CHECKSUMS, is_plain
from tsrnn.folders import hold
from tsrnn.model import Architecture, LeakyRNN
from tsrnn.probes import add_missing
from tsrnn.retraining import relative_to_first, retrain
from tsrnn.training import train


@pytest.mark.parametrize("writes", range(0, 16, 2))
def test_a_kill_while_a_run_goes_on_from_its_checkpoint_loses_nothing(small, trained, monkeypatch, writes):
    """Once the state that was just written, and not yet listed, was in the way for ever."""
    shutil.rmtree(trained / "state")
    further, other = replace(small, max_n=7), trained.parent / "other"
    shutil.copytree(trained, other / trained.name)
    train(further, base_path=other, progress=False)
    with killed_before_write(writes, monkeypatch), pytest.raises(KeyboardInterrupt):
        train(further, base_path=trained.parent, progress=False)
    train(further, base_path=trained.parent, progress=False)
    assert everything(trained) == everything(other / trained.name)


def unlist(folder: Path, name: str) -> None:
    lines = (folder / CHECKSUMS).read_text().splitlines()
    (folder / CHECKSUMS).write_text("".join(f"{line}\n" for line in lines if not line.endswith(f"  {name}")))


def test_tables_of_another_network_are_not_taken(small, trained):
    """Once they were even given checksums."""
    [other] = train(replace(small, network_number=2, seed=6), base_path=trained.parent, progress=False)
    add_missing(other, False, FIRST_LOOK)
    measured = pd.read_parquet(other / "readouts.parquet")
    pd.read_parquet(other / "readouts.parquet").assign(accuracy=0.123).to_parquet(other / "readouts.parquet")
    unlist(other, "readouts.parquet")
    with pytest.raises(InputError, match=r"have no readouts\.parquet"):
        zoo.gather(zoo.index(trained.parent), trained.parent, "readouts")
    with pytest.raises(InputError, match=r"readouts\.parquet is not in SHA256SUMS"):
        verify(other, batches=1)
    with hold(other):  # then it may just be written
        verify(other, batches=1)
    add_missing(other, False, FIRST_LOOK)
    pd.testing.assert_frame_equal(pd.read_parquet(other / "readouts.parquet"), measured)


def test_where_a_network_began_is_told_by_who_knows(small, trained):
    start, base = next(trained.glob("rnn_N2_N6.safetensors")), trained.parent
    config = replace(small, network_number=2, max_n=7, seed=8)
    [folder] = train(config, base_path=base, progress=False, start=start)
    assert zoo.read_config(folder).start_from == f"{trained.name}/{start.name}"
    with pytest.raises(InputError, match="start from = x/y: give that checkpoint as start, too"):
        train(replace(small, network_number=3, start_from="x/y"), base_path=base, progress=False)
    dms = replace(small, task="dms", network_number=4, max_n=7)
    with pytest.raises(InputError, match="it has task = parity, not dms"):
        train(dms, base_path=base, progress=False, start=start)
    assert len(zoo.index(base)) == 2


def test_relative_to_chance_is_nothing_and_not_infinite():
    table = pd.DataFrame({"N": [10, 12], "epoch": 1, "accuracy": [0.5, 0.9]})
    assert relative_to_first(table)["relative_accuracy"].isna().all()


@pytest.mark.parametrize(
    "name", ["a\nb.safetensors", "a\rb", "a\u2028b", "a\x1bb", "\ud800", "", "..", "a/b"]
)
def test_names_that_break_a_list_of_checksums_are_refused(name, tmp_path):
    model = LeakyRNN.initialise(Architecture(6), [torch.Generator().manual_seed(0)])
    model.heads = {2: 0}
    assert not is_plain(name)
    with pytest.raises(InputError, match="choose the name of a file"):
        zoo.save_checkpoint(model, tmp_path, "parity", name)
    assert not list(tmp_path.iterdir())


def test_a_run_does_not_go_on_with_another_task_of_the_same_name(small, tmp_path, monkeypatch):
    mine = tmp_path / "mine.py"
    monkeypatch.setattr(tasks, "TASKS", dict(tasks.TASKS))
    mine.write_text("def first(bits, n):\n    return bits[-n].long()\n")
    tasks.load_task(f"{mine}:first")
    config = replace(small, task="first", max_n=3)
    train(config, base_path=tmp_path, progress=False)
    train(replace(config, max_n=4), base_path=tmp_path, progress=False)
    mine.write_text("def first(bits, n):\n    return 1 - bits[-n].long()\n")
    tasks.load_task(f"{mine}:first")
    with pytest.raises(InputError, match="was begun with another task first"):
        train(replace(config, max_n=5), base_path=tmp_path, progress=False)


def test_a_training_that_diverges_is_work_that_failed_and_nothing_of_it_is_saved(small, tmp_path):
    config = replace(small, learning_rate=10.0, clip=1e9, max_n=60)
    with pytest.raises(WorkError, match=r"diverged in epoch [0-9]+, which is not saved"):
        train(config, base_path=tmp_path, progress=False)
    [folder] = zoo.network_folders(tmp_path)
    verify(folder, batches=1)


def test_a_folder_in_the_place_of_a_file_is_told_before_an_epoch_is_trained(small, trained, monkeypatch):
    monkeypatch.setattr(training, "train_epoch", None)
    for name in ("unsolved.safetensors", "state/1.safetensors"):
        (trained / name).unlink(missing_ok=True)
        (trained / name).mkdir()
        with pytest.raises(InputError, match=f"{name} is no ordinary file"):
            train(replace(small, max_n=9), base_path=trained.parent, progress=False)
        (trained / name).rmdir()


WORKFLOW = {"profile": "p", "zoo": "zoo", "device": "cpu", "together": 1, "profiles": {}}
CONDITION = {"task": "parity", "networks": 1, "max_n": 16}
JOBS = {
    "--start 20: these networks keep N = 5, 10, 16": CONDITION | {"retrain": "--start 20 --on 20"},
    "--start = [16, 12]: give it once": CONDITION | {"retrain": "--start 16 --start 12"},
    "--epochs = [1, 2]: give it once": CONDITION | {"retrain": "--epochs 1 --epochs 2"},
    "first = 1: choose 999001 to 1000000": CONDITION | {"networks": 10**6},
}


@pytest.mark.parametrize("said", JOBS)
def test_jobs_that_would_be_refused_are_no_jobs(said):
    with pytest.raises(InputError) as refused:
        jobs_of(WORKFLOW | {"profiles": {"p": [JOBS[said]]}})
    assert said in str(refused.value)


@pytest.mark.parametrize("done", ["/", ".", "..", "a\nb"])
def test_marks_are_kept_in_a_folder_of_their_own(done):
    with pytest.raises(InputError, match="done = "):
        jobs_of(WORKFLOW | {"done": done, "profiles": {"p": [CONDITION]}})
    for name in ("../..", "/"):
        with pytest.raises(InputError, match="unknown profile"):
            jobs_of(WORKFLOW | {"profile": name, "profiles": {name: [CONDITION]}})
    assert len(jobs_of(WORKFLOW | {"profiles": {"p": [CONDITION]}})) == 1


@pytest.mark.parametrize("base", ["", "a\0b", "x" * 5000])
def test_folders_that_cannot_be_are_refused_wherever_one_is_given(base):
    for call in (zoo.index, lambda base: train(TrainConfig(max_n=2), base_path=base, progress=False)):
        with pytest.raises(InputError) as refused:
            call(base)
        assert "\n" not in str(refused.value) and len(str(refused.value)) < 2000


def test_a_message_moves_no_terminal():
    assert str(InputError("a\nb\r\x1b[2J\u2028")) == r"a\nb\r\x1b[2J\u2028"
    assert len(str(InputError("x" * 10**5))) < 2000


def test_checkpoints_of_one_name_are_told_apart(small, trained, tmp_path):
    start = next(trained.glob("rnn_N2_N6.safetensors"))
    other = tmp_path / "other" / trained.name
    train(replace(small, seed=6), base_path=other.parent, progress=False)
    config, base = replace(small, network_number=2, max_n=7, seed=8), tmp_path / "new"
    train(config, base_path=base, progress=False, start=start)
    train(replace(config, max_n=8), base_path=base, progress=False, start=start)
    with pytest.raises(InputError, match="began from another checkpoint than"):
        train(replace(config, max_n=8), base_path=base, progress=False, start=other / start.name)


def answers(changed: str) -> str:
    return f"def first(bits, n):\n    return {changed}\n"


@pytest.mark.parametrize("changed", ["1 - bits[-n].long()", "bits[-min(n, 13)].long()"])
def test_another_task_of_the_same_name_is_told_wherever_a_network_is_loaded(
    small, tmp_path, monkeypatch, changed
):
    mine = tmp_path / "mine.py"
    monkeypatch.setattr(tasks, "TASKS", dict(tasks.TASKS))
    mine.write_text(answers("bits[-n].long()"))
    tasks.load_task(f"{mine}:first")
    [folder] = train(replace(small, task="first", max_n=3), base_path=tmp_path, progress=False)
    mine.write_text(answers(changed))
    tasks.load_task(f"{mine}:first")
    for call in (lambda: load(folder), lambda: add_missing(folder, False, FIRST_LOOK)):
        with pytest.raises(InputError, match="was begun with another task first"):
            call()


HEADS = {
    "for N = \\[2, 5\\]: give one for each": {2: 0, 5: 1},
    "for N = \\[3, 2\\]: give one for each": {3: 1, 2: 0},
    "head for N = 2 = -1": {2: -1},
    "N of a head = 0": {0: 0},
    "N of a head = '2'": {"2": 0},
    "heads = \\[0\\]": [0],
}


@pytest.mark.parametrize("said", HEADS)
def test_what_could_not_be_loaded_is_not_saved(said, tmp_path):
    model = LeakyRNN.initialise(Architecture(6), [torch.Generator().manual_seed(0)])
    model.heads = HEADS[said]
    with pytest.raises(InputError, match=said):
        zoo.save_checkpoint(model, tmp_path, "parity")
    model.heads, model.task = {np.int64(2): np.int64(0)}, "parity"
    for task, name, why in (("dms", None, "unknown task"), ("parity", "rnn_N2_N9.safetensors", "N = 2 to 2")):
        with pytest.raises(InputError, match=why):
            zoo.save_checkpoint(model, tmp_path, task, name)
    assert not list(tmp_path.iterdir())
    assert zoo.load_any(zoo.save_checkpoint(model, tmp_path, "parity")).heads == {2: 0}


class Spoils:
    """A network that uses the bits it is given as its own."""

    def states(self, bits):
        return bits.mul_(2).sub_(1)[..., None].repeat(1, 1, 3)


def test_a_network_that_changes_its_bits_does_not_change_what_is_asked():
    bits = torch.tensor([[1.0], [0.0]])
    assert evaluation.activity_of(Spoils(), bits)[:, 0, 0].tolist() == [1, -1]
    assert bits.flatten().tolist() == [1, 0]


def test_weights_that_are_no_numbers_have_no_accuracy():
    model = LeakyRNN.initialise(Architecture(6), [torch.Generator().manual_seed(0)])
    model.heads = {2: 0}
    with torch.no_grad():
        model.W[0, 0, 1] = float("nan")
    with pytest.raises(InputError, match="W holds 1 values that are not finite"):
        evaluation.accuracy(model, "parity", batches=1)
    healthy = LeakyRNN.initialise(Architecture(6), [torch.Generator().manual_seed(0)])
    healthy.heads = {2: 0}
    with torch.no_grad():
        healthy.W *= 1e12  # finite, but not for long
    with pytest.raises(WorkError, match="retraining on N = 9 diverged"):
        retrain(healthy, "parity", [9], 1, progress=False, steps=2, batch_size=4, test_batches=1)


@pytest.mark.parametrize("values", [np.ma.masked_equal([1.0, 2, 99], 99), [1j, 2], ["1", "2"]], ids=repr)
def test_what_is_no_sample_is_refused(values):
    with pytest.raises(InputError):
        interval(values)


def test_activity_beyond_all_bounds_is_no_activity():
    model = LeakyRNN.initialise(Architecture(6), [torch.Generator().manual_seed(0)])
    model.heads = {2: 0}
    with torch.no_grad():
        model.W *= 1e30  # finite
    calls = [
        lambda: model.run(torch.ones(20, 2)),
        lambda: evaluation.accuracy(model, "parity", batches=1),
        lambda: evaluation.new_readouts(model, "parity", [9], batches=1),
    ]
    for call in calls:
        with pytest.raises(InputError, match="grows beyond all bounds"):
            call()


def test_a_runs_own_checkpoint_is_not_replaced_by_the_way(trained):
    model = load(trained)
    before = everything(trained)
    with pytest.raises(InputError, match="is a run's own checkpoint"):
        zoo.save_checkpoint(model, trained, "parity")
    assert everything(trained) == before
