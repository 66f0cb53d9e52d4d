"""What a training step is fed: sequences, initial states and answers of every network of an ensemble."""

import os
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from tsrnn import tasks
from tsrnn.gated import state_size
from tsrnn.model import initial_state
from tsrnn.runs import Run

AHEAD = 4  # batches drawn while the GPU computes
TENSORS = ("s", "initial", "labels", "trained")


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


def draw_batch(runs: Sequence[Run], executor: Executor | None = None, number: int = 0) -> Batch:
    """The next batch of every run, from the run's own generator (on the CPU: the same for any device).

    In a continuous network the bits are held for as many steps as the `number` of the batch says.

    With an executor, for a GPU: the networks draw side by side (each has its own generator, so the result is
    the same), into memory that it can read by itself.
    """
    size, heads = runs[0].config.batch_size, [run.now.heads for run in runs]
    first, last = min(h.start for h in heads), max(h.stop for h in heads)
    pin = executor is not None and torch.cuda.is_available()
    initial = torch.zeros(len(runs), size, state_size(runs[0].config.architecture()), pin_memory=pin)
    drawn = list(executor.map(_draw, runs, initial) if executor else map(_draw, runs, initial))
    lengths = [len(bits) for bits, _ in drawn]
    s = torch.zeros(len(runs), max(lengths), size, pin_memory=pin)
    labels = torch.zeros(len(runs), last - first, size, dtype=torch.long, pin_memory=pin)
    trained = torch.zeros(len(runs), last - first, pin_memory=pin)
    for k, (bits, answers) in enumerate(drawn):
        s[k, : len(bits)] = bits
        mine = slice(heads[k].start - first, heads[k].stop - first)
        labels[k, mine] = answers
        trained[k, mine] = 1
    ks = runs[0].config.k or (1,)
    return Batch(s, lengths, initial, slice(first, last), labels, trained, ks[number % len(ks)])


def _draw(run: Run, initial: Tensor) -> tuple[Tensor, Tensor]:
    """Bits (T, B) and answers (len(ns), B) of one run; its initial states go into `initial` (B, S), zeros."""
    architecture, generator, size = run.config.architecture(), run.generator, run.config.batch_size
    task = tasks.get_task(run.config.task, fair=architecture.signed)
    bits = task.draw(tasks.draw_length(run.now.n_max, generator), size, generator)
    if not architecture.gated:
        initial_state(size, run.config.neurons, generator, out=initial)
    return bits, tasks.labels(task, bits, run.now.ns)


def draw_batches(runs: Sequence[Run], count: int, device: str = "cpu") -> Iterator[Batch]:
    """The next `count` batches, on a device. For a GPU they are drawn ahead in threads, but no more."""
    if device == "cpu":
        for i in range(count):
            yield draw_batch(runs, number=i)
        return
    with ThreadPoolExecutor(os.cpu_count()) as networks, ThreadPoolExecutor(1) as in_order:
        waiting: deque[Future[Batch]] = deque()
        for i in range(count):
            while len(waiting) < min(AHEAD, count - i):
                waiting.append(in_order.submit(draw_batch, runs, networks, i + len(waiting)))
            yield waiting.popleft().result().to(device)
