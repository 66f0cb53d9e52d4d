"""Timescales of a reader's own data: an array in, a table out, measured as those of networks are."""

import warnings
from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch
from numpy.typing import ArrayLike

from tsrnn import InputError
from tsrnn.analysis.fits import LARGEST_TAU, check_lags, fit_all
from tsrnn.analysis.timescales import MAX_LAG, LagProducts, check_steps
from tsrnn.inputs import integer, number, text, truth

DIMS = ("trial", "time", "unit")
BLOCK = 128  # steps at a time
# Of two exponentials that are there, the jackknife's error of the slower is a small part of it. Of one that
# chance has put there, it is about as large, or there is none (chapter 3).
SURE = 0.5
# Times τ, in a trial: without its mean an autocorrelation is too small by up to 2/50, and so is τ
ENOUGH = 50


def timescales_of(
    x: ArrayLike,
    *,
    dims: Sequence[str],
    dt: float = 1.0,
    time_unit: str = "steps",
    max_lag: int = MAX_LAG,
    first_lag: int = 0,
    published: bool = False,
) -> pd.DataFrame:
    """The timescale of each unit of a recording: `timescales_of(x, dims=("trial", "time", "unit"))`.

    As τ_net of networks (section 3.2): the autocorrelation, mean removed per trial and averaged over trials,
    is fitted by one and by two exponentials; AIC chooses, and τ is the slower one of the chosen fit (see
    `fits`).

    Args:
        x: numbers, such as rates, potentials, fluorescence, or counts of spikes in bins.
        dims: what each axis of `x` is, in its order: "time", and "trial" or "unit" if there are any.
        dt: how long a step is, in units of time. time_unit: what these are called, such as "ms".
        max_lag: the largest lag that is fitted, in steps.
        first_lag: the smallest, in steps. 1 for counts: each is random by itself, which adds to lag 0 alone.
        published: fit as the paper's code does, from SciPy's own start.

    Returns:
        A row per unit: `unit`, counted from 0; `tau` and its standard error `tau_se` (a jackknife over
        trials, NaN for one, or at the bound), in units of time; `model`, "single", "double" or "none" (a
        constant unit, or nothing fits: its tau is NaN); `aic_alone`, whether nothing else speaks for the two
        exponentials that AIC chose: BIC or AICc choose one, or `tau_se` is not less than half of `tau`; what
        those choose (`model_bic`, `tau_bic`, ...); each fit (`single_tau`, `single_a`, ...). `attrs` holds
        dt, time_unit and lags.

    Warns:
        Where two exponentials win by AIC alone; where τ is at the bound of 100 steps, or trials are too short
        for it; where time is not the longest axis.

    Raises:
        InputError: dims that are none, or do not fit `x`; values that are not finite, or beyond 1e100; a
            time axis too short; fewer than 7 lags; another argument out of range.
    """
    series = in_order(x, dims)
    dt, time_unit = number("dt", dt, 1e-12, 1e12), text("time unit", time_unit)
    published = truth("published", published)
    max_lag = integer("largest lag", max_lag, 1, 10**6)
    first_lag = integer("first lag", first_lag, 0, max_lag)
    check_steps(len(series), max_lag)
    check_lags(max_lag + 1 - first_lag)
    lags = LagProducts(max_lag)
    for block in torch.split(torch.from_numpy(series), BLOCK):
        lags.add(block)
    found = fit_all(lags.autocovariance().numpy(), published, first_lag)
    found.insert(0, "unit", np.arange(len(found)))
    found["aic_alone"] = aic_alone(found)
    warn(found, len(series))
    table = found.rename(columns=lambda name: name.replace("tau_net", "tau"))
    names = [str(name) for name in table]
    table[[name for name in names if "tau" in name]] *= dt
    first = ["unit", "tau", "tau_se", "model", "aic_alone"]
    table = table[first + [name for name in names if name not in first]]
    table.attrs = {"dt": dt, "time_unit": time_unit, "first_lag": first_lag, "max_lag": max_lag}
    return table


def in_order(x: ArrayLike, dims: Sequence[str]) -> np.ndarray:
    """x as (time, trial, unit), float64. Raises InputError if it is not what `dims` says, or not finite."""
    if np.ma.is_masked(x):
        raise InputError("x is masked in places: leave those times or units out, or fill them")
    words = isinstance(dims, tuple | list) and all(isinstance(name, str) for name in dims)
    if not words or len(set(dims)) < len(dims) or not {"time"} <= set(dims) <= set(DIMS):
        raise InputError(f"dims = {dims!r}: name each axis of x once, of {', '.join(DIMS)}, and one is time")
    try:
        series = np.asarray(x).astype(float, casting="same_kind")
    except (TypeError, ValueError, RuntimeError) as error:  # RuntimeError: a tensor with a gradient
        raise InputError(f"x of type {type(x).__name__}: give an array of real numbers") from error
    if series.ndim != len(dims):
        raise InputError(f"x has the shape {series.shape}, dims names {len(dims)} axes: {', '.join(dims)}")
    if not series.size:
        raise InputError(f"x has the shape {series.shape}: there is nothing in it")
    if not np.isfinite(series).all():
        wrong = np.argwhere(~np.isfinite(series))
        at = ", ".join(f"{name} {i}" for name, i in zip(dims, wrong[0], strict=True))
        raise InputError(
            f"x holds {len(wrong)} values that are not finite, the first at {at}: leave those out"
        )
    largest = np.abs(series).max()
    if largest and not 1e-100 < largest < 1e100:  # its products would be 0, or beyond all floats
        raise InputError(f"the largest of x is {largest:.0e}: choose a unit in which it is 1e-100 to 1e100")
    sizes = dict(zip(dims, series.shape, strict=True))
    longest = max(sizes, key=lambda name: sizes[name])
    if sizes[longest] > sizes["time"]:
        warnings.warn(
            f"time is said to have {sizes['time']} steps, and {longest} {sizes[longest]}: are dims in the "
            "order of the axes of x?",
            stacklevel=3,
        )
    missing = tuple(range(len(dims), len(DIMS)))
    named = [*dims, *(name for name in DIMS if name not in dims)]
    order = [named.index(name) for name in ("time", "trial", "unit")]
    return np.ascontiguousarray(np.expand_dims(series, missing).transpose(order))


def aic_alone(fits: pd.DataFrame) -> pd.Series:
    """Whether AIC chose two exponentials and nothing else speaks for them, of each row of `fits.fit_all`."""
    all_choose = (fits[["model", "model_bic", "model_aicc"]] == "double").all(axis=1)
    return (fits["model"] == "double") & ~(all_choose & (fits["tau_net_se"] < SURE * fits["tau_net"]))


def warn(found: pd.DataFrame, steps: int) -> None:
    """Say for how many units the estimate is in doubt. `tau_net` is in steps here."""
    tau, units = found["tau_net"], len(found)
    doubts = {
        "two exponentials were chosen by AIC alone: look at tau_se and single_tau": found["aic_alone"],
        f"tau is at the bound of {LARGEST_TAU:g} steps: take longer steps": tau > 0.999 * LARGEST_TAU,
        f"trials of {steps} steps are shorter than {ENOUGH} tau, which comes out too small then": (
            steps < ENOUGH * tau
        ),
    }
    for doubt, of in doubts.items():
        if of.any():
            warnings.warn(f"{of.sum()} of {units} units: {doubt}", stacklevel=3)
