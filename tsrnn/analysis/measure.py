"""What is measured at every promotion, since not every checkpoint can be kept; `probes` has the rest.

Rows of `measure`, `index`, `value`. Cheap, always: `tau` (index: unit), and the means over units of the
columns of `connectivity` (index 0). Costly, at N ≤ 10, every fifth N and wherever a checkpoint is kept:
`tau_net`, `tau_net_se`, `exponentials` (1 or 2: the fit chosen; 0: none) by unit,
`population_autocorrelation` by lag, `components` and `participation_ratio` by trial; what the answers are
made of, by the names of `decoding.mechanism` (index 0). To check them, where a checkpoint is kept:
`tau_net_published` (see `fits`) by unit, and on more trials, since each draws one p and they depend on it,
`components` and `participation_ratio`, and `tau_net_mean`, `tau_net_sd` (of n − 1, so larger than in
`timescales.summary` by a thousandth) and `tau_net_median` by simulation seed.
"""

from dataclasses import replace

import numpy as np
import pandas as pd

from tsrnn.analysis import decoding
from tsrnn.analysis.connectivity import connectivity
from tsrnn.analysis.dimensionality import Covariance, dimensionality_table
from tsrnn.analysis.simulate import Collector, Protocol, collect
from tsrnn.analysis.timescales import (
    POPULATION,
    ActivityLags,
    autocorrelation_table,
    published_tau_net,
    timescales_table,
)
from tsrnn.model import RecurrentNetwork, largest_head
from tsrnn.schemas import PROMOTIONS, no_rows

SHIFTED, SHIFTS = 512, 10  # sequences, and bits and answers that are shifted at the most: seconds
NOTHING = no_rows(PROMOTIONS)[["measure", "index", "value"]]
SIMULATIONS = 3  # seeds that dimensionality and summaries of τ_net are measured with at checkpoints


def is_costly_due(n: int) -> bool:
    """Whether the costly measures are taken at the success on this N."""
    return n <= 10 or n % 5 == 0


def cheap(model: RecurrentNetwork) -> pd.DataFrame:
    """τ and connectivity of one network; no rows of a gated one, which has neither."""
    if model.architecture.gated:
        return NOTHING
    table = connectivity(model)
    means = {name: table[name].mean() for name in ("weight_mean", "weight_sd", "positive", "negative")}
    return rows({"tau": table["tau"]} | {name: pd.Series([mean]) for name, mean in means.items()})


def costly(model: RecurrentNetwork, protocol: Protocol, *others: Collector) -> pd.DataFrame:
    """Timescales and dimensionality of one network, from one simulation, which others may collect, too."""
    lags, covariance = ActivityLags(), Covariance()
    collect(model, protocol, lags, covariance, *others)
    units = timescales_table(model, lags, protocol).query(f"unit != {POPULATION}")
    population = autocorrelation_table(lags).query(f"unit == {POPULATION}")
    return rows(
        {
            "tau_net": units["tau_net"],
            "tau_net_se": units["tau_net_se"],
            "exponentials": units["model"].map({"none": 0, "single": 1, "double": 2}),
            "population_autocorrelation": population["autocorrelation"],
        }
        | trials(covariance, protocol)
    )


def mechanism(model: RecurrentNetwork, task: str) -> pd.DataFrame:
    """What one network makes its answers for the largest N of; no rows for a task of one's own."""
    if task not in ("parity", "dms"):  # of others it is not known what each mechanism would do
        return NOTHING
    found = decoding.mechanism(decoding.shifts(model, task, largest_head(model), SHIFTED, most=SHIFTS))
    return rows({name: pd.Series([share]) for name, share in found.items()})


def trials(covariance: Covariance, protocol: Protocol) -> dict[str, pd.Series]:
    table = dimensionality_table(covariance, protocol)
    return {name: table[name] for name in ("components", "participation_ratio")}


def checks(model: RecurrentNetwork, protocol: Protocol) -> pd.DataFrame:
    """τ_net by the published fit, and what depends on p, with more simulation seeds.

    Dimensionality by trial, of which the seeds count on; of τ_net mean, SD and median over the units above 1,
    as published, by seed.
    """
    tables, summaries = [], []
    for seed in range(SIMULATIONS):
        lags, covariance, other = ActivityLags(), Covariance(), replace(protocol, seed=seed)
        collect(model, other, lags, *([covariance] if seed else []))  # of the first it is in `costly`
        tau_net = timescales_table(model, lags, other).query(f"unit != {POPULATION}")["tau_net"]
        counted = tau_net[tau_net > 1]
        summaries.append((counted.mean(), counted.std(), counted.median()))
        if seed:
            table = rows(trials(covariance, other))
            tables.append(table.assign(index=table["index"] + seed * protocol.trials))
        else:
            tables.append(rows({"tau_net_published": pd.Series(published_tau_net(lags))}))
    names = ("tau_net_mean", "tau_net_sd", "tau_net_median")
    by_seed = {
        name: pd.Series(values) for name, values in zip(names, zip(*summaries, strict=True), strict=True)
    }
    return pd.concat([*tables, rows(by_seed)], ignore_index=True)


def rows(measured: dict[str, pd.Series]) -> pd.DataFrame:
    """One row per value: measure, index, value."""
    tables = [
        pd.DataFrame({"measure": name, "index": np.arange(len(values)), "value": values.to_numpy(float)})
        for name, values in measured.items()
    ]
    return pd.concat(tables, ignore_index=True)
