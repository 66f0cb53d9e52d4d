"""How much τ_net hangs on the draw of the bits: what simulations with other draws of p say of one network."""

import pandas as pd

from tsrnn.book import paper
from tsrnn.book.effects import BY_SIMULATION, KINDS


def table(promotions: pd.DataFrame, n: int) -> pd.DataFrame:
    """What was measured by simulation at N = n.

    Returns:
        Columns curriculum, number, measure (of `effects.BY_SIMULATION`), simulation (from 1), value.
    """
    p = promotions[promotions["measure"].isin(BY_SIMULATION) & (promotions["N"] == n)]
    p = p.assign(simulation=p["index"] + 1, measure=p["measure"].astype(str))
    return p[["curriculum", "number", "measure", "simulation", "value"]].reset_index(drop=True)


def sentences(table: pd.DataFrame, task: str, n: int) -> dict[str, str]:
    """What follows from a `table`, by name.

    Returns:
        For each measure and kind ("tau_net_mean_single"...) the range of the means over networks; `apart`:
        in how many simulations single-head activity is the slower; `published`: whether the published mean
        is within the range.
    """
    found = {f"{measure}_{kind}": ranged(table, measure, kind) for measure in BY_SIMULATION for kind in KINDS}
    medians = table[table["measure"] == "tau_net_median"]
    by = medians.groupby(["simulation", "curriculum"])["value"].agg(["min", "max"]).unstack()
    if set(KINDS) <= set(medians["curriculum"]):
        slower = by["min", "single"] > by["max", "cumulative"]
        found["apart"] = (
            f"in {slower.sum()} of {len(slower)} simulations every single-head network is slower than any "
            "multi-head one"
        )
    else:
        found["apart"] = "this was not measured for both kinds"
    theirs = paper.at("cumulative", task, "mean tau_net", n)
    means = over_networks(table, "tau_net_mean", "cumulative")
    if theirs is None or means.empty:
        return found | {"published": ""}
    within = means.min() <= theirs.value + theirs.error and theirs.value - theirs.error <= means.max()
    said = f"The published mean of multi-head networks, {theirs.value:.1f} steps, is "
    said += "within it: the distance to ours may be one of draws." if within else "beyond it."
    return found | {"published": said}


def over_networks(table: pd.DataFrame, measure: str, kind: str) -> pd.Series:
    """The mean over the networks of a kind, by simulation."""
    rows = table[(table["measure"] == measure) & (table["curriculum"] == kind)]
    return rows.groupby("simulation")["value"].mean()


def ranged(table: pd.DataFrame, measure: str, kind: str) -> str:
    """The means over networks of a kind, from the least to the largest simulation, in words."""
    networks = table.loc[table["curriculum"] == kind, "number"].nunique()
    values = paper.span(over_networks(table, measure, kind), "{:.1f}")
    return f"{values} steps (means over n = {networks})" if networks else values
