"""What a training step is fed: sequences, initial states and answers of every network of an ensemble."""

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from tsrnn import tasks
from tsrnn.gated import state_size
from tsrnn.model import initial_state
from tsrnn.runs import Run

AHEAD = 8  # batches drawn while the GPU computes
TENSORS = ("s", "initial", "labels", "trained")
# Of one run: bits (T, B), the states before them (B, S), the answers (len(ns), B)
Drawn = tuple[Tensor, Tensor, Tensor]


@dataclass(frozen=True)
class Batch:
    """Input of K networks, each with its own length and heads, padded in time (at the end) and in heads."""

    s: Tensor  # (K, T, B) bits
    lengths: list[int]  # (K,) bits of each network's sequences
    initial: Tensor  # (K, B, S) the state before them
    heads: slice  # the C heads that any of the networks trains
    labels: Tensor  # (K, C, B)
    trained: Tensor  # (K, C) 1 where the network trains that head
    k: int = 1  # steps that every bit is held

    def to(self, device: str) -> "Batch":
        """The same on a device; from pinned memory the copy waits for nothing."""
        return replace(self, **{name: getattr(self, name).to(device, non_blocking=True) for name in TENSORS})


def draw_batch(runs: Sequence[Run], number: int = 0) -> Batch:
    """The next batch of every run, from the run's own generator (on the CPU: the same for any device).

    In a continuous network the bits are held for as many steps as the `number` of the batch says.
    """
    return _join(runs, [_draw(run) for run in runs], number)


def _join(runs: Sequence[Run], drawn: Sequence[Drawn], number: int, pin: bool = False) -> Batch:
    """What was drawn of each run as one batch, if to `pin` in memory that a GPU can read by itself."""
    heads = [run.now.heads for run in runs]
    first, last = min(h.start for h in heads), max(h.stop for h in heads)
    lengths = [len(bits) for bits, _, _ in drawn]
    size, (K, steps) = runs[0].config.batch_size, (len(runs), max(lengths))
    initial = torch.empty(K, *drawn[0][1].shape, pin_memory=pin)
    s = torch.zeros(K, steps, size, pin_memory=pin)
    labels = torch.zeros(K, last - first, size, dtype=torch.long, pin_memory=pin)
    trained = torch.zeros(K, last - first, pin_memory=pin)
    for k, (bits, state, answers) in enumerate(drawn):
        s[k, : len(bits)] = bits
        initial[k] = state
        mine = slice(heads[k].start - first, heads[k].stop - first)
        labels[k, mine] = answers
        trained[k, mine] = 1
    ks = runs[0].config.k or (1,)
    return Batch(s, lengths, initial, slice(first, last), labels, trained, ks[number % len(ks)])


def _draw(run: Run) -> Drawn:
    """The next sequences of one run."""
    architecture, generator, size = run.config.architecture(), run.generator, run.config.batch_size
    task = tasks.get_task(run.config.task, fair=architecture.signed)
    bits = tasks.drawn(task, tasks.draw_length(run.now.n_max, generator), size, generator)
    if architecture.gated:
        initial = torch.zeros(size, state_size(architecture))
    else:
        initial = initial_state(size, run.config.neurons, generator)
    return bits, initial, tasks.labels(task, bits, run.now.ns)


def draw_batches(runs: Sequence[Run], count: int, device: str = "cpu") -> Iterator[Batch]:
    """The next `count` batches, on a device.

    For a GPU they are drawn ahead, but no more than these: each network's by a thread of its own, and put
    together by another. (Each network has its own generator, so the result is the same.)
    """
    if device == "cpu":
        for i in range(count):
            yield draw_batch(runs, i)
        return
    with ExitStack() as stack:
        own = [stack.enter_context(ThreadPoolExecutor(1)) for _ in runs]
        joining = stack.enter_context(ThreadPoolExecutor(1))
        pin = torch.cuda.is_available()

        def draw(number: int) -> Future[Batch]:
            parts = [thread.submit(_draw, run) for thread, run in zip(own, runs, strict=True)]
            return joining.submit(lambda: _join(runs, [part.result() for part in parts], number, pin))

        waiting: deque[Future[Batch]] = deque()
        for i in range(count):
            while len(waiting) < min(AHEAD, count - i):
                waiting.append(draw(i + len(waiting)))
            yield waiting.popleft().result().to(device)
