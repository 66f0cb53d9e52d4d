"""The memory tasks: what a bit sequence is, and what is asked of it (paper, section 2.2).

A task is two functions. `draw` makes a batch of bit sequences, `label` says what the answer is for one N.
To add a task, write these two and add a line to `TASKS`, or have `load_task` take them from a file of your
own: `TSRNN_TASKS=file.py:name` makes every command and chapter do so. Where the answers for many N have work
in common, a third function does it once.

Everything is time first: `bits[t, b]` is the bit that sequence b shows at step t, and the answer is asked
for at the last step, `bits[-1]`.
"""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import torch
from torch import Tensor

from tsrnn import InputError
from tsrnn.inputs import choice, integer
from tsrnn.kinds import check_kinds


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


@check_kinds
def parity(bits: Tensor, n: int) -> Tensor:
    """N-parity: the sum of the last n bits, modulo 2.

    >>> parity(torch.tensor([[1], [0], [1], [1]]), 3)
    tensor([0])
    """
    n = integer("N", n, 1, len(bits))
    return bits[-n:].sum(0).long() % 2


@check_kinds
def delayed_match(bits: Tensor, n: int) -> Tensor:
    """N-delayed-match-to-sample: 1 if the last bit equals the one n - 1 steps before it.

    >>> delayed_match(torch.tensor([[1], [0], [1], [1]]), 3)
    tensor([0])
    """
    n = integer("N", n, 1, len(bits))
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
    try:
        task = TASKS[choice("task", name, TASKS)]
    except InputError as error:
        raise InputError(f"{error}, or give your own as file.py:name, here or in TSRNN_TASKS") from None
    return replace(task, draw=draw_fair) if fair else task


# ---------------------------------------------------------------- a reader's own

BUILT_IN = frozenset(TASKS)


def load_task(given: str) -> str:
    """The name of a task. One that is given as `file.py:name` is taken from that file, which is run.

    There it is a `Task`, or a function `label(bits, n)`, which is then asked about fair bits.

    Raises:
        InputError: no such file or name, an error in the file, a name that tsrnn has, or a task that cannot
            be learned (see `check_task`).
    """
    file, colon, name = given.rpartition(":")
    if not colon:
        return given
    if name in BUILT_IN or not (name.isidentifier() and name.isascii()):  # it becomes part of a folder's name
        raise InputError(f"{given}: {name or 'nothing'} cannot be a task's name here; call it something else")
    path = Path(file)
    spec = spec_from_file_location(path.stem, path) if path.is_file() else None
    if spec is None or spec.loader is None:
        raise InputError(f"{given}: there is no Python file {file}")
    module = module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        raise InputError(f"{given}: {type(error).__name__} in {file}: {error}") from error
    found = getattr(module, name, None)
    if not isinstance(found, Task) and not callable(found):
        functions = [k for k, v in vars(module).items() if getattr(v, "__module__", "") == module.__name__]
        raise InputError(f"{given}: no task {name} in {file}; there is {', '.join(functions) or 'none'}")
    TASKS[name] = check_task(name, found if isinstance(found, Task) else Task(draw_fair, found))
    return name


def check_task(name: str, task: Task) -> Task:
    """The task. Raises InputError unless networks can learn it: one input channel, two classes.

    On a small batch: `draw` gives 0 or 1, (T, B), the same for the same seed; `label` 0 or 1, (B,), for every
    N.
    """
    steps, batch, ns = 12, 16, range(1, 13)
    try:
        bits, again = (task.draw(steps, batch, torch.Generator().manual_seed(1)) for _ in range(2))
        if tuple(bits.shape) != (steps, batch):
            raise InputError(
                f"draw({steps}, {batch}, generator) gives {tuple(bits.shape)}: bits are (T, B), one channel"
            )
        if not ((bits == 0) | (bits == 1)).all():
            raise InputError(f"draw gives {bits[(bits != 0) & (bits != 1)][0].item():g}: a bit is 0 or 1")
        if not torch.equal(bits, again):
            raise InputError(
                "draw gives other bits for the same seed: draw them with the generator it is given"
            )
        answers = labels(task, bits, ns)
        slow = labels(replace(task, label_all=None), bits, ns)
        if not torch.equal(bits, again):
            raise InputError("its labels change the bits that they are given: have them work on a copy")
        if not torch.equal(slow, labels(replace(task, label_all=None), bits, ns)):
            raise InputError("label gives other answers for the same bits")
    except InputError as error:
        raise InputError(f"task {name}: {error}") from error
    except Exception as error:  # whatever a reader's functions raise
        raise InputError(f"task {name}: {type(error).__name__}: {error}") from error
    if not torch.equal(answers, slow):
        raise InputError(f"task {name}: label_all gives other answers than label")
    return task


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
    try:
        answers = torch.stack([task.label(bits, n) for n in ns])
    except Exception as error:  # whatever a reader's function raises, perhaps for long sequences only
        raise InputError(
            f"{type(error).__name__}: {str(error)[:200]} ({name_of(task.label)}, asked for N = {min(ns)} to "
            f"{max(ns)} of {len(bits)} bits)"
        ) from error
    if answers.shape != (len(ns), bits.shape[1]):
        raise InputError(
            f"{name_of(task.label)} answers {tuple(answers.shape[1:])} for {bits.shape[1]} sequences: give a "
            "label for each, (B,)"
        )
    if answers.is_floating_point() or answers.is_complex() or not ((answers == 0) | (answers == 1)).all():
        wrong = answers[(answers != 0) & (answers != 1)]
        found = f"{wrong[0].item()}" if len(wrong) else f"{answers.dtype}"
        raise InputError(f"{name_of(task.label)} answers {found}: a label is the whole number 0 or 1 (int64)")
    return answers.long()


def name_of(label: Callable[[Tensor, int], Tensor]) -> str:
    """What a label function is called, which may be any object that can be called."""
    return getattr(label, "__name__", type(label).__name__)


def draw_length(n_max: int, generator: torch.Generator) -> int:
    """Steps in a batch: uniform on n_max + 2, ..., 4 n_max + 1 (published code; one length per batch)."""
    return int(torch.randint(n_max + 2, 4 * n_max + 2, (), generator=generator))


for given in filter(None, os.environ.get("TSRNN_TASKS", "").split(",")):
    load_task(given)
