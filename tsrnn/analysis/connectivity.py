"""Connectivity (paper, section 3.3, Figure 6a): who excites and inhibits; how slow the linear modes are."""

import numpy as np
import pandas as pd
import torch

from tsrnn.kinds import check_kinds
from tsrnn.model import RecurrentNetwork, check_finite, leaky


@check_kinds
@torch.no_grad()
def connectivity(model: RecurrentNetwork) -> pd.DataFrame:
    """The recurrent weights that each unit of K networks receives.

    Returns:
        A row per network and unit: `network`, `unit`, `tau` (max(τ, 1), in steps), `weight_mean`,
        `weight_sd` over the H − 1 incoming weights, or H where a unit's own counts (`LeakyRNN.from_rnn`), and
        `positive`, `negative`: the sums of those above and below 0.

    Raises:
        InputError: parameters that are not finite; units that are not leaky.
    """
    model = leaky(model, "connectivity")
    check_finite(model)
    K, H = model.shape
    used = torch.ones(H, H, dtype=torch.bool) if model.own_past else ~torch.eye(H, dtype=torch.bool)
    W = model.W.double().cpu()[:, used].view(K, H, int(used[0].sum()))
    k, unit = np.indices((K, H))
    columns = {
        "network": k,
        "unit": unit,
        "tau": model.effective_tau.cpu().numpy(),
        "weight_mean": W.mean(-1).numpy(),
        "weight_sd": W.std(-1, correction=0).numpy(),
        "positive": W.clamp(min=0).sum(-1).numpy(),
        "negative": W.clamp(max=0).sum(-1).numpy(),
    }
    return pd.DataFrame({name: values.ravel() for name, values in columns.items()})


@check_kinds
@torch.no_grad()
def spectrum(model: RecurrentNetwork) -> pd.DataFrame:
    """Eigenvalues λ of M = (I − A) + A W, A = diag(1/τ): the network where φ is the identity.

    Returns:
        A row per network and eigenvalue, largest modulus first: `network`, `index`, `real`, `imaginary`,
        `modulus` and `timescale` = `−1/ln|λ|` in steps, which is infinite for `|λ|` ≥ 1: what holds such a
        mode is φ.

    Raises:
        InputError: parameters that are not finite; units that are not leaky.
    """
    model = leaky(model, "the spectrum")
    check_finite(model)
    a = 1 / model.effective_tau.double().cpu()
    W = model.used_W.double().cpu()
    values = np.linalg.eigvals((torch.diag_embed(1 - a) + a[..., None] * W).numpy())
    values = np.take_along_axis(values, np.abs(values).argsort(1)[:, ::-1], 1)
    modulus = np.abs(values)
    with np.errstate(divide="ignore"):
        timescale = np.where(modulus < 1, -1 / np.log(np.minimum(modulus, 1)), np.inf)
    k, index = np.indices(values.shape)
    return pd.DataFrame(
        {
            "network": k.ravel(),
            "index": index.ravel(),
            "real": values.real.ravel(),
            "imaginary": values.imag.ravel(),
            "modulus": modulus.ravel(),
            "timescale": timescale.ravel(),
        }
    )


def by_speed(units: pd.DataFrame) -> dict[str, float]:
    """Whether the slow units of a network receive other weights than the fast ones.

    Args:
        units: rows of `connectivity` of one network.

    Returns:
        `rank_positive`, `rank_negative`: rank correlation (Spearman) of τ with the size of either sum;
        `fastest`: the share of units with τ = 1; `fastest_of_strongest`: that of the tenth which receives the
        strongest weights, of both signs; `slow_weights`: what units with τ > 3 receive, relative to the mean
        (NaN if there are none).
    """
    tau, size = units["tau"], units["positive"] - units["negative"]
    fastest = tau <= 1
    return {
        "rank_positive": tau.corr(units["positive"], method="spearman"),
        "rank_negative": tau.corr(-units["negative"], method="spearman"),
        "fastest": fastest.mean(),
        "fastest_of_strongest": fastest[size >= size.quantile(0.9)].mean(),
        "slow_weights": size[tau > 3].mean() / size.mean(),
    }
