"""Who may write in a folder, and what others see of it meanwhile."""

import json
import os
import resource
import shutil
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path

import pandas as pd
import pytest
import torch
from conftest import FORKS, at_once, everything
from filelock import FileLock

from tsrnn import InputError, WorkError, evaluation, files, zoo
from tsrnn.files import CHECKSUMS
from tsrnn.folders import hold, is_held, number_and_seed
from tsrnn.runs import load_state, saved_history, states_on_disk
from tsrnn.training import train


def hold_until(folder, connection):
    with hold(folder):
        connection.send("held")
        connection.recv()


def in_another(target, folder):
    """A process that does it, and our end of its connection."""
    ours, theirs = FORKS.Pipe()
    process = FORKS.Process(target=target, args=(folder, theirs))
    process.start()
    theirs.close()  # or we would wait for a process that has died
    return process, ours


@contextmanager
def held_by_another(folder):
    """Within, another process holds the folder."""
    process, connection = in_another(hold_until, folder)
    assert connection.recv() == "held"
    try:
        yield
    finally:
        connection.send("end")
        process.join()


# ---------------------------------------------------------------- one writer


def test_another_process_is_kept_out_and_let_in_again(small, trained):
    longer = replace(small, max_n=7)
    with held_by_another(trained):
        before = everything(trained)
        assert is_held(trained)
        with pytest.raises(InputError, match="is being trained by another process"):
            train(longer, base_path=trained.parent, progress=False)
        assert everything(trained) == before
    assert not is_held(trained)
    train(longer, base_path=trained.parent, progress=False)


def test_a_lock_that_was_deleted_stops_the_training_before_it_writes(small, tmp_path, monkeypatch):
    """Somebody else may have the folder by then."""
    from tsrnn import training

    original = training.train_and_test

    def deleted_meanwhile(runs, *rest):
        found = original(runs, *rest)
        if runs[0].epoch == 2:
            (tmp_path / small.folder() / "state" / "lock").unlink()
        return found

    monkeypatch.setattr(training, "train_and_test", deleted_meanwhile)
    with pytest.raises(WorkError, match=r"state/lock was removed while .* another process may have it now"):
        train(small, base_path=tmp_path / "", progress=False)
    assert len(saved_history(tmp_path / small.folder())) == 1
    monkeypatch.setattr(training, "train_and_test", original)
    train(small, base_path=tmp_path, progress=False)
    [whole] = train(small, base_path=tmp_path / "whole", progress=False)
    assert everything(tmp_path / small.folder()) == everything(whole)


def test_no_locks_here_is_not_taken_for_another_process(small, tmp_path, monkeypatch):
    def no_locks(*_, **__):
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(FileLock, "acquire", no_locks)
    with pytest.raises(InputError, match=r"cannot write to .*: Operation not supported"):
        train(small, base_path=tmp_path, progress=False)


def test_eight_at_once_are_never_two_networks_of_one_seed(tmp_path):
    """With a seed: one trains, or several after each other. Without: each gets a number of its own."""
    train = f"train -c single -nn 8 --max-epochs 1 -b {tmp_path}"
    ended = at_once(*[f"{train}/same -s 1"] * 4, *[f"{train}/apart"] * 4, said=tmp_path)
    for i, (code, said) in enumerate(ended):
        assert code == 0 or (i < 4 and "another process" in said), said
    assert [p.name for p in zoo.network_folders(tmp_path / "same")] == ["single_parity_neurons8_network_1"]
    seeds = zoo.index(tmp_path / "apart")["seed"]
    assert len(seeds) == len(set(seeds)) == 4


def test_a_folder_that_a_kill_left_empty_is_taken(small, tmp_path):
    (tmp_path / small.folder() / "state").mkdir(parents=True)
    (tmp_path / small.folder() / "state" / "lock").touch()
    assert number_and_seed(replace(small, max_n=None), 7, 1, tmp_path) == (1, 7)
    train(small, base_path=tmp_path, progress=False)


# ---------------------------------------------------------------- what is in state/


def without(tensors, about):
    tensors.pop("parameters.W")


def smaller(tensors, about):
    tensors["parameters.W"] = tensors["parameters.W"][:5, :5].contiguous()


def whole_numbers(tensors, about):
    tensors["momentum.W"] = tensors["momentum.W"].int()


def not_finite(tensors, about):
    tensors["parameters.tau"][0] = float("nan")


def short_generator(tensors, about):
    tensors["generator"] = tensors["generator"][:9].clone()


def other_n(tensors, about):
    about["n"] = [3, 4]


def words(tensors, about):
    about["epoch"] = "five"


def from_the_future(tensors, about):
    about["epoch"] = 99


@pytest.mark.parametrize(
    "damage", [without, smaller, whole_numbers, not_finite, short_generator, other_n, words, from_the_future]
)
def test_a_state_that_is_none_is_refused_in_one_line(small, trained, damage):
    for path in states_on_disk(trained).values():
        about, tensors = files.read_tensors(path, "run")
        damage(tensors, about)
        files.write(path, files_content(tensors, about))
    with pytest.raises(InputError) as refused:
        train(replace(small, max_n=8), base_path=trained.parent, progress=False)
    assert str(trained) in str(refused.value) and "\n" not in str(refused.value)


def files_content(tensors, about) -> bytes:
    from safetensors.torch import save

    return save(tensors, metadata={"run": json.dumps(about)})


def test_the_state_of_another_network_is_refused(small, trained):
    """Swapped by hand, say: it would have gone on as the wrong one, in silence."""
    other = replace(small, seed=8, network_number=2)
    [folder] = train(other, base_path=trained.parent, progress=False)
    shutil.rmtree(trained / "state")
    shutil.copytree(folder / "state", trained / "state")
    with pytest.raises(
        InputError, match=r"is the state of .*_network_2, seed 8, not of .*_network_1, seed 5"
    ):
        train(replace(small, max_n=8), base_path=trained.parent, progress=False)


@pytest.mark.parametrize(
    ("lost", "message"),
    [("history.csv", "history.csv ends with 0"), ("promotions.parquet", "promotions.parquet lacks epoch 1")],
)
def test_a_state_beyond_the_other_files_is_refused(small, trained, lost, message):
    files.remove(trained / lost)
    with pytest.raises(InputError, match=message):
        train(replace(small, max_n=8), base_path=trained.parent, progress=False)


@pytest.mark.parametrize("value", [{"n": [2, 8]}, {"from_epoch": 9}, {"from_epoch": [1]}, {"ensemble": [1]}])
def test_a_state_that_says_other_things_than_the_history_is_refused(small, trained, value):
    """It would have left an N out, or written a history that cannot be read."""
    for path in states_on_disk(trained).values():
        about, tensors = files.read_tensors(path, "run")
        if "n" in value:
            for name in ("head_weight", "head_bias"):
                for part in ("parameters", "momentum"):
                    tensors[f"{part}.{name}"] = tensors[f"{part}.{name}"][:1].repeat_interleave(7, 0)
        files.write(path, files_content(tensors, about | value))
    with pytest.raises(InputError) as refused:
        train(replace(small, max_n=9), base_path=trained.parent, progress=False)
    assert "state" in str(refused.value) and "\n" not in str(refused.value)


@pytest.mark.parametrize("also", ["state", CHECKSUMS])
def test_a_network_that_lost_its_history_is_not_trained_over(small, trained, also):
    """Once it began anew, from epoch 0, over its own results."""
    shutil.rmtree(trained / "state")
    (trained / "history.csv").unlink()
    if also == CHECKSUMS:
        (trained / CHECKSUMS).unlink()
    before = sorted(path.name for path in trained.iterdir())
    for run in (small, replace(small, max_n=8)):
        with pytest.raises(InputError):
            train(run, base_path=trained.parent, progress=False)
    with pytest.warns(UserWarning, match="passed over: .*history.csv"):
        assert number_and_seed(replace(small, max_n=None), None, 1, trained.parent)[0] == 2
    with pytest.raises(InputError, match=r"history\.csv"):  # of this seed: a second one of it is not meant
        number_and_seed(replace(small, max_n=None), small.seed, 1, trained.parent)
    assert sorted(path.name for path in trained.iterdir()) == before


def test_only_a_states_folder_is_not_taken_for_a_new_run(small, trained):
    for path in trained.iterdir():
        if path.is_file():
            path.unlink()
    assert number_and_seed(replace(small, max_n=None), None, 1, trained.parent)[0] == 2


def test_checkpoints_that_are_not_ours_are_left_alone(small, trained):
    """A published one, say, that somebody put beside ours."""
    (trained / "rnn_N6_N6").write_bytes(b"mine")
    (trained / "rnn_N7_N7").write_bytes(b"mine")
    train(replace(small, max_n=8), base_path=trained.parent, progress=False)
    assert (trained / "rnn_N6_N6").read_bytes() == (trained / "rnn_N7_N7").read_bytes() == b"mine"
    assert all(path.suffix for path in zoo.checkpoints(trained))


def test_what_is_not_listed_is_not_verified(trained, command):
    shutil.rmtree(trained / "state")
    assert command("zoo", "-b", trained.parent, "verify", "--batches", 2)[0] == 0
    kept = files.read_checksums(trained)
    for name in ("rnn_N2_N6.safetensors", "history.csv", "config.json"):
        files.write_checksums(trained, {k: v for k, v in kept.items() if k != name})
        code, out, _ = command("zoo", "-b", trained.parent, "verify", "--batches", 2)
        assert code == 1 and f"{name} is not in {CHECKSUMS}" in out
    assert command("zoo", "-b", trained.parent, "verify", "--batches", 0)[0] == 2


def test_one_damaged_state_of_two_costs_an_epoch_and_nothing_else(small, trained, tmp_path):
    [whole] = train(replace(small, max_n=8), base_path=tmp_path / "whole", progress=False)
    for path in states_on_disk(trained).values():
        kept = path.read_bytes()
        path.write_bytes(kept[:-1] + bytes([kept[-1] ^ 1]))
        with pytest.warns(UserWarning, match="was changed or cut short .* the state of epoch . is whole"):
            [epoch] = states_on_disk(trained)
            load_state(small, trained, states_on_disk(trained)[epoch])
        path.write_bytes(kept)
    newest = states_on_disk(trained)[5]
    newest.write_bytes(b"")
    with pytest.warns(UserWarning, match="the state of epoch 4 is whole"):
        train(replace(small, max_n=8), base_path=trained.parent, progress=False)
    assert everything(trained) == everything(whole)


# ---------------------------------------------------------------- reading beside writing


def read_all(base, begun, reads, stop, errors) -> None:
    """What a reader does, again and again, while networks are trained."""
    torch.set_num_threads(1)
    begun.set()
    try:
        while not stop.is_set():
            for row in zoo.index(base).to_dict("records"):
                folder = base / row["network"]
                evaluation.verify(folder, 1)
            index = zoo.index(base)
            if (index["solved N"] > 0).any():
                zoo.gather(index[index["solved N"] > 0], base, "promotions")
            reads.value += 1
    except Exception as error:
        errors.put(repr(error))
    errors.put(None)


def test_a_reader_never_sees_a_half_state(small, tmp_path):
    """One process trains, another lists, verifies and loads all the time, four times at the least."""
    begun, reads, stop, errors = FORKS.Event(), FORKS.Value("i", 0), FORKS.Event(), FORKS.Queue()
    reader = FORKS.Process(target=read_all, args=(tmp_path, begun, reads, stop, errors))
    reader.start()
    assert begun.wait(120)  # it may begin to read later than the training ends
    try:
        for number in range(1, 50):
            train(
                replace(small, max_n=40, steps=3, network_number=number), base_path=tmp_path, progress=False
            )
            if reads.value > 3 or not errors.empty():
                break
    finally:
        stop.set()
    found = errors.get(timeout=60)
    reader.join()
    assert found is None and reads.value > 3, found


def test_files_are_whole_at_every_moment_of_a_write(small, trained, monkeypatch):
    """Between any two steps on the disk, what is listed can be read; a new file counts when it is whole."""
    original, looks = files.write_atomically, 0

    def look(path, content):
        nonlocal looks
        for _ in range(2):
            for name in files.read_checksums(trained):
                if (trained / name).exists():
                    files.read(trained / name)
            for checkpoint in zoo.checkpoints(trained):
                zoo.load_checkpoint(checkpoint)
            zoo.row_of(trained)
            looks += 1
            if looks % 2:
                original(path, content)

    monkeypatch.setattr(files, "write_atomically", look)
    train(replace(small, max_n=8), base_path=trained.parent, progress=False)
    assert looks > 30


# ---------------------------------------------------------------- odd folders


def test_a_renamed_folder_is_named_and_left_out(trained, command):
    shutil.copytree(trained, trained.with_name("cumulative_parity_neurons20_network_7"))
    (trained.parent / "x_network_1").mkdir()
    (trained.parent / "a1²2_network_1").mkdir()
    (trained.parent / "b_network_99999999999999999999").mkdir()
    Path(os.fsdecode(os.fsencode(trained.parent) + b"/\xff_network_2")).mkdir()
    with pytest.warns(
        UserWarning, match=r"left out: .*_network_7/config.json is of .*_network_1, its folder is called"
    ):
        assert zoo.index(trained.parent)["network"].tolist() == [trained.name]
    code, out, error = command("zoo", "-b", trained.parent)
    assert (code, out.count("network_"), error.count("left out")) == (0, 1, 1)
    code, out, _ = command("zoo", "-b", trained.parent, "verify", "--batches", 2)
    assert code == 1 and f"ok  {trained.name} rnn_N2_N6" in out
    assert out.splitlines()[-1].startswith("BAD cumulative_parity_neurons20_network_7: ")
    code, out, error = command("analyse", "-b", trained.parent)
    assert code == 0 and "left out" in error and trained.name in out


def test_a_young_run_is_listed_as_in_training(small, tmp_path, command):
    train(replace(small, promotion=1.0, max_epochs=1), base_path=tmp_path, progress=False)
    path = tmp_path / small.folder() / "config.json"
    about = files.read_json(path)
    about["train"] |= {"max_epochs": 100}
    files.write(path, json.dumps(about).encode())
    code, out, _ = command("zoo", "-b", tmp_path)
    assert code == 0 and "in training, N = 2" in out


def test_of_all_networks_those_in_use_are_left_out(small, trained, command):
    train(replace(small, network_number=2), base_path=trained.parent, progress=False)
    with held_by_another(trained):
        code, out, error = command("retrain", "--start", 5, "--on", 5, "-b", trained.parent, trained.name)
        assert code == 2 and "another process" in error
        code, out, error = command("analyse", "-b", trained.parent)
    assert (
        code == 0 and f"left out: {trained} is being trained" in error and "network_2: added N = 5, 6" in out
    )


def test_a_configuration_says_what_it_is(small, trained):
    path, good = trained / "config.json", files.read_json(trained / "config.json")
    wrong = {
        "lacks": ({k: v for k, v in asdict(small).items() if k != "task"}, "it has no task in 'train'"),
        "more": (asdict(small) | {"colour": "red"}, "colour in 'train' is no setting"),
        "kind": (asdict(small) | {"seed": "5"}, "seed = '5': choose a whole number"),
        "range": (asdict(small) | {"momentum": 2}, "momentum = 2: choose a number"),
        "pattern": (asdict(small) | {"task": "(a+)+$" * 9}, "unknown task"),
        "none": (None, "it has no 'train'"),
    }
    for train_part, message in wrong.values():
        files.write(path, json.dumps(good | {"train": train_part}).encode())
        with pytest.raises(InputError) as refused:
            zoo.read_config(trained)
        assert message in str(refused.value) and "\n" not in str(refused.value)


@pytest.mark.parametrize("change", [{"task": "dms"}, {"activation": "tanh"}, {"tau": 2.0}])
def test_a_checkpoint_of_another_run_is_refused(small, trained, tmp_path, change):
    [other] = train(replace(small, **change), base_path=tmp_path / "other", progress=False)
    name = zoo.checkpoints(trained)[-1].name
    files.write(trained / name, files.read(other / name))
    [(what, value)] = change.items()
    message = rf"{name} is of another run: it has .*{what} = {value}, not {getattr(small, what)}"
    with pytest.raises(InputError, match=message):
        evaluation.verify(trained)
    shutil.rmtree(trained / "state")
    with pytest.raises(InputError, match=message):
        train(replace(small, max_n=7), base_path=trained.parent, progress=False)


def test_a_damaged_table_of_any_kind_is_not_verified(trained):
    files.write_table(trained / "retraining.parquet", pd.DataFrame({"N": [5], "accuracy": [2.0]}))
    with pytest.raises(InputError, match=r"retraining\.parquet is damaged"):
        evaluation.verify(trained)


def hold_without_handles(folder, connection):
    with Path(os.devnull).open() as last:
        resource.setrlimit(resource.RLIMIT_NOFILE, (last.fileno(), 99))
    try:
        with hold(folder):
            connection.send("held")
    except ValueError as error:
        connection.send(str(error))


def test_without_free_file_handles_no_folder_is_left(tmp_path):
    process, connection = in_another(hold_without_handles, tmp_path / "new")
    assert "Too many open files" in connection.recv()
    process.join()
    assert not (tmp_path / "new").exists()


def test_a_zoo_that_is_not_there_is_not_an_empty_one(monkeypatch, tmp_path):
    monkeypatch.setenv("TSRNN_ZOO", str(tmp_path / "no" / "zoo"))
    with pytest.raises(InputError, match="there is no such folder; make it, or unset TSRNN_ZOO"):
        zoo.default_base_path()
    monkeypatch.setenv("TSRNN_ZOO", "")
    assert zoo.default_base_path().name == "trained_models"


def test_tables_of_several_tasks_and_variants_stay_apart(small, tmp_path):
    for change in ({"task": "dms"}, {"tau": 2.0}, {}):
        train(replace(small, **change), base_path=str(tmp_path), progress=False)
    table = zoo.gather(zoo.index(str(tmp_path)), str(tmp_path), "history")
    key = ["curriculum", "task", "variant", "number", "epoch"]
    assert len(table) == 15 and not table.duplicated(key).any()
    with pytest.raises(InputError, match="unknown table 'histroy': choose one of history, promotions"):
        zoo.gather(zoo.index(tmp_path), tmp_path, "histroy")


def test_a_network_whose_activity_grows_beyond_bounds_trains_on(small, tmp_path, monkeypatch):
    def explodes(*_):
        raise InputError("the activity of this network grows beyond all bounds")

    monkeypatch.setattr("tsrnn.analysis.measure.costly", explodes)
    with pytest.warns(UserWarning, match="N = .*: the activity of this network grows beyond all bounds"):
        [folder] = train(small, base_path=tmp_path, progress=False)
    promotions = pd.read_parquet(folder / "promotions.parquet")
    assert "tau" in set(promotions["measure"]) and "tau_net" not in set(promotions["measure"])
