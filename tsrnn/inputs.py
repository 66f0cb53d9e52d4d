"""Whether a value that was asked for can be used: of the right kind and in the allowed range.

NumPy's numbers are as good as Python's. A bool is no number, and 1.0 is not the whole number 1.
"""

import operator
import reprlib
from collections.abc import Collection, Iterable, Mapping
from math import nan
from numbers import Real
from typing import Any

from tsrnn import InputError

LARGEST_SEED = 2**63 - 1


def integer(name: str, value: Any, low: int, high: int) -> int:
    """The value as a Python int from `low` to `high`. InputError if it is anything else."""
    try:
        given = None if isinstance(value, bool) else operator.index(value)
    except TypeError:
        given = None
    if given is None or not low <= given <= high:
        kind = "a whole number, " if given is None else ""
        raise InputError(f"{name} = {reprlib.repr(value)}: choose {kind}{low} to {high}")
    return given


def number(name: str, value: Any, low: float, high: float) -> float:
    """The value as a Python float from `low` to `high`. InputError if it is anything else, NaN too."""
    try:
        given = float(value) if isinstance(value, Real) and not isinstance(value, bool) else nan
    except OverflowError:  # a whole number beyond all floats
        given = nan
    if not low <= given <= high:
        raise InputError(f"{name} = {reprlib.repr(value)}: choose a number, {low:.10g} to {high:.10g}")
    return given


def choice(name: str, value: Any, allowed: Collection[str]) -> str:
    """The value, if it is one of these words. InputError if it is anything else."""
    if not isinstance(value, str) or value not in allowed:
        raise InputError(f"unknown {name} {reprlib.repr(value)}: choose one of {', '.join(allowed)}")
    return value


def integers(name: str, values: Any, low: int, high: int) -> list[int]:
    """The values as Python ints from `low` to `high`, one or more, each once. InputError if not so."""
    if not isinstance(values, Iterable) or isinstance(values, str):
        raise InputError(f"{name} = {reprlib.repr(values)}: give one or more whole numbers, {low} to {high}")
    given = [integer(name, value, low, high) for value in values]
    if not given or len(set(given)) < len(given):
        raise InputError(f"{name} = {reprlib.repr(given)}: give each once, one or more")
    return given


def check_fields(settings: object, limits: Mapping[str, tuple[float, float]]) -> None:
    """`integer` (of ints) or `number` for fields of a frozen dataclass, which are set to what these give."""
    for name, (low, high) in limits.items():
        check = integer if isinstance(low, int) else number
        given = check(name.replace("_", " "), getattr(settings, name), low, high)  # type: ignore[arg-type]
        object.__setattr__(settings, name, given)
