"""What is measured at every promotion, since not every checkpoint can be kept; `probes` has the rest.

Rows of `measure`, `index`, `value`. Cheap, always: `tau` (index: unit), and the means over units of the
columns of `connectivity` (index 0). Costly, at N ≤ 10, every fifth N and wherever a checkpoint is kept:
`tau_net`, `tau_net_se`, `exponentials` (1 or 2: the fit chosen; 0: none) by unit,
`population_autocorrelation` by lag, `components` and `participation_ratio` by trial.
"""

import numpy as np
import pandas as pd

from tsrnn.analysis.connectivity import connectivity
from tsrnn.analysis.dimensionality import Covariance, dimensionality_table
from tsrnn.analysis.simulate import Protocol, collect
from tsrnn.analysis.timescales import POPULATION, ActivityLags, autocorrelation_table, timescales_table
from tsrnn.model import LeakyRNN


def is_costly_due(n: int) -> bool:
    """Whether the costly measures are taken at the success on this N."""
    return n <= 10 or n % 5 == 0


def cheap(model: LeakyRNN) -> pd.DataFrame:
    """τ and connectivity of one network."""
    table = connectivity(model)
    means = {name: table[name].mean() for name in ("weight_mean", "weight_sd", "positive", "negative")}
    return rows({"tau": table["tau"]} | {name: pd.Series([mean]) for name, mean in means.items()})


def costly(model: LeakyRNN, protocol: Protocol) -> pd.DataFrame:
    """Timescales and dimensionality of one network, from one simulation."""
    lags, covariance = ActivityLags(), Covariance()
    collect(model, protocol, lags, covariance)
    units = timescales_table(model, lags, protocol).query(f"unit != {POPULATION}")
    population = autocorrelation_table(lags).query(f"unit == {POPULATION}")
    trials = dimensionality_table(covariance, protocol)
    return rows(
        {
            "tau_net": units["tau_net"],
            "tau_net_se": units["tau_net_se"],
            "exponentials": units["model"].map({"none": 0, "single": 1, "double": 2}),
            "population_autocorrelation": population["autocorrelation"],
            "components": trials["components"],
            "participation_ratio": trials["participation_ratio"],
        }
    )


def rows(measured: dict[str, pd.Series]) -> pd.DataFrame:
    """One row per value: measure, index, value."""
    tables = [
        pd.DataFrame({"measure": name, "index": np.arange(len(values)), "value": values.to_numpy(float)})
        for name, values in measured.items()
    ]
    return pd.concat(tables, ignore_index=True)
