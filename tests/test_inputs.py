"""Whatever is given for a number, a word or a list: taken as Python's own, or refused in a line by name."""

import json
import math
from dataclasses import asdict

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from tsrnn import InputError
from tsrnn.analysis.decoding import decoding, shifts
from tsrnn.analysis.interventions import Stream, ablation, perturbation
from tsrnn.analysis.recordings import timescales_of
from tsrnn.analysis.simulate import Protocol
from tsrnn.config import LIMITS, TrainConfig
from tsrnn.curriculum import start
from tsrnn.evaluation import accuracy, forgetting, new_readouts
from tsrnn.inputs import integer, integers, number
from tsrnn.model import Architecture, LeakyRNN
from tsrnn.probes import Scale
from tsrnn.retraining import retrain

WHOLE = ["first_n", "init_heads", "add_heads", "forget_heads", "max_n"]
WHOLE += [name for name, (low, _) in LIMITS.items() if isinstance(low, int)]
REAL = ["tau", *(name for name, (low, _) in LIMITS.items() if isinstance(low, float))]
NEITHER = [
    True,
    "10",
    "",
    b"1",
    [1],
    {},
    object,
    math.nan,
    math.inf,
    -math.inf,
    1 + 0j,
    np.True_,
    np.array([1, 2]),
]


def one_line(error: InputError, name: str) -> None:
    assert name.replace("_", " ") in str(error) and "\n" not in str(error) and len(str(error)) < 200


@pytest.mark.parametrize("name", WHOLE)
@pytest.mark.parametrize("value", [*NEITHER, 1.0, 1.5, -1, 10**30, np.float64(2), np.int64(-1)], ids=repr)
def test_what_is_no_whole_number_in_range_is_refused_by_name(name, value):
    with pytest.raises(InputError) as refused:
        TrainConfig(**{name: value})
    one_line(refused.value, name.split("_")[0])


@pytest.mark.parametrize("name", REAL)
@pytest.mark.parametrize("value", [*NEITHER, -1.0, 1e39, 1e300, -(10**30), np.float64("nan")], ids=repr)
def test_what_is_no_number_in_range_is_refused_by_name(name, value):
    with pytest.raises(InputError) as refused:
        TrainConfig(**{name: value})
    one_line(refused.value, name)


@pytest.mark.parametrize("name", ["curriculum", "task", "model", "activation", "precision"])
@pytest.mark.parametrize(
    "value", [None, 1, "", "x" * 10_000, "parity\n", "single ", ["parity"]], ids=lambda v: repr(v)[:9]
)
def test_what_is_no_word_that_is_known_is_refused_by_name(name, value):
    with pytest.raises(InputError) as refused:
        TrainConfig(**{name: value})
    one_line(refused.value, f"unknown {name}")


def test_numpys_numbers_are_as_good_as_pythons():
    """And are kept as Python's own, as config.json needs them."""
    whole = {name: np.int64(getattr(TrainConfig(max_n=9), name)) for name in WHOLE}
    real = {"tau": np.float32(2), "learning_rate": np.float64(0.05), "promotion": np.float64(0.98)}
    assert json.dumps(asdict(TrainConfig(**whole, **real))) == json.dumps(
        asdict(TrainConfig(max_n=9, tau=2.0, learning_rate=0.05, promotion=0.98))
    )
    assert Protocol(steps=np.int32(50)) == Protocol(steps=50) and Stream(seed=np.uint8(3)) == Stream(seed=3)
    assert start("single", np.int64(4)).n_max == 4


@settings(max_examples=200)
@given(st.integers(), st.integers(-5, 5), st.integers(0, 10))
def test_ranges_hold(value, low, width):
    for check, kind in ((integer, int), (number, float)):
        if low <= value <= low + width:
            assert check("x", value, low, low + width) == value
            assert type(check("x", np.int64(value), low, low + width)) is kind
        else:
            with pytest.raises(InputError, match=f"^x = .*: choose .*{low} to {low + width}$"):
                check("x", value, low, low + width)


@pytest.mark.parametrize(
    "values", [[], [2, 2], [2, 2.5], "23", 2, None, [True], range(0), np.array(2), torch.tensor(2)], ids=repr
)
def test_lists_that_are_none(values):
    with pytest.raises(InputError, match=r"^N = "):
        integers("N", values, 1, 9)


def test_a_folder_gets_no_name_that_no_system_takes():
    assert len(TrainConfig(model="continuous", k=range(1, 50)).folder()) <= 200
    with pytest.raises(InputError, match=r"folder, cumulative_parity_continuous.*choose fewer k"):
        TrainConfig(model="continuous", k=range(1, 100))


MODEL = LeakyRNN.initialise(Architecture(neurons=6), [torch.Generator().manual_seed(0)])
MODEL.heads = {3: 0}
CALLS = {
    "accuracy, batches": lambda: accuracy(MODEL, "parity", batches=1.0),
    "accuracy, batch size": lambda: accuracy(MODEL, "parity", batch_size=10**9),
    "accuracy, seed": lambda: accuracy(MODEL, "parity", seed=-1),
    "accuracy, N": lambda: accuracy(MODEL, "parity", ns=["3"]),
    "new_readouts, N": lambda: new_readouts(MODEL, "parity", [10**9]),
    "decoding, n": lambda: decoding(MODEL, "parity", 2.0),
    "decoding, beyond": lambda: decoding(MODEL, "parity", 2, beyond=10**9),
    "shifts, sequences": lambda: shifts(MODEL, "parity", 3, sequences=10**12),
    "ablation, unit": lambda: ablation(MODEL, "parity", 3, {"mine": [1.5]}),
    "perturbation, epsilon": lambda: perturbation(MODEL, "parity", 3, "W", [math.nan]),
    "perturbation, directions": lambda: perturbation(MODEL, "parity", 3, "W", directions=True),
    "Stream, steps": lambda: Stream(steps=10**30),
    "Protocol, trials": lambda: Protocol(trials="10"),
    "Scale, batches": lambda: Scale(batches="10"),
    "Scale, stream": lambda: Scale(40, 5),
    "Scale, stream, none": lambda: Scale(40, None),
    "Protocol, sequences": lambda: Protocol(10**9, trials=10**6),
    "Stream, sequences": lambda: Stream(10**9, repetitions=10**6),
    "retrain, colour": lambda: retrain(MODEL, "parity", [2], colour=1),
    "retrain, setting": lambda: retrain(MODEL, "parity", [2], first_n=3),
    "retrain, neurons": lambda: retrain(MODEL, "parity", [2], neurons=3),
    "retrain, device": lambda: retrain(MODEL, "parity", [2], device="tpu"),
    "answer, N": lambda: MODEL.answer([0, 1, 1], 3.0),
    "forgetting, head": lambda: forgetting(LeakyRNN.from_rnn(nn.RNN(1, 3)), "parity"),
    "ablation, groups": lambda: ablation(MODEL, "parity", 3, {}),
    "ablation, groups, no unit": lambda: ablation(MODEL, "parity", 3, {"a": []}),
    "ablation, groups, no axis": lambda: ablation(MODEL, "parity", 3, {"a": [1], "b": np.array(1)}),
    "select, networks": lambda: MODEL.select([]),
    "Architecture, k": lambda: Architecture(6, "continuous", k=np.array(7)),
    "timescales_of, x": lambda: timescales_of(np.geomspace(1e120, 1e125, 99), dims=("time",)),
    "timescales_of, time unit": lambda: timescales_of(np.arange(99.0), dims=("time",), time_unit=5),
    "timescales_of, published": lambda: timescales_of(np.arange(99.0), dims=("time",), published="no"),
}


@pytest.mark.parametrize("call", CALLS)
def test_functions_name_what_they_refuse(call):
    with pytest.raises(InputError) as refused:
        CALLS[call]()
    one_line(refused.value, call.split(", ")[1])
