"""The effects that the paper's claims are judged by (see `claims.toml`): a number per network.

Each function takes the networks and the least N to look at, and gives the effect at the N that most networks
have reached, of both kinds where two are compared; of several such N at the largest.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tsrnn import tasks, zoo
from tsrnn.analysis.simulate import Protocol
from tsrnn.analysis.statistics import compare, interval
from tsrnn.book import paper
from tsrnn.book.paper import Published
from tsrnn.files import is_listed
from tsrnn.schemas import TABLES

KINDS = ("cumulative", "single")
# Measured with each of several sets of draws of p, on which they depend; and the same of τ_net, in pandas
BY_SIMULATION = {"tau_net_mean": "mean", "tau_net_median": "median", "tau_net_sd": "std"}


@dataclass
class Networks:
    """What was measured of the standard networks for one task (`toy.get_networks` has the index).

    Those of other kinds, and for other tasks, are found in the same folder.
    """

    index: pd.DataFrame
    base: Path
    task: str

    @cached_property
    def everything(self) -> pd.DataFrame:
        return zoo.index(self.base)

    def others(self, curriculum: str, variant: str = "", task: str = "") -> pd.DataFrame:
        """Rows of the index of this curriculum (sliding: with any heads) and variant, for this task."""
        everything = self.everything
        if everything.empty:
            return everything
        rows = (everything["curriculum"] == curriculum) & (everything["task"] == (task or self.task))
        return everything[rows & everything["variant"].str.fullmatch(variant)].reset_index(drop=True)

    @cached_property
    def history(self) -> pd.DataFrame:
        return zoo.gather(self.index, self.base, "history")

    @cached_property
    def promotions(self) -> pd.DataFrame:
        """Of dimensionality the first ten trials: at some N only there are more, with other bits."""
        p = zoo.gather(self.index, self.base, "promotions")
        of_trials = p["measure"].isin(["components", "participation_ratio"])
        return p[~of_trials | (p["index"] < Protocol.trials)]

    @cached_property
    def numbers_tell_seeds(self) -> bool:
        """Whether networks like these, of one number and whatever curriculum, are of one seed: are pairs."""
        index = self.everything
        alike = (index["task"] == self.task) & index["variant"].isin(set(self.index["variant"]))
        return bool((index[alike].groupby("number")["seed"].nunique() <= 1).all())

    @cached_property
    def robustness(self) -> pd.DataFrame:
        """Of those that it was measured of: gated networks have none."""
        return self.where_measured("robustness")

    @cached_property
    def readouts(self) -> pd.DataFrame:
        return zoo.gather(self.index, self.base, "readouts")

    @cached_property
    def retraining(self) -> pd.DataFrame:
        """Of those that were retrained (`tsrnn retrain`)."""
        return self.where_measured("retraining")

    def where_measured(self, name: str) -> pd.DataFrame:
        """A table of the networks that have it; without a row if none has."""
        file = f"{name}.parquet"
        there = [is_listed(self.base / network / file) for network in self.index["network"]]
        if any(there):
            return zoo.gather(self.index[there], self.base, name)
        return pd.DataFrame(columns=[*zoo.ABOUT, *TABLES[file].columns])


def standard(base: Path, task: str, variant: str = "") -> pd.DataFrame:
    """The rows of `zoo.index` of multi-head and single-head networks for a task, of one variant only."""
    index = zoo.index(base)
    rows = index["curriculum"].isin(KINDS) & (index["task"] == task) & (index["variant"] == variant)
    rows &= index["solved N"] > 0  # not those that have just begun
    return index[rows].reset_index(drop=True)


@dataclass
class Effect:
    """A number per network, of two kinds (`a` − `b`) or of one (`b` is None), at N = `n`.

    `a` and `b` are by the network's number. Where both kinds have the same numbers, and these tell seeds,
    networks of a number began with the same weights and are compared in `pairs`. `simulations` are the same
    effect by each set of draws of p alone, where it depends on them and was measured with several.
    """

    a: dict[int, float] = field(default_factory=dict)
    b: dict[int, float] | None = None
    n: int | None = None
    published: Published | None = None
    simulations: tuple["Effect", ...] = ()
    pairs: bool = True

    @property
    def values(self) -> list[float]:
        """Of one kind, or the differences of pairs."""
        return list(self.a.values()) if self.b is None else [self.a[k] - self.b[k] for k in self.a]

    @property
    def is_paired(self) -> bool:
        return self.pairs and self.b is not None and self.a.keys() == self.b.keys()

    def unpaired(self) -> "Effect":
        return replace(self, pairs=False, simulations=tuple(one.unpaired() for one in self.simulations))

    @property
    def is_empty(self) -> bool:
        return not self.a or self.b == {}

    @property
    def value(self) -> float:
        first, *second = self.means
        return first - sum(second)

    @property
    def means(self) -> tuple[float, ...]:
        """Over networks: of one kind, or of each of two."""
        return tuple(float(np.mean(list(kind.values()))) for kind in (self.a, self.b) if kind)

    def test(self) -> dict[str, float]:
        """`low`, `high` of the 95 % interval over networks, and `p` that it is 0; NaN if they are too few.

        It is 0 by a whole set of simulations if it may be by one of them: of their p the largest.
        """
        if self.simulations:
            alone = [effect.test()["p"] for effect in self.simulations]
            return replace(self, simulations=()).test() | {"p": float(np.max(alone))}
        if len(self.a) < 2 or (self.b is not None and len(self.b) < 2):
            return dict.fromkeys(("low", "high", "p"), np.nan)
        if self.b is None or self.is_paired:
            found = interval(self.values)
            return {name: found[name] for name in ("low", "high", "p")}
        t = compare(list(self.a.values()), list(self.b.values()))
        if np.isnan(t["low"]):  # samples that do not vary
            return {"low": self.value, "high": self.value, "p": float(self.value == 0)}
        return {"low": t["low"], "high": t["high"], "p": t["p_t"]}


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


def per_network(table: pd.DataFrame, kind: str, column: str = "value", how: str = "mean") -> dict[int, float]:
    """The mean of a column for each network of a kind, by its number; or another statistic of pandas."""
    by_network = table[table["curriculum"] == kind].groupby("number")[column].agg(how)
    return {int(str(number)): float(value) for number, value in by_network.items()}


def difference(
    table: pd.DataFrame,
    needs: int,
    column: str,
    n_column: str = "N",
    published: Callable[[int], Published | None] = lambda n: None,
    kinds: Sequence[str] = KINDS,
) -> Effect:
    """The first − the second kind (multi-head − single-head) of the mean of a column, per network."""
    n = choose_n(table, tuple(kinds), needs, n_column)
    if n is None:
        return Effect()
    here = table[table[n_column] == n]
    first, second = (per_network(here, kind, column) for kind in kinds)
    return Effect(first, second, n, published(n))


def of_measure(nets: Networks, measure: str) -> pd.DataFrame:
    """The rows of a measure at promotions; of τ_net those above 1, as published."""
    p = nets.promotions
    p = p[p["measure"] == measure]
    return p[p["value"] > 1] if measure == "tau_net" else p


def as_published(measure: str, how: str = "mean") -> str:
    """What the published numbers call a statistic over units of a measure."""
    if measure in BY_SIMULATION:
        measure, how = "tau_net", BY_SIMULATION[measure]
    return f"{'SD' if how == 'std' else how} {measure}"


def by_simulation(p: pd.DataFrame, effect: Callable[[pd.DataFrame], Effect]) -> Effect:
    """The effect in rows of a measure (of all simulations: their mean), and by each simulation alone."""
    whole = effect(p)
    if whole.is_empty or not p["measure"].isin(BY_SIMULATION).all():
        return whole
    return replace(whole, simulations=tuple(effect(rows) for _, rows in p.groupby("index")))


def grows(nets: Networks, needs: int, kind: str, measure: str, since: int, how: str = "mean") -> Effect:
    """The change of a measure at promotions from N = `since` on, per network of a kind.

    Of what is measured by simulation there may be one at N = `since`, set beside each of those later on.
    """
    single = of_measure(nets, "tau_net")
    once = per_network(single[single["N_max"] == since], kind, how=BY_SIMULATION.get(measure, "mean"))

    def change(p: pd.DataFrame) -> Effect:
        first = per_network(p[p["N_max"] == since], kind, how=how) or once
        p = p[p["number"].isin(first)]
        n = choose_n(p, (kind,), max(needs, since + 1), "N_max")
        if n is None:
            return Effect()
        last = per_network(p[p["N_max"] == n], kind, how=how)
        theirs = (paper.at(kind, nets.task, as_published(measure, how), N) for N in (n, since))
        return Effect({k: last[k] - first[k] for k in last}, None, n, paper.minus(*theirs))

    p = of_measure(nets, measure)
    return by_simulation(p[p["curriculum"] == kind], change)


def promoted(nets: Networks, kinds: Sequence[str]) -> pd.DataFrame:
    """The history's rows with a success, of the standard networks and of any other kind asked for."""
    tables = [nets.history]
    for kind in set(kinds) - set(KINDS):
        rows = nets.others(kind)
        tables += [zoo.gather(rows, nets.base, "history")] if len(rows) else []
    h = pd.concat(tables)
    return h[h["promoted"].astype(bool) & h["curriculum"].isin(kinds)]


def epochs_to(nets: Networks, needs: int, kinds: Sequence[str] = KINDS) -> Effect:
    """Epochs that it took to solve N."""

    def published(n: int) -> Published | None:
        lists = [paper.EPOCHS_PER_N.get((kind, nets.task), [])[: n - 1] for kind in kinds]
        if any(len(x) < n - 1 for x in lists):
            return None
        return Published(sum(lists[0]) - sum(lists[1]), 0, "data")

    return difference(promoted(nets, kinds), needs, "epoch", "N_max", published, kinds)


def pace(nets: Networks, needs: int) -> Effect:
    """Epochs per N of multi-head networks, above 1.25."""
    h = promoted(nets, ("cumulative",))
    n = choose_n(h, ("cumulative",), needs, "N_max")
    if n is None:
        return Effect()
    first = h["N_max"].min()
    epochs = per_network(h[h["N_max"] == n], "cumulative", "epoch")
    theirs = paper.EPOCHS_PER_N.get(("cumulative", nets.task), [])[: n - 1]
    known = Published(float(np.mean(theirs)) - 1.25, 0, "data") if len(theirs) == n - 1 else None
    return Effect({k: e / (n - first + 1) - 1.25 for k, e in epochs.items()}, None, n, known)


def slowing(nets: Networks, needs: int) -> Effect:
    """Epochs per N of single-head networks in the second half of the way to N, minus those in the first."""
    h = promoted(nets, ("single",))
    n = choose_n(h, ("single",), needs, "N_max")
    if n is None:
        return Effect()

    def halves(epochs: NDArray[np.float64] | list[int]) -> float:
        half = len(epochs) // 2
        return float(np.mean(epochs[-half:]) - np.mean(epochs[:half]))

    reached = {int(str(k)): t["epoch"].to_list() for k, t in h[h["N_max"] <= n].groupby("number")}
    at_n = set(h[h["N_max"] == n]["number"])
    theirs = paper.EPOCHS_PER_N.get(("single", nets.task), [])[: n - 1]
    return Effect(
        {k: halves(np.diff([0, *epochs])) for k, epochs in reached.items() if k in at_n},
        None,
        n,
        Published(halves(theirs), 0, "data") if len(theirs) == n - 1 else None,
    )


def from_scratch(nets: Networks, needs: int) -> Effect:
    """Of networks without a curriculum: 1 if they solved their N, 0 if they were given up.

    At the largest N, of at least `needs`, that one has solved; if none has any, at the largest tried.
    """
    rows = nets.others("single_nocurr", r"first\d+")
    if rows.empty:
        return Effect()
    rows = rows.assign(N=rows["variant"].str.removeprefix("first").astype(int))
    rows = rows[(rows["N"] >= needs) & (rows["profile"] == "paper")]  # at their end
    if rows.empty:
        return Effect()
    solved = rows.loc[rows["solved N"] == rows["N"], "N"]
    n = int((solved if len(solved) else rows["N"]).max())
    rows = rows[rows["N"] == n]
    return Effect(
        {int(k): float(s) for k, s in zip(rows["number"], rows["solved N"] == n, strict=True)}, None, n
    )


def stuck(rows: pd.DataFrame) -> dict[int, float]:
    """The largest N of each network that ended by itself: no success for as long as its patience."""
    if rows.empty:
        return {}
    ended = rows[rows["profile"] == "paper"]
    return {int(k): float(n) for k, n in zip(ended["number"], ended["solved N"], strict=True)}


def furthest(nets: Networks, needs: int) -> Effect:
    """The largest N of multi-head networks so far, and of single-head ones that are stuck."""
    rows = nets.index[nets.index["curriculum"] == "cumulative"]
    multi = {int(k): float(n) for k, n in zip(rows["number"], rows["solved N"], strict=True)}
    single = stuck(nets.index[nets.index["curriculum"] == "single"])
    if not multi or not single or max(multi.values()) < needs:
        return Effect()
    known = largest_published(nets.task, (KINDS[0], None), (KINDS[1], None))
    return Effect(multi, single, int(max(multi.values())), known)


def largest_published(task: str, *conditions: tuple[str, float | None]) -> Published | None:
    """The published largest N of the first of two conditions, mean over networks, minus the second's."""
    if task != "parity":
        return None
    first, second = (float(np.mean(paper.LARGEST_N[condition])) for condition in conditions)
    return Published(first - second, 0, "data")


def fixed_tau(nets: Networks, needs: int, kind: str, tau: float) -> Effect:
    """Epochs to N with τ fixed, more than with τ trained, as a share; seeds that both have, in pairs."""
    rows = nets.others(kind, f"tau{tau:g}")
    if rows.empty:
        return Effect()
    trained = nets.index[nets.index["curriculum"] == kind]
    fixed = zoo.gather(rows, nets.base, "history").assign(curriculum="fixed")
    fixed = fixed[fixed["promoted"].astype(bool)]
    h = pd.concat([promoted(nets, (kind,)), fixed])
    n = choose_n(h, (kind, "fixed"), needs, "N_max")
    if n is None:
        return Effect()
    a, b = (per_network(h[h["N_max"] == n], which, "epoch") for which in ("fixed", kind))
    seeds, others = (index.set_index("number")["seed"].to_dict() for index in (rows, trained))
    return Effect({k: a[k] / b[k] - 1 for k in a if k in b and seeds[k] == others[k]}, None, n)


def fixed_tau_largest(nets: Networks, needs: int, kind: str, tau: float) -> Effect:
    """The largest N of networks that are stuck, with τ trained and fixed."""
    trained = stuck(nets.index[nets.index["curriculum"] == kind])
    fixed = stuck(nets.others(kind, f"tau{tau:g}"))
    if not trained or not fixed or max(trained.values()) < needs:
        return Effect()
    known = largest_published(nets.task, (kind, None), (kind, tau))
    return Effect(trained, fixed, int(max(trained.values())), known)


def forgotten(nets: Networks, needs: int) -> Effect:
    """Accuracy on n < N: of multi-head networks by their own readouts, of single-head ones by new ones.

    That the readout for N fails on n is true of any network that answers for N: the two ask different things.
    """
    r = nets.readouts
    asked = np.where(r["curriculum"] == "single", "new", "own")
    return difference(r[(r["n"] < r["N"]) & (r["readout"] == asked)], needs, "accuracy")


def beyond(nets: Networks, needs: int) -> Effect:
    r = nets.readouts
    return difference(r[r["n"] > r["N"]], needs, "accuracy")


def retrained(nets: Networks, needs: int) -> Effect:
    """Relative accuracy on N beyond the one that the network came from, after retraining on each of them."""
    r = nets.retraining
    r = r[(r["epoch"] == r["epoch"].max()) & (r["N"] > r["start"])]
    return difference(r, needs, "relative_accuracy", "start")


def at_promotions(nets: Networks, needs: int, measure: str) -> Effect:
    def published(n: int) -> Published | None:
        return paper.minus(*(paper.at(kind, nets.task, as_published(measure), n) for kind in KINDS))

    def apart(p: pd.DataFrame) -> Effect:
        return difference(p, needs, "value", "N_max", published)

    return by_simulation(of_measure(nets, measure), apart)


def imbalance(nets: Networks, needs: int) -> Effect:
    """How far positive and negative incoming recurrent weight are from balance, as a share of all of it."""
    p = nets.promotions
    p = p[p["measure"].isin(["positive", "negative"])]
    keys = ["curriculum", "number", "N_max"]
    sums = p.groupby([*keys, "measure"])["value"].mean().unstack().reset_index()
    total = sums["positive"] + sums["negative"]
    sums["imbalance"] = total.abs() / (sums["positive"] - sums["negative"])
    return difference(sums, needs, "imbalance", "N_max")


def slopes(p: pd.DataFrame, since: int, n: int) -> dict[int, float]:
    """Of a measure at promotions over N, from `since` to n, by a straight line, per network."""
    p = p[(p["N_max"] >= since) & (p["N_max"] <= n)]
    found = {}
    for number, values in p.groupby("number"):
        by_n = values.groupby("N_max")["value"].mean()
        if n in by_n.index:
            found[int(str(number))] = float(np.polyfit(by_n.index, by_n, 1)[0])
    return found


def slope(nets: Networks, needs: int, measure: str, since: int) -> Effect:
    p = of_measure(nets, measure)
    n = choose_n(p, KINDS, needs, "N_max")
    if n is None:
        return Effect()
    a, b = (slopes(p[p["curriculum"] == kind], since, n) for kind in KINDS)
    return Effect(a, b, n)


def slope_between_tasks(nets: Networks, needs: int, measure: str, since: int) -> Effect:
    """Of multi-head networks, this task − another."""
    p = of_measure(nets, measure)
    p = p[p["curriculum"] == "cumulative"].assign(curriculum="this")
    for other in sorted(set(tasks.TASKS) - {nets.task}):
        rows = nets.others("cumulative", task=other)
        if rows.empty:
            continue
        q = of_measure(Networks(rows, nets.base, other), measure).assign(curriculum="other")
        n = choose_n(pd.concat([p, q]), ("this", "other"), needs, "N_max")
        if n is not None:
            return Effect(slopes(p, since, n), slopes(q, since, n), n)
    return Effect()


def fast_or_slow(nets: Networks, needs: int, kind: str) -> Effect:
    """Relative accuracy without one of the slowest units, minus that without one of the fastest."""
    r = nets.robustness
    r = r[(r["curriculum"] == kind) & r["damage"].isin(["fastest", "slowest"])]
    n = choose_n(r, (kind,), needs)
    if n is None:
        return Effect()
    fastest, slowest = (
        per_network(r[(r["N"] == n) & (r["damage"] == damage)], kind, "relative_accuracy")
        for damage in ("fastest", "slowest")
    )
    theirs = (paper.at(kind, nets.task, f"without {which}", n) for which in ("slowest", "fastest"))
    return Effect({k: slowest[k] - fastest[k] for k in slowest}, None, n, paper.minus(*theirs))


def harmless(nets: Networks, needs: int, at: int) -> Effect:
    """Relative accuracy without one of the fastest or slowest units at this N, less 1, of all networks."""
    r = nets.robustness
    r = r[(r["N"] == at) & r["damage"].isin(["fastest", "slowest"])]
    if r.empty:
        return Effect()
    both = r.groupby(["curriculum", "number"])["relative_accuracy"].mean() - 1
    return Effect(dict(enumerate(both, 1)), None, at)


def perturbed(nets: Networks, needs: int, parameter: str, epsilon: float) -> Effect:
    """Relative accuracy after a perturbation of this size."""
    r = nets.robustness
    r = r[(r["damage"] == parameter) & np.isclose(r["epsilon"], epsilon, rtol=0.01)]
    values = [paper.PERTURBED[kind, parameter][epsilon] for kind in KINDS]
    theirs = Published(values[0] - values[1], 0, "data") if nets.task == "parity" else None
    return difference(r, needs, "relative_accuracy", published=lambda n: theirs if n == 30 else None)


def in_each_model(
    nets: Networks, needs: int, effect: str, models: Sequence[str], **how: str
) -> dict[str, Effect]:
    """An effect of `MEASURES` that compares kinds, in networks of other models, where there are both.

    Models are variants, as in folders' names; "" is that of `nets` themselves.
    """
    found = {}
    for model in models:
        rows = [nets.others(kind, re.escape(model)) for kind in KINDS]
        own = Networks(pd.concat(rows, ignore_index=True), nets.base, nets.task) if model else nets
        if {*KINDS} <= {*own.index["curriculum"]}:
            found[model] = MEASURES[effect](own, needs, **how)
    return {model: each for model, each in found.items() if not each.is_empty}


def in_models(nets: Networks, needs: int, effect: str, models: Sequence[str], **how: str) -> Effect:
    """The same, a model being one observation.

    The networks of a kind are averaged, and their binary logarithm taken: the difference of a pair says how
    often multi-head is twice single-head. Each model is looked at where its own networks are, so N is the
    least of these.
    """
    found = list(in_each_model(nets, needs, effect, models, **how).values())
    multi, single = (
        {i: float(np.log2(np.mean(list(values.values())))) for i, values in enumerate(kind, 1)}
        for kind in ([each.a for each in found], [each.b or {} for each in found])
    )
    return Effect(multi, single, min(each.n or 0 for each in found)) if found else Effect()


MEASURES: dict[str, Callable[..., Effect]] = {
    f.__name__: f
    for f in (
        at_promotions, beyond, epochs_to, fast_or_slow, fixed_tau, fixed_tau_largest, forgotten, from_scratch,
        furthest, grows, harmless, imbalance, in_models, pace, perturbed, retrained, slope,
        slope_between_tasks, slowing,
    )
}  # fmt: skip
