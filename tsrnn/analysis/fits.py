"""Fits of an autocorrelation with one and with two exponentials, and the choice between them (Figure 5a, b)::

    single   a exp(−l/τ)                                  a in [0, 1], τ in [0, 100] steps
    double   a [c exp(−l/τ₁) + (1 − c) exp(−l/τ₂)]        c in [0, 1]

The smaller AIC = 2k + n ln(RSS/n) wins, and τ_net is the slower τ of the winner. What BIC = k ln n +
n ln(RSS/n) and AICc = AIC + 2k(k + 1)/(n − k − 1) would have chosen is kept beside it.

We leave the published protocol in one place. It gives no start, so SciPy begins in the middle of the bounds:
a = c = 1/2, τ₁ = τ₂ = 50 steps. That is a saddle: both τ get the same gradient, and only rounding leads out.
Where that fails, the fit is not the best one, and whether it fails can hang on the eighth digit of the
autocorrelation; now and then a component is left near τ = 50 with no weight, and τ_net reports it. Our start
has τ₁ < τ₂. Both are measured (`tau_net`, `tau_net_published`), and `bench/timescales.py` counts the units
for which it matters.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import curve_fit

from tsrnn import InputError

Array = NDArray[np.float64]
LARGEST_TAU = 100.0


def decay(lags: Array, tau: float) -> Array:
    """exp(−l/τ), without a warning for a τ next to 0: units without memory are fitted by one."""
    with np.errstate(over="ignore"):
        return np.asarray(np.exp(-lags / tau))


def decay_gradient(lags: Array, tau: float) -> Array:
    """∂/∂τ of exp(−l/τ); where that is 0, its limit 0 instead of 0 · ∞."""
    e = decay(lags, tau)
    with np.errstate(over="ignore", invalid="ignore"):
        return np.where(e > 0, e * lags / tau / tau, 0)


def single(lags: Array, a: float, tau: float) -> Array:
    return a * decay(lags, tau)


def double(lags: Array, a: float, tau1: float, tau2: float, c: float) -> Array:
    return a * (c * decay(lags, tau1) + (1 - c) * decay(lags, tau2))


def single_gradient(lags: Array, a: float, tau: float) -> Array:
    """∂/∂(a, τ), (L, 2)."""
    return np.stack([decay(lags, tau), a * decay_gradient(lags, tau)], 1)


def double_gradient(lags: Array, a: float, tau1: float, tau2: float, c: float) -> Array:
    """∂/∂(a, τ₁, τ₂, c), (L, 4)."""
    e1, e2 = decay(lags, tau1), decay(lags, tau2)
    by_tau1, by_tau2 = a * c * decay_gradient(lags, tau1), a * (1 - c) * decay_gradient(lags, tau2)
    return np.stack([c * e1 + (1 - c) * e2, by_tau1, by_tau2, a * (e1 - e2)], 1)


@dataclass(frozen=True)
class Shape:
    """A function to fit, its gradient; names, start and upper bounds of its parameters (the lower are 0)."""

    function: Callable[..., Array]
    gradient: Callable[..., Array]
    parameters: tuple[str, ...]
    start: tuple[float, ...]
    upper: tuple[float, ...]

    @property
    def taus(self) -> list[int]:
        """Which of the parameters are time constants."""
        return [i for i, name in enumerate(self.parameters) if name.startswith("tau")]


SHAPES = {
    "single": Shape(single, single_gradient, ("a", "tau"), (0.9, 1), (1, LARGEST_TAU)),
    "double": Shape(
        double,
        double_gradient,
        ("a", "tau1", "tau2", "c"),
        (0.9, 1, 10, 0.5),
        (1, LARGEST_TAU, LARGEST_TAU, 1),
    ),
}
CRITERIA = ("aic", "bic", "aicc")


def criteria(rss: float, n: int, k: int) -> dict[str, float]:
    """AIC, BIC and AICc of a fit with k parameters to n points; the smaller the better."""
    misfit = n * np.log(max(rss, np.finfo(float).tiny) / n)
    aic = 2 * k + misfit
    return {"aic": aic, "bic": k * np.log(n) + misfit, "aicc": aic + 2 * k * (k + 1) / (n - k - 1)}


def fit(rho: Array, published_start: bool = False, first_lag: int = 0) -> dict[str, float | str]:
    """Fit one autocorrelation of lags 0 ... L, (L + 1), from our start or from the published one.

    Lags before `first_lag` are left out.

    Returns:
        `model` ("single" or "double") and `tau_net` in steps by AIC; `model_bic`, `tau_net_bic`,
        `model_aicc`, `tau_net_aicc`; and of each fit its RSS and parameters: `single_rss`, `single_a`,
        `single_tau`, `double_rss`, `double_a`, `double_tau1`, ... NaN where nothing fits, or `rho` is NaN
        (a constant unit).

    Raises:
        InputError: fewer than 7 lags; AICc needs them.
    """
    lags, rho = np.arange(len(rho), dtype=float)[first_lag:], rho[first_lag:]
    check_lags(len(rho))
    found: dict[str, float | str] = {}
    scores: dict[str, dict[str, float]] = {}
    slower: dict[str, float] = {}
    for name, shape in SHAPES.items():
        # SciPy's own start and its gradient by differences, whose rounding is what leads out of the saddle
        way = {} if published_start else {"p0": shape.start, "jac": shape.gradient}
        try:
            values, _ = curve_fit(
                shape.function,
                lags,
                rho,
                bounds=(np.zeros(len(shape.upper)), shape.upper),
                maxfev=2000,
                **way,
            )
        except (RuntimeError, ValueError):  # no convergence, or NaN in rho
            continue
        rss = float(((shape.function(lags, *values) - rho) ** 2).sum())
        found |= {f"{name}_rss": rss}
        found |= {f"{name}_{p}": float(v) for p, v in zip(shape.parameters, values, strict=True)}
        scores[name] = criteria(rss, len(lags), len(values))
        slower[name] = float(values[shape.taus].max())
    for criterion in CRITERIA:
        end = "" if criterion == "aic" else f"_{criterion}"
        best = min(scores, key=lambda name: scores[name][criterion], default="")
        found |= {f"model{end}": best or "none", f"tau_net{end}": slower.get(best, np.nan)}
    return found


def check_lags(lags: int) -> None:
    """Raise InputError if these are too few to fit."""
    if lags < 7:
        raise InputError(f"{lags} lags: 7 or more are needed for two exponentials")


def jackknife_error(found: dict[str, float | str], rho: Array, without: Array, first_lag: int = 0) -> float:
    """Standard error of τ_net from the spread over trials, in steps.

    One Gauss-Newton step takes the fit of `rho` (L + 1) to that of each autocorrelation with one trial left
    out, `without` (B, L + 1); their spread is the jackknife's. Parameters at a bound stay there. Infinite
    where the data say nothing (more than 100 steps), NaN for one trial or τ_net at a bound.
    """
    name, trials = str(found["model"]), len(without)
    if name not in SHAPES or trials < 2:
        return np.nan
    shape, lags = SHAPES[name], np.arange(len(rho), dtype=float)[first_lag:]
    values = np.array([float(found[f"{name}_{p}"]) for p in shape.parameters])
    inside = np.minimum(values, np.array(shape.upper) - values) > 1e-6 * np.array(shape.upper)
    slowest = max(shape.taus, key=lambda i: values[i])
    if not inside[slowest]:
        return np.nan
    gradient = shape.gradient(lags, *values)[:, inside]
    if np.linalg.matrix_rank(gradient) < gradient.shape[1]:
        return np.nan
    steps = np.linalg.lstsq(gradient, (without - rho)[:, first_lag:].T, rcond=None)[0]
    tau = steps[int(inside[:slowest].sum())]
    error = float(np.sqrt((trials - 1) / trials * ((tau - tau.mean()) ** 2).sum()))
    return error if error < LARGEST_TAU else np.inf


def fit_all(autocovariance: Array, published_start: bool = False, first_lag: int = 0) -> pd.DataFrame:
    """A row per series, as `fit`, with `tau_net_se`: autocovariance (L + 1, B, S) of S series, B trials."""
    rows = []
    total = autocovariance.sum(1)
    for i in range(total.shape[1]):
        rho = ratio(total[:, i])
        found = fit(rho, published_start, first_lag)
        without = ratio(total[:, i, None] - autocovariance[:, :, i]).T
        rows.append(found | {"tau_net_se": jackknife_error(found, rho, without, first_lag)})
    return pd.DataFrame(rows)


def ratio(autocovariance: Array) -> Array:
    """Autocorrelation (L + 1, ...): divided by its lag 0, NaN where that is 0 (a constant series)."""
    return np.asarray(autocovariance / np.where(autocovariance[0] > 0, autocovariance[0], np.nan))
