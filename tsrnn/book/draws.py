"""How much τ_net hangs on the draw of the bits: what simulations with other draws of p say of one network."""

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure

from tsrnn.book import paper, plotting
from tsrnn.book.effects import BY_SIMULATION, KINDS


def table(promotions: pd.DataFrame) -> pd.DataFrame:
    """What was measured by simulation.

    Returns:
        Columns curriculum, number, N, measure (of `effects.BY_SIMULATION`), simulation (from 1), value.
    """
    p = promotions[promotions["measure"].isin(BY_SIMULATION)]
    p = p.assign(simulation=p["index"] + 1, measure=p["measure"].astype(str))
    return p[["curriculum", "number", "N", "measure", "simulation", "value"]].reset_index(drop=True)


def figure(table: pd.DataFrame, task: str) -> Figure:
    """Median τ_net against N: a line for each simulation, the mean over networks, where there are several."""
    import seaborn  # here, not above: it takes a second

    medians = table[table["measure"] == "tau_net_median"]
    networks = medians.groupby(["curriculum", "N"])["number"].transform("nunique")
    fig, ax = plt.subplots(figsize=(6, 3.2))
    seaborn.lineplot(
        medians[networks > 1].assign(kind=lambda d: d["curriculum"].map(plotting.NAMES)), ax=ax,
        x="N", y="value", hue="kind", style="simulation", markers=True, markersize=7, errorbar=None,
        palette={plotting.NAMES[kind]: plotting.colour(kind, task) for kind in KINDS}
    )  # fmt: skip
    ax.set(xlabel="N solved", ylabel="median τ_net (steps)", ylim=(0, None))
    handles, labels = ax.get_legend_handles_labels()
    if legend := ax.get_legend():
        legend.remove()
    shown = {
        label: h for h, label in zip(handles, labels, strict=True) if label not in ("kind", "simulation")
    }
    for label in shown.keys() - set(plotting.NAMES.values()):
        shown[label].set(color=plotting.INK)  # black cannot be seen on the dark page
    names = [f"simulation {label}" if label.isdigit() else label for label in shown]
    fig.legend(list(shown.values()), names, loc="outside upper left", ncols=3)
    return fig


def sentences(table: pd.DataFrame, task: str, n: int) -> dict[str, str]:
    """What follows from a `table`, by name.

    Returns:
        For each measure and kind ("tau_net_mean_single"...) the range of the means over networks; `apart`:
        in how many simulations single-head activity is the slower, at n and at the largest N of two networks
        of each kind; `published`: whether the published mean is within the range.
    """
    medians, table = table[table["measure"] == "tau_net_median"], table[table["N"] == n]
    found = {f"{measure}_{kind}": ranged(table, measure, kind) for measure in BY_SIMULATION for kind in KINDS}
    again = medians[medians["simulation"] > 1].groupby(["N", "curriculum"])["number"].nunique()
    fewest = again.unstack().reindex(columns=KINDS).min(axis=1, skipna=False)
    larger = fewest.index[(fewest > 1) & (fewest.index > n)]
    found["apart"] = "this was not measured for both kinds"
    if set(KINDS) <= set(medians.loc[medians["N"] == n, "curriculum"]):
        where = " and at ".join(slower_in(medians[medians["N"] == here]) for here in (n, *larger[-1:]))
        found["apart"] = f"every single-head network is slower than any multi-head one at {where}"
    theirs = paper.at("cumulative", task, "mean tau_net", n)
    means = over_networks(table, "tau_net_mean", "cumulative")
    if theirs is None or means.empty:
        return found | {"published": ""}
    within = means.min() <= theirs.value + theirs.error and theirs.value - theirs.error <= means.max()
    said = f"The published mean of multi-head networks, {theirs.value:.1f} steps, is "
    said += "within it: the distance to ours may be one of draws." if within else "beyond it."
    return found | {"published": said}


def slower_in(medians: pd.DataFrame) -> str:
    """In how many simulations every single-head network is slower than any multi-head one, at one N."""
    by = medians.groupby(["simulation", "curriculum"])["value"].agg(["min", "max"]).unstack()
    slower = by["min", "single"] > by["max", "cumulative"]
    return f"N = {medians['N'].iloc[0]} in {slower.sum()} of {len(slower)} simulations"


def over_networks(table: pd.DataFrame, measure: str, kind: str) -> pd.Series:
    """The mean over the networks of a kind, by simulation."""
    rows = table[(table["measure"] == measure) & (table["curriculum"] == kind)]
    return rows.groupby("simulation")["value"].mean()


def ranged(table: pd.DataFrame, measure: str, kind: str) -> str:
    """The means over networks of a kind, from the least to the largest simulation, in words."""
    networks = table.loc[table["curriculum"] == kind, "number"].nunique()
    values = paper.span(over_networks(table, measure, kind), "{:.1f}")
    return f"{values} steps (means over n = {networks})" if networks else values
