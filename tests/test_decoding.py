"""Readouts and shifts on networks built by hand, whose mechanism is known."""

import pandas as pd
import pytest
import torch
from ground_truth import delay_line

from tsrnn import InputError, tasks
from tsrnn.analysis.decoding import decoding, mechanism, shifts, spread
from tsrnn.evaluation import accuracy
from tsrnn.model import Architecture, LeakyRNN

# Bits enter as 0 and 100, so that the initial state, up to 0.1 per unit, does not matter
ONE = 100.0


def built(H: int, n: int) -> LeakyRNN:
    """A network of zeros with τ = 1 and a head for n that answers 1 if its weighted sum is above ONE / 2."""
    architecture = Architecture(neurons=H, activation="relu", tau=1)
    model = LeakyRNN.initialise(architecture, [torch.Generator()]).requires_grad_(False)
    for name, p in model.named_parameters():
        if name != "tau":
            p.zero_()
    model.heads = {n: 0}
    model.head_bias[0, 0, 0] = ONE / 2
    return model


def add_parity(model: LeakyRNN, units: list[int], inputs: list[int], weights: list[float]) -> None:
    """Three units whose sum with weights 1, −2, 2 is the parity of x(t) and the inputs' sum, 0 to 2."""
    for threshold, unit in enumerate(units):
        model.w_in[0, unit] = ONE
        model.b[0, unit] = -threshold * ONE
        model.W[0, unit, inputs] = torch.tensor(weights)


FOLD = [1.0, -2.0, 2.0]


def ladder(n: int) -> LeakyRNN:
    """Holds the parities of the last 1 ... n bits, each made from the one below and the new bit."""
    model = built(3 * n, n)
    rungs = [[3 * m, 3 * m + 1, 3 * m + 2] for m in range(n)]
    for m, units in enumerate(rungs):
        add_parity(model, units, rungs[m - 1] if m else [], FOLD if m else [])
    model.head_weight[0, 0, 1, rungs[-1]] = torch.tensor(FOLD)
    return model


def folded_delay_line() -> LeakyRNN:
    """Holds the last 3 bits, and makes the parity of 3 from x(t) and of two bits a step before."""
    model = built(6, 3)
    model.w_in[0, 0] = ONE
    model.W[0, 1, 0] = model.W[0, 2, 1] = 1
    add_parity(model, [3, 4, 5], [0, 1], [1.0, 1.0])
    model.head_weight[0, 0, 1, [3, 4, 5]] = torch.tensor(FOLD)
    return model


def running_sum() -> LeakyRNN:
    """Keeps the parity of the last 3 bits: adds the bit that comes and subtracts the one that leaves."""
    model = built(9, 3)
    model.w_in[0, 0] = ONE
    model.W[0, 1, 0] = model.W[0, 2, 1] = 1
    for mine, other in (([3, 4, 5], [6, 7, 8]), ([6, 7, 8], [3, 4, 5])):  # twice: W has no diagonal
        add_parity(model, mine, [2, *other], [1.0, *FOLD])
    model.head_weight[0, 0, 1, [3, 4, 5]] = torch.tensor(FOLD)
    return model


MECHANISMS = {"ladder": (ladder(5), 5), "delay line": (folded_delay_line(), 3), "sum": (running_sum(), 3)}


@pytest.mark.parametrize("model, n", MECHANISMS.values(), ids=MECHANISMS)
def test_the_networks_are_what_they_are_meant_to_be(model, n):
    assert accuracy(model, "parity", batches=2)["accuracy"].tolist() == [1]


@pytest.mark.parametrize("task", ["parity", "dms"])
def test_readouts_of_a_delay_line_find_its_bits_and_nothing_else(task):
    table = decoding(delay_line(5), task, 4, batches=8).set_index(["what", "index"])
    found = table["accuracy"]
    assert set(table["sequences"]) == {4 * 256}
    assert found.index.to_list() == [
        *(("bit", k) for k in range(8)),
        *(("answer", m) for m in range(2, 8)),
        ("whole", 0),
    ]
    assert (found["bit"][:5] == 1).all()
    assert found["bit"][5:].between(0.45, 0.55).all()
    assert found["answer"].max() < 0.8 and found["whole", 0] < 0.8


def test_readouts_of_a_ladder_find_sums_and_no_bits():
    found = decoding(ladder(5), "parity", 5, batches=8).set_index(["what", "index"])["accuracy"]
    assert (found["answer"][:4] == 1).all() and found["answer"][4:].between(0.44, 0.56).all()
    assert found["bit"][0] == 1 and found["bit"][2:].between(0.44, 0.56).all()


def test_the_whole_is_found_where_it_is():
    """A running sum of which nothing is subtracted is the parity of all bits since the start."""
    model = running_sum()
    model.W[0, 3:, 2] = 0
    found = decoding(model, "parity", 4, batches=4).set_index("what")["accuracy"]
    assert found["whole"] == 1
    assert found["answer"].between(0.4, 0.6).all()


def test_shifts_tell_a_ladder_from_a_delay_line():
    table = shifts(ladder(5), "parity", 5)
    sums, bits = (table[table["what"] == what] for what in ("answer", "bit"))
    assert sums.groupby("index").size().to_dict() == dict.fromkeys(range(2, 6), 6)
    own = sums["step"] == 5 - sums["index"]
    assert (sums["changed"] == own).all()
    assert (sums["expected"] == (own & (sums["step"] > 0))).all()
    assert (bits["changed"] == 0).all()

    table = shifts(folded_delay_line(), "parity", 3)
    sums, bits = (table[table["what"] == what] for what in ("answer", "bit"))
    assert (bits["changed"] == bits["expected"]).all()
    assert bits[bits["expected"]][["index", "step"]].to_numpy().tolist() == [[1, 1]]
    assert sums[sums["step"] > 0]["changed"].max() == 0
    assert sums[sums["step"] == 0].set_index("index")["changed"].to_dict() == {2: 0, 3: 1}


def test_a_running_sum_is_wrong_for_ever():
    table = shifts(running_sum(), "parity", 3)
    changed = table.pivot(index=["what", "index"], columns="step", values="changed")
    assert changed.loc["answer"].to_numpy().tolist() == [[0, 0, 0, 0], [1, 1, 1, 1]]
    assert changed.loc["bit"].to_numpy().tolist() == [[0, 0, 1, 1], [0, 1, 1, 1]]  # once it is subtracted


def test_each_shift_of_a_bit_has_its_controls():
    """They are expected where the bit is; a delay line minds the bit more than a push elsewhere as long."""
    table = shifts(folded_delay_line(), "parity", 3).set_index(["what", "index", "step"])
    bits = table.loc["bit"]
    for control in ("random", "states"):
        pd.testing.assert_series_equal(table.loc[control]["expected"], bits["expected"])
    assert table.loc["random"]["changed"][bits["expected"]].mean() < bits["changed"][bits["expected"]].mean()


def test_a_mechanism_is_told_by_its_shares():
    found = {name: mechanism(shifts(model, "parity", n)) for name, (model, n) in MECHANISMS.items()}
    at_work = {name: (f["ladder"], f["delay_line"], f["running_sum"]) for name, f in found.items()}
    assert at_work["ladder"] == (1, 0, 0) and at_work["delay line"] == (0, 1, 0)
    assert at_work["sum"][2] == 1
    assert found["ladder"]["ladder_elsewhere"] == found["delay line"]["delay_line_elsewhere"] == 0


def test_of_many_bits_and_answers_a_few_are_shifted():
    """Evenly spread, and the same for each of them as among all."""
    assert spread(1, 64, 10) == [1, 8, 15, 22, 29, 36, 43, 50, 57, 64] and spread(2, 4, 10) == [2, 3, 4]
    assert spread(1, 0, 10) == []
    few = shifts(ladder(9), "parity", 9, most=3)
    assert few.groupby("what")["index"].unique().map(list)[["answer", "bit"]].tolist() == [
        [2, 6, 9],
        [1, 4, 8],
    ]
    assert mechanism(few)["ladder"] == 1
    at_least = mechanism(shifts(ladder(2), "parity", 2, most=3))  # where there is next to nothing to shift
    assert at_least["ladder_elsewhere"] == 0


def test_of_an_answer_that_is_always_the_same_nothing_is_said(monkeypatch):
    monkeypatch.setitem(tasks.TASKS, "one", tasks.Task(tasks.draw_fair, lambda bits, n: bits[-1].long() | 1))
    changed = shifts(ladder(3), "one", 3, 64).set_index("what")["changed"]
    assert changed["answer"].isna().all() and changed["bit"].notna().all()


def test_in_dms_a_bit_counts_once():
    bits = shifts(ladder(5), "dms", 5).query("what == 'bit' and expected")
    assert bits[["index", "step"]].to_numpy().tolist() == [[1, 3], [2, 2], [3, 1]]


def test_bad_input_is_named():
    two = LeakyRNN.initialise(Architecture(neurons=3), [torch.Generator()] * 2)
    with pytest.raises(InputError, match="2 networks: choose one"):
        decoding(two, "parity", 2)
    one = ladder(3)
    with pytest.raises(InputError, match="n = 1: choose 2 to 10000"):
        decoding(one, "parity", 1)
    with pytest.raises(InputError, match="no head for N = "):
        shifts(one, "parity", 4)
    with pytest.raises(InputError, match="n = 1: choose 2"):
        shifts(one, "parity", 1)
    with pytest.raises(InputError, match="sequences = 3"):
        shifts(one, "parity", 3, sequences=3)
    with pytest.raises(InputError, match="unknown task 'copy'"):
        shifts(one, "copy", 3)
