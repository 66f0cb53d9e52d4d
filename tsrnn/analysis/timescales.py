"""Timescales of activity, τ_net (paper, section 3.2 and Figure 5): autocorrelation, then `fits`.

The published protocol: the autocorrelation of every unit, mean removed per trial, divided by the number of
pairs at each lag, averaged over trials, normalised by lag 0, fitted at lags 0 to 30 (see `fits`).
"""

from dataclasses import asdict

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from tsrnn import InputError
from tsrnn.analysis.fits import LARGEST_TAU, check_lags, fit, fit_all, ratio
from tsrnn.analysis.simulate import Protocol, collect
from tsrnn.inputs import integer
from tsrnn.kinds import check_kinds
from tsrnn.model import LeakyRNN, Network

MAX_LAG = 30
POPULATION = -1  # the "unit" that is the sum of all units


class LagProducts:
    """Collects Σ_t x(t) x(t − l) of many series for the lags l = 0 ... `max_lag`, from short blocks of time.

    The mean is not known before the end: a rough one is subtracted at once, against cancellation, and the
    sums at both ends that it takes to remove the mean exactly are kept.
    """

    def __init__(self, max_lag: int = MAX_LAG) -> None:
        self.max_lag, self.steps = integer("largest lag", max_lag, 1, 10**6), 0

    def add(self, x: Tensor) -> None:
        """The next steps, (T, ...). Fast if they fit into the cache."""
        L, T = self.max_lag, len(x)
        if self.steps == 0:
            self.offset = x.mean(0)
            self.products = x.new_zeros(L + 1, *self.offset.shape, dtype=torch.float64)
            self.total = torch.zeros_like(self.offset, dtype=torch.float64)
            self.first = x[:0]
            self.last = x.new_zeros(L, *self.offset.shape)  # before the first step: zeros, which add nothing
        z = torch.cat([self.last, x - self.offset])
        product = torch.empty_like(x)
        for lag in range(L + 1):
            torch.mul(z[L:], z[L - lag : L - lag + T], out=product)
            self.products[lag] += product.sum(0)
        self.total += z[L:].sum(0)
        self.first = torch.cat([self.first, z[L:][: L - len(self.first)]])
        self.last = z[T:].clone()
        self.steps += T

    def autocovariance(self) -> Tensor:
        """Σ_t (x(t) − mean)(x(t − l) − mean) / (T − l), (max_lag + 1, ...), float64, on the CPU.

        Raises InputError if there were fewer than max_lag + 2 steps.
        """
        L, T = self.max_lag, self.steps
        check_steps(T, L)
        mean, nothing = self.total / T, torch.zeros_like(self.total)[None]
        without_first = self.total - torch.cat([nothing, self.first.double().cumsum(0)])
        without_last = self.total - torch.cat([nothing, self.last.flip(0).double().cumsum(0)])
        pairs = (T - torch.arange(L + 1, device=mean.device)).view(-1, *[1] * mean.dim())
        return ((self.products - mean * (without_first + without_last)) / pairs + mean**2).cpu()


def check_steps(steps: int, max_lag: int) -> None:
    """Raise InputError if a series of so many steps is too short for the largest lag."""
    if steps < max_lag + 2:
        raise InputError(f"series of {steps} steps: lags up to {max_lag} need {max_lag + 2} steps or more")


class ActivityLags(LagProducts):
    """`LagProducts` of the activity of all units and, as the last "unit", of their sum."""

    def add(self, x: Tensor) -> None:
        """The next steps, (T, K, B, H)."""
        super().add(torch.cat([x, x.sum(-1, keepdim=True)], -1))


@check_kinds
def timescales(model: Network, protocol: Protocol | None = None, max_lag: int = MAX_LAG) -> pd.DataFrame:
    """τ_net of every unit of K networks, and of the population.

    Args:
        model: K networks, H units each, or one of a reader's own (`model.Network`).
        protocol: of the simulation; default: the published one.
        max_lag: the lags 0 ... max_lag are fitted.

    Returns:
        A row per network and unit: `network`, `unit` (−1 is the population), `tau` (max(τ, 1), in steps;
        NaN for the population and of units that are not leaky), `tau_net` and its standard error
        `tau_net_se` (steps), `model`, and all else that `fits.fit` gives. A constant unit and one that no
        model fits have NaN: `summary` counts them.

    Raises:
        InputError: as `simulate`; a series shorter than the lags; fewer than 7 lags.
    """
    protocol = protocol or Protocol()
    lags = ActivityLags(max_lag)
    check_steps(protocol.steps, lags.max_lag)
    check_lags(lags.max_lag + 1)
    collect(model, protocol, lags)
    return timescales_table(model, lags, protocol)


def timescales_table(model: Network, lags: ActivityLags, protocol: Protocol) -> pd.DataFrame:
    """The fits of what was collected, as `timescales` returns them."""
    autocovariance = lags.autocovariance().numpy()  # (L + 1, K, B, H + 1)
    _, K, _, units = autocovariance.shape
    taus = np.full((K, units - 1), np.nan)
    if isinstance(model, LeakyRNN):
        taus = model.effective_tau.detach().cpu().numpy()
    tables = []
    for k, tau in enumerate(taus):
        about = {"network": k, "unit": unit_numbers(len(tau)), "tau": np.append(tau, np.nan)}
        tables.append(pd.DataFrame(about).join(fit_all(autocovariance[:, k])))
    table = pd.concat(tables, ignore_index=True)
    table.attrs = {"protocol": asdict(protocol), "max_lag": lags.max_lag}
    return table


def published_tau_net(lags: ActivityLags) -> NDArray[np.float64]:
    """τ_net of every unit of one network (H,), in steps, fitted from the published start; NaN as `fit`."""
    rho = ratio(lags.autocovariance().mean(2).numpy())[:, 0, :-1]  # (L + 1, H)
    return np.array([fit(unit, published_start=True)["tau_net"] for unit in rho.T], float)


def autocorrelation_table(lags: ActivityLags) -> pd.DataFrame:
    """Columns network, unit (−1 is the population), lag (steps), autocorrelation (averaged over trials)."""
    rho = ratio(lags.autocovariance().mean(2).numpy())  # (L + 1, K, H + 1)
    lag, k, unit = np.indices(rho.shape)
    unit = np.array(unit_numbers(rho.shape[-1] - 1))[unit]
    columns = {"network": k, "unit": unit, "lag": lag, "autocorrelation": rho}
    return pd.DataFrame({name: values.flatten() for name, values in columns.items()})


def unit_numbers(H: int) -> list[int]:
    """0 ... H − 1, and −1 for the population, which comes last."""
    return [*range(H), POPULATION]


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """Mean and SD of τ_net over the units of each network, of those with τ_net > 1 as published.

    Returns:
        `network`, `mean`, `sd` (steps), `n` units in them, and how many were left out: `n_fast` (τ_net ≤ 1),
        `n_nan` (constant, or no model fits); `n_bound` of the n are at the bound of 100 steps.
    """
    rows = []
    for k, units in table[table["unit"] != POPULATION].groupby("network"):
        tau_net = units["tau_net"]
        kept = tau_net[tau_net > 1]
        counts = {"n_fast": (tau_net <= 1).sum(), "n_nan": tau_net.isna().sum()}
        at_bound = (kept > 0.999 * LARGEST_TAU).sum()
        rows.append(
            {"network": k, "mean": kept.mean(), "sd": kept.std(ddof=0), "n": len(kept)}
            | counts
            | {"n_bound": at_bound}
        )
    return pd.DataFrame(rows)
