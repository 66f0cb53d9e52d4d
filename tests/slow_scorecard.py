"""The effects of the scorecard once more, from the raw files, with nothing of `tsrnn.book` and no pandas.

Slow and plain: dictionaries and loops. `effects(base, task)` gives, for each line of `claims.toml`, the N and
the numbers per network, of both kinds where two are compared.
"""

import csv
import math
import re
import statistics as st
import tomllib
from collections import defaultdict
from functools import cache
from itertools import pairwise
from pathlib import Path

import pyarrow.parquet as pq

TOML = Path(__file__).parents[1] / "tsrnn" / "book" / "claims.toml"
Values = dict[int, float]


def mean(xs):
    return sum(xs) / len(xs)


def sd(xs):
    m = mean(xs)
    return (sum((x - m) ** 2 for x in xs) / (len(xs) - 1)) ** 0.5


HOW = {"mean": mean, "std": sd}


@cache  # most lines of the scorecard ask for the same
def read_rows(path: Path, *columns: str) -> list[tuple]:
    table = pq.read_table(path, columns=list(columns))
    return list(zip(*(table[c].to_pylist() for c in columns), strict=True))


class Raw:
    """What the files of one kind of network say: number -> rows."""

    def __init__(self, base: Path, pattern: str) -> None:
        self.folders = {}
        for folder in sorted(base.iterdir()):
            found = re.fullmatch(pattern + r"_network_(\d+)", folder.name)
            if found:
                self.folders[int(found[1])] = folder

    def solved(self) -> dict[int, dict[int, int]]:
        """number -> N -> the epoch in which it was solved."""
        found = {}
        for k, folder in self.folders.items():
            with (folder / "history.csv").open() as file:
                rows = list(csv.DictReader(file))
            found[k] = {int(r["N_max"]): int(r["epoch"]) for r in rows if r["promoted"] == "True"}
        return found

    def epochs(self) -> dict[int, int]:
        return {k: len((f / "history.csv").read_text().splitlines()) - 1 for k, f in self.folders.items()}

    def table(self, name: str, columns: list[str]) -> dict[int, list[tuple]]:
        paths = {k: folder / f"{name}.parquet" for k, folder in self.folders.items()}
        return {k: read_rows(path, *columns) for k, path in paths.items() if path.exists()}

    def measured(self, measure: str) -> dict[int, dict[int, list[float]]]:
        """number -> N -> all values of a measure, of τ_net those above 1, of trials the first ten."""
        found = {}
        for k, rows in self.table("promotions", ["N_max", "measure", "index", "value"]).items():
            by_n = defaultdict(list)
            for n, name, index, value in rows:
                if measure == "components" and index >= 10:  # of trials that only some N have
                    continue
                if name == measure and (measure != "tau_net" or value > 1):
                    by_n[n].append(value)
            found[k] = dict(by_n)
        return found


def most(kinds: list[dict[int, dict[int, object]]], needs: int) -> int | None:
    """The N ≥ needs that most networks of every kind have; of several the largest."""
    best, most_so_far = None, 0
    for n in range(needs, 200):
        fewest = min(sum(n in by_n for by_n in kind.values()) for kind in kinds)
        if fewest >= most_so_far and fewest > 0:
            best, most_so_far = n, fewest
    return best


def pick(kind: dict[int, dict[int, object]], n: int, how=lambda x: x) -> Values:
    return {k: how(by_n[n]) for k, by_n in kind.items() if n in by_n}


def line(points: dict[int, float]) -> float:
    """The slope of the straight line through points."""
    mx, my = mean(list(points)), mean(list(points.values()))
    return sum((x - mx) * (y - my) for x, y in points.items()) / sum((x - mx) ** 2 for x in points)


def slopes(kind, since, n):
    return {
        k: line({m: mean(v) for m, v in by_n.items() if since <= m <= n})
        for k, by_n in kind.items()
        if n in by_n
    }


def effects(base: Path, task: str) -> list[tuple[int | None, Values, Values | None]]:
    multi, single = (Raw(base, f"{kind}_{task}") for kind in ("cumulative", "single"))
    sliding = Raw(base, rf"sliding_\d+_\d+_{task}")
    of = {"cumulative": multi, "single": single, "sliding": sliding}
    nothing = (None, {}, None)

    def compared(a, b, needs, how=lambda x: x):
        n = most([a, b], needs)
        return nothing if n is None else (n, pick(a, n, how), pick(b, n, how))

    def stuck(raw: Raw) -> Values:
        """Largest N of those with 100 epochs without a success."""
        found = {}
        for k, solved in raw.solved().items():
            if raw.epochs()[k] - max(solved.values()) >= 100:
                found[k] = max(solved)
        return found

    def one(c: dict) -> tuple[int | None, Values, Values | None]:
        measure, needs, w = c["measure"], c["needs"], c.get("with", {})
        if measure == "from_scratch":
            tried = defaultdict(dict)
            for folder in base.iterdir():
                found = re.fullmatch(rf"single_nocurr_{task}_first(\d+)_network_(\d+)", folder.name)
                if found and int(found[1]) >= needs:
                    solved = Raw(base, folder.name.rsplit("_network_", 1)[0]).solved()[int(found[2])]
                    tried[int(found[1])][int(found[2])] = float(int(found[1]) in solved)
            top = max(tried, key=lambda n: (max(tried[n].values()), n), default=None)
            return (top, tried[top], None) if tried else nothing
        if measure == "epochs_to":
            a, b = (of[kind].solved() for kind in w.get("kinds", ["cumulative", "single"]))
            return compared(a, b, needs)
        if measure == "pace":
            n = most([multi.solved()], needs)
            return n, {k: e / (n - 1) - 1.25 for k, e in pick(multi.solved(), n).items()}, None
        if measure == "slowing":
            solved = single.solved()
            n, found = most([solved], needs), {}
            for k, by_n in solved.items():
                if n in by_n:
                    ends = [0] + [by_n[m] for m in range(2, n + 1)]
                    spent = [b - a for a, b in pairwise(ends)]
                    half = len(spent) // 2
                    found[k] = mean(spent[-half:]) - mean(spent[:half])
            return n, found, None
        if measure == "furthest":
            b = stuck(single)
            a = {k: max(solved) for k, solved in multi.solved().items()}
            return (max(a.values()), a, b) if b else nothing
        if measure == "fixed_tau":
            trained, fixed = multi.solved(), Raw(base, f"cumulative_{task}_tau1").solved()
            n = most([trained, fixed], needs) if fixed else None
            if n is None:
                return nothing
            share = {k: fixed[k][n] / trained[k][n] - 1 for k in fixed if n in fixed[k] and n in trained[k]}
            return n, share, None
        if measure == "fixed_tau_largest":
            a, b = stuck(single), stuck(Raw(base, f"single_{task}_tau1"))
            return (max(a.values()), a, b) if a and b else nothing
        if measure in ("forgotten", "beyond"):
            found = []
            for raw, readout in ((multi, "own"), (single, "new")):
                by = {}
                for k, rows in raw.table("readouts", ["N", "n", "readout", "accuracy"]).items():
                    by_n = defaultdict(list)
                    for N, n, which, accuracy in rows:
                        smaller = n < N and which == readout
                        if smaller if measure == "forgotten" else n > N:
                            by_n[N].append(accuracy)
                    by[k] = dict(by_n)
                found.append(by)
            return compared(*found, needs, mean)
        if measure == "grows":
            p, since = of[w["kind"]].measured(w["measure"]), w["since"]
            how = HOW[w.get("how", "mean")]
            first = {k: how(by_n[since]) for k, by_n in p.items() if since in by_n}
            if not first and w["measure"].startswith("tau_net_"):
                whole = {"mean": mean, "median": st.median, "sd": sd}[w["measure"].removeprefix("tau_net_")]
                once = of[w["kind"]].measured("tau_net")
                first = {k: whole(by_n[since]) for k, by_n in once.items() if since in by_n}
            p = {k: by_n for k, by_n in p.items() if k in first}
            n = most([p], max(needs, since + 1)) if p else None
            if n is None:
                return nothing
            return n, {k: how(v[n]) - first[k] for k, v in p.items() if n in v}, None
        if measure == "at_promotions":
            a, b = multi.measured(w["measure"]), single.measured(w["measure"])
            return compared(a, b, needs, mean)
        if measure == "in_models":
            a, b, ns = {}, {}, []
            for i, model in enumerate(w["models"]):
                kinds = [Raw(base, f"{kind}_{task}_{re.escape(model)}") for kind in ("cumulative", "single")]
                if w["effect"] == "epochs_to":
                    n, x, y = compared(*(raw.solved() for raw in kinds), needs)
                else:
                    n, x, y = compared(*(raw.measured(w["measure"]) for raw in kinds), needs, mean)
                if n is not None:
                    a[i], b[i] = (math.log2(mean(list(values.values()))) for values in (x, y))
                    ns.append(n)
            return (min(ns), a, b) if ns else nothing
        if measure == "imbalance":
            found = []
            for raw in (multi, single):
                plus, less = raw.measured("positive"), raw.measured("negative")
                found.append(
                    {
                        k: {
                            n: abs(mean(plus[k][n]) + mean(less[k][n]))
                            / (mean(plus[k][n]) - mean(less[k][n]))
                            for n in plus[k]
                        }
                        for k in plus
                    }
                )
            return compared(*found, needs)
        if measure == "slope":
            a, b = multi.measured(w["measure"]), single.measured(w["measure"])
            n = most([a, b], needs)
            return n, slopes(a, w["since"], n), slopes(b, w["since"], n)
        if measure == "slope_between_tasks":
            other = {"parity": "dms", "dms": "parity"}[task]
            a, b = multi.measured(w["measure"]), Raw(base, f"cumulative_{other}").measured(w["measure"])
            n = most([a, b], needs)
            return n, slopes(a, w["since"], n), slopes(b, w["since"], n)
        if measure == "retrained":
            found = []
            for raw in (multi, single):
                by = {}
                rows_of = raw.table("retraining", ["start", "N", "epoch", "relative_accuracy"])
                for k, rows in rows_of.items():
                    last = max(epoch for _, _, epoch, _ in rows)
                    by_n = defaultdict(list)
                    for start, n, epoch, accuracy in rows:
                        if epoch == last and n > start:
                            by_n[start].append(accuracy)
                    by[k] = dict(by_n)
                found.append(by)
            return compared(*found, needs, mean) if all(found) else nothing

        def damaged(raw: Raw, chosen) -> dict[int, dict[int, list[float]]]:
            found = {}
            columns = ["N", "damage", "epsilon", "relative_accuracy"]
            for k, rows in raw.table("robustness", columns).items():
                by_n = defaultdict(list)
                for n, damage, epsilon, accuracy in rows:
                    if chosen(damage, epsilon):
                        by_n[n].append(accuracy)
                found[k] = dict(by_n)
            return found

        if measure == "fast_or_slow":
            fast, slow = (damaged(of[w["kind"]], lambda d, e, d_=d: d == d_) for d in ("fastest", "slowest"))
            n = most([fast], needs)
            return n, {k: mean(slow[k][n]) - mean(fast[k][n]) for k in fast if n in fast[k]}, None
        if measure == "harmless":
            found = [
                mean(by_n[w["at"]]) - 1
                for raw in (multi, single)
                for by_n in damaged(raw, lambda d, e: d in ("fastest", "slowest")).values()
                if w["at"] in by_n
            ]
            return (w["at"], dict(enumerate(found, 1)), None) if found else nothing
        assert measure == "perturbed", measure
        a, b = (
            damaged(raw, lambda d, e: d == w["parameter"] and abs(e / w["epsilon"] - 1) < 0.01)
            for raw in (multi, single)
        )
        return compared(a, b, needs, mean)

    return [one(c) for c in tomllib.loads(TOML.read_text())["claim"]]
