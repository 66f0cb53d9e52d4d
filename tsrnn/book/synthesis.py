"""Slow units or a network: what the chapters found of it, side by side for each network."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from tsrnn.analysis.interventions import epsilon_half
from tsrnn.book import paper
from tsrnn.book.effects import KINDS, Networks, of_measure, per_network
from tsrnn.book.mechanisms import LIMIT
from tsrnn.book.sentences import order

# What is drawn: measure -> what it asks, and its axis
PANELS = {
    "tau": ("How slow are the units?", "mean τ (steps)"),
    "tau_net": ("How slow is their activity?", "median τ_net (steps)"),
    "ladder": ("Do they keep a ladder?", "answers changed (%)"),
    "half": ("How much noise in W?", "ε½, of the size of W"),
    "slowest": ("Without the 20 slowest units?", "accuracy left (%)"),
    "fastest": ("Without the 20 fastest units?", "accuracy left (%)"),
}
SLOWEST = 20
RUNGS = 100 * LIMIT  # of the answers that a ladder would change, for it to be one
NEEDED = 75  # per cent of the accuracy above chance: with less left, what was taken away was needed


def evidence(nets: Networks, n: int, kinds: Sequence[str] = KINDS) -> pd.DataFrame:
    """What was measured of every network of these kinds at N = n.

    Returns:
        Columns measure, curriculum, number, value. Besides `PANELS`: `held`, (1 − 1/τ)^(n − 1) in per cent,
        of the mean τ of the 20 slowest units; `change` and `slow_change` since the first N, of the mean τ
        over all units and over these; `step`, ε½ as the root mean square of the change of a weight;
        `delay_line`, as `ladder`, for bits. `slowest` and `fastest` are relative accuracies in per cent,
        without all 20.
    """
    first = int(nets.promotions["N_max"].min())
    r = nets.robustness[nets.robustness["N"] == n]
    found: list[tuple[str, str, int, float]] = []
    for kind in kinds:
        now, before = (of_units(nets, kind, at) for at in (n, first))
        left = {
            group: per_network(r[r["damage"] == f"all {group}"], kind, "relative_accuracy")
            for group in ("slowest", "fastest")
        }
        curves = r[(r["curriculum"] == kind) & (r["damage"] == "W")]
        curves = curves.pivot_table("relative_accuracy", "epsilon", "number")  # means over directions
        half = {int(str(k)): epsilon_half(curve.dropna()) for k, curve in curves.items()}
        values = {
            **{name: now[name] for name in ("tau", "tau_net")},
            **{name: {k: 100 * share for k, share in now[name].items()} for name in ("ladder", "delay_line")},
            "half": half,
            "step": {k: half[k] * size for k, size in now["size"].items() if k in half},
            **{group: {k: 100 * share for k, share in each.items()} for group, each in left.items()},
            "held": {k: 100 * (1 - 1 / tau) ** (n - 1) for k, tau in now["slow"].items()},
            "change": {k: tau - before["tau"][k] for k, tau in now["tau"].items()},
            "slow_change": {k: tau - before["slow"][k] for k, tau in now["slow"].items()},
        }
        found += [(name, kind, k, value) for name, each in values.items() for k, value in each.items()]
    return pd.DataFrame(found, columns=["measure", "curriculum", "number", "value"])


def of_units(nets: Networks, kind: str, n: int) -> dict[str, dict[int, float]]:
    """Means over the units of the networks of a kind at N = n, by measure and number.

    `slow` is the mean τ of the 20 slowest, `tau_net` the median of those above 1, on average over simulations
    if there were several, `size` the root mean square of a weight.
    """

    def at_n(measure: str) -> pd.DataFrame:
        rows = of_measure(nets, measure)
        return rows[(rows["N_max"] == n) & (rows["curriculum"] == kind)]

    tau = at_n("tau")
    mean, sd = (per_network(at_n(name), kind) for name in ("weight_mean", "weight_sd"))
    return {
        "tau": per_network(tau, kind),
        "slow": per_network(tau.sort_values("value").groupby("number").tail(SLOWEST), kind),
        "tau_net": per_network(at_n("tau_net"), kind, how="median")
        | per_network(at_n("tau_net_median"), kind),
        **{name: per_network(at_n(name), kind) for name in ("ladder", "delay_line")},
        "size": {k: float(np.hypot(mean[k], sd[k])) for k in sd},
    }


def figure(
    table: pd.DataFrame, palette: Mapping[str, str], panels: Mapping[str, tuple[str, str]] = PANELS
) -> Figure:
    """A panel for each of these measures, a dot for each network (rows of `evidence`, `kind` in words)."""
    import seaborn  # here, not above: it takes a second

    rows = (len(panels) + 1) // 2
    fig, axes = plt.subplots(rows, 2, figsize=(6, rows * (1.2 + 0.3 * len(palette))), sharey=True)
    for ax, (name, (asks, axis)) in zip(axes.flat, panels.items(), strict=True):
        mine = table[table["measure"] == name]
        seaborn.stripplot(
            mine, x="value", y="kind", hue="kind", order=list(palette), ax=ax, palette=dict(palette),
            size=8, alpha=0.6, jitter=False,
        )  # fmt: skip
        least = 1 if name == "tau" else 0
        limits = (-5, 105) if "%" in axis else (least, least + 1.1 * (mine["value"].max() - least))
        ax.set(xlim=limits, xlabel=axis, ylabel="", title=asks)
    return fig


def of(table: pd.DataFrame, name: str, kind: str) -> pd.Series:
    """A measure of the networks of a kind."""
    return table.loc[(table["measure"] == name) & (table["curriculum"] == kind), "value"].dropna()


def fine(values: pd.Series) -> str:
    return paper.span(values, "{:.2f}")


def sentences(table: pd.DataFrame, n: int) -> dict[str, str]:
    """What follows, as it is true of these networks at N = n (rows of `evidence`), by name."""
    held = table.loc[table["measure"] == "held", "value"].max()
    faded = "less than 0.1" if held < 0.1 else f"{held:.2g}"
    names = (*PANELS, "change", "slow_change")
    multi, single = ({name: of(table, name, kind) for name in names} for kind in KINDS)

    def apart(name: str) -> int:
        return order(*(of(table, name, kind).to_list() for kind in KINDS))

    def turned(name: str) -> str:
        both = [paper.in_how_many(list(kind[name]), "grew", "fell") for kind in (multi, single)]
        if both[0] == both[1]:
            return f"{both[0]} of each kind"
        return f"{both[0]} with multiple heads, and {both[1]} with a single head"

    return {
        "slowed": f"Since the first N the mean τ {turned('change')}; that of the twenty slowest units "
        f"{turned('slow_change')}",
        "held": "In both kinds of network slow units alone are too fast to hold the memory: one with "
        f"the average τ of the twenty slowest would keep {faded} % of the oldest bit until the answer is due "
        f"(calculated, at N = {n}). So the memory has to be in the connections"
        if held < 10
        else "Slow units can hold part of the memory: one with the average τ of the twenty slowest keeps "
        f"{faded} % of the oldest bit until the answer is due (calculated, at N = {n})",
        "needs": f"Multi-head networks {needs(multi)}; single-head networks {needs(single)}",
        "activity": {
            1: "The activity of multi-head networks is the slower one",
            -1: "How slow the activity is does not tell who remembers better: it is slower in single-head "
            "networks",
            0: "How slow the activity is does not tell the kinds apart",
        }[apart("tau_net")]
        + f" at N = {n} (median τ_net {fine(multi['tau_net'])} steps in multi-head, "
        f"{fine(single['tau_net'])} in single-head networks)",
        "holds": holds(multi["ladder"] > RUNGS, single["ladder"] > RUNGS),
        "noise": {
            1: "Relative to the size of their weights, multi-head networks tolerate more noise",
            -1: "Relative to the size of their weights, single-head networks tolerate more noise",
            0: "Relative to the size of their weights, the noise that they tolerate does not tell the kinds "
            "apart",
        }[apart("half")]
        + f" (ε½ {fine(multi['half'])} against {fine(single['half'])}). As steps of the same size, "
        + {
            1: f"multi-head networks tolerate more of it{', too' if apart('half') == 1 else ''}",
            -1: "single-head networks tolerate more of it",
            0: "the two kinds overlap",
        }[apart("step")],
    }


def holds(multi: pd.Series, single: pd.Series) -> str:
    """Which networks keep a ladder: whether each one of either kind does.

    >>> holds(pd.Series([True, True]), pd.Series([False]))[:46]
    'What tells them apart is what the activity hol'
    >>> holds(pd.Series([True, False]), pd.Series([False]))
    'A ladder of sums is kept by 1 of 2 multi-head networks and by none of 1 with a single head'
    """
    if multi.all() and not single.any():
        return (
            "What tells them apart is what the activity holds: in multi-head networks a ladder of sums, each "
            "made of the one below, which no single-head network has"
        )
    if not (multi.any() or single.any()):
        return "Neither kind keeps a ladder of sums"
    return (
        f"A ladder of sums is kept by {multi.sum() or 'none'} of {len(multi)} multi-head networks and by "
        f"{single.sum() or 'none'} of {len(single)} with a single head"
    )


def needs(kind: dict[str, pd.Series]) -> str:
    """Which of their twenty slowest and fastest units networks of a kind can lose, all at once."""

    def lose(values: pd.Series) -> str:
        if values.min() >= NEEDED:
            return "can lose"
        return "cannot lose" if values.max() < NEEDED else "differ in whether they can lose"

    slow, fast = (lose(kind[name]) for name in ("slowest", "fastest"))
    left = " and ".join(paper.span(kind[name], unit=" %") for name in ("slowest", "fastest"))
    return (
        f"{slow} their twenty slowest units, and {fast} their twenty fastest ({left} of the accuracy above "
        "chance are left)"
    )
