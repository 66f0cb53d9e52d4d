"""Slow units or a network: what the chapters found of it, side by side for each network."""

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure

from tsrnn.analysis.interventions import epsilon_half
from tsrnn.book import plotting
from tsrnn.book.effects import KINDS, Networks, per_network
from tsrnn.book.mechanisms import LIMIT

# measure -> (chapter, what it asks, the axis it is drawn on)
MEASURES = {
    "tau": ("04_time_constants", "How slow are the units?", "mean τ (steps)"),
    "held": ("04_time_constants", "What do the slowest keep?", "of a bit, N steps later (%)"),
    "tau_net": ("05_network_timescales", "How slow is their activity?", "median τ_net (steps)"),
    "ladder": ("06_mechanism", "Do they keep a ladder?", "answers changed (%)"),
    "without": ("08_ablation", "Do they need slow units?", "left without the slowest 20 (%)"),
    "half": ("09_perturbation_and_retraining", "Which noise do they stand?", "ε½ of weights"),
}
SLOWEST = 20
RUNGS = 100 * LIMIT  # of the answers that a ladder would change, for it to be one
NEEDED = 75  # per cent of the accuracy above chance: with less left, what was taken away was needed


def evidence(nets: Networks, n: int) -> pd.DataFrame:
    """What was measured of every network at N = n.

    Returns:
        Columns measure (a key of `MEASURES`), curriculum, number, value. `held` is (1 − 1/τ)^n of the mean τ
        of the 20 slowest units; `without` the relative accuracy without these, all at once.
    """
    p, r = nets.promotions[nets.promotions["N_max"] == n], nets.robustness[nets.robustness["N"] == n]
    found: list[tuple[str, str, int, float]] = []
    for kind in KINDS:
        of = {name: p[p["measure"] == name] for name in ("tau", "tau_net", "ladder")}
        slow = of["tau"].sort_values("value").groupby(["curriculum", "number"]).tail(SLOWEST)
        counted = of["tau_net"][of["tau_net"]["value"] > 1]
        steps = r[r["damage"] == "W"].groupby(["curriculum", "number", "epsilon"], as_index=False)
        curves = steps["relative_accuracy"].mean()
        values = {
            "tau": per_network(of["tau"], kind),
            "held": {k: 100 * (1 - 1 / tau) ** n for k, tau in per_network(slow, kind).items()},
            "tau_net": per_network(counted, kind, how="median"),
            "ladder": {k: 100 * share for k, share in per_network(of["ladder"], kind).items()},
            "without": {
                k: 100 * left
                for k, left in per_network(r[r["damage"] == "all slowest"], kind, "relative_accuracy").items()
            },
            "half": {
                int(str(k)): epsilon_half(curve.set_index("epsilon")["relative_accuracy"].dropna())
                for k, curve in curves[curves["curriculum"] == kind].groupby("number")
            },
        }
        found += [(name, kind, k, value) for name, each in values.items() for k, value in each.items()]
    return pd.DataFrame(found, columns=["measure", "curriculum", "number", "value"])


def figure(table: pd.DataFrame, task: str) -> Figure:
    """A panel for each measure, a dot for each network (rows of `evidence`)."""
    import seaborn  # here, not above: it takes a second

    fig, axes = plt.subplots(3, 2, figsize=(6, 5.4), sharey=True)
    for ax, (name, (_, asks, axis)) in zip(axes.flat, MEASURES.items(), strict=True):
        rows = table[table["measure"] == name].assign(kind=lambda d: d["curriculum"].map(plotting.NAMES))
        seaborn.swarmplot(
            rows, x="value", y="kind", hue="kind", order=[plotting.NAMES[kind] for kind in KINDS], ax=ax,
            palette={plotting.NAMES[kind]: plotting.colour(kind, task) for kind in KINDS},
            size=7, alpha=0.8,
        )  # fmt: skip
        least = 1 if name == "tau" else 0
        ax.set(xlim=(least, least + 1.1 * (rows["value"].max() - least)), xlabel=axis, ylabel="", title=asks)
    return fig


def order(table: pd.DataFrame, name: str) -> int:
    """1 if every multi-head network has more of a measure than any single-head one, -1 if less, else 0."""
    multi, single = (of(table, name, kind) for kind in KINDS)
    if multi.empty or single.empty:
        return 0
    return int(multi.min() > single.max()) - int(multi.max() < single.min())


def of(table: pd.DataFrame, name: str, kind: str) -> pd.Series:
    """A measure of the networks of a kind."""
    return table.loc[(table["measure"] == name) & (table["curriculum"] == kind), "value"].dropna()


def sentences(table: pd.DataFrame) -> dict[str, str]:
    """What follows, as it is true of these networks (rows of `evidence`), by name: first to fifth."""
    held = table.loc[table["measure"] == "held", "value"].max()
    faded = "less than 0.1" if held < 0.1 else f"{held:.2g}"
    multi, single = ({name: of(table, name, kind) for name in MEASURES} for kind in KINDS)
    needed = (bool(multi["without"].max() < NEEDED), bool(single["without"].max() < NEEDED))
    ladder = (bool(multi["ladder"].min() > RUNGS), bool(single["ladder"].min() > RUNGS))
    return {
        "first": "In both kinds of network the memory is in the connections: of a bit that is left to a unit "
        f"as slow as their twenty slowest, {faded} % is there when the answer is due"
        if held < 10
        else f"Slow units can carry part of the memory: one as slow as the twenty slowest keeps {faded} % "
        "of a bit until the answer is due",
        "second": {
            (
                False,
                True,
            ): "Single-head networks need their slow units all the same, multi-head networks do not",
            (False, False): "Neither kind needs its slow units",
            (True, True): "Both kinds need their slow units all the same",
            (
                True,
                False,
            ): "Multi-head networks need their slow units all the same, single-head networks do not",
        }[needed]
        + f": without the twenty slowest, {ranged(multi['without'], '{:.0f} %')} of the accuracy above "
        f"chance is left to multi-head, {ranged(single['without'], '{:.0f} %')} to single-head networks",
        "third": {
            1: "The activity of multi-head networks is the slower one",
            -1: "How slow the activity is does not tell who remembers better: it is slower in single-head "
            "networks",
            0: "How slow the activity is does not tell the kinds apart",
        }[order(table, "tau_net")]
        + f" (median τ_net {ranged(multi['tau_net'])} steps in multi-head, {ranged(single['tau_net'])} in "
        "single-head networks)",
        "fourth": {
            (
                True,
                False,
            ): "What tells them apart is what the activity holds: in multi-head networks a ladder of "
            "sums, each made of the one below; in single-head networks the bits",
            (False, False): "Neither kind keeps a ladder of sums: both hold the bits",
            (True, True): "Both kinds keep a ladder of sums",
            (False, True): "It is single-head networks that keep a ladder of sums",
        }[ladder],
        "fifth": {
            1: "Multi-head networks stand more noise in their weights",
            -1: "Single-head networks stand more noise in their weights",
            0: "In the noise that they stand the kinds do not differ clearly",
        }[order(table, "half")]
        + f" (ε½ {ranged(multi['half'])} against {ranged(single['half'])})",
    }


def ranged(values: pd.Series, form: str = "{:.2f}") -> str:
    """From the least to the largest, in words.

    >>> ranged(pd.Series([0.1, 0.234])), ranged(pd.Series([3.2, 4]), "{:.0f} %"), ranged(pd.Series([]))
    ('0.10 to 0.23', '3 to 4 %', 'not measured')
    """
    if values.empty:
        return "not measured"
    low, high = form.format(values.min()), form.format(values.max())
    return low if low == high else f"{low.removesuffix(' %')} to {high}"
