"""Whether a value that was asked for can be used: of the right kind and in the allowed range.

NumPy's numbers are as good as Python's. A bool is no number, and 1.0 is not the whole number 1.
"""

import operator
import reprlib
from collections.abc import Callable, Collection, Mapping
from math import nan
from numbers import Real
from typing import Any, TypeVar

from tsrnn import InputError

LARGEST_SEED = 2**63 - 1
LARGEST_N = 10_000
MOST_BITS = 10**10  # 40 GB
Number = TypeVar("Number", int, float)


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


def text(name: str, value: Any) -> str:
    """The value, if it is words. InputError if it is anything else."""
    if not isinstance(value, str):
        raise InputError(f"{name} = {reprlib.repr(value)}: give text")
    return value


def truth(name: str, value: Any) -> bool:
    """The value, if it is True or False. InputError if it is anything else: a text is true, even "no"."""
    if type(value).__name__ not in ("bool", "bool_"):  # NumPy's, too
        raise InputError(f"{name} = {reprlib.repr(value)}: give True or False")
    return bool(value)


def integers(name: str, values: Any, low: int, high: int) -> list[int]:
    """The values as Python ints from `low` to `high`, one or more, each once. InputError if not so."""
    return each_once(integer, name, values, low, high)


def numbers(name: str, values: Any, low: float, high: float) -> list[float]:
    """The values as Python floats from `low` to `high`, one or more, each once. InputError if not so."""
    return each_once(number, name, values, low, high)


def each_once(
    check: Callable[..., Number], name: str, values: Any, low: Number, high: Number
) -> list[Number]:
    kind = "whole numbers" if check is integer else "numbers"
    found = listed(name, values, f"one or more {kind}, {low} to {high}")
    given = [check(name, value, low, high) for value in found]
    if len(set(given)) < len(given):
        raise InputError(f"{name} = {reprlib.repr(given)}: give each once, one or more")
    return given


def listed(name: str, values: Any, what: str) -> list[Any]:
    """The values as a list. InputError, with `what` to give, if they are none: one alone, text, no items."""
    try:
        found = [] if isinstance(values, str) else list(values)
    except TypeError:  # nor does an array without an axis have any
        found = []
    if not found:
        raise InputError(f"{name} = {reprlib.repr(values)}: give {what}")
    return found


def check_amount(steps: int, sequences: int) -> None:
    """Raise InputError if so many bits at once are more than memory takes."""
    if steps * sequences > MOST_BITS:
        raise InputError(
            f"{sequences} sequences of {steps} steps: choose fewer, or shorter ones, {MOST_BITS} in all"
        )


def check_fields(settings: object, limits: Mapping[str, tuple[float, float]]) -> None:
    """`integer` (of ints) or `number` for fields of a frozen dataclass, which are set to what these give."""
    for name, (low, high) in limits.items():
        check = integer if isinstance(low, int) else number
        given = check(name.replace("_", " "), getattr(settings, name), low, high)  # type: ignore[arg-type]
        object.__setattr__(settings, name, given)
