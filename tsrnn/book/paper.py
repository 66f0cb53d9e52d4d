"""The paper's numbers, cited, for the book to set beside ours; and how ours are written.

All are from the authors' published files or figures (Khajehabdollahi et al. 2024), in `published.csv`. Its
columns: figure, task, curriculum, variant (as in a folder's name; empty for the standard network), quantity,
N, epsilon (of a perturbation), network (where it is one network's number), value (else a mean over so many
`networks`), mark, error, source. `mark` says how a number is known: "data" was measured on their files,
"plot" was read off a figure, to within `error` (of the value, or in its units).

Mean and SD of τ and τ_net are over the units of each network; the first loss is the mean over the first epoch
of an N, in nats, summed over heads; "without fastest" and "without slowest" are relative accuracies without
one of those 20 units, "perturbed W" and "perturbed tau" after a perturbation of relative size ε. Multi-head
runs with τ trained or fixed at 1 were stopped at N = 100 or 101.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd

from tsrnn.analysis.statistics import compare, p_text, signed
from tsrnn.book.plotting import NAMES

TABLE = pd.read_csv(Path(__file__).with_name("published.csv")).fillna({"variant": ""})
_one_number = TABLE["network"].isna() & TABLE["epsilon"].isna() & (TABLE["quantity"] != "largest N")

# Means over the standard networks of a quantity, by N
PUBLISHED = TABLE[_one_number & (TABLE["variant"] == "")].reset_index(drop=True)

# (curriculum, task) -> epochs of one published network (number 1), at every N from 2 on
EPOCHS_PER_N: dict[tuple[str, str], list[int]] = {
    (str(kind), str(task)): [int(n) for n in rows.sort_values("N")["value"]]
    for (kind, task), rows in TABLE[TABLE["quantity"] == "epochs"].groupby(["curriculum", "task"])
}

# (curriculum, what is perturbed) -> ε -> relative accuracy at N = 30, parity
PERTURBED: dict[tuple[str, str], dict[float, float]] = {
    (str(kind), str(quantity).removeprefix("perturbed ")): dict(
        zip(rows["epsilon"], rows["value"], strict=True)
    )
    for (kind, quantity), rows in TABLE[TABLE["epsilon"].notna()].groupby(["curriculum", "quantity"])
}


def largest_n(curriculum: str, task: str, variant: str = "") -> pd.DataFrame:
    """The rows of `TABLE` with the largest N of each published network of a kind, where it is known."""
    return TABLE[TABLE["quantity"] == "largest N"].query(
        "curriculum == @curriculum and task == @task and variant == @variant"
    )


# (curriculum, τ that was fixed, or None: trained) -> largest N of every published network, parity
LARGEST_N: dict[tuple[str, float | None], list[int]] = {
    (kind, tau): [int(n) for n in found["value"]]
    for kind in ("single", "cumulative")
    for tau in (None, 1, 2, 3, 4, 5)
    if len(found := largest_n(kind, "parity", "" if tau is None else f"tau{tau:g}"))
}


@cache  # a page asks for the same hundreds of times
def of_quantity(curriculum: str, task: str, quantity: str) -> pd.DataFrame:
    """The rows of `PUBLISHED` with a quantity of one kind of network."""
    p = PUBLISHED
    return p[(p["curriculum"] == curriculum) & (p["task"] == task) & (p["quantity"] == quantity)]


def published(curriculum: str, task: str, quantity: str, n: int | None = None) -> float | None:
    """The published value, or None if it is not known; `n` where the quantity depends on N."""
    rows = of_quantity(curriculum, task, quantity)
    rows = rows if n is None else rows[rows["N"] == n]
    return None if rows.empty else float(rows["value"].iloc[0])


def means(task: str, quantity: str, largest: float = np.inf) -> pd.DataFrame:
    """The rows of `PUBLISHED` with a quantity, up to a largest N."""
    p = PUBLISHED
    return p[(p["task"] == task) & (p["quantity"] == quantity) & (p["N"] <= largest)].sort_values("N")


@dataclass(frozen=True)
class Published:
    """A published value, or a difference of two, to ± `error`.

    It is from "data", read off a "plot", or taken "between" two points of one.
    """

    value: float
    error: float
    mark: str


def at(curriculum: str, task: str, quantity: str, n: int) -> Published | None:
    """The published mean over most networks at this N, between two points of a plot by a straight line."""
    rows = of_quantity(curriculum, task, quantity).sort_values("networks")
    rows = rows.drop_duplicates("N", keep="last").sort_values("N")
    here = rows[rows["N"] == n]
    if len(here):
        value, mark = float(here["value"].iloc[0]), str(here["mark"].iloc[0])
        return Published(value, error_of(here["error"].iloc[0], value), mark)
    points = rows[rows["mark"] == "plot"]
    if len(points) < 2 or not points["N"].min() < n < points["N"].max():
        return None
    value = float(np.interp(n, points["N"], points["value"]))
    errors = [error_of(e, v) for e, v in zip(points["error"], points["value"], strict=True)]
    return Published(value, float(np.interp(n, points["N"], errors)), "between")


def error_of(text: object, value: float) -> float:
    """The column `error` as a number: "5 %" of the value, "0.01" in its units, nothing for data."""
    if not isinstance(text, str):
        return 0.0
    return abs(value) * float(text[:-1]) / 100 if text.endswith("%") else float(text)


def minus(a: Published | None, b: Published | None) -> Published | None:
    """The difference of two published values, if both are known; their errors add up."""
    if a is None or b is None:
        return None
    mark = max(a.mark, b.mark, key=("data", "plot", "between").index)  # the less certain
    return Published(a.value - b.value, a.error + b.error, mark)


def summary(values: Sequence[float], form: str = "{:.3f}") -> str:
    """Mean, number and range of a quantity over networks, for a table.

    >>> summary([1.5, 2.5], "{:.1f}")
    '2.0 (n = 2, 1.5 to 2.5)'
    """
    if not len(values):
        return "none measured"
    mean, low, high = (signed(x, form) for x in (sum(values) / len(values), min(values), max(values)))
    return f"{mean} (n = {len(values)}" + (f", {low} to {high})" if len(values) > 1 else ")")


def in_how_many(values: Sequence[float], up: str, down: str) -> str:
    """What a change did in how many networks, in words.

    >>> in_how_many([0.1, 0.2], "grew", "fell"), in_how_many([0.1, -0.2, 0.3], "grew", "fell")
    ('grew in all 2 networks', 'grew in 2 and fell in 1 of 3 networks')
    >>> in_how_many([], "grew", "fell")
    'was measured in no network'
    """
    n, more, less = len(values), sum(v > 0 for v in values), sum(v < 0 for v in values)
    if not n:
        return "was measured in no network"
    if n in (more, less):
        return f"{up if more else down} in {'all ' if n > 1 else ''}{n} network{'s' if n > 1 else ''}"
    return f"{up} in {more} and {down} in {less} of {n} networks"


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


# What variants of the appendix are called; others by rule
VARIANTS = {
    "lstm_published": "LSTM",
    "lstm_matched": "LSTM, matched",
    "gru_published": "GRU",
    "gru_matched": "GRU, matched",
    "mod_leakyrelu": "leaky ReLU, τ outside",
    "mod_relu": "ReLU, τ outside",
    "mod_tanh": "tanh, τ outside",
    "mod_sigmoid": "sigmoid, τ outside",
    "continuous_leakyrelu_k7-8-9-10": "continuous time",
}


def variant_in_words(variant: str) -> str:
    """
    >>> [variant_in_words(v) for v in ("tau1", "first12", "init10", "neurons100", "lstm_published")]
    ['τ = 1', 'N = 12', '10 readouts from the start', '100 units', 'LSTM']
    >>> variant_in_words("mod_tanh_tau2_neurons20")
    'tanh, τ outside, τ = 2, 20 units'
    """
    model = max((v for v in VARIANTS if f"{variant}_".startswith(f"{v}_")), key=len, default="")
    words = [VARIANTS[model]] if model else []
    for part in filter(None, variant.removeprefix(model).split("_")):
        part = re.sub(r"^first(\d+)$", r"N = \1", re.sub(r"^tau([\d.]+)$", r"τ = \1", part))
        part = re.sub(r"^init(\d+)$", r"\1 readouts from the start", part)
        words.append(re.sub(r"^neurons(\d+)$", r"\1 units", part))
    return ", ".join(words)


def condition(curriculum: str, variant: str = "", task: str = "") -> str:
    """A condition in words.

    >>> condition("cumulative", "tau1"), condition("single_nocurr", "first12", "parity")
    ('multi-head, τ = 1', 'no curriculum, parity, N = 12')
    """
    return ", ".join(part for part in (NAMES[curriculum], task, variant_in_words(variant)) if part)


def conditions(index: pd.DataFrame) -> pd.DataFrame:
    """What `zoo.index` lists, a row per condition; `published` is the largest N of each of their networks."""
    rows = []
    for about, group in index.groupby(["curriculum", "task", "variant"], sort=False):
        kind, task, variant = map(str, about)
        known = largest_n(kind, task, variant)
        theirs = ", ".join(f"{n:.0f}" for n in known["value"]) or "not known"
        rows.append(
            {
                "condition": condition(kind, variant, task),
                "networks": str(len(group)),
                "largest N": span(group["solved N"]),
                "published": theirs + (" (from a plot)" if "plot" in set(known["mark"]) else ""),
                "epochs": span(group["epochs"]),
                "minutes": span(group["minutes"]),
                "profile": ", ".join(sorted(set(group["profile"]))),
                "device": ", ".join(sorted(set(", ".join(group["device"]).split(", ")))),
                "precision": ", ".join(sorted(set(", ".join(group["precision"]).split(", ")), reverse=True)),
            }
        )
    return pd.DataFrame(rows)


def span(values: Iterable[float], form: str = "{:.0f}", unit: str = "") -> str:
    """What is known of a quantity over networks, from the least to the largest, in words.

    >>> span([28, 30]), span([3.2, 3.2]), span([-0.4, 14], unit=" %"), span([float("nan")])
    ('28 to 30', '3', '0 to 14 %', 'not measured')
    """
    known = [value for value in values if not np.isnan(value)]
    if not known:
        return "not measured"
    texts = (signed(value, form) for value in (min(known), max(known)))
    low, high = (text if re.search("[1-9]", text) else text.lstrip("−") for text in texts)
    return (low if low == high else f"{low} to {high}") + unit
