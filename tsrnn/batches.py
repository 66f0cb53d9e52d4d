"""What a training step is fed: sequences, initial states and answers of every network of an ensemble."""

import os
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from tsrnn import tasks
from tsrnn.model import initial_state
from tsrnn.runs import Run

AHEAD = 4  # batches drawn while the GPU computes


@dataclass(frozen=True)
class Batch:
    """Input of K networks, each with its own length and heads, padded in time (at the end) and in heads."""

    s: Tensor  # (K, T, B)
    lengths: list[int]  # (K,) steps of each network's sequences
    initial: Tensor  # (K, B, H)
    heads: slice  # the C heads that any of the networks trains
    labels: Tensor  # (K, C, B)
    trained: Tensor  # (K, C) 1 where the network trains that head

    def to(self, device: str) -> "Batch":
        """The same on a device."""
        if device == "cpu":
            return self
        names = ("s", "initial", "labels", "trained")
        moved = {n: getattr(self, n).pin_memory().to(device, non_blocking=True) for n in names}
        return replace(self, **moved)


def draw_batch(runs: Sequence[Run], executor: Executor | None = None) -> Batch:
    """The next batch of every run, from the run's own generator (on the CPU: the same for any device).

    With an executor, the networks draw side by side; each has its own generator, so the result is the same.
    """
    size, heads = runs[0].config.batch_size, [run.now.heads for run in runs]
    first, last = min(h.start for h in heads), max(h.stop for h in heads)
    drawn = list(executor.map(_draw, runs) if executor else map(_draw, runs))
    lengths = [len(bits) for bits, _, _ in drawn]
    s = torch.zeros(len(runs), max(lengths), size)
    labels = torch.zeros(len(runs), last - first, size, dtype=torch.long)
    trained = torch.zeros(len(runs), last - first)
    for k, (bits, _, answers) in enumerate(drawn):
        s[k, : len(bits)] = bits
        mine = slice(heads[k].start - first, heads[k].stop - first)
        labels[k, mine] = answers
        trained[k, mine] = 1
    initial = torch.stack([state for _, state, _ in drawn])
    return Batch(s, lengths, initial, slice(first, last), labels, trained)


def _draw(run: Run) -> tuple[Tensor, Tensor, Tensor]:
    """Bits (T, B), initial states (B, H) and answers (len(ns), B) of one run."""
    task, generator, size = tasks.get_task(run.config.task), run.generator, run.config.batch_size
    bits = task.draw(tasks.draw_length(run.now.n_max, generator), size, generator)
    return bits, initial_state(size, run.config.neurons, generator), tasks.labels(task, bits, run.now.ns)


def draw_batches(runs: Sequence[Run], count: int, device: str = "cpu") -> Iterator[Batch]:
    """The next `count` batches, on a device. For a GPU they are drawn ahead in threads, but no more."""
    if device == "cpu":
        for _ in range(count):
            yield draw_batch(runs)
        return
    with ThreadPoolExecutor(os.cpu_count()) as networks, ThreadPoolExecutor(1) as in_order:
        waiting: deque[Future[Batch]] = deque()
        for i in range(count):
            while len(waiting) < min(AHEAD, count - i):
                waiting.append(in_order.submit(draw_batch, runs, networks))
            yield waiting.popleft().result().to(device)
