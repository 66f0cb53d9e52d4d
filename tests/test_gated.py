"""LSTM and GRU against loops written from their equations, Adam against torch's; files and analyses."""

from dataclasses import asdict, replace
from pathlib import Path

import pandas as pd
import pytest
import torch
from conftest import everything, killed_before_write
from torch import Tensor, nn
from tqdm import tqdm

from tsrnn import InputError, zoo
from tsrnn.analysis.connectivity import connectivity
from tsrnn.analysis.decoding import decoding
from tsrnn.analysis.dimensionality import dimensionality
from tsrnn.analysis.interventions import Stream, ablation, perturbation
from tsrnn.analysis.simulate import Protocol
from tsrnn.analysis.timescales import timescales
from tsrnn.batches import Batch, draw_batch
from tsrnn.config import TrainConfig
from tsrnn.evaluation import new_readouts, verify
from tsrnn.files import read_json, read_table
from tsrnn.gated import GatedRNN
from tsrnn.model import Architecture
from tsrnn.probes import QUICK, add_missing
from tsrnn.replay import replay
from tsrnn.runs import begin, states_on_disk
from tsrnn.schemas import HISTORY
from tsrnn.training import assemble, train, train_and_test, train_step

GATED = ["lstm", "gru"]
ROOT = Path(__file__).parents[1]


def random_model(kind: str, K: int = 1, H: int = 6, protocol: str = "published") -> GatedRNN:
    generators = [torch.Generator().manual_seed(k) for k in range(K)]
    return GatedRNN.initialise(Architecture(H, kind, protocol=protocol), generators)


def loop(kind: str, w_in: Tensor, b_in: Tensor, W: Tensor, b: Tensor, s: Tensor) -> list[Tensor]:
    """h after every bit of one sequence s (T,), unit by unit as the equations have it, from zeros on."""
    H = W.shape[1]
    h, c, found = [torch.zeros((), dtype=s.dtype)] * H, [torch.zeros((), dtype=s.dtype)] * H, []

    def recurrent(gate: int, i: int, h: list[Tensor]) -> Tensor:
        return sum((W[gate * H + i, j] * h[j] for j in range(H)), b[gate * H + i])

    for bit in s:
        before = h

        def entering(gate: int, i: int, bit: Tensor = bit) -> Tensor:
            return w_in[gate * H + i] * bit + b_in[gate * H + i]

        h = []
        for i in range(H):
            if kind == "lstm":
                a = [entering(gate, i) + recurrent(gate, i, before) for gate in range(4)]
                c = [*c]
                c[i] = torch.sigmoid(a[1]) * c[i] + torch.sigmoid(a[0]) * torch.tanh(a[2])
                h.append(torch.sigmoid(a[3]) * torch.tanh(c[i]))
            else:
                reset, update = (torch.sigmoid(entering(g, i) + recurrent(g, i, before)) for g in (0, 1))
                new = torch.tanh(entering(2, i) + reset * recurrent(2, i, before))
                h.append((1 - update) * new + update * before[i])
        found.append(torch.stack(h))
    return found


@pytest.mark.parametrize("kind", GATED)
@pytest.mark.parametrize("protocol", ["published", "matched"])
def test_networks_are_their_equations(kind, protocol):
    """Two of different lengths, side by side: every state, and all gradients of the last; in float32 too."""
    model, lengths = random_model(kind, 2, 3, protocol).double(), [4, 2]
    bits = torch.tensor([[0, 1], [1, 1], [1, 0], [0, 0]]).double().expand(2, -1, -1)
    weights = torch.randn(2, 2, 3, generator=torch.Generator().manual_seed(1)).double()
    start = model.start_state(2, torch.Generator())
    assert not start.any()
    last = model(bits, start, lengths)[..., :3]
    (last * weights).sum().backward()
    [*blocks] = (block.clone() for block in model.blocks(bits, start, length=3))
    shown = 2 * bits - 1 if protocol == "published" else bits
    for k in range(2):
        own = {n: p[k].detach().clone().requires_grad_() for n, p in model.named_parameters()}
        parts = [own[name] for name in ("w_in", "b_in", "W", "b")]
        found = torch.stack([torch.stack(loop(kind, *parts, shown[k, :, i])) for i in range(2)], 1)
        torch.testing.assert_close(torch.cat(blocks)[:, k], found, rtol=1e-9, atol=1e-12)
        torch.testing.assert_close(last[k], found[lengths[k] - 1], rtol=1e-9, atol=1e-12)
        (found[lengths[k] - 1] * weights[k]).sum().backward()
        for name in ("w_in", "b_in", "W", "b"):
            gradient = dict(model.named_parameters())[name].grad[k]
            torch.testing.assert_close(gradient, own[name].grad, rtol=1e-9, atol=1e-12)
        single = model.select([k]).float()
        torch.testing.assert_close(single.states(bits[k]), found.float(), rtol=1e-4, atol=1e-6)


def test_published_steps_are_those_of_torch():
    """N = 2, then 2 and 3: against nn.LSTM, a Linear per head, clip_grad_norm_ and torch's Adam."""
    config = TrainConfig(model="lstm", neurons=12, batch_size=8, clip=0.5)
    assert (config.optimiser, config.learning_rate, config.steps, config.max_epochs) == (
        "adam",
        1e-3,
        300,
        100,
    )
    run = begin(config)
    run.parameters = {name: p.double() for name, p in run.parameters.items()}
    run.memory = {what: {n: p.double() for n, p in of.items()} for what, of in run.memory.items()}
    model, optimiser = assemble([run], "cpu")
    lstm, heads = nn.LSTM(1, 12).double(), [nn.Linear(12, 2).double() for _ in range(2)]
    with torch.no_grad():
        for theirs, ours in zip(
            lstm.parameters(), (model.w_in[0][:, None], model.W[0], model.b_in[0], model.b[0]), strict=True
        ):
            theirs.copy_(ours)
        for i, head in enumerate(heads):
            head.weight.copy_(model.head_weight[0, i])
            head.bias.copy_(model.head_bias[0, i])
    parameters = [p for part in (lstm, *heads) for p in part.parameters()]
    adam = torch.optim.Adam(parameters, lr=1e-3)
    for n_max in [2] * 8 + [3] * 8:
        run.now = replace(run.now, n_max=n_max)
        batch = draw_batch([run])
        assert batch.s.unique().tolist() == [0, 1] and not batch.initial.any()
        batch = Batch(**{**vars(batch), "s": batch.s.double(), "initial": batch.initial.double()})
        loss = train_step(model, optimiser, batch, config.clip)
        adam.zero_grad()
        h = lstm(2 * batch.s[0][..., None] - 1)[0][-1]
        expected = sum(nn.CrossEntropyLoss()(heads[i](h), batch.labels[0, i]) for i in run.now.heads)
        expected.backward()
        nn.utils.clip_grad_norm_(parameters, config.clip)
        adam.step()
        assert loss.item() == pytest.approx(expected.item(), rel=1e-9)
    torch.testing.assert_close(model.W[0], lstm.weight_hh_l0, rtol=1e-7, atol=1e-11)
    torch.testing.assert_close(
        model.head_weight[0, :2], torch.stack([h.weight for h in heads]), rtol=1e-7, atol=1e-11
    )
    assert optimiser.state[model.head_weight]["step"][0, :3].tolist() == [16, 8, 0]


def test_matched_networks_learn_as_leaky_ones():
    matched, leaky = TrainConfig(model="gru", protocol="matched"), TrainConfig()
    other = {n for n, v in asdict(matched).items() if v != asdict(leaky)[n]}
    assert other == {"model", "protocol", "optimiser", "learning_rate", "momentum"}
    gru, own = draw_batch([begin(matched)]), draw_batch([begin(leaky)])
    assert torch.equal(gru.s, own.s) and torch.equal(gru.labels, own.labels)
    fair = draw_batch([begin(replace(TrainConfig(model="gru"), batch_size=4000))]).s.mean(1)
    assert fair.std() < 0.3 and (own.s.mean(1) - 0.5).abs().max() > 0.45  # p = 0.5; p ~ U(0, 1)


@pytest.mark.parametrize("kind", GATED)
def test_an_ensemble_computes_each_network_as_alone(small, kind):
    """Bit for bit, where one of them has two epochs behind it: each counts its own steps."""
    configs = [
        replace(small, model=kind, protocol="matched", optimiser="adam", learning_rate=0.01, seed=s)
        for s in (1, 2)
    ]
    together, alone = ([begin(c) for c in configs] for _ in range(2))
    with tqdm(disable=True) as bar:
        for runs in ([together[0]], together, [alone[0]], [alone[0]], [alone[1]]):
            train_and_test(runs, "cpu", bar)
    for a, b in zip(together, alone, strict=True):
        assert a.memory["step"]["W"] in (12, 24)
        for x, y in zip((a.parameters, *a.memory.values()), (b.parameters, *b.memory.values()), strict=True):
            assert all(torch.equal(x[name], y[name]) for name in y)


def gated(small: TrainConfig, kind: str) -> TrainConfig:
    """The small network's scale, and else the published protocol."""
    scale = {
        name: getattr(small, name) for name in ("steps", "test_batches", "batch_size", "promotion", "seed")
    }
    return TrainConfig(model=kind, neurons=8, max_n=3, measure_steps=0, **scale)


def test_killed_before_some_writes_it_ends_the_same(small, tmp_path, monkeypatch):
    """Before those of the second epoch, in turn."""
    config = replace(gated(small, "lstm"), steps=2, test_batches=1)
    [whole] = train(config, 1, tmp_path / "whole", progress=False)
    wanted, epochs = everything(whole), set()
    for kills in (8, 12, 16):
        with killed_before_write(kills, monkeypatch), pytest.raises(KeyboardInterrupt):
            train(config, 1, tmp_path / str(kills), progress=False)
        epochs |= {max(states_on_disk(tmp_path / str(kills) / whole.name))}
        [found] = train(config, 1, tmp_path / str(kills), progress=False)
        assert everything(found) == wanted, f"killed before write {kills}"
    assert epochs == {0, 1}


@pytest.mark.parametrize("kind", GATED)
def test_they_are_kept_measured_and_checked_as_others(small, tmp_path, kind):
    config = gated(small, kind)
    [folder] = train(config, base_path=tmp_path, progress=False)
    assert folder.name == f"cumulative_parity_{kind}_published_neurons8_network_1"
    history = read_table(folder / "history.csv", HISTORY)
    assert history["N_max"].tolist() == [2, 3] and history["tau_mean"].isna().all()
    scale = replace(QUICK, steps=40, batches=1, beyond=1)
    assert add_missing(folder, progress=False, scale=scale) == [3]
    assert not (folder / "robustness.parquet").exists() and (folder / "readouts.parquet").exists()
    measured = set(pd.read_parquet(folder / "promotions.parquet")["measure"])
    assert {"accuracy", "tau_net", "tau_net_published", "components", "ladder", "delay_line"} <= measured
    assert not measured & {"tau", "weight_mean"}
    assert zoo.index(tmp_path)["variant"].tolist() == [f"{kind}_published_neurons8"]
    assert verify(folder, batches=5)["z"].abs().max() < 5
    again = replay(folder, progress=False)
    assert not again["far"].any() and "tau_mean" not in set(again["quantity"])

    saved = read_json(folder / "config.json")["train"]
    assert (saved["protocol"], saved["optimiser"]) == ("published", "adam")
    model = zoo.load_model("cumulative", "parity", 1, 2, 3, tmp_path, f"{kind}_published_neurons8")
    assert model.architecture == config.architecture() and model.heads == {2: 0, 3: 1}
    copy = zoo.load_checkpoint(zoo.save_checkpoint(model, tmp_path, "parity"))
    for name, p in model.named_parameters():
        assert torch.equal(dict(copy.named_parameters())[name], p), name
    assert torch.equal(model.W, model.W.half().float()) and not torch.equal(model.b, model.b.half().float())


def test_a_unit_that_is_ablated_is_not_there(small):
    """It is as if the network had never had it: in a network of two, the other one alone is left."""
    model = random_model("lstm", H=2)
    model.heads = {2: 0}
    table = ablation(model, "parity", 2, {"one": [1]}, stream=Stream(steps=20, repetitions=2))
    assert table["tau"].isna().all() and table["unit"].unique().tolist() == [1]
    keep = torch.arange(0, 8, 2)
    parts = {"w_in": model.w_in[:, keep], "b_in": model.b_in[:, keep], "b": model.b[:, keep]}
    parts |= {
        "W": model.W[:, keep][..., :1],
        "head_weight": model.head_weight[..., :1],
        "head_bias": model.head_bias,
    }
    alone = GatedRNN(Architecture(1, "lstm"), {name: p.detach().clone() for name, p in parts.items()})
    alone.heads = model.heads
    whole = ablation(alone, "parity", 2, {"none": []}, together=True, stream=Stream(steps=20, repetitions=2))
    assert table["accuracy"].tolist() == whole["accuracy"].tolist()


@pytest.mark.parametrize(
    "analysis",
    [connectivity, lambda m: ablation(m, "parity", 2), lambda m: perturbation(m, "parity", 2, "W")],
)
def test_what_needs_tau_or_W_says_so_in_one_line(analysis):
    model = random_model("gru")
    model.heads = {2: 0}
    with pytest.raises(InputError, match="needs the tau and W of leaky units, and gru has none") as error:
        analysis(model)
    assert "\n" not in str(error.value)


class Own(nn.Module):
    """A network of a reader's own: it holds the last three bits, and nothing else."""

    def states(self, bits: Tensor) -> Tensor:
        padded = torch.cat([torch.zeros(2, bits.shape[1]), bits])
        return torch.stack([padded[2:], padded[1:-1], padded[:-2]], -1)


def test_a_readers_own_network_is_analysed():
    found = decoding(Own(), "parity", 3, beyond=1, batches=2).query("what == 'bit'")
    assert found["accuracy"].tolist()[:3] == [1, 1, 1] and found["accuracy"].iloc[3] < 0.6
    assert new_readouts(Own(), "parity", [1], batches=2)["accuracy"].tolist() == [1]
    assert (dimensionality(Own(), Protocol(200, trials=2, burn_in=5))["components"] <= 3).all()
    assert timescales(Own(), Protocol(200, trials=2, burn_in=5))["tau"].isna().all()
    wrong = Own()
    wrong.states = lambda bits: bits
    with pytest.raises(InputError, match=r"states\(bits\) of Own is .*return \(T, B, H\)"):
        timescales(wrong, Protocol(200, trials=2))
