"""Whether the arguments of a function are of the kinds that it is annotated with."""

import functools
import inspect
import reprlib
from collections.abc import Callable, Collection, Sequence
from types import NoneType, UnionType
from typing import Any, ParamSpec, TypeVar, Union, get_args, get_origin

import numpy as np
import pandas as pd

from tsrnn import InputError

# What is as good as a value of a class
AS_GOOD: dict[Any, tuple[type, ...]] = {bool: (bool, np.bool_), Sequence: (Sequence, np.ndarray)}
Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


def check_kinds(function: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """The function, which now refuses arguments of other kinds than annotated, before it does anything.

    InputError by the argument's name. A number or a word is left to what knows its range (see `inputs`), and
    so is what a list holds. NumPy's arrays are as good as lists, if they have an axis.
    """
    signature = inspect.signature(function)
    kinds = {name: classes(parameter) for name, parameter in signature.parameters.items()}

    @functools.wraps(function)
    def checked(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        try:
            given = signature.bind(*args, **kwargs).arguments
        except TypeError:  # too many, or too few: Python says so
            return function(*args, **kwargs)
        for name, value in given.items():
            wanted = [good for kind in kinds[name] for good in AS_GOOD.get(kind, (kind,))]
            text = isinstance(value, str) and str not in wanted  # it is a sequence, too
            alone = isinstance(value, np.ndarray) and not value.ndim  # an array that is no list
            other = text or alone or isinstance(value, type)
            if wanted and (other or not isinstance(value, tuple(wanted))):
                allowed = ", ".join(kind.__name__.replace("NoneType", "None") for kind in kinds[name])
                raise InputError(f"{name.replace('_', ' ')} = {reprlib.repr(value)}: give {allowed}")
        return function(*args, **kwargs)

    return checked


def classes(parameter: inspect.Parameter) -> tuple[Any, ...]:
    """The classes that a parameter is annotated with, `Path | None` as two; () if not all of them are known.

    () too of numbers and words alone.
    """
    annotation = parameter.annotation
    either = get_origin(annotation) in (Union, UnionType)
    found = [get_origin(each) or each for each in (get_args(annotation) if either else (annotation,))]
    known = all(isinstance(each, type) and each not in (Any, parameter.empty) for each in found)
    return tuple(found) if known and not set(found) <= {int, float, str, NoneType} else ()


def check_columns(name: str, table: pd.DataFrame, columns: Collection[str]) -> None:
    """Raise InputError if a table lacks one of these columns."""
    if lacking := [column for column in columns if column not in table]:
        raise InputError(f"{name} has no column {', '.join(lacking)}: it needs {', '.join(columns)}")
