"""The memory tasks: what a bit sequence is, and what is asked of it (paper, section 2.2).

A task is two functions. `draw` makes a batch of bit sequences, `label` says what the answer is for one N.
To add a task, write these two and add a line to `TASKS`, or have `load_task` take them from a file of your
own: `TSRNN_TASKS=file.py:name` makes every command and chapter do so. Where the answers for many N have work
in common, a third function does it once.

Everything is time first: `bits[t, b]` is the bit that sequence b shows at step t, and the answer is asked
for at the last step, `bits[-1]`.
"""

import hashlib
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import Tensor

from tsrnn import InputError
from tsrnn.inputs import check_amount, choice, integer
from tsrnn.kinds import check_kinds
from tsrnn.model import check_bits, check_plain


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
    """N-parity: the sum of the last n bits, modulo 2. Raises InputError if they are not 0 and 1, or too few.

    >>> parity(torch.tensor([[1], [0], [1], [1]]), 3)
    tensor([0])
    """
    check_bits(bits)
    n = integer("N", n, 1, len(bits))
    return bits[-n:].sum(0).long() % 2


@check_kinds
def delayed_match(bits: Tensor, n: int) -> Tensor:
    """N-delayed-match-to-sample: 1 if the last bit equals the one n - 1 steps before it.

    Raises InputError if the bits are not 0 and 1, or fewer than n.

    >>> delayed_match(torch.tensor([[1], [0], [1], [1]]), 3)
    tensor([0])
    """
    check_bits(bits)
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
        own = "or give your own as file.py:name, with `tsrnn train -t` or in TSRNN_TASKS"
        raise InputError(f"{error}, {own}") from None
    return replace(task, draw=draw_fair) if fair else task


# ---------------------------------------------------------------- a reader's own

BUILT_IN = frozenset(TASKS)
TRIED = ((12, 16), (40, 5))  # steps and sequences that it has to answer for before anything is trained
CHANGED = "its labels change the bits that they are given: have them work on a copy"


def load_task(given: str) -> str:
    """The name of a task. One that is given as `file.py:name` is taken from that file, which is run.

    There it is a `Task`, or a function `label(bits, n)`, which is then asked about fair bits. While the file
    runs, it can import others that lie beside it.

    Raises:
        InputError: no such file or name, an error in the file, a name that tsrnn has, or a task that cannot
            be learned (see `check_task`).
    """
    file, colon, name = given.rpartition(":")
    if not colon:
        return given
    if name in BUILT_IN or not (name.isidentifier() and name.isascii()):  # it becomes part of a folder's name
        raise InputError(f"{given}: {name or 'nothing'} cannot be a task's name here; call it something else")
    module = run_file(given, Path(file))
    found = getattr(module, name, None)
    if not isinstance(found, Task) and not callable(found):
        functions = [k for k, v in vars(module).items() if getattr(v, "__module__", "") == module.__name__]
        raise InputError(f"{given}: no task {name} in {file}; there is {', '.join(functions) or 'none'}")
    TASKS[name] = check_task(name, found if isinstance(found, Task) else Task(draw_fair, found))
    return name


def run_file(given: str, path: Path) -> ModuleType:
    """A Python file, as a module. Raises InputError if there is none, or for whatever it raises."""
    # A name that no other module has: a reader's random.py must not take the place of Python's own
    spec = spec_from_file_location(f"task in {path}", path) if path.is_file() else None
    if spec is None or spec.loader is None:
        raise InputError(f"{given}: there is no Python file {path}")
    module = module_from_spec(spec)
    sys.modules[module.__name__] = module  # dataclasses look there for the module that they are in
    folder = str(path.resolve().parent)
    added = folder not in sys.path
    if added:
        sys.path.append(folder)  # for what it imports from beside it; last, for the same reason
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        del sys.modules[module.__name__]
        raise InputError(f"{given}: {in_a_line(error)} (in {path})") from error
    finally:
        if added and folder in sys.path:
            sys.path.remove(folder)
    return module


def check_task(name: str, task: Task) -> Task:
    """The task. Raises InputError unless networks can learn it: one input channel, two classes.

    On batches of `TRIED` sizes: `draw` gives 0 or 1, (T, B), the same for the same seed; `label` 0 or 1,
    (B,), for every N, and `label_all` the same.
    """
    try:
        for steps, batch in TRIED:
            seeds = [torch.Generator().manual_seed(1) for _ in range(2)]
            bits, again = (drawn(task, steps, batch, generator) for generator in seeds)
            if not torch.equal(bits, again):
                raise InputError(
                    "draw gives other bits for the same seed: draw them with the generator it is given"
                )
            check_labels(task, bits)
    except InputError as error:
        raise InputError(f"task {name}: {error}") from error
    return task


def check_labels(task: Task, bits: Tensor) -> None:
    """Raise InputError unless a task answers for these bits, always the same, and leaves them as they are."""
    given, alone, ns = bits.clone(), replace(task, label_all=None), range(1, len(bits) + 1)
    some = ns[::-3]  # in no order that a function could count on
    slow, again = labels(alone, bits, ns), labels(alone, bits, ns)
    every, few = labels(task, bits, ns), labels(task, bits, some)
    if not torch.equal(bits, given):  # by way of NumPy, which `labels` does not see
        raise InputError(CHANGED)
    if not torch.equal(slow, again):
        raise InputError("label gives other answers for the same bits")
    if not (torch.equal(every, slow) and torch.equal(few, slow[[n - 1 for n in some]])):
        raise InputError("label_all gives other answers than label")


def fingerprint(name: str) -> str:
    """A task by what it asks: a checksum of bits that it draws, and of its answers for every N."""
    task, (steps, batch) = get_task(name), TRIED[-1]  # sizes that it is known to answer for
    found = hashlib.sha256()
    for seed in range(20):
        bits = drawn(task, steps, batch, torch.Generator().manual_seed(seed))
        for part in (bits, labels(task, bits, range(1, steps + 1))):
            found.update(part.detach().to(torch.uint8).cpu().numpy().tobytes())
    return found.hexdigest()[:16]


def drawn(task: Task, length: int, batch: int, generator: torch.Generator) -> Tensor:
    """Bits (T, B) that a task draws. Raises InputError if its `draw` gives anything else."""
    check_amount(length, batch)
    bits = asked(
        lambda: task.draw(length, batch, generator), f"draw, asked for {length} steps, {batch} sequences"
    )
    shape = tuple(getattr(bits, "shape", ()))
    if not isinstance(bits, Tensor) or shape != (length, batch):
        found = shape or f"a {type(bits).__name__}"
        raise InputError(
            f"draw({length}, {batch}, generator) gives {found}: bits are a tensor (T, B), one channel"
        )
    check_bits(bits, "draw gives")
    return bits


def labels(task: Task, bits: Tensor, ns: Sequence[int]) -> Tensor:
    """The answers for every N in `ns`: bits (T, B) -> (len(ns), B), int64.

    Whoever asks a task asks here. Raises InputError if an N > T, or a label of a task's own is something else
    than 0 or 1.
    """
    if not len(ns) or not 1 <= min(ns) <= max(ns) <= len(bits):
        raise InputError(
            f"cannot ask for N = {list(ns)} of {len(bits)} bits: each N must be 1 to {len(bits)}"
        )
    every, version = task.label_all, None if bits.is_inference() else bits._version
    name = name_of(every or task.label)
    answers = asked(
        lambda: every(bits, ns) if every else torch.stack([task.label(bits, n) for n in ns]),
        f"{name}, asked for N = {min(ns)} to {max(ns)} of {len(bits)} bits",
    )
    if version is not None and bits._version != version:
        raise InputError(CHANGED)
    if not isinstance(answers, Tensor) or answers.shape != (len(ns), bits.shape[1]):
        shape = tuple(getattr(answers, "shape", ()))
        found = (shape if every else shape[1:]) if isinstance(answers, Tensor) else type(answers).__name__
        each = "for each N and sequence, (len(ns), B)" if every else "for each, (B,)"
        raise InputError(
            f"{name} answers {found} for {bits.shape[1]} sequences: give a tensor with a label {each}"
        )
    check_plain(answers, f"answers of {name}")
    if answers.is_floating_point() or not ((answers == 0) | (answers == 1)).all():
        wrong = answers[(answers != 0) & (answers != 1)]
        value = f"{wrong[0].item()}" if len(wrong) else f"{answers.dtype}"
        raise InputError(f"{name} answers {value}: a label is the whole number 0 or 1 (int64)")
    return answers.long()


def asked(function: Callable[[], Any], what: str) -> Any:
    """What a reader's function gives. Raises InputError for whatever it raises, SystemExit too."""
    try:
        return function()
    except (Exception, SystemExit, GeneratorExit) as error:
        raise InputError(f"{in_a_line(error)} ({what})") from error


def in_a_line(error: BaseException) -> str:
    """The kind of an error, and the first 200 letters of what it says: torch can say kilobytes."""
    return f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"


def name_of(label: Callable[..., Tensor]) -> str:
    """What a label function is called, which may be any object that can be called."""
    return getattr(label, "__name__", type(label).__name__)


def draw_length(n_max: int, generator: torch.Generator) -> int:
    """Steps in a batch: uniform on n_max + 2, ..., 4 n_max + 1 (published code; one length per batch)."""
    return int(torch.randint(n_max + 2, 4 * n_max + 2, (), generator=generator))


for given in filter(None, os.environ.get("TSRNN_TASKS", "").split(",")):
    load_task(given)
