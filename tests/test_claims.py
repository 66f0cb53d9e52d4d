"""The scorecard: the rule for verdicts, and effects of networks whose measures are made up."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from slow_scorecard import effects as slow_effects

from tsrnn import zoo
from tsrnn.analysis.statistics import holm
from tsrnn.book import claims, paper, toy
from tsrnn.book.effects import MEASURES, Effect, Networks, choose_n, comparison_n
from tsrnn.book.paper import Published
from tsrnn.files import write_table
from tsrnn.schemas import TABLES


def verdict(claim, effect, task=None):
    """As in a scorecard with one row."""
    return claims.verdict(claim, effect, effect.test()["p"] if effect.a else np.nan, task or claim.tasks[0])


def around(centre, spread=0.01, networks=4):
    return {k: centre + spread * (k - (networks + 1) / 2) for k in range(1, networks + 1)}


@pytest.mark.parametrize("claim", claims.CLAIMS, ids=lambda claim: f"{claim.figure} {claim.measure}")
def test_each_verdict_turns_with_sign_size_task_and_number(claim):
    """What would have been said had it come out otherwise."""
    one = claim.margin or 1.0  # the scale of the effect
    turned = {
        "sign": [
            (claim.sign * one, claims.REPRODUCED),
            (-claim.sign * one, claims.CONTRADICTED),
        ],
        "equal": [
            (0, claims.REPRODUCED),
            (3 * one, claims.CONTRADICTED),
            (-3 * one, claims.CONTRADICTED),
        ],
        "differ": [
            (3 * one, claims.REPRODUCED),
            (-3 * one, claims.REPRODUCED),
            (0, claims.CONTRADICTED),
        ],
        "never": [(0, claims.REPRODUCED), (1, claims.CONTRADICTED)],
    }[claim.kind]
    for centre, expected in turned:
        effect = Effect(around(centre, 0 if claim.kind == "never" else one / 100), None, claim.scale)
        assert verdict(claim, effect) == expected
        assert verdict(claim, effect, "another task") == claims.UNCLAIMED
        assert claims.is_reduced(claim, effect) == bool(claim.reduced)
        assert claims.is_reduced(claim, replace(effect, n=claim.scale - 1))
    assert verdict(claim, Effect()) == verdict(claim, Effect({1: 1.0}, {})) == claims.UNTESTED
    assert verdict(claim, Effect(), "another task") == claims.UNCLAIMED
    if claim.kind == "never":
        assert verdict(claim, Effect({1: 0.0})) == claims.INCONCLUSIVE
        return
    assert verdict(claim, Effect({1: claim.sign * 1.0})) == claims.INCONCLUSIVE  # no interval
    assert verdict(claim, Effect(around(claim.sign * one, 10 * one))) == claims.INCONCLUSIVE
    assert verdict(claim, Effect(around(-claim.sign * one, 10 * one))) == claims.INCONCLUSIVE
    if claim.kind == "sign":
        effect = Effect(around(claim.sign))
        for theirs, error, expected in [
            (1, 0, claims.REPRODUCED),
            (3, 0.1, claims.SMALLER),
            (0.1, 0.1, claims.LARGER),
            (3, 2.5, claims.REPRODUCED),  # read off a plot too roughly to say
            (-1, 0, claims.LARGER),
        ]:
            published = Published(claim.sign * theirs, error, "plot")
            assert verdict(claim, replace(effect, published=published)) == expected
            between = replace(published, mark="between")  # says nothing of the size
            assert verdict(claim, replace(effect, published=between)) == claims.REPRODUCED
        p = 0.06  # of many rows
        assert claims.verdict(claim, effect, p, claim.tasks[0]) == claims.INCONCLUSIVE


@pytest.mark.parametrize(
    ("centres", "theirs", "expected"),
    [
        ([1, 2, 3], None, claims.REPRODUCED),
        ([-1, -2, -3], None, claims.CONTRADICTED),
        ([1, 2, -3], None, claims.INCONCLUSIVE),
        ([1, 2, 0], None, claims.INCONCLUSIVE),
        ([1, 1.1, 1.2], 5, claims.SMALLER),
        ([1, 1.1, 5], 5, claims.REPRODUCED),  # that it is smaller hangs on the draw
    ],
)
def test_what_hangs_on_the_draw_of_p_is_judged_by_each_simulation(centres, theirs, expected):
    known = None if theirs is None else Published(theirs, 0, "data")
    alone = tuple(Effect(around(c), None, 30, known) for c in centres)
    effect = Effect(around(np.mean(centres)), None, 30, known, alone)
    [claim] = [c for c in claims.CLAIMS if c.effect == "mean τ_net at N − at 5, single-head"]
    assert verdict(claim, effect) == expected
    assert effect.test()["p"] == max(one.test()["p"] for one in alone)
    assert effect.value == pytest.approx(np.mean(centres))  # what is shown


def test_growth_is_counted_from_one_simulation_where_there_are_no_more(made_up):
    p = made_up.promotions
    once = p[(p["measure"] == "tau") & (p["N_max"] == 5)].assign(measure="tau_net", value=[1, 2, 4, 9] * 4)
    simulated = (p["measure"] == "tau_net_mean") & (p["N_max"] > 5)
    made_up.promotions = pd.concat([p[simulated], once])
    found = MEASURES["grows"](made_up, 10, "single", "tau_net_mean", 5)
    assert found.a == {1: 25 - 5, 2: 25 - 5}  # of 1, 2, 4 and 9 those above 1
    assert [one.a[1] for one in found.simulations] == [10 - 5, 20 - 5, 30 - 5, 40 - 5]


def test_networks_with_the_same_seeds_are_compared_in_pairs():
    """Between seeds these differ by more than between kinds."""
    a, b = {1: 1.0, 2: 5.0, 3: 9.0}, {1: 0.9, 2: 4.8, 3: 8.8}
    paired, other = Effect(a, b), Effect(a, {k + 1: v for k, v in b.items()})
    assert paired.is_paired and not other.is_paired
    assert paired.value == other.value
    assert paired.test()["p"] < 0.05 < other.test()["p"]
    assert paired.test()["low"] > 0 > other.test()["low"]
    several = replace(paired, simulations=(paired, paired)).unpaired()
    assert not several.is_paired and not any(one.is_paired for one in several.simulations)
    assert several.test()["p"] == pytest.approx(other.test()["p"])


@pytest.mark.parametrize("seeds, told", [([1, 2, 1, 2], True), ([5, 2, 5, 2], True), ([1, 2, 1, 3], False)])
def test_networks_of_one_number_are_pairs_if_they_are_of_one_seed(seeds, told, tmp_path):
    rows = pd.DataFrame({"task": "parity", "variant": "", "number": [1, 2, 1, 2], "seed": seeds})
    nets = Networks(rows, tmp_path, "parity")
    others = (rows.assign(task="dms", seed=range(4)), rows.assign(variant="neurons20", seed=range(4)))
    nets.everything = pd.concat([rows, *others])  # which are never set beside them
    assert nets.numbers_tell_seeds is told


def test_holm_rejects_what_its_step_down_rejects():
    rng = np.random.default_rng(0)
    for p in rng.random((50, 7)) ** 3:
        corrected = holm([*p, math.nan])
        assert math.isnan(corrected[-1])
        for alpha in (0.01, 0.05, 0.3):
            rejected = set()
            for rank, i in enumerate(np.argsort(p)):
                if p[i] > alpha / (len(p) - rank):
                    break
                rejected.add(i)
            assert {i for i, q in enumerate(corrected[:-1]) if q <= alpha} == rejected


def test_each_claim_is_whole():
    for claim in claims.CLAIMS:
        assert claim.measure in MEASURES and claim.contradicted and claim.tasks
        assert (claim.kind == "sign") == (claim.sign in (-1, 1))
        assert (claim.kind in ("equal", "differ")) == (claim.margin > 0)


@pytest.mark.parametrize("task", ["parity", "dms"])
def test_the_scorecard_is_what_a_slow_independent_route_finds(task):
    """From the raw files of the zoo."""
    index, base, _ = toy.get_networks(task, [], "", False)
    card = claims.scorecard(Networks(index, base, task))
    for row, (n, a, b) in zip(
        card.to_dict("records"), slow_effects(zoo.default_base_path(), task), strict=True
    ):
        about = (row["claim"].figure, row["claim"].says)
        if not a:
            made = task in row["claim"].tasks
            assert row["verdict"] == (claims.UNTESTED if made else claims.UNCLAIMED), about
            continue
        values = [list(x.values()) for x in (a, b) if x is not None]
        effect = np.mean(values[0]) - (np.mean(values[1]) if len(values) > 1 else 0)
        assert row["N"] == n and row["networks"] == tuple(map(len, values)), about
        assert row["effect"] == pytest.approx(effect, rel=1e-5, abs=1e-9), about


def test_the_n_that_most_networks_have_and_of_several_the_largest():
    reached = {("cumulative", 1): 30, ("cumulative", 2): 10, ("single", 1): 20, ("single", 2): 12}
    table = pd.DataFrame(
        [(kind, number, n) for (kind, number), top in reached.items() for n in range(2, top + 1)],
        columns=["curriculum", "number", "N"],
    )
    both = ("cumulative", "single")
    assert choose_n(table, both, 2) == 10  # two of each
    assert choose_n(table, both, 11) == 20  # one of each
    assert choose_n(table, both, 21) is None
    assert choose_n(table, ("single",), 2) == 12
    assert comparison_n(table) == 10
    kept = table[table["N"].isin([5, 20])].assign(path="")
    assert comparison_n(table, kept) == 5  # of 5 and 20, the only one that the second networks kept
    assert comparison_n(table, needs=21) == 30  # no comparison: the largest of all


def write(path: Path, table: pd.DataFrame) -> None:
    """As a network's file has it, with 1 in what is not given."""
    columns = {name: str(c.dtype) for name, c in TABLES[path.name].columns.items()}
    write_table(path, pd.DataFrame({**dict.fromkeys(columns, 1), **table}).astype(columns))


@pytest.fixture
def made_up(tmp_path):
    """Two networks of each kind, up to N = 20, with τ = 2 − N/100, single-head 0.1 more, and an epoch per N
    or two."""
    rows = []
    for kind in ("cumulative", "single"):
        for number in (1, 2):
            folder = tmp_path / f"{kind}_parity_network_{number}"
            folder.mkdir()
            slow = 2 if kind == "single" else 1
            n = np.repeat(range(2, 21), slow)
            history = pd.DataFrame({"N_max": n, "epoch": range(1, len(n) + 1)})
            history["promoted"] = history["epoch"] % slow == 0
            write(folder / "history.csv", history)
            values = [
                (n, measure, unit, value)
                for n in range(2, 21)
                for unit in range(4)
                for measure, value in {
                    "tau": 2 - n / 100 + 0.1 * (slow - 1) + number / 1000,
                    "tau_net_mean": n * (1 + unit) / 2,  # the "unit" is a simulation
                    "tau_net_median": n * (unit - 1.5),  # which falls by two of four
                    "weight_mean": -number * slow / 100,
                    "components": n * (3 - slow),
                    "negative": -n,
                    "positive": n * slow,
                }.items()
            ]
            columns = ["N_max", "measure", "index", "value"]
            write(folder / "promotions.parquet", pd.DataFrame(values, columns=columns))
            damages = [
                (n, damage, epsilon, value)
                for n in (10, 20)
                for damage, epsilon, value in [
                    ("fastest", np.nan, 0.7),
                    ("slowest", np.nan, 0.9),
                    ("W", 0.21544, 1 - n * slow / 100),
                    ("tau", 0.0464159, 0.5),
                ]
            ]
            columns = ["N", "damage", "epsilon", "relative_accuracy"]
            write(folder / "robustness.parquet", pd.DataFrame(damages, columns=columns))
            read = [
                (20, n, readout, {"newest": 0.5, "new": 1 - slow / 8}.get(readout, 1.0))
                for n in range(2, 26)
                for readout in (["new"] if n > 20 else ["own"] if kind == "cumulative" else ["new", "newest"])
            ]
            write(folder / "readouts.parquet", pd.DataFrame(read, columns=["N", "n", "readout", "accuracy"]))
            again = [(10, n, epoch, epoch / n / slow) for n in (10, 12, 15) for epoch in (0, 1)]
            columns = ["start", "N", "epoch", "relative_accuracy"]
            write(folder / "retraining.parquet", pd.DataFrame(again, columns=columns))
            about = {"network": folder.name, "curriculum": kind, "task": "parity", "variant": ""}
            about |= {"number": number, "seed": number}
            rows.append(about | {"solved N": 20, "profile": "laptop"})
    return Networks(pd.DataFrame(rows), tmp_path, "parity")


def test_effects_are_those_of_the_networks(made_up):
    card = claims.scorecard(made_up).assign(says=[c.figure + c.measure + c.effect for c in claims.CLAIMS])
    expected = {  # figure, measure, beginning of the effect in words -> N, effect
        ("3b", "epochs_to", "epochs to N, multi-head − single"): (20, 19 - 38),
        ("3b", "pace", ""): (20, 1 - 1.25),
        ("3b", "slowing", ""): (20, 0),
        ("3c", "forgotten", ""): (20, 0.25),
        ("3c", "beyond", ""): (20, 0.125),
        ("4b", "grows", "mean τ at N − at 15"): (20, -0.05),
        ("4b", "grows", "mean τ at N − at 2,"): (20, -0.18),
        ("5c", "grows", "mean τ_net at N − at 5, single"): (20, 15 * 1.25),
        ("5c", "grows", "median τ_net at N − at 5, single"): (20, 0),
        ("6a", "at_promotions", ""): (20, 0.015),
        ("6a", "imbalance", ""): (20, 0 - 1 / 3),
        ("6b", "slope", ""): (20, 1),
        ("7", "fast_or_slow", "relative accuracy without one of the 20 slowest − fastest, multi"): (20, 0.2),
        ("8a", "perturbed", ""): (20, 0.2),
        ("8b", "perturbed", ""): (20, 0),
        ("8c", "retrained", ""): (10, (1 / 12 + 1 / 15) / 4),
    }
    for (figure, measure, words), (n, effect) in expected.items():
        [row] = [
            r
            for r in card.to_dict("records")
            if (r["claim"].figure, r["claim"].measure) == (figure, measure)
            and r["claim"].effect.startswith(words)
        ]
        assert (row["N"], row["effect"]) == (n, pytest.approx(effect, abs=1e-6)), (figure, words)
    verdicts = dict(zip(card["says"], card["verdict"], strict=True))
    assert claims.UNTESTED in verdicts.values()
    [fallen] = [v for says, v in verdicts.items() if says.startswith("4bgrowsmean τ at N − at 15")]
    assert fallen == claims.CONTRADICTED


def test_published_effects_are_computed_from_the_published_numbers():
    assert paper.at("cumulative", "parity", "mean tau", 10) == Published(1.3969, 0.0, "data")
    between = paper.at("single", "dms", "mean tau", 35)  # of 1.522 at 30 and 1.60 at 41, ± 0.01
    assert between == Published(pytest.approx(1.522 + 0.078 * 5 / 11), pytest.approx(0.01), "between")
    assert paper.at("single", "dms", "mean tau", 100) is None  # beyond what is drawn
    assert paper.minus(between, None) is None
    apart = paper.minus(Published(3, 0.5, "plot"), Published(1, 0.25, "data"))
    assert apart == Published(2, 0.75, "plot")
    assert paper.minus(Published(3, 0, "between"), Published(1, 0, "plot")).mark == "between"
    assert paper.error_of("5 %", -2.0) == 0.1 and paper.error_of(math.nan, 2.0) == 0
