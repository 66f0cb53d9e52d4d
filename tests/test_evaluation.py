"""Forgetting, new readouts and retraining on networks whose answers are known."""

import pytest
import torch
from ground_truth import delay_line

from tsrnn import InputError
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
