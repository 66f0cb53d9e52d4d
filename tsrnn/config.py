"""All that defines a training run: the published flags and the published protocol."""

from dataclasses import dataclass
from typing import Any, Literal

import torch

from tsrnn import InputError, tasks, zoo
from tsrnn import curriculum as curricula
from tsrnn.model import Architecture

PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16}


@dataclass(frozen=True)
class TrainConfig:
    """All that defines a run. The first block are the published flags, the second the published protocol.

    Raises InputError if any value is out of range.
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
    model: Literal["default", "mod"] = "default"
    activation: str = "leakyrelu"
    tau: float | None = None
    max_n: int | None = None  # stop when this N is solved; None: as far as there are heads
    max_epochs: int = 1000
    patience: int = 100  # stop after so many epochs without a success
    measure_steps: int = 100_000  # of the simulations at promotions; 0: leave them for `tsrnn analyse`
    precision: Literal["float32", "bfloat16"] = "float32"  # of matrix products in training, and only there
    start_from: str | None = None  # the checkpoint that the run began with, as folder/file; None: the seed

    learning_rate: float = 0.05
    momentum: float = 0.1
    clip: float = 2.0
    batch_size: int = 256
    steps: int = 600
    test_batches: int = 50
    promotion: float = 0.98

    def __post_init__(self) -> None:
        tasks.get_task(self.task)
        first, _ = self.start(), self.architecture()
        if self.max_n is not None and not first.n_max <= self.max_n <= first.largest_n:
            raise InputError(
                f"max N = {self.max_n}: this {self.curriculum} curriculum starts with N = {first.n_max} "
                f"and has heads up to N = {first.largest_n}; choose {first.n_max} to {first.largest_n}"
            )
        limits = {"seed": (0, 2**63 - 1), "network_number": (1, 10**6), "max_epochs": (1, 10**6)}
        limits |= {"patience": (1, 10**6)}
        limits |= {"batch_size": (1, 10**5), "steps": (1, 10**6), "test_batches": (1, 10**5)}
        limits |= {"measure_steps": (0, 10**8)}
        if self.precision not in PRECISIONS:
            raise InputError(f"unknown precision {self.precision!r}: choose one of {', '.join(PRECISIONS)}")
        for name, (low, high) in limits.items():
            if not low <= getattr(self, name) <= high:
                raise InputError(f"{name.replace('_', ' ')} = {getattr(self, name)}: choose {low} to {high}")

    def start(self) -> curricula.Curriculum:
        return curricula.start(
            self.curriculum, self.first_n, self.init_heads, self.add_heads, self.forget_heads
        )

    def architecture(self) -> Architecture:
        return Architecture(self.neurons, self.model, self.activation, self.tau)

    def folder(self) -> str:
        """The name of the run's folder; whatever is not the paper's standard is in it, but for the seed."""
        heads = self.curriculum == "cumulative"  # a sliding curriculum has its heads in its label
        parts = [
            f"first{self.first_n}" if self.first_n != 2 else "",
            f"init{self.init_heads}" if heads and self.init_heads != 1 else "",
            f"add{self.add_heads}" if heads and self.add_heads != 1 else "",
        ]
        variant = zoo.variant_name(self.architecture(), "_".join(p for p in parts if p))
        return zoo.folder_name(self.start().label, self.task, self.network_number, variant)


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
