"""Every function of the package's front, with every argument of a wrong kind: InputError of a line, by name.

Or what was given can be used after all. But never an error of Python's, torch's or NumPy's own.
"""

import inspect
import shutil
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from tsrnn import InputError, catalogue, evaluation, probes, replay, retraining, tasks, zoo
from tsrnn.analysis import connectivity, decoding, interventions, statistics
from tsrnn.analysis.dimensionality import dimensionality
from tsrnn.analysis.recordings import timescales_of
from tsrnn.analysis.simulate import Protocol
from tsrnn.analysis.timescales import timescales
from tsrnn.card import card
from tsrnn.config import TrainConfig
from tsrnn.model import Architecture, LeakyRNN
from tsrnn.training import train

MODEL = LeakyRNN.initialise(Architecture(neurons=6), [torch.Generator().manual_seed(0)])
MODEL.heads, MODEL.task = {2: 0, 3: 1}, "parity"
HELD = LeakyRNN.initialise(Architecture(6, "continuous"), [torch.Generator().manual_seed(0)])
HELD.heads = {2: 0}
BITS = torch.tensor([[1.0], [0.0], [1.0], [1.0]])
SHORT, FEW = Protocol(steps=40, trials=2), interventions.Stream(steps=10, warm_up=5, repetitions=2)
FEWEST = probes.Scale(40, FEW, batches=1, beyond=1)
ASKED = {"model": MODEL, "task": "parity"}
SHIFTS = decoding.shifts(MODEL, "parity", 3, sequences=8)
PATH = Path("no_folder")
TRAINED = TrainConfig(
    neurons=6, steps=2, batch_size=8, test_batches=1, promotion=0.0, max_n=3, measure_steps=40, seed=1
)
THERE = Path(TRAINED.folder())  # in the folder where each test is
NETWORKS = pd.DataFrame(
    {"network": [THERE.name], "curriculum": "cumulative", "task": "parity", "variant": "neurons6"}
    | {"number": [1], "seed": [1]}
)
QUIET = {"epochs": 1, "progress": False}

# A function, and arguments that it can begin with; what is not among them keeps its default
CALLS = [
    (catalogue.list_models, {"base_path": Path()}),
    (catalogue.find, {"network": "x"}),
    (catalogue.find_checkpoint, {"network": THERE, "n": 3}),
    (catalogue.load, {"network": THERE}),
    (zoo.load_model, dict(zip(["curriculum_type", "task"], ["single", "parity"], strict=True))
     | {"network_number": 1, "N_min": 2, "N_max": 2}),
    (zoo.load_any, {"path": PATH}),
    (zoo.load_checkpoint, {"path": PATH}),
    (zoo.load_published, {"path": PATH}),
    (zoo.checkpoints, {"folder": THERE}),
    (zoo.index, {"base_path": PATH}),
    (zoo.gather, {"networks": NETWORKS, "base": Path(), "name": "history"}),
    (zoo.kept, {"networks": NETWORKS, "base": Path()}),
    (zoo.save_checkpoint, {"model": MODEL, "folder": PATH, "task": "parity"}),
    (train, {"config": TRAINED, "runs": 1, "base_path": Path(), "progress": False}),
    (retraining.retrain, {**ASKED, "ns": [2], **QUIET, "steps": 1, "test_batches": 1}),
    (probes.robustness, {**ASKED, "scale": FEWEST}),
    (probes.readouts, {**ASKED, "scale": FEWEST}),
    (retraining.add_retraining, {"folder": THERE, "start": 3, "ns": [3], **QUIET}),
    (replay.replay, {"folder": THERE, **QUIET}),
    (probes.add_missing, {"folder": THERE, "progress": False, "scale": FEWEST}),
    (card, {"folder": THERE}),
    (evaluation.verify, {"folder": THERE, "batches": 1}),
    (evaluation.accuracy, {**ASKED, "batches": 1, "batch_size": 4}),
    (evaluation.accuracy_by_k, {**ASKED, "model": HELD, "ks": [1]}),
    (evaluation.forgetting, {**ASKED, "batches": 1}),
    (evaluation.generalisation, {**ASKED, "ns": [3], "batches": 1}),
    (evaluation.new_readouts, {**ASKED, "ns": [3], "batches": 1}),
    (decoding.decoding, {**ASKED, "n": 2, "batches": 1}),
    (decoding.shifts, {**ASKED, "n": 3, "sequences": 8}),
    (decoding.mechanism, {"table": SHIFTS}),
    (interventions.ablation, {**ASKED, "n": 3, "groups": {"a": [1]}, "stream": FEW}),
    (interventions.perturbation, {**ASKED, "n": 3, "parameter": "W", "epsilons": [1], "stream": FEW}),
    (interventions.stream_accuracy, {**ASKED, "n": 3, "stream": FEW}),
    (interventions.fastest_and_slowest, {"model": MODEL, "count": 2}),
    (connectivity.connectivity, {"model": MODEL}),
    (connectivity.spectrum, {"model": MODEL}),
    (timescales, {"model": MODEL, "protocol": SHORT}),
    (dimensionality, {"model": MODEL, "protocol": SHORT}),
    (timescales_of, {"x": np.sin(np.arange(99.0)), "dims": ["time"], "max_lag": 9}),
    (statistics.interval, {"values": [1, 2]}),
    (statistics.holm, {"p": [0.1]}),
    (statistics.compare, {"a": [1, 2], "b": [2, 3]}),
    (statistics.equivalence, {"differences": [1, 2], "margin": 1}),
    (tasks.parity, {"bits": BITS, "n": 2}),
    (tasks.delayed_match, {"bits": BITS, "n": 2}),
    (MODEL.run, {"bits": BITS}),
    (MODEL.answer, {"bits": BITS, "n": 2}),
    (MODEL.select, {"networks": [0]}),
    (LeakyRNN.initialise, {"architecture": Architecture(6), "generators": [torch.Generator()]}),
    (LeakyRNN.from_rnn, {"rnn": nn.RNN(1, 3)}),
]  # fmt: skip
VALUES = {
    "object": object(),
    "class": LeakyRNN,
    "bytes": b"1",
    "set": {1},
    "table": pd.DataFrame({"a": [1.5]}),
    "gradient": torch.ones(2, 2, requires_grad=True) / 3,
    "objects": [object()],
    "array of objects": np.array([object(), None]),
    "array without an axis": np.array(3),
    "ragged": [[1], [1, 0]],
    "complex": 1 + 0j,
    "none": None,
    "nan": float("nan"),
    "huge": 10**30,
    "negative": -1,
    "text": "no",
    "nothing": "",
    "null": "a\0b",
    "true": True,
    "fraction": 2.0,
    "dict": {"a": 5},
    "empty": [],
    "function": lambda *_: None,
    "without heads": LeakyRNN.from_rnn(nn.RNN(1, 3)),
}
CASES = [
    pytest.param(function, given, name, id=f"{function.__name__}-{name}")
    for function, given in CALLS
    for name in inspect.signature(function).parameters
    if name not in ("notes", "protocol") or "protocol" in given
]


@pytest.fixture(scope="session")
def trained_base(tmp_path_factory):
    base = tmp_path_factory.mktemp("base")
    train(TRAINED, base_path=base, progress=False)
    return base


@pytest.fixture
def here(trained_base, tmp_path, monkeypatch):
    """The folder where a test is, with `THERE`."""
    shutil.copytree(trained_base, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TSRNN_ZOO", str(tmp_path))  # where base_path = None writes
    monkeypatch.setattr(retraining, "retrain", partial(retraining.retrain, steps=1, batch_size=4))
    return tmp_path


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("function, given, name", CASES)
def test_an_argument_of_a_wrong_kind_is_refused_in_a_line_or_can_be_used(function, given, name, here):
    for kind, value in VALUES.items():
        try:
            function(**given | {name: value})
        except InputError as error:
            assert "\n" not in str(error) and len(str(error)) < 600, (kind, error)
            continue
        except Exception as error:
            pytest.fail(f"{name} = {kind}: {type(error).__name__}: {error}")
        assert kind not in ("object", "complex", "function", "class"), f"{name} = {kind} was taken"


@pytest.mark.parametrize(
    "function, given", [call for call in CALLS if any(x is THERE for x in call[1].values())]
)
def test_what_they_begin_with_is_taken(function, given, here):
    """Or of the arguments that are looked at later nothing would be asked."""
    function(**given)


def test_what_is_refused_is_refused_before_anything_is_written(here):
    before = {path: path.read_bytes() for path in here.rglob("*") if path.is_file()}
    for function, given, name in (case.values for case in CASES):
        with pytest.raises(InputError):
            function(**given | {name: object()})
    assert {path: path.read_bytes() for path in here.rglob("*") if path.is_file()} == before
