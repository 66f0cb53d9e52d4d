"""Dimensionality of activity (paper, section 3.3 and Figure 6b).

The published protocol: PCA of the activity of each trial of the simulation for the timescales; the number of
components whose cumulated explained variance reaches 90 %. (The published code gives the index of the last of
them, which is one less.) The participation ratio (Σ λ)² / Σ λ² is given beside it; λ are the variances.
"""

from dataclasses import asdict

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from tsrnn import InputError
from tsrnn.analysis.simulate import Protocol, collect
from tsrnn.inputs import number
from tsrnn.kinds import check_kinds
from tsrnn.model import Network


class Covariance:
    """Collects the covariance over time of (K, B, H) activity, for each network and trial."""

    def __init__(self) -> None:
        self.steps = 0

    def add(self, x: Tensor) -> None:
        """The next steps, (T, K, B, H)."""
        if self.steps == 0:
            self.offset = x.mean(0)  # a rough mean, against cancellation
            self.total = torch.zeros_like(self.offset, dtype=torch.float64)
            H = x.shape[-1]
            self.products = x.new_zeros(self.offset[..., 0].numel(), H, H)
        y = x - self.offset
        self.total += y.sum(0)
        rows = y.flatten(1, 2).transpose(0, 1)  # (K B, T, H)
        self.products.baddbmm_(rows.mT, rows)
        self.steps += len(x)

    def covariance(self) -> Tensor:
        """(K, B, H, H), float64, on the CPU. Raises InputError if there were fewer than 2 steps."""
        if self.steps < 2:
            raise InputError(f"{self.steps} steps: a covariance needs 2 or more")
        mean = self.total / self.steps
        products = self.products.double().view(*mean.shape, mean.shape[-1])
        return (products / self.steps - mean[..., :, None] * mean[..., None, :]).cpu()


@check_kinds
def dimensionality(model: Network, protocol: Protocol | None = None, explained: float = 0.9) -> pd.DataFrame:
    """How many dimensions the activity of K networks has, per trial.

    Args:
        model: K networks, or one of a reader's own (`model.Network`).
        protocol: of the simulation; default: the published one.
        explained: the share of variance to reach, between 0 and 1.

    Returns:
        Columns network, trial, components (to reach `explained`), participation_ratio. NaN where all units
        are constant.

    Raises:
        InputError: as `simulate`; `explained` out of range.
    """
    protocol, explained = protocol or Protocol(), share(explained)
    covariance = Covariance()
    collect(model, protocol, covariance)
    return dimensionality_table(covariance, protocol, explained)


def dimensionality_table(covariance: Covariance, protocol: Protocol, explained: float = 0.9) -> pd.DataFrame:
    """The dimensions of what was collected, as `dimensionality` returns them."""
    explained = share(explained)
    variances = np.linalg.eigvalsh(covariance.covariance().numpy())[..., ::-1].clip(min=0)
    rows = [
        {"network": k, "trial": b} | dimensions(variances[k, b], explained)
        for k, b in np.ndindex(variances.shape[:2])
    ]
    table = pd.DataFrame(rows)
    table.attrs = {"protocol": asdict(protocol), "explained": explained}
    return table


def share(explained: float) -> float:
    """A share of variance as a float. Raises InputError unless it is between 0 and 1."""
    return number("explained", explained, 1e-6, 1 - 1e-6)


def dimensions(variances: NDArray[np.float64], explained: float) -> dict[str, float]:
    """Components and participation ratio of variances (H), largest first."""
    if variances.sum() == 0:
        return {"components": np.nan, "participation_ratio": np.nan}
    share = variances.cumsum() / variances.sum()
    ratio = variances.sum() ** 2 / (variances**2).sum()
    return {"components": float((share < explained).sum() + 1), "participation_ratio": float(ratio)}
