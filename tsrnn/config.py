"""All that defines a training run: the published flags and the published protocol."""

import reprlib
from dataclasses import dataclass
from typing import Any, Literal

import torch

from tsrnn import InputError, names, tasks
from tsrnn import curriculum as curricula
from tsrnn.inputs import LARGEST_SEED, check_fields, choice
from tsrnn.model import Architecture
from tsrnn.optimisers import MEMORY

LIMITS: dict[str, tuple[float, float]] = {
    "seed": (0, LARGEST_SEED),
    "neurons": (2, 10_000),  # one unit has none that is slower
    "network_number": (1, 10**6),
    "max_epochs": (1, 10**6),
    "patience": (1, 10**6),
    "measure_steps": (0, 10**8),
    "learning_rate": (1e-9, 10.0),
    "momentum": (1e-9, 0.9999),
    "clip": (1e-9, 1e9),
    "batch_size": (1, 10**5),
    "steps": (1, 10**6),
    "test_batches": (1, 10**5),
    "promotion": (0.0, 1.0),
}
SHORTEST_SIMULATION = 32  # steps: the largest lag of `analysis.timescales`, 30, and two
PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16}
# How leaky networks are trained, and how the authors train their LSTM; `momentum` is Adam's β₁
SGD = {
    "optimiser": "sgd",
    "learning_rate": 0.05,
    "momentum": 0.1,
    "batch_size": 256,
    "steps": 600,
    "max_epochs": 1000,
}
ADAM = {
    "optimiser": "adam",
    "learning_rate": 1e-3,
    "momentum": 0.9,
    "batch_size": 64,
    "steps": 300,
    "max_epochs": 100,
}
# By whether the network is gated, and its protocol
PROTOCOLS = {(False, "published"): SGD, (True, "published"): ADAM, (True, "matched"): SGD}
OF_PROTOCOL: Any = None  # the default of a setting that a protocol gives a value
# Settings that an older config.json lacks: it means their defaults
LATER = ("protocol", "k", "optimiser")


@dataclass(frozen=True)
class TrainConfig:
    """All that defines a run. The first block are the published flags, the second the published protocol.

    `OF_PROTOCOL` becomes what `PROTOCOLS` has for the model and its protocol. Raises InputError if any value
    is out of range.
    """

    curriculum: str = "cumulative"
    task: str = "parity"
    seed: int = 0
    network_number: int = 1
    first_n: int = 2
    init_heads: int = 1
    add_heads: int = 1
    forget_heads: int = 1
    neurons: int = 500
    model: Literal["default", "mod", "continuous", "lstm", "gru"] = "default"
    activation: str = "leakyrelu"
    tau: float | None = None
    protocol: Literal["published", "matched"] = "published"  # of an lstm or gru: see `PROTOCOLS`
    k: tuple[int, ...] = ()  # of a continuous network: the steps that a bit is held, in turn
    max_n: int | None = None  # stop when this N is solved; None: as far as there are heads
    max_epochs: int = OF_PROTOCOL
    patience: int = 100  # stop after so many epochs without a success
    measure_steps: int = 100_000  # of the simulations at promotions; 0: leave them for `tsrnn analyse`
    precision: Literal["float32", "bfloat16"] = "float32"  # of matrix products in training, and only there
    start_from: str | None = None  # the checkpoint that the run began with, as folder/file; None: the seed

    optimiser: Literal["sgd", "adam"] = OF_PROTOCOL
    learning_rate: float = OF_PROTOCOL
    momentum: float = OF_PROTOCOL
    clip: float = 2.0
    batch_size: int = OF_PROTOCOL
    steps: int = OF_PROTOCOL
    test_batches: int = 50
    promotion: float = 0.98

    def __post_init__(self) -> None:
        tasks.get_task(self.task)
        check_fields(self, {"neurons": LIMITS["neurons"]})  # an architecture may have one
        architecture = self.architecture()
        for name, value in PROTOCOLS[architecture.gated, architecture.protocol].items():
            if getattr(self, name) is OF_PROTOCOL:
                object.__setattr__(self, name, value)
        check_fields(self, LIMITS)
        choice("optimiser", self.optimiser, MEMORY)
        choice("precision", self.precision, PRECISIONS)
        if architecture.gated and self.precision != "float32":
            raise InputError(
                f"precision = {self.precision}: torch trains an {self.model} in float32; choose that"
            )
        start = self.start_from
        if start is not None and not (isinstance(start, str) and start.isprintable() and len(start) < 600):
            raise InputError(f"start from = {reprlib.repr(start)}: give folder/file as text, or None")
        first = self.start()
        for checked in (architecture, first):  # as they took them: Python's own numbers
            for name in vars(self).keys() & vars(checked).keys():
                object.__setattr__(self, name, getattr(checked, name))
        if self.max_n is not None:
            check_fields(self, {"max_n": (1, curricula.LARGEST_N)})
        if self.max_n is not None and not first.n_max <= self.max_n <= first.largest_n:
            raise InputError(
                f"max N = {self.max_n}: this {self.curriculum} curriculum starts with N = {first.n_max} "
                f"and has heads up to N = {first.largest_n}; choose {first.n_max} to {first.largest_n}"
            )
        if 0 < self.measure_steps < SHORTEST_SIMULATION:
            raise InputError(
                f"measure steps = {self.measure_steps}: choose 0 (measure nothing at promotions), or "
                f"{SHORTEST_SIMULATION} or more, which the largest lag needs"
            )

    def start(self) -> curricula.Curriculum:
        return curricula.start(
            self.curriculum, self.first_n, self.init_heads, self.add_heads, self.forget_heads
        )

    def architecture(self) -> Architecture:
        return Architecture(self.neurons, self.model, self.activation, self.tau, self.protocol, self.k)

    def folder(self) -> str:
        """The name of the run's folder; whatever is not the paper's standard is in it, but for the seed."""
        return names.folder_name(self.start().label, self.task, self.network_number, self.variant())

    def variant(self) -> str:
        """The part of the folder's name between task and "network": "" for the paper's standard."""
        heads = self.curriculum == "cumulative"  # a sliding curriculum has its heads in its label
        parts = [
            f"first{self.first_n}" if self.first_n != 2 else "",
            f"init{self.init_heads}" if heads and self.init_heads != 1 else "",
            f"add{self.add_heads}" if heads and self.add_heads != 1 else "",
        ]
        return names.variant_name(self.architecture(), "_".join(p for p in parts if p))


def networks_of(condition: dict[str, Any]) -> tuple[dict[str, Any], list[TrainConfig]]:
    """A condition of `workflow/config.yaml`: its options of `tsrnn train`, and its networks.

    Network n has seed n. Raises InputError if an option is out of range.

    >>> options, networks = networks_of({"task": "dms", "max_n": 30, "first": 3, "networks": 4})
    >>> options
    {'task': 'dms', 'max_n': 30}
    >>> [network.folder() for network in networks]
    ['cumulative_dms_network_3', 'cumulative_dms_network_4']
    """
    options = {k: v for k, v in condition.items() if k not in ("networks", "first", "retrain")}
    numbers = range(condition.get("first", 1), condition["networks"] + 1)
    return options, [TrainConfig(**options, seed=n, network_number=n) for n in numbers]
