"""Forgetting, new readouts and retraining on networks whose answers are known."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
import torch
from ground_truth import delay_line

from tsrnn import InputError
from tsrnn.analysis.decoding import shifts
from tsrnn.analysis.dimensionality import dimensionality
from tsrnn.analysis.interventions import ablation
from tsrnn.analysis.simulate import Protocol
from tsrnn.analysis.timescales import timescales
from tsrnn.config import TrainConfig
from tsrnn.evaluation import accuracy, forgetting, generalisation, new_readouts
from tsrnn.model import Architecture, LeakyRNN
from tsrnn.retraining import retrain
from tsrnn.training import train
from tsrnn.zoo import load_model


def random_model(heads: dict[int, int]) -> LeakyRNN:
    model = LeakyRNN.initialise(Architecture(neurons=12), [torch.Generator().manual_seed(0)])
    model.heads = heads
    return model


def test_new_readouts_read_what_is_there_linearly_and_no_more():
    """A delay line shows the last bits: one of them can be read off, whether two are equal cannot."""
    parity = new_readouts(delay_line(5), "parity", [1], batches=8)
    assert parity["accuracy"].tolist() == [1] and parity["sequences"].tolist() == [8 * 256]
    dms = new_readouts(delay_line(5), "dms", [2, 4], batches=8)
    assert dms["accuracy"].between(0.45, 0.55).all()


def test_generalisation_asks_for_what_was_never_trained():
    model = delay_line(3)
    model.heads = {1: 0}
    table = generalisation(model, "dms", batches=2)
    assert table["N"].tolist() == list(range(2, 12)) and set(table["readout"]) == {"new"}
    assert table.attrs == {"task": "dms", "batches": 2, "seed": 0}


def test_readouts_there_are_and_new_ones():
    """A single head is asked for all n; many heads each for their own."""
    single = forgetting(random_model({4: 0}), "parity", batches=3, seed=1)
    assert single["readout"].tolist() == ["newest", "newest", "own", "new", "new", "new"]
    assert single["N"].tolist() == [2, 3, 4] * 2
    same_head = random_model({2: 0, 3: 0, 4: 0})
    expected = accuracy(same_head, "parity", batches=3, seed=1)["accuracy"]
    assert single["accuracy"][:3].tolist() == expected.tolist()
    multi = random_model({2: 0, 3: 1, 4: 2})
    found = forgetting(multi, "parity", [2, 4, 5], batches=3, seed=1)
    assert found["readout"][:3].tolist() == ["own", "own", "newest"]


def test_retraining_learns_and_leaves_the_original_alone(tmp_path):
    config = TrainConfig("cumulative", neurons=60, batch_size=64, steps=150, max_n=3, measure_steps=0)
    train(config, base_path=tmp_path, progress=False)
    model = load_model("cumulative", "parity", 1, 2, 3, tmp_path, "neurons60")
    before = {name: p.clone() for name, p in model.named_parameters()}
    table = retrain(model, "parity", [3, 4], epochs=4, steps=150, batch_size=64, test_batches=10)
    assert all(torch.equal(p, before[name]) for name, p in model.named_parameters())
    at = table.set_index(["N", "epoch"])
    assert at["accuracy"][3, 0] > 0.97  # it comes with the readout of its largest N
    assert at["accuracy"][4, 0] < 0.9 < at["accuracy"][4, 4]
    assert at["relative_accuracy"][3, 4] == 1
    again = retrain(model, "parity", [3], epochs=1, steps=150, batch_size=64, test_batches=10)
    assert again["accuracy"].tolist() == table["accuracy"][:2].tolist()


class Own:
    """A reader's own network, which shows the last bits, or whatever `turn` makes of them."""

    def __init__(self, turn=lambda r: r) -> None:
        self.turn = turn

    def states(self, bits: torch.Tensor) -> object:
        before = torch.cat([bits.new_zeros(2, bits.shape[1]), bits])
        return self.turn(torch.stack([before[2:], before[1:-1], before[:-2]], -1))


def holding(value: float, step: int) -> Callable[[torch.Tensor], torch.Tensor]:
    return lambda r: r.index_fill(0, torch.tensor(step), value)


SAME = {
    "a gradient": lambda r: r.requires_grad_(),
    "float64": lambda r: r.double(),
    "counts": lambda r: r.int(),
    "bool": lambda r: r.bool(),
    "half": lambda r: r.half(),
    "NumPy": lambda r: r.numpy(),
    "NumPy's counts": lambda r: r.numpy().astype(np.uint16),
    "NumPy's turned round twice": lambda r: r.numpy()[:, ::-1].copy()[:, ::-1],
    "NumPy's of another byte order": lambda r: r.numpy().astype(">f4"),
    "list": lambda r: r.tolist(),
}
REFUSED = {
    "None": (lambda r: None, "of type NoneType: give"),
    "objects": (lambda r: [object()], "of type list: give"),
    "complex": (lambda r: r + 1j, "a complex tensor"),
    "NumPy's complex": (lambda r: r.numpy() + 1j, "a complex tensor"),
    "sparse": (lambda r: r.to_sparse(), "a sparse tensor"),
    "meta": (lambda r: r.to("meta"), "without values"),
    "masked": (lambda r: np.ma.masked_equal(r.numpy(), 1), "masked in places"),
    "no units": (lambda r: r[..., :0], r"is \(540, 2, 0\) for bits \(540, 2\): return \(T, B, H\)"),
    "too short": (lambda r: r[1:], r"is \(539, 2, 3\)"),
    "NaN in the middle": (holding(np.nan, 37), "holds NaN, or grows beyond all bounds, at step 37"),
    "beyond all squares": (holding(1e25, 3), "at step 3"),
    "infinite in the middle": (holding(np.inf, 1), "at step 1"),
}
BRIEF = Protocol(steps=40, trials=2)


@pytest.mark.filterwarnings("ignore::scipy.optimize.OptimizeWarning")
@pytest.mark.parametrize("kind", SAME)
def test_what_a_readers_network_does_can_be_given_as_any_array_of_real_numbers(kind):
    looks = [lambda m: timescales(m, BRIEF, 9)[["tau_net", "model"]], lambda m: dimensionality(m, BRIEF)]
    for look in looks:
        pd.testing.assert_frame_equal(look(Own(SAME[kind])), look(Own()))
    assert new_readouts(Own(SAME[kind]), "parity", [1], batches=1)["accuracy"].tolist() == [1]


@pytest.mark.parametrize("kind", REFUSED)
def test_what_no_analysis_can_use_of_a_readers_network_is_refused(kind):
    turn, said = REFUSED[kind]
    for look in (timescales, dimensionality):
        with pytest.raises(InputError, match=rf"states\(bits\) of Own.*{said}"):
            look(Own(turn), BRIEF)


def test_states_that_cannot_be_called_are_refused():
    network = Own()
    network.states = 5
    with pytest.raises(InputError, match=r"states\(bits\) of Own cannot be called: make it a function"):
        new_readouts(network, "parity", [2], batches=1)


def test_a_readout_that_saw_one_answer_gives_it():
    """In DMS the last bit is always equal to itself."""
    table = forgetting(random_model({2: 0}), "dms", [1, 9], batches=1).query("readout == 'new'")
    assert len(forgetting(random_model({1: 0}), "dms", batches=1)) == 2  # there is no 2 ... N
    assert table["accuracy"].iloc[0] == 1 and table["accuracy"].iloc[1] < 1


@pytest.mark.parametrize(
    ("heads", "said"),
    [
        ({2: 500}, "head for N = 2 = 500: choose 0 to 99"),
        ({2: -1}, "head for N = 2 = -1: choose 0 to 99"),
        ({2: 0.0}, "head for N = 2 = 0.0: choose a whole number"),
        ({2: None}, "head for N = 2 = None"),
        ({"2": 0}, "N of a head = '2'"),
        ([0], r"heads = \[0\]: say which head answers for which N, as \{2: 0\}"),
        (None, "heads = None: say"),
        ({}, "this network has no head: load a trained one, or set `heads`"),
    ],
    ids=repr,
)
def test_heads_that_there_are_not_are_refused(heads, said):
    model = random_model(heads)
    calls = [
        lambda: accuracy(model, "parity"),
        lambda: accuracy(model, "parity", [2]),
        lambda: forgetting(model, "parity"),
        lambda: model.answer([0, 1, 1], 2),
        lambda: shifts(model, "parity", 2),
        lambda: ablation(model, "parity", 2),
    ]
    assert repr(model).startswith("LeakyRNN(12 units")
    for call in calls:
        with pytest.raises(InputError, match=said):
            call()


@pytest.mark.parametrize("k", [0, -1, 1.5, None, True, 10**9], ids=repr)
def test_a_bit_is_held_for_whole_steps(k):
    model = random_model({2: 0})
    with pytest.raises(InputError, match=f"k = {k}: choose"):
        model.k = k
    model.k = np.int64(3)
    assert model.k == 3 and type(model.select([0]).k) is int


def test_bad_input_is_named():
    two = LeakyRNN.initialise(Architecture(neurons=3), [torch.Generator()] * 2)
    with pytest.raises(InputError, match="2 networks: choose one"):
        new_readouts(two, "parity", [2])
    with pytest.raises(InputError, match="2 networks: choose one"):
        retrain(two, "parity", [2])
    one = random_model({2: 0})
    with pytest.raises(InputError, match="N = 0: choose 1 to 10000"):
        new_readouts(one, "parity", [0], batches=5)
    with pytest.raises(InputError, match="epochs = 0"):
        retrain(one, "parity", [2], epochs=0)
    with pytest.raises(InputError, match="N = 1: choose 2"):
        retrain(one, "parity", [1])
    with pytest.raises(InputError, match="unknown task 'copy'"):
        forgetting(one, "copy")
