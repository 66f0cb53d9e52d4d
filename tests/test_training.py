"""The training step against torch's own pieces; promotion; ensembles; resume after a kill."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
import torch
from conftest import everything, killed_before_write, published_state
from naive import NaiveRNN
from torch import nn
from tqdm import tqdm

from tsrnn import InputError, files, zoo
from tsrnn.batches import Batch, draw_batch, draw_batches
from tsrnn.config import TrainConfig
from tsrnn.files import write
from tsrnn.folders import hold
from tsrnn.runs import begin, load_state, open_run, states_on_disk
from tsrnn.training import (
    as_model,
    assemble,
    check_start,
    train,
    train_and_test,
    train_step,
    train_together,
)


@pytest.mark.parametrize("kind", ["cumulative", "single"])
def test_steps_are_those_of_torch(kind):
    """Twenty updates against a loop, CrossEntropyLoss per head, clip_grad_norm_ and SGD with Nesterov."""
    config = TrainConfig(kind, neurons=12, batch_size=8, clip=0.5)
    run = replace(begin(config), now=replace(config.start(), n_max=4, n_min=2 if kind == "cumulative" else 4))
    run.parameters = {name: p.double() for name, p in run.parameters.items()}
    run.memory = {"momentum": {name: p.double() for name, p in run.memory["momentum"].items()}}
    model, optimiser = assemble([run], "cpu")
    naive = NaiveRNN(model)
    sgd = torch.optim.SGD(naive.parameters(), lr=0.05, momentum=0.1, nesterov=True)
    for _ in range(20):
        batch = draw_batch([run])
        batch = Batch(**{**vars(batch), "s": batch.s.double(), "initial": batch.initial.double()})
        loss = train_step(model, optimiser, batch, config.clip)
        sgd.zero_grad()
        logits = naive.logits(naive(batch.s[0], batch.initial[0]))
        expected = sum(
            nn.CrossEntropyLoss()(logits[head], batch.labels[0, i]) for i, head in enumerate(run.now.heads)
        )
        expected.backward()
        nn.utils.clip_grad_norm_(naive.parameters(), config.clip)
        sgd.step()
        assert loss.item() == pytest.approx(expected.item(), rel=1e-9)
    torch.testing.assert_close(model.W[0], naive.recurrent.weight, rtol=1e-8, atol=1e-12)
    torch.testing.assert_close(model.tau[0], naive.tau, rtol=1e-8, atol=1e-12)


def test_an_ensemble_follows_the_paths_of_its_networks_alone():
    """Three networks at different N: same data to the bit, same path to rounding, for a hundred steps."""
    configs = [TrainConfig("cumulative", neurons=30, batch_size=16, seed=s) for s in (1, 2, 3)]
    stages = [replace(configs[0].start(), n_max=n) for n in (4, 2, 6)]
    ensemble = [replace(begin(c), now=now) for c, now in zip(configs, stages, strict=True)]
    model, optimiser = assemble(ensemble, "cpu")
    for _ in range(100):
        train_step(model, optimiser, draw_batch(ensemble), 2.0)
    for k, (config, now) in enumerate(zip(configs, stages, strict=True)):
        run = replace(begin(config), now=now)
        alone, own_optimiser = assemble([run], "cpu")
        for _ in range(100):
            train_step(alone, own_optimiser, draw_batch([run]), 2.0)
        assert torch.equal(run.generator.get_state(), ensemble[k].generator.get_state())
        for name, p in alone.named_parameters():
            together = dict(model.named_parameters())[name][k]
            torch.testing.assert_close(
                together, p[0], rtol=1e-4, atol=1e-5, msg=lambda m, n=name: f"{n}: {m}"
            )


def test_batches_drawn_ahead_are_the_same_and_no_more(small, monkeypatch):
    """As for a GPU, in threads: the generators are left where they would be without."""
    monkeypatch.setattr(Batch, "to", lambda batch, device: batch)
    tasks = ("parity", "dms", "parity")
    configs = [replace(small, seed=seed, task=task) for seed, task in enumerate(tasks)]
    ahead, one_by_one = ([begin(c) for c in configs] for _ in range(2))
    for batch in draw_batches(ahead, 9, "cuda"):
        expected = draw_batch(one_by_one)
        for name, value in vars(expected).items():
            found = getattr(batch, name)
            assert torch.equal(found, value) if isinstance(value, torch.Tensor) else found == value
    for a, b in zip(ahead, one_by_one, strict=True):
        assert torch.equal(a.generator.get_state(), b.generator.get_state())


def test_networks_with_tau_fixed_train_beside_others(small):
    """As alone: their tau stays what it is, and its gradient does not count in the norm that is clipped."""
    configs = [small, replace(small, seed=5, tau=2.0), replace(small, seed=6, curriculum="single", tau=1.0)]
    together, alone = ([begin(c) for c in configs] for _ in range(2))
    with tqdm(disable=True) as bar:
        losses, _ = train_and_test(together, "cpu", bar)
        for k, run in enumerate(alone):
            [loss], _ = train_and_test([run], "cpu", bar)
            assert losses[k] == pytest.approx(loss, rel=1e-4)
            assert set(together[k].memory["momentum"]) == set(run.memory["momentum"])
            for name, p in run.parameters.items():
                torch.testing.assert_close(together[k].parameters[name], p, rtol=1e-4, atol=1e-5)
            if run.config.tau is not None:
                assert (together[k].parameters["tau"] == run.config.tau).all()
                assert as_model(together[k]).architecture.tau == run.config.tau


def test_training_stops_before_an_epoch_that_would_not_end_in_time(small, tmp_path):
    [folder] = train_together([small], tmp_path, progress=False, minutes=0.0)
    assert len(pd.read_csv(folder / "history.csv")) == 1  # how long one takes is not known before
    train_together([small], tmp_path, progress=False, minutes=10)
    assert len(pd.read_csv(folder / "history.csv")) == 5


def test_promotion_needs_the_mean_and_the_newest_head(small, tmp_path):
    """At 98 % nothing is promoted in twelve steps; the history says what was tried."""
    [folder] = train(replace(small, promotion=0.98, max_epochs=2), base_path=tmp_path, progress=False)
    history = pd.read_csv(folder / "history.csv")
    assert list(history["N_max"]) == [2, 2] and not history["promoted"].any()
    assert not list(folder.glob("rnn_*"))


def test_promotions_hold_what_was_measured(small, tmp_path):
    [folder] = train(small, base_path=tmp_path, progress=False)
    history = pd.read_csv(folder / "history.csv")
    promotions = pd.read_parquet(folder / "promotions.parquet")
    assert list(history["N_max"]) == [2, 3, 4, 5, 6]
    tau = promotions[promotions["measure"] == "tau"].groupby("N_max")["value"]
    assert list(tau.count()) == [20] * 5
    assert list(tau.mean()) == pytest.approx(list(history["tau_mean"]), rel=1e-6)
    accuracy = promotions[promotions["measure"] == "accuracy"]
    assert list(accuracy[accuracy["N_max"] == 4]["index"]) == [2, 3, 4]
    # N = 5 is a milestone, 6 the last
    assert sorted(p.name for p in folder.glob("rnn_*")) == ["rnn_N2_N5.safetensors", "rnn_N2_N6.safetensors"]


def test_going_on_later_is_the_same_as_going_on(small, tmp_path):
    [whole] = train(small, base_path=tmp_path / "a", progress=False)
    for n in (3, 4, 6):
        [parts] = train(replace(small, max_n=n), base_path=tmp_path / "b", progress=False)
    assert everything(whole) == everything(parts)


def test_an_ensemble_killed_before_any_write_ends_the_same(small, tmp_path, monkeypatch):
    """One has begun, one is at its end, one is new: killed before each write in turn."""
    small = replace(small, steps=2, test_batches=1, measure_steps=0)
    apart = [replace(small, seed=5 + i, network_number=1 + i, max_n=n) for i, n in enumerate((3, 2, 3))]
    for config in apart[1:]:
        train(config, base_path=tmp_path / "begun", progress=False)
    config = replace(small, max_n=3)

    def copy_of_the_begun(name):
        shutil.copytree(tmp_path / "begun", tmp_path / name)
        return tmp_path / name

    wanted = [everything(f) for f in train(config, 3, copy_of_the_begun("whole"), progress=False)]
    kills = 0
    while True:
        base = copy_of_the_begun(str(kills))
        try:
            with killed_before_write(kills, monkeypatch):
                found = train(config, 3, base, progress=False)
            break
        except KeyboardInterrupt:
            kills += 1
        found = train(config, 3, base, progress=False)
        assert [everything(f) for f in found] == wanted, f"killed before write {kills}"
    assert kills > 20 and [everything(f) for f in found] == wanted


def test_a_kill_while_a_checkpoint_is_removed_leaves_none_behind(small, tmp_path, monkeypatch):
    """Its checksum is gone then, and it is still there."""
    small = replace(small, measure_steps=0)
    [whole] = train(small, base_path=tmp_path / "a", progress=False)
    unlink = Path.unlink

    def die(path, **how):
        if path.name == "rnn_N2_N3.safetensors":
            raise KeyboardInterrupt
        unlink(path, **how)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Path, "unlink", die)
        train(small, base_path=tmp_path / "b", progress=False)
    assert (tmp_path / "b" / small.folder() / "rnn_N2_N3.safetensors").exists()
    [folder] = train(small, base_path=tmp_path / "b", progress=False)
    assert everything(folder) == everything(whole)


def test_only_our_own_unfinished_files_are_removed(small, tmp_path):
    [folder] = train(small, base_path=tmp_path, progress=False)
    theirs = [
        ".notes.md",
        ".history.csv.backup",
        "notes/.env",
        ".git/HEAD",
        "state/.keep",
        ".ipynb_checkpoints/a",
    ]
    for name in theirs:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text("mine")
    (folder / f".folder{files.UNFINISHED}").mkdir()
    (folder / f".link{files.UNFINISHED}").symlink_to(folder / ".notes.md")
    ours = [folder / f".history.csv.abcdefgh{files.UNFINISHED}", folder / "state" / f".1.x{files.UNFINISHED}"]
    for path in ours:
        path.write_text("half")
    train(replace(small, max_n=7), base_path=tmp_path, progress=False)
    assert all((folder / name).read_text() == "mine" for name in theirs)
    assert (folder / f".folder{files.UNFINISHED}").is_dir() and (
        folder / f".link{files.UNFINISHED}"
    ).is_symlink()
    assert not any(path.exists() for path in ours)


@pytest.mark.parametrize("change", [{"seed": 6}, {"batch_size": 17}, {"steps": 13}])
def test_a_folder_with_another_run_is_left_alone(small, tmp_path, change):
    [folder] = train(small, base_path=tmp_path, progress=False)
    before = everything(folder)
    with pytest.raises(InputError, match=f"different run, with {next(iter(change))}"):
        train(replace(small, **change), base_path=tmp_path, progress=False)
    assert everything(folder) == before


def test_a_run_in_use_is_refused(small, tmp_path):
    with hold(tmp_path / small.folder()), pytest.raises(InputError, match="another process"):
        train(small, base_path=tmp_path, progress=False)


def without_state(folder, copy):
    """A copy of a run as the zoo keeps it."""
    shutil.copytree(folder, copy, ignore=shutil.ignore_patterns("state"))
    return copy


def test_a_network_without_its_state_goes_on_from_its_newest_checkpoint(small, tmp_path):
    """Deterministically, and it says so; what came after the checkpoint does not count."""
    [folder] = train(small, base_path=tmp_path, progress=False)
    longer = replace(small, max_n=7, precision="bfloat16")
    found = []
    for name in "ab":
        kept = without_state(folder, tmp_path / name / small.folder())
        before = everything(kept)
        train(small, base_path=tmp_path / name, progress=False)  # at its end: nothing to do
        assert everything(kept) == before
        train(replace(longer, max_epochs=5), base_path=tmp_path / name, progress=False)  # nor here
        history = kept / "history.csv"
        write(history, history.read_bytes() + b"6,2,7,9,0,0,1,0,False,1,cpu,float32,0\n")
        train(longer, base_path=tmp_path / name, progress=False)
        found.append(everything(kept))
    assert found[0] == found[1]
    rows = pd.read_csv(history)
    assert rows["N_max"].tolist() == [2, 3, 4, 5, 6, 7] and rows["from_epoch"].tolist() == [0] * 5 + [5]
    assert rows["precision"].tolist() == ["float32"] * 5 + ["bfloat16"]
    [gone_on] = json.loads((kept / "config.json").read_text())["gone_on"]
    assert (gone_on["epoch"], gone_on["checkpoint"]) == (5, "rnn_N2_N6.safetensors")
    [row] = zoo.index(tmp_path / "b").to_dict("records")
    assert (row["from"], row["precision"]) == ("seed, N = 6 (epoch 5)", "float32, bfloat16")


def test_going_on_starts_at_the_weights_that_were_saved_with_fresh_data_and_no_momentum(small, tmp_path):
    [folder] = train(small, base_path=tmp_path, progress=False)
    kept = without_state(folder, tmp_path / "kept")
    with hold(kept):
        run = open_run(replace(small, max_n=7), kept)
    [seeded] = [begin(small)]
    model = zoo.load_checkpoint(kept / "rnn_N2_N6.safetensors")
    assert (run.epoch, run.from_epoch, run.now.n_max) == (5, 5, 7)
    for name, p in model.named_parameters():
        assert torch.equal(
            run.parameters[name][:5] if name.startswith("head_") else run.parameters[name], p[0]
        )
    assert torch.equal(run.parameters["head_bias"][5:], seeded.parameters["head_bias"][5:])
    assert all(not p.any() for p in run.memory["momentum"].values())
    last = load_state(small, folder, states_on_disk(folder)[5])
    bits = [draw_batch([r]).s for r in (run, replace(last, now=run.now), replace(seeded, now=run.now))]
    assert not any(torch.equal(bits[0], other) for other in bits[1:])


def test_an_unsolved_network_goes_on_from_its_last_epoch(small, tmp_path):
    """It keeps the weights of the last epoch, until it is promoted; that is no checkpoint of the zoo."""
    stuck = replace(small, promotion=1.0, max_epochs=3)
    [folder] = train(stuck, base_path=tmp_path / "a", progress=False)
    assert zoo.checkpoints(folder) == [] and len(pd.read_csv(folder / "history.csv")) == 3
    kept = without_state(folder, tmp_path / "b" / stuck.folder())
    with hold(kept):
        run = open_run(replace(stuck, max_epochs=4), kept)
    assert (run.epoch, run.from_epoch, run.now.n_max, len(run.history)) == (3, 3, 2, 3)
    last = load_state(stuck, folder, states_on_disk(folder)[3])
    torch.testing.assert_close(run.parameters["W"], last.parameters["W"], rtol=2**-11, atol=2**-24)
    assert torch.equal(run.parameters["tau"], last.parameters["tau"])
    (folder / "unsolved.safetensors").rename(folder / "mine")
    shutil.rmtree(folder / "state")
    with pytest.raises(InputError, match="without its training state and without a checkpoint"):
        train(replace(stuck, max_epochs=4), base_path=tmp_path / "a", progress=False)
    [folder] = train(small, base_path=tmp_path / "c", progress=False)
    assert not (folder / "unsolved.safetensors").exists()


def test_a_new_network_begins_from_a_checkpoint(small, tmp_path, monkeypatch):
    """Of tsrnn or of the authors' code, if it is of the same architecture and curriculum."""
    [folder] = train(small, base_path=tmp_path, progress=False)
    start = folder / "rnn_N2_N5.safetensors"
    config = replace(small, start_from=f"{folder.name}/{start.name}")
    [new] = train(config, base_path=tmp_path / "new", progress=False, start=start)
    assert pd.read_csv(new / "history.csv")["N_max"].tolist() == [6]
    assert zoo.index(tmp_path / "new")["from"].tolist() == [config.start_from]
    with pytest.raises(InputError, match="different run, with start_from"):
        train(small, base_path=tmp_path / "new", progress=False)

    published = tmp_path / "rnn_N2_N4"
    torch.save({"state_dict": published_state(20)}, published)
    random = replace(config, measure_steps=0)  # its activity explodes
    monkeypatch.chdir(tmp_path)
    check_start(random, Path(published.name))
    [new] = train(random, base_path=tmp_path / "published", progress=False, start=published)
    assert pd.read_csv(new / "history.csv")["N_max"].tolist() == [5, 6]

    for other, message in (
        (replace(config, neurons=21), "is of another run: it has neurons = 20, not 21"),
        (replace(config, curriculum="single"), "N = 2 to 5, which this single curriculum"),
        (replace(config, first_n=3), "from N = 3 to 3 on, does not come to"),
        (replace(config, tau=2.0), "tau = None, not 2"),
        (replace(config, max_n=5), "nothing is left to do"),
    ):
        with pytest.raises(InputError, match=message):
            train(other, base_path=tmp_path / "other", progress=False, start=start)
    assert not (tmp_path / "other").exists()


def test_a_run_stops_after_so_many_epochs_without_a_success(small, tmp_path):
    """It is promoted after each epoch up to N = 4, and then never again."""
    [folder] = train(replace(small, max_n=4), base_path=tmp_path, progress=False)
    stuck = replace(small, max_n=None, patience=3, promotion=1.0)
    config = json.loads((folder / "config.json").read_text())
    config["train"]["promotion"] = 1.0
    write(folder / "config.json", json.dumps(config).encode())
    train(stuck, base_path=tmp_path, progress=False)
    history = pd.read_csv(folder / "history.csv")
    assert list(history["promoted"]) == [True] * 3 + [False] * 3
    assert list(history["N_max"]) == [2, 3, 4, 5, 5, 5]


def test_a_folder_of_something_else_is_left_alone(small, tmp_path):
    folder = tmp_path / small.folder()
    folder.mkdir()
    (folder / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match=r"no config\.json"):
        train(small, base_path=tmp_path, progress=False)
    assert [p.name for p in folder.iterdir()] == ["notes.txt"]


def test_folder_names_are_the_published_ones():
    assert TrainConfig().folder() == "cumulative_parity_network_1"
    assert TrainConfig("single", "dms", network_number=3).folder() == "single_dms_network_3"
    sliding = TrainConfig("sliding", init_heads=10, forget_heads=5)
    assert sliding.folder() == "sliding_10_5_parity_network_1"
    mod = TrainConfig(model="mod", activation="tanh", network_number=2)
    assert mod.folder() == "cumulative_parity_mod_tanh_network_2"
    assert TrainConfig(tau=2, neurons=100).folder() == "cumulative_parity_tau2_neurons100_network_1"
    alone = TrainConfig("single_nocurr", first_n=12)
    assert alone.folder() == "single_nocurr_parity_first12_network_1"


def test_no_curriculum_stops_when_solved(small, tmp_path):
    config = replace(small, curriculum="single_nocurr", first_n=4, max_n=None)
    [folder] = train(config, base_path=tmp_path, progress=False)
    assert list(pd.read_csv(folder / "history.csv")["N_max"]) == [4]
    assert (folder / "rnn_N4_N4.safetensors").exists()
