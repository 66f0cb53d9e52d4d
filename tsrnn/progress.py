"""A progress bar on stderr, where there is one."""

import sys
from typing import Any

from tqdm import tqdm


def progress_bar(shown: bool, **options: Any) -> "tqdm[Any]":
    """tqdm with these options; silent if it is not to be shown, or the process has no stderr (`2>&-`)."""
    return tqdm(disable=not shown or sys.stderr is None, **options)
