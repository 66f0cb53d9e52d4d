"""What is measured at every promotion, since not every checkpoint can be kept.

Rows of `measure`, `index`, `value`. Cheap, always: `tau` (index: unit), and the means over units of the
columns of `connectivity` (index 0). Costly, at N ≤ 10, every fifth N and wherever a checkpoint is kept:
`tau_net`, `tau_net_se`, `exponentials` (1 or 2: the fit chosen; 0: none) by unit,
`population_autocorrelation` by lag, `components` and `participation_ratio` by trial.
"""

from pathlib import Path

import numpy as np
import pandas as pd
from tqdm import tqdm

from tsrnn import zoo
from tsrnn.analysis.connectivity import connectivity
from tsrnn.analysis.dimensionality import Covariance, dimensionality_table
from tsrnn.analysis.simulate import Protocol, collect
from tsrnn.analysis.timescales import POPULATION, ActivityLags, autocorrelation_table, timescales_table
from tsrnn.model import LeakyRNN
from tsrnn.runs import PROMOTION_COLUMNS, claim, records, save_promotions


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


def add_missing(folder: Path, progress: bool = True) -> list[int]:
    """Measure what the promotions of a trained network lack, wherever it kept a checkpoint.

    Simulations are as long as the run's configuration says, or as published if it says 0. The file is written
    after each checkpoint.

    Returns:
        The N that something was added for.

    Raises:
        InputError: not a run of tsrnn, in use by another process, a damaged checkpoint.
    """
    records(folder)  # before `claim`, which makes the folder
    added = []
    with claim(folder):
        config, promotions = records(folder)
        protocol = Protocol(config.get("measure_steps") or Protocol.steps)
        for checkpoint in tqdm(zoo.checkpoints(folder), folder.name, unit="checkpoint", disable=not progress):
            model = zoo.load_checkpoint(checkpoint)
            solved = promotions[promotions["N_max"] == max(model.heads)]
            there = set(solved["measure"])
            tables = [cheap(model), costly(model, protocol)] if "tau_net" not in there else [cheap(model)]
            new = pd.concat(tables)
            new = new[~new["measure"].isin(there)]
            if len(new):
                about = {name: solved[name].iloc[0] for name in ("epoch", "N_min", "N_max")}
                promotions = pd.concat([promotions, new.assign(**about)], ignore_index=True)
                promotions = promotions.sort_values("epoch", kind="stable", ignore_index=True)
                save_promotions(folder, promotions[PROMOTION_COLUMNS])
                added.append(max(model.heads))
    return added


def rows(measured: dict[str, pd.Series]) -> pd.DataFrame:
    """One row per value: measure, index, value."""
    tables = [
        pd.DataFrame({"measure": name, "index": np.arange(len(values)), "value": values.to_numpy(float)})
        for name, values in measured.items()
    ]
    return pd.concat(tables, ignore_index=True)
