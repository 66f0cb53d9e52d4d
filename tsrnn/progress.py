"""A progress bar on stderr, where there is one."""

import sys
from typing import Any

from torch import Tensor
from tqdm import tqdm


def progress_bar(shown: bool, **options: Any) -> "tqdm[Any]":
    """tqdm with these options; silent if it is not to be shown, or the process has no stderr (`2>&-`)."""
    return tqdm(disable=not shown or sys.stderr is None, **options)


class Steps:
    """Moves a bar by the steps of a simulation: one more collector for `analysis.simulate.collect`."""

    def __init__(self, bar: "tqdm[Any]") -> None:
        self.bar = bar

    def add(self, x: Tensor) -> None:
        """The next steps, (T, ...)."""
        self.bar.update(len(x))
