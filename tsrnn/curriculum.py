"""Which N are trained now, and what comes after a success (paper, section 2.3).

===============  =============  ===========================  ================================================
name             paper          trained at once              after a success
===============  =============  ===========================  ================================================
`single`         single-head    one N, always by head 0      N + 1
`cumulative`     multi-head     2 ... N, a head each         `add_heads` N with new heads added, all kept
`sliding`        sliding        `init_heads` N, a head each  the `forget_heads` oldest dropped, as many added
`single_nocurr`  no curriculum  one N, from scratch          the end
===============  =============  ===========================  ================================================

Many heads from the start, without a curriculum, is `cumulative` with `init_heads` = all of them.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

from tsrnn import InputError
from tsrnn.inputs import LARGEST_N, choice, integer
from tsrnn.model import HEADS


@dataclass(frozen=True)
class Curriculum:
    """The N from `n_min` to `n_max` that are trained now. Make the first with `start`."""

    kind: str
    first_n: int
    init_heads: int
    add_heads: int
    forget_heads: int
    n_min: int
    n_max: int

    @property
    def one_head(self) -> bool:
        return self.kind in ("single", "single_nocurr")

    @property
    def ns(self) -> range:
        return range(self.n_min, self.n_max + 1)

    @property
    def heads(self) -> range:
        """The head that reads each of `ns`."""
        return range(1) if self.one_head else range(self.n_min - self.first_n, self.n_max - self.first_n + 1)

    @property
    def largest_n(self) -> int:
        """The largest N that there is a head for."""
        return LARGEST_N if self.one_head else self.first_n + HEADS - 1

    @property
    def label(self) -> str:
        """The name in folder names, such as `cumulative` or `sliding_10_5`."""
        return f"sliding_{self.init_heads}_{self.forget_heads}" if self.kind == "sliding" else self.kind

    def next(self, max_n: int | None = None) -> "Curriculum | None":
        """What is trained after a success; None if there is nothing more, or no head left, up to `max_n`."""
        dropped, added = CURRICULA[self.kind](self)
        after = replace(self, n_min=self.n_min + dropped, n_max=self.n_max + added)
        last = self.largest_n if max_n is None else min(max_n, self.largest_n)
        return after if added and after.n_max <= last else None


# How many of the N that are trained now a success drops, from the smallest on, and how many it adds. One of a
# reader's own is a line more, with a head for each N.
CURRICULA: dict[str, Callable[[Curriculum], tuple[int, int]]] = {
    "cumulative": lambda now: (0, now.add_heads),
    "sliding": lambda now: (now.forget_heads, now.forget_heads),
    "single": lambda now: (1, 1),
    "single_nocurr": lambda now: (0, 0),
}


def start(
    kind: str, first_n: int = 2, init_heads: int = 1, add_heads: int = 1, forget_heads: int = 1
) -> Curriculum:
    """The curriculum before the first epoch. Raises InputError if a value is out of range."""
    choice("curriculum", kind, CURRICULA)
    first_n = integer("first N", first_n, 2, LARGEST_N)
    init_heads, add_heads, forget_heads = (
        integer(f"{name} heads", value, 1, HEADS)
        for name, value in {"init": init_heads, "add": add_heads, "forget": forget_heads}.items()
    )
    first = Curriculum(
        kind, first_n, init_heads, add_heads, forget_heads, n_min=first_n, n_max=first_n + init_heads - 1
    )
    for kinds, name, value in (("cumulative", "add", add_heads), ("sliding", "forget", forget_heads)):
        if value != 1 and kind != kinds:
            raise InputError(f"{name} heads = {value}: only a {kinds} curriculum has that; choose 1")
    if first.one_head and init_heads > 1:
        raise InputError(f"init heads = {init_heads}: a {kind} curriculum has 1 head")
    if kind == "sliding" and forget_heads > init_heads:
        raise InputError(
            f"forget heads = {forget_heads}: a sliding curriculum that holds {init_heads} (init heads) "
            f"can forget 1 to {init_heads}"
        )
    return first


# A checkpoint is kept where the newest N reaches or passes one of these (the paper's retraining starts from
# 16), and always the last one. Where nothing is measured at promotions, every tenth N waits for it.
MILESTONES = (5, 10, 16, 20, 30, 50, 75, 100)


def is_milestone(earlier: int, n: int) -> bool:
    """Whether a network that solved n after `earlier` has reached or passed a milestone."""
    return any(earlier < milestone <= n for milestone in MILESTONES)


def kept_ns(first: Curriculum, max_n: int | None) -> list[int]:
    """The largest N of each checkpoint that stays after a run: milestones, and the last."""
    ns, now = [0, first.n_max], first.next(max_n)
    while now is not None:
        ns.append(now.n_max)
        now = now.next(max_n)
    return [n for earlier, n in pairwise(ns) if is_milestone(earlier, n) or n == ns[-1]]


def is_over(
    first: Curriculum,
    history: Sequence[Mapping[Any, Any]],
    max_n: int | None,
    max_epochs: int,
    patience: int,
) -> bool:
    """Whether training has come to its end.

    Args:
        first: the curriculum that it began with.
        history: epoch, N_min, N_max and promoted of every epoch so far.
        max_n: the N to stop at; None: as far as there are heads.
        max_epochs, patience: stop after so many epochs in all, and after so many without a success.
    """
    if not history:
        return False
    solved = [row for row in history if str(row["promoted"]) == "True"]
    epoch, last = int(history[-1]["epoch"]), int(solved[-1]["epoch"]) if solved else 0
    if epoch >= max_epochs or epoch - last >= patience:
        return True
    if not solved:
        return False
    now = replace(first, n_min=int(solved[-1]["N_min"]), n_max=int(solved[-1]["N_max"]))
    return now.next(max_n) is None
