"""What each table in a network's folder has to hold: columns, their types and ranges.

Columns beyond these are not read.
"""

import numpy as np
import pandas as pd
from pandera.pandas import Check, Column, DataFrameSchema

from tsrnn.inputs import LARGEST_N

FAR = 2**31  # more than any count of ours


def whole(low: int, high: int = FAR) -> Column:
    return Column("int64", Check.in_range(low, high))


def real(low: float = -np.inf, high: float = np.inf, dtype: str = "float64", missing: bool = False) -> Column:
    """Infinity is none."""
    ends = {"include_min": np.isfinite(low), "include_max": np.isfinite(high)}
    return Column(dtype, Check.in_range(low, high, **ends), nullable=missing)


def word() -> Column:
    return Column("str", coerce=True)


def counts_on(table: pd.DataFrame) -> bool:
    return list(table["epoch"]) == list(range(1, len(table) + 1))


def never_falls(table: pd.DataFrame) -> bool:
    return bool(table["N_max"].is_monotonic_increasing and (table["N_min"] <= table["N_max"]).all())


N = (1, LARGEST_N + 100)  # new readouts are asked for some N beyond

HISTORY = DataFrameSchema(
    {
        "epoch": whole(1),
        "N_min": whole(*N),
        "N_max": whole(*N),
        "loss": real(0, missing=True),  # a network that diverged has none
        "accuracy": real(0, 1),
        "newest_accuracy": real(0, 1),
        "tau_mean": real(0, missing=True),  # below 1 only in continuous time; none of a gated network
        "tau_sd": real(0, missing=True),
        "promoted": Column("bool"),
        "seconds": real(0, missing=True),  # of some it was not kept
        "device": word(),
        "precision": word(),
        "from_epoch": whole(0),
    },
    checks=[
        Check(counts_on, error="its epochs do not count 1, 2, 3, ..."),
        Check(never_falls, error="its N fall, or N_min is larger than N_max"),
    ],
)
PROMOTIONS = DataFrameSchema(
    {
        "epoch": whole(1),
        "N_min": whole(*N),
        "N_max": whole(*N),
        "measure": word(),
        "index": whole(0),
        "value": Column("float32", nullable=True),  # what was measured can be no number, an error infinite
    },
    unique=["N_max", "measure", "index"],
)
ROBUSTNESS = DataFrameSchema(
    {
        "N": whole(*N),
        "damage": word(),
        "epsilon": real(0, missing=True),
        "unit": real(-1, missing=True),
        "repeat": whole(0),
        "tau": real(0, missing=True),
        "accuracy": real(0, 1, "float32"),
        "relative_accuracy": real(missing=True),
        "baseline": real(0, 1),
    },
    unique=["N", "damage", "epsilon", "unit", "repeat"],
)
READOUTS = DataFrameSchema(
    {
        "n": whole(*N),
        "readout": word(),
        "accuracy": real(0, 1, "float32"),
        "sequences": whole(1),
        "N": whole(*N),
    },
    unique=["N", "n", "readout"],
)
RETRAINING = DataFrameSchema(
    {
        "N": whole(*N),
        "epoch": whole(0),
        "accuracy": real(0, 1),
        "relative_accuracy": real(missing=True),
        "start": whole(*N),
    },
    unique=["start", "N", "epoch"],
)


def no_rows(schema: DataFrameSchema) -> pd.DataFrame:
    """A table of these columns before anything is in it."""
    return pd.DataFrame({name: pd.Series(dtype=str(c.dtype)) for name, c in schema.columns.items()})


# By the name of the file
TABLES = {
    "history.csv": HISTORY,
    "promotions.parquet": PROMOTIONS,
    "robustness.parquet": ROBUSTNESS,
    "readouts.parquet": READOUTS,
    "retraining.parquet": RETRAINING,
}
