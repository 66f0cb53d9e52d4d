"""The paper's numbers, cited, for the book to set beside ours; and how ours are written.

All are from the authors' published files or figures (Khajehabdollahi et al. 2024); `mark` says how exactly a
number is known: "data" was measured on their files, "plot" was read off a figure, to about 5 %.
"""

from collections.abc import Collection

import pandas as pd

# One published network of each kind (number 1), exact, at every N from 2 on.
EPOCHS_PER_N = {
    ("cumulative", "parity"): [1, 1, 1, 1, 2, 1, 1, 1, 1, 1, 1],
    ("single", "parity"): [
        *(1, 1, 1, 1, 1, 2, 3, 2, 3, 5, 4, 8, 8, 8, 8, 7, 9),
        *(9, 18, 10, 19, 15, 12, 12, 21, 8, 46),
    ],
}

PUBLISHED = pd.DataFrame(
    [
        # one network, over its 500 units, max(τ, 1)
        ("cumulative", "parity", "mean tau", 2, 1.4871, "data"),
        ("cumulative", "parity", "mean tau", 5, 1.4561, "data"),
        ("cumulative", "parity", "mean tau", 10, 1.3969, "data"),
        ("cumulative", "parity", "SD tau", 10, 0.3160, "data"),
        ("single", "parity", "mean tau", 2, 1.4871, "data"),
        ("single", "parity", "mean tau", 5, 1.4725, "data"),
        ("single", "parity", "mean tau", 10, 1.4409, "data"),
        ("single", "parity", "SD tau", 10, 0.3080, "data"),
        # means over their four networks
        ("cumulative", "parity", "mean tau", 50, 1.26, "plot"),
        ("cumulative", "parity", "mean tau", 100, 1.18, "plot"),
        ("single", "parity", "mean tau", 14, 1.435, "plot"),
        ("single", "parity", "mean tau", 25, 1.55, "plot"),
        ("single", "parity", "mean tau", 32, 1.69, "plot"),
        # largest N learned: the median over their four networks; multi-head runs were stopped there
        ("single", "parity", "largest N", None, 35, "data"),
        ("cumulative", "parity", "largest N", None, 100.5, "data"),
    ],
    columns=["curriculum", "task", "quantity", "N", "value", "mark"],
)


def published(curriculum: str, task: str, quantity: str, n: int | None = None) -> float | None:
    """The published value, or None if it is not known; `n` where the quantity depends on N."""
    p = PUBLISHED
    rows = p[(p["curriculum"] == curriculum) & (p["task"] == task) & (p["quantity"] == quantity)]
    rows = rows if n is None else rows[rows["N"] == n]
    return None if rows.empty else float(rows["value"].iloc[0])


def summary(values: Collection[float], form: str = "{:.3f}") -> str:
    """Mean, number and range of a quantity over networks, for a table.

    >>> summary([1.5, 2.5], "{:.1f}")
    '2.0 (n = 2, 1.5 to 2.5)'
    """
    if not values:
        return "none trained that far"
    mean, low, high = (form.format(x) for x in (sum(values) / len(values), min(values), max(values)))
    return f"{mean} (n = {len(values)}" + (f", {low} to {high})" if len(values) > 1 else ")")


def row(what: str, values: Collection[float], theirs: float | None, form: str = "{:.3f}") -> dict[str, str]:
    """A row of a table that sets the networks here beside a published one."""
    far = f"{sum(values) / len(values) / theirs - 1:+.1%}".replace("-", "−") if values and theirs else "–"
    return {
        "": what,
        "here": summary(values, form),
        "published": f"{form.format(theirs)} (n = 1)" if theirs else "not known",
        "difference": far,
    }
