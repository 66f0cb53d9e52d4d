"""The paper's numbers, cited, for the book to set beside ours; and how ours are written.

All are from the authors' published files or figures (Khajehabdollahi et al. 2024); `mark` says how exactly a
number is known: "data" was measured on their files, "plot" was read off a figure, to about 5 %.
"""

from collections.abc import Sequence

import pandas as pd

from tsrnn.analysis.statistics import compare, p_text, signed
from tsrnn.plotting import NAMES

# One published network of each kind (number 1), exact, at every N from 2 on.
EPOCHS_PER_N = {
    ("cumulative", "parity"): [1, 1, 1, 1, 2, 1, 1, 1, 1, 1, 1],
    ("single", "parity"): [
        *(1, 1, 1, 1, 1, 2, 3, 2, 3, 5, 4, 8, 8, 8, 8, 7, 9),
        *(9, 18, 10, 19, 15, 12, 12, 21, 8, 46),
    ],
}

# Means over networks of a quantity, by N; mean and SD of τ and τ_net are over the units of each network, the
# loss is the mean over the first epoch of an N, in nats, summed over heads.
NUMBERS: list[tuple[str, str, str, int, str, dict[int | None, float]]] = [
    # curriculum, task, quantity, networks, mark, values
    ("cumulative", "parity", "mean tau", 1, "data", {2: 1.4871, 5: 1.4561, 10: 1.3969}),
    ("single", "parity", "mean tau", 1, "data", {2: 1.4871, 5: 1.4725, 10: 1.4409}),
    ("cumulative", "parity", "SD tau", 1, "data", {2: 0.2875, 5: 0.3025, 10: 0.3160}),
    ("single", "parity", "SD tau", 1, "data", {2: 0.2875, 5: 0.2967, 10: 0.3080}),
    ("cumulative", "parity", "mean tau", 4, "plot", {50: 1.26, 100: 1.18}),
    ("single", "parity", "mean tau", 4, "plot", {14: 1.435, 25: 1.55, 32: 1.69}),
    ("cumulative", "parity", "SD tau", 4, "plot", {2: 0.295, 20: 0.331, 100: 0.302}),
    ("single", "parity", "SD tau", 4, "plot", {2: 0.30, 14: 0.33, 25: 0.66, 32: 1.10}),
    ("single", "dms", "mean tau", 4, "plot", {40: 1.3, 93: 2.0}),
    ("cumulative", "parity", "mean tau_net", 4, "plot", {5: 2.5, 20: 4.9, 30: 6.5, 50: 6.3, 100: 7.0}),
    ("single", "parity", "mean tau_net", 4, "plot", {5: 2.5, 10: 3.3, 20: 4.3, 30: 7.0}),
    ("cumulative", "parity", "SD tau_net", 4, "plot", {30: 12.0, 50: 12.0}),
    ("single", "parity", "SD tau_net", 4, "plot", {5: 4.5, 30: 8.0}),
    ("cumulative", "parity", "first loss", 1, "data", {5: 0.3614, 10: 0.3654, 12: 0.3233}),
    ("single", "parity", "first loss", 1, "data", {5: 0.2422, 10: 0.3381, 15: 0.2428, 20: 0.2758}),
    # the median; multi-head runs were stopped there
    ("cumulative", "parity", "largest N", 4, "data", {None: 100.5}),
    ("single", "parity", "largest N", 4, "data", {None: 35.0}),
    # relative accuracy without one of the 20 fastest or slowest units
    ("cumulative", "parity", "without fastest", 5, "data", {5: 0.987, 30: 0.794, 35: 0.757}),
    ("cumulative", "parity", "without slowest", 5, "data", {5: 0.998, 30: 0.993, 35: 0.983}),
    ("single", "parity", "without fastest", 7, "data", {5: 0.958, 30: 0.909}),  # 8 networks at N = 5
    ("single", "parity", "without slowest", 7, "data", {5: 0.991, 30: 0.447}),
    ("cumulative", "parity", "tau of slowest", 5, "data", {30: 1.95}),
    ("single", "parity", "tau of slowest", 7, "data", {30: 5.3}),
    # network 1 of each kind, measured in the same way as ours
    ("cumulative", "parity", "positive weights", 1, "data", {10: 5.98}),
    ("single", "parity", "positive weights", 1, "data", {10: 5.96}),
    ("cumulative", "parity", "negative weights, size", 1, "data", {10: 6.48}),
    ("single", "parity", "negative weights, size", 1, "data", {10: 6.87}),
    ("cumulative", "parity", "size of the largest λ", 1, "data", {10: 0.81}),
    ("single", "parity", "size of the largest λ", 1, "data", {10: 1.28}),
    ("cumulative", "parity", "modes on or beyond the circle", 1, "data", {10: 0}),
    ("single", "parity", "modes on or beyond the circle", 1, "data", {10: 8}),
    ("cumulative", "parity", "components to 90 %", 1, "data", {10: 16.7}),
    ("single", "parity", "components to 90 %", 1, "data", {10: 17.6}),
    ("cumulative", "parity", "participation ratio", 1, "data", {10: 7.8}),
    ("single", "parity", "participation ratio", 1, "data", {10: 10.1}),
]
PUBLISHED = pd.DataFrame(
    [
        (curriculum, task, quantity, networks, mark, n, value)
        for curriculum, task, quantity, networks, mark, values in NUMBERS
        for n, value in values.items()
    ],
    columns=["curriculum", "task", "quantity", "networks", "mark", "N", "value"],
)

# Relative accuracy at N = 30, parity, after a perturbation of relative size ε: exact, means over five
# networks of each kind (W) and four (tau).
PERTURBED: dict[tuple[str, str], dict[float, float]] = {
    ("cumulative", "W"): {0.1: 0.995, 0.2154: 0.964, 0.4642: 0.644, 1.0: 0.017},
    ("single", "W"): {0.1: 0.964, 0.2154: 0.748, 0.4642: 0.162, 1.0: -0.006},
    ("cumulative", "tau"): {0.0215: 0.998, 0.0464: 0.986, 0.1: 0.894, 0.2154: 0.416},
    ("single", "tau"): {0.0215: 0.932, 0.0464: 0.713, 0.1: 0.379, 0.2154: 0.045},
}

# Largest N of every published network, by the τ that was fixed; None: trained. Multi-head runs with τ trained
# or fixed at 1 were stopped at 100 or 101.
LARGEST_N: dict[tuple[str, float | None], tuple[int, ...]] = {
    ("single", None): (37, 33, 35, 35),
    ("single", 1): (24, 25, 24, 26),
    ("single", 2): (26, 25, 26, 26),
    ("single", 3): (25, 24, 24, 24),
    ("single", 4): (24, 23, 23, 23),
    ("cumulative", None): (100, 101, 100, 101),
    ("cumulative", 1): (101, 101, 101, 101),
    ("cumulative", 2): (87, 88, 87, 87),
    ("cumulative", 3): (66, 70, 70, 72),
    ("cumulative", 5): (50,),
}


def published(curriculum: str, task: str, quantity: str, n: int | None = None) -> float | None:
    """The published value, or None if it is not known; `n` where the quantity depends on N."""
    p = PUBLISHED
    rows = p[(p["curriculum"] == curriculum) & (p["task"] == task) & (p["quantity"] == quantity)]
    rows = rows if n is None else rows[rows["N"] == n]
    return None if rows.empty else float(rows["value"].iloc[0])


def summary(values: Sequence[float], form: str = "{:.3f}") -> str:
    """Mean, number and range of a quantity over networks, for a table.

    >>> summary([1.5, 2.5], "{:.1f}")
    '2.0 (n = 2, 1.5 to 2.5)'
    """
    if not len(values):
        return "none trained that far"
    mean, low, high = (signed(x, form) for x in (sum(values) / len(values), min(values), max(values)))
    return f"{mean} (n = {len(values)}" + (f", {low} to {high})" if len(values) > 1 else ")")


def row(
    what: str, values: Sequence[float], theirs: float | None, form: str = "{:.3f}", networks: int = 1
) -> dict[str, str]:
    """A row of a table that sets the networks here beside the mean of so many published ones."""
    far = signed(sum(values) / len(values) / theirs - 1, "{:+.1%}") if len(values) and theirs else "–"
    return {
        "": what,
        "here": summary(values, form),
        "published": "not known" if theirs is None else f"{signed(theirs, form)} (n = {networks})",
        "difference": far,
    }


def beside(
    what: str, multi: Sequence[float], single: Sequence[float], form: str = "{:.2f}"
) -> dict[str, str]:
    """A row of a table that sets multi-head beside single-head networks; tested if there are two of each."""
    cells = {"": what, NAMES["cumulative"]: summary(multi, form), NAMES["single"]: summary(single, form)}
    tests = ("difference (95 % CI)", "t-test", "permutation test")
    if min(len(multi), len(single)) < 2:
        return cells | dict.fromkeys(tests, "–")
    t = compare(multi, single)
    apart, low, high = (signed(t[x], form.replace(":", ":+")) for x in ("difference", "low", "high"))
    found = (f"{apart} ({low} to {high})", p_text(t["p_t"]), p_text(t["p_permutation"]))
    return cells | dict(zip(tests, found, strict=True))


def conditions(index: pd.DataFrame) -> pd.DataFrame:
    """What `zoo.index` lists, a row per condition; `published` is the largest N of each of their networks."""
    rows = []
    for about, group in index.groupby(["curriculum", "task", "variant"], sort=False):
        kind, task, variant = map(str, about)
        tau = float(variant.removeprefix("tau")) if variant.startswith("tau") else None
        standard = task == "parity" and (not variant or tau is not None)
        what = variant if tau is None else f"τ = {tau:g}"
        theirs = LARGEST_N.get((kind, tau), ()) if standard else ()
        rows.append(
            {
                "condition": ", ".join(part for part in (NAMES[kind], task, what) if part),
                "networks": str(len(group)),
                "largest N": span(group["solved N"]),
                "published": ", ".join(map(str, theirs)) or "not known",
                "epochs": span(group["epochs"]),
                "minutes": span(group["minutes"]),
                "profile": ", ".join(sorted(set(group["profile"]))),
                "device": ", ".join(sorted(set(", ".join(group["device"]).split(", ")))),
            }
        )
    return pd.DataFrame(rows)


def span(values: pd.Series) -> str:
    """'28 to 30', or one number if all are the same; rounded."""
    low, high = f"{values.min():.0f}", f"{values.max():.0f}"
    return low if low == high else f"{low} to {high}"
