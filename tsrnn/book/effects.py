"""The effects that the paper's claims are judged by (see `claims`): a number per network.

Each function takes the networks and the least N to look at, and gives the effect at the N that most networks
have reached, of both kinds where two are compared; of several such N at the largest.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tsrnn import zoo
from tsrnn.analysis.statistics import compare, interval
from tsrnn.book import paper

KINDS = ("cumulative", "single")


@dataclass
class Networks:
    """What was measured of the standard networks for one task (`toy.get_networks` has the index)."""

    index: pd.DataFrame
    base: Path
    task: str

    @cached_property
    def history(self) -> pd.DataFrame:
        return zoo.gather(self.index, self.base, "history")

    @cached_property
    def promotions(self) -> pd.DataFrame:
        return zoo.gather(self.index, self.base, "promotions")

    @cached_property
    def robustness(self) -> pd.DataFrame:
        return zoo.gather(self.index, self.base, "robustness")

    @cached_property
    def readouts(self) -> pd.DataFrame:
        return zoo.gather(self.index, self.base, "readouts")

    @cached_property
    def retraining(self) -> pd.DataFrame:
        """Of those that were retrained (`tsrnn retrain`): no row if none was."""
        there = [(self.base / name / "retraining.parquet").exists() for name in self.index["network"]]
        if not any(there):
            return pd.DataFrame(
                columns=["curriculum", "number", "start", "N", "epoch", "accuracy", "relative_accuracy"]
            )
        return zoo.gather(self.index[there], self.base, "retraining")

    def published(self, kind: str, quantity: str, n: int) -> float:
        """The published value, NaN if it is not known."""
        found = paper.published(kind, self.task, quantity, n)
        return np.nan if found is None else found


@dataclass
class Effect:
    """A number per network, of two kinds (`a` − `b`) or of one (`b` is None), at N = `n`."""

    a: list[float] = field(default_factory=list)
    b: list[float] | None = None
    n: int | None = None
    published: float = np.nan

    @property
    def value(self) -> float:
        return float(np.mean(self.a) - (0 if self.b is None else np.mean(self.b)))

    def bounds(self) -> tuple[float, float]:
        """Of the 95 % interval over networks; NaN if there are too few."""
        if len(self.a) < 2 or (self.b is not None and len(self.b) < 2):
            return np.nan, np.nan
        found = interval(self.a) if self.b is None else compare(self.a, self.b)
        if np.isnan(found["low"]):  # samples that do not vary
            return self.value, self.value
        return found["low"], found["high"]


def choose_n(table: pd.DataFrame, kinds: tuple[str, ...], needs: int, column: str = "N") -> int | None:
    """The N ≥ `needs` that most networks of each of the kinds have in the table; of several, the largest."""
    table = table[table["curriculum"].isin(kinds) & (table[column] >= needs)]
    counts = table.groupby([column, "curriculum"])["number"].nunique().unstack(fill_value=0)
    if counts.empty or not set(kinds) <= set(counts.columns):
        return None
    fewest = counts[list(kinds)].min(axis=1)
    return int(fewest[fewest == fewest.max()].index.max()) if fewest.max() else None


def comparison_n(table: pd.DataFrame, kept: pd.DataFrame | None = None, needs: int = 2) -> int:
    """The N at which a chapter compares multi-head with single-head networks.

    `choose_n`, or the largest N if none has both kinds. With `kept` (`zoo.kept`), only N with a checkpoint.
    """
    if kept is not None:
        table = table.merge(kept[["curriculum", "number", "N"]])
    return choose_n(table, KINDS, needs) or int(table["N"].max())


def per_network(table: pd.DataFrame, kind: str, column: str = "value") -> list[float]:
    """The mean of a column for each network of a kind."""
    return list(table[table["curriculum"] == kind].groupby("number")[column].mean())


def difference(
    table: pd.DataFrame,
    needs: int,
    column: str,
    n_column: str = "N",
    published: Callable[[int], float] = lambda n: np.nan,
) -> Effect:
    """Multi-head − single-head of the mean of a column, per network."""
    n = choose_n(table, KINDS, needs, n_column)
    if n is None:
        return Effect()
    here = table[table[n_column] == n]
    return Effect(
        per_network(here, "cumulative", column), per_network(here, "single", column), n, published(n)
    )


def change(nets: Networks, kind: str, measure: str, since: int, needs: int, how: str = "mean") -> Effect:
    """Of a measure at promotions, from N = `since` on, per network of a kind."""
    p = nets.promotions
    p = p[(p["curriculum"] == kind) & (p["measure"] == measure)]
    if measure == "tau_net":
        p = p[p["value"] > 1]  # as published
    n = choose_n(p, (kind,), max(needs, since + 1), "N_max")
    if n is None:
        return Effect()
    by_n = p[p["N_max"].isin([since, n])].groupby(["number", "N_max"])["value"].agg(how).unstack()
    name = {"mean": f"mean {measure}", "std": f"SD {measure}"}[how]
    published = nets.published(kind, name, n) - nets.published(kind, name, since)
    return Effect(list((by_n[n] - by_n[since]).dropna()), None, n, published)


def epochs_to(nets: Networks, needs: int) -> Effect:
    """Epochs that it took to solve N."""
    h = nets.history[nets.history["promoted"]]

    def published(n: int) -> float:
        lists = [paper.EPOCHS_PER_N.get((kind, nets.task), [])[: n - 1] for kind in KINDS]
        return sum(lists[0]) - sum(lists[1]) if all(len(x) == n - 1 for x in lists) else np.nan

    return difference(h, needs, "epoch", "N_max", published)


def pace(nets: Networks, needs: int) -> Effect:
    """Epochs per N of multi-head networks, above 1.5."""
    h = nets.history[nets.history["promoted"] & (nets.history["curriculum"] == "cumulative")]
    n = choose_n(h, ("cumulative",), needs, "N_max")
    if n is None:
        return Effect()
    epochs = h[h["N_max"] == n]["epoch"] / (n - h["N_max"].min() + 1)
    theirs = paper.EPOCHS_PER_N.get(("cumulative", nets.task), [])
    return Effect(list(epochs - 1.5), None, n, float(np.mean(theirs)) - 1.5 if theirs else np.nan)


def slowing(nets: Networks, needs: int) -> Effect:
    """Epochs per N of single-head networks in the second half of the way to N, minus those in the first."""
    h = nets.history[nets.history["promoted"] & (nets.history["curriculum"] == "single")]
    n = choose_n(h, ("single",), needs, "N_max")
    if n is None:
        return Effect()

    def halves(epochs: NDArray[np.float64] | list[int]) -> float:
        half = len(epochs) // 2
        return float(np.mean(epochs[-half:]) - np.mean(epochs[:half]))

    reached = [t["epoch"].to_list() for _, t in h[h["N_max"] <= n].groupby("number") if n in set(t["N_max"])]
    theirs = paper.EPOCHS_PER_N.get(("single", nets.task), [])[: n - 1]
    return Effect(
        [halves(np.diff([0, *epochs])) for epochs in reached],
        None,
        n,
        halves(theirs) if theirs else np.nan,
    )


def forgotten(nets: Networks, needs: int) -> Effect:
    r = nets.readouts
    return difference(r[(r["n"] < r["N"]) & (r["readout"] != "new")], needs, "accuracy")


def beyond(nets: Networks, needs: int) -> Effect:
    r = nets.readouts
    return difference(r[r["n"] > r["N"]], needs, "accuracy")


def retrained(nets: Networks, needs: int) -> Effect:
    """Relative accuracy on N beyond the one that the network came from, after retraining on each of them."""
    r = nets.retraining
    r = r[(r["epoch"] == r["epoch"].max()) & (r["N"] > r["start"])]
    return difference(r, needs, "relative_accuracy", "start")


def at_promotions(measure: str) -> Callable[[Networks, int], Effect]:
    def found(nets: Networks, needs: int) -> Effect:
        p = nets.promotions
        return difference(p[p["measure"] == measure], needs, "value", "N_max")

    return found


def grows(kind: str, measure: str, since: int, how: str = "mean") -> Callable[[Networks, int], Effect]:
    return lambda nets, needs: change(nets, kind, measure, since, needs, how)


def fast_or_slow(kind: str) -> Callable[[Networks, int], Effect]:
    """Relative accuracy without one of the slowest units, minus that without one of the fastest."""

    def found(nets: Networks, needs: int) -> Effect:
        r = nets.robustness
        r = r[(r["curriculum"] == kind) & r["damage"].isin(["fastest", "slowest"])]
        n = choose_n(r, (kind,), needs)
        if n is None:
            return Effect()
        by = r[r["N"] == n].groupby(["number", "damage"])["relative_accuracy"].mean().unstack()
        published = nets.published(kind, "without slowest", n) - nets.published(kind, "without fastest", n)
        return Effect(list(by["slowest"] - by["fastest"]), None, n, published)

    return found


def perturbed(parameter: str, epsilon: float) -> Callable[[Networks, int], Effect]:
    """Relative accuracy after a perturbation of this size."""

    def found(nets: Networks, needs: int) -> Effect:
        r = nets.robustness
        r = r[(r["damage"] == parameter) & np.isclose(r["epsilon"], epsilon, rtol=0.01)]
        values = [paper.PERTURBED[kind, parameter][epsilon] for kind in KINDS]
        theirs = values[0] - values[1] if nets.task == "parity" else np.nan
        return difference(r, needs, "relative_accuracy", published=lambda n: theirs if n == 30 else np.nan)

    return found
