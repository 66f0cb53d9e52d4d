"""The memory tasks: what a bit sequence is, and what is asked of it (paper, section 2.2).

A task is two functions. `draw` makes a batch of bit sequences, `label` says what the answer is for one N.
To add a task, write these two and add a line to `TASKS`. Where the answers for many N have work in common, a
third does it once.

Everything is time first: `bits[t, b]` is the bit that sequence b shows at step t, and the answer is asked
for at the last step, `bits[-1]`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from tsrnn import InputError
from tsrnn.inputs import choice


@dataclass(frozen=True)
class Task:
    """`draw(length, batch, generator)` gives bits (T, B); `label(bits, n)` gives the answer, 0 or 1, (B,).

    `label_all(bits, ns)`, (len(ns), B), is for speed only: without it `label` is called for every N.
    """

    draw: Callable[[int, int, torch.Generator], Tensor]
    label: Callable[[Tensor, int], Tensor]
    label_all: Callable[[Tensor, Sequence[int]], Tensor] | None = None


def draw_biased(length: int, batch: int, generator: torch.Generator) -> Tensor:
    """Bits (T, B) in {0, 1}: each sequence draws one p ~ U(0, 1), its bits are Bernoulli(p)."""
    p = torch.rand(batch, generator=generator)
    return (torch.rand(length, batch, generator=generator) < p).float()


def draw_fair(length: int, batch: int, generator: torch.Generator) -> Tensor:
    """Bits (T, B) in {0, 1}, each Bernoulli(0.5)."""
    return (torch.rand(length, batch, generator=generator) < 0.5).float()


def parity(bits: Tensor, n: int) -> Tensor:
    """N-parity: the sum of the last n bits, modulo 2.

    >>> parity(torch.tensor([[1], [0], [1], [1]]), 3)
    tensor([0])
    """
    return bits[-n:].sum(0).long() % 2


def delayed_match(bits: Tensor, n: int) -> Tensor:
    """N-delayed-match-to-sample: 1 if the last bit equals the one n - 1 steps before it.

    >>> delayed_match(torch.tensor([[1], [0], [1], [1]]), 3)
    tensor([0])
    """
    return (bits[-n] == bits[-1]).long()


def all_parities(bits: Tensor, ns: Sequence[int]) -> Tensor:
    """`parity` for every n, from one running sum back in time."""
    sums = bits[-max(ns) :].flip(0).cumsum(0)
    return sums[[n - 1 for n in ns]].long() % 2


def all_delayed_matches(bits: Tensor, ns: Sequence[int]) -> Tensor:
    """`delayed_match` for every n, from one comparison."""
    return (bits[[-n for n in ns]] == bits[-1]).long()


TASKS = {
    "parity": Task(draw_biased, parity, all_parities),
    "dms": Task(draw_fair, delayed_match, all_delayed_matches),
}


def get_task(name: str, fair: bool = False) -> Task:
    """The task of that name, or the same on fair bits. Raises InputError for any other."""
    task = TASKS[choice("task", name, TASKS)]
    return replace(task, draw=draw_fair) if fair else task


def labels(task: Task, bits: Tensor, ns: Sequence[int]) -> Tensor:
    """The answers for every N in `ns`: bits (T, B) -> (len(ns), B), int64.

    Raises InputError if an N > T, or a label of a task's own is something else than 0 or 1.
    """
    if not ns or not 1 <= min(ns) <= max(ns) <= len(bits):
        raise InputError(
            f"cannot ask for N = {list(ns)} of {len(bits)} bits: each N must be 1 to {len(bits)}"
        )
    if task.label_all is not None:
        return task.label_all(bits, ns)
    answers = torch.stack([task.label(bits, n) for n in ns])
    if answers.is_floating_point() or answers.is_complex() or not ((answers == 0) | (answers == 1)).all():
        wrong = answers[(answers != 0) & (answers != 1)]
        found = f"{wrong[0].item()}" if len(wrong) else f"{answers.dtype}"
        raise InputError(f"{task.label.__name__} answers {found}: a label is the whole number 0 or 1 (int64)")
    return answers.long()


def draw_length(n_max: int, generator: torch.Generator) -> int:
    """Steps in a batch: uniform on n_max + 2, ..., 4 n_max + 1 (published code; one length per batch)."""
    return int(torch.randint(n_max + 2, 4 * n_max + 2, (), generator=generator))
