"""How far τ_net can be trusted: bias and spread on autoregressive noise of known τ, by length and criterion.

Run with `make bench`. Each row: 100 series of one true τ, 10 trials each, fitted at lags 0 to 30 as the
paper does. One exponential is the truth, so `single` shows what the fit alone can do, and the other columns
what the choice between one and two exponentials makes of it. `theory` is the SD of the estimate from lag 1,
√(2τ/n) of τ.
"""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import torch

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from ground_truth import ar1

from tsrnn.analysis.fits import fit_all
from tsrnn.analysis.timescales import LagProducts

SERIES, TRIALS = 100, 10


def measure(tau: float, steps: int) -> dict[str, str | float]:
    lags = LagProducts()
    for x in torch.from_numpy(ar1(tau, steps, TRIALS, SERIES, seed=round(tau))).split(128):
        lags.add(x)
    found = fit_all(lags.autocovariance().numpy())
    relative = {"single": found["single_tau"] / tau}
    for name, column in (("AIC", "tau_net"), ("BIC", "tau_net_bic"), ("AICc", "tau_net_aicc")):
        relative[name] = found[column] / tau
    row: dict[str, str | float] = {"steps": steps, "true τ": tau}
    row["theory SD (%)"] = 100 * np.sqrt(2 * tau / (steps * TRIALS))
    for name, values in relative.items():
        row[f"{name}: median, SD (%)"] = f"{100 * (values.median() - 1):+.1f}, {100 * values.std():.1f}"
    for end, name in (("", "AIC"), ("_bic", "BIC"), ("_aicc", "AICc")):
        row[f"two by {name} (%)"] = 100 * (found[f"model{end}"] == "double").mean()
    return row


def main() -> None:
    table = pd.DataFrame([measure(t, n) for n in (1000, 10_000) for t in (1, 2, 5, 10, 20, 50)])
    print(f"bias of the median and SD in per cent of the true τ, {SERIES} series of {TRIALS} trials")
    print(table.to_markdown(index=False, floatfmt=".1f"))


if __name__ == "__main__":
    main()
