"""Long runs of a trained network on random bits (paper, section 3.2), in blocks of bounded memory.

The published protocol: 10 trials of 10⁵ steps after a burn-in of 500, one p ~ U(0, 1) per trial, bits
Bernoulli(p), whatever the task.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol as Interface

import torch
from torch import Tensor

from tsrnn import InputError, tasks
from tsrnn.evaluation import activity_of, is_bounded
from tsrnn.inputs import LARGEST_SEED, check_amount, check_fields
from tsrnn.model import Network, RecurrentNetwork, check_finite

# Steps at a time: one network, 10 trials and 500 units take 2.5 MB, which stays in the cache.
BLOCK = 128


@dataclass(frozen=True)
class Protocol:
    """How long a simulation is: `steps` and `burn_in` per trial. Raises InputError if too short or long."""

    steps: int = 100_000
    trials: int = 10
    burn_in: int = 500
    seed: int = 0

    def __post_init__(self) -> None:
        limits = {"steps": (2, 10**9), "trials": (1, 10**6), "burn_in": (0, 10**9), "seed": (0, LARGEST_SEED)}
        check_fields(self, limits)
        check_amount(self.burn_in + self.steps, self.trials)


@torch.no_grad()
def simulate(model: Network, protocol: Protocol) -> Iterator[Tensor]:
    """The activity of K networks after the burn-in, all of them on the same bits.

    A network of a reader's own is one, K = 1, and gives its activity as a whole: 2 GB as published.

    Yields:
        r (T, K, B, H), the next T ≤ 128 steps (bits) of B trials, valid until the next block.

    Raises:
        InputError: parameters that are not finite, or activity that grows beyond all bounds.
    """
    generator = torch.Generator().manual_seed(protocol.seed)
    bits = tasks.draw_biased(protocol.burn_in + protocol.steps, protocol.trials, generator)
    if isinstance(model, RecurrentNetwork):
        check_finite(model)
        initial = model.start_state(protocol.trials, generator)
        s = bits.to(model.b).expand(len(initial), -1, -1)
        blocks = model.blocks(s, initial, BLOCK)
    else:
        blocks = iter(torch.split(activity_of(model, bits)[:, None], BLOCK))
    first = 0
    for r in blocks:
        if not is_bounded(r[-1]).all():
            raise InputError("the activity of this network grows beyond all bounds")
        if first + len(r) > protocol.burn_in:
            yield r[max(0, protocol.burn_in - first) :]
        first += len(r)


class Collector(Interface):
    """Takes in a simulation block by block."""

    def add(self, x: Tensor) -> None: ...


def collect(model: Network, protocol: Protocol, *collectors: Collector) -> None:
    """Simulate once for all collectors. Raises InputError as `simulate`."""
    for block in simulate(model, protocol):
        for collector in collectors:
            collector.add(block)
