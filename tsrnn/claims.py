"""The paper's numbers, cited, for the book to set beside ours.

All are from the authors' published files or figures (Khajehabdollahi et al. 2024); `mark` says how exactly a
number is known: "data" was measured on their files, "plot" was read off a figure, to about 5 %.
"""

import pandas as pd

PUBLISHED = pd.DataFrame(
    [
        ("cumulative", "parity", "mean tau", 2, 1.50, "plot"),
        ("cumulative", "parity", "mean tau", 10, 1.3969, "data"),
        ("cumulative", "parity", "mean tau", 50, 1.26, "plot"),
        ("cumulative", "parity", "mean tau", 100, 1.18, "plot"),
        ("single", "parity", "mean tau", 2, 1.50, "plot"),
        ("single", "parity", "mean tau", 10, 1.4409, "data"),
        ("single", "parity", "mean tau", 14, 1.435, "plot"),
        ("single", "parity", "mean tau", 25, 1.55, "plot"),
        ("single", "parity", "mean tau", 32, 1.69, "plot"),
        # largest N learned: the median over their four networks; multi-head runs were stopped there
        ("single", "parity", "largest N", None, 35, "data"),
        ("cumulative", "parity", "largest N", None, 100.5, "data"),
    ],
    columns=["curriculum", "task", "quantity", "N", "value", "mark"],
)

# Epochs that one published network (number 1) spent on each N from 2 on; exact, from its training log.
EPOCHS_PER_N = {
    ("cumulative", "parity"): [1] * 4 + [2] + [1] * 5,
    ("single", "parity"): [
        1,
        1,
        1,
        1,
        1,
        2,
        3,
        2,
        3,
        5,
        4,
        8,
        8,
        8,
        8,
        7,
        9,
        9,
        18,
        10,
        19,
        15,
        12,
        12,
        21,
        8,
        46,
    ],
}


def published(curriculum: str, task: str, quantity: str, n: int | None = None) -> float | None:
    """The published value, or None if it is not known; `n` where the quantity depends on N."""
    p = PUBLISHED
    rows = p[(p["curriculum"] == curriculum) & (p["task"] == task) & (p["quantity"] == quantity)]
    rows = rows if n is None else rows[rows["N"] == n]
    return None if rows.empty else float(rows["value"].iloc[0])
