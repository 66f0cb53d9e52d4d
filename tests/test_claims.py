"""The scorecard: the rule for verdicts, and effects of networks whose measures are made up."""

import numpy as np
import pandas as pd
import pytest

from tsrnn.book import claims, paper
from tsrnn.book.effects import Effect, Networks, choose_n, comparison_n

UP = next(claim for claim in claims.CLAIMS if claim.sign == 1)
DOWN = next(claim for claim in claims.CLAIMS if claim.sign == -1)


@pytest.mark.parametrize(
    ("claim", "a", "b", "expected"),
    [
        (UP, [1.0, 1.1, 0.9], [0.1, 0.2, 0.1], claims.REPRODUCED),
        (DOWN, [0.1, 0.2, 0.1], [1.0, 1.1, 0.9], claims.REPRODUCED),
        (UP, [0.1, 0.2, 0.1], [1.0, 1.1, 0.9], claims.NOT),
        (UP, [1.0, -0.5], [0.1, -0.2], claims.PARTLY),  # the interval holds 0
        (UP, [1.0], [0.1, 0.2], claims.PARTLY),  # no interval
        (UP, [0.5, 0.5], None, claims.REPRODUCED),  # no spread
        (UP, [0.0, 0.0], None, claims.NOT),
        (UP, [2.0, 2.0], [1.0, 1.0], claims.REPRODUCED),
        (UP, [], None, claims.UNTESTED),
        (UP, [1.0, 2.0], [], claims.UNTESTED),
    ],
)
def test_the_rule(claim, a, b, expected):
    assert claims.verdict(claim, Effect(a, b)) == expected


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
            history = pd.DataFrame(
                {"N_max": range(2, 21), "epoch": slow * np.arange(1, 20), "promoted": True}
            )
            history.to_csv(folder / "history.csv", index=False)
            values = [
                (n, measure, unit, value)
                for n in range(2, 21)
                for unit in range(4)
                for measure, value in {
                    "tau": 2 - n / 100 + 0.1 * (slow - 1) + number / 1000,
                    "tau_net": n + unit - 3,  # some are ≤ 1, which do not count
                    "weight_mean": -number * slow / 100,
                    "components": n * (3 - slow),
                    "negative": -n,
                }.items()
            ]
            columns = ["N_max", "measure", "index", "value"]
            pd.DataFrame(values, columns=columns).to_parquet(folder / "promotions.parquet")
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
            pd.DataFrame(damages, columns=columns).to_parquet(folder / "robustness.parquet")
            read = [
                (20, n, readout, 0.5 if readout == "newest" else 1.0)
                for n in range(2, 26)
                for readout in (["new"] if n > 20 else ["own" if kind == "cumulative" else "newest"])
            ]
            pd.DataFrame(read, columns=["N", "n", "readout", "accuracy"]).to_parquet(
                folder / "readouts.parquet"
            )
            again = [(10, n, epoch, epoch / n / slow) for n in (10, 12, 15) for epoch in (0, 1)]
            columns = ["start", "N", "epoch", "relative_accuracy"]
            pd.DataFrame(again, columns=columns).to_parquet(folder / "retraining.parquet")
            rows.append({"network": folder.name, "curriculum": kind, "number": number})
    return Networks(pd.DataFrame(rows), tmp_path, "parity")


def test_effects_are_those_of_the_networks(made_up):
    card = claims.scorecard(made_up).assign(says=[c.says for c in claims.CLAIMS]).set_index("says")
    expected = {
        "Multi-head training is faster.": (20, 19 - 38),
        "Multi-head training takes about one epoch per N.": (20, 1 - 1.5),
        "Single-head training slows down as N grows.": (20, 0),
        "Single-head networks forget smaller N, multi-head ones keep them.": (20, 0.5),
        "Multi-head networks generalise further beyond N.": (20, 0),
        "Single-head τ grows beyond N ≈ 15.": (20, -0.05),
        "Multi-head τ falls towards 1.": (20, -0.18),
        # units of N = 5: 2, 3, 4, 5
        "The timescale of single-head activity grows with N.": (20, 18.5 - 3.5),
        "Single-head networks become more inhibitory than multi-head ones.": (20, 0.015),
        "The dimensionality of activity grows faster in multi-head networks.": (20, 20),
        "Multi-head networks rely on their fast units, not on their slow ones.": (20, 0.2),
        "Multi-head networks stand up better to perturbed weights.": (20, 0.2),
        "Multi-head networks stand up better to perturbed τ.": (20, 0),
        "Multi-head networks are retrained more easily.": (10, (1 / 12 + 1 / 15) / 4),
    }
    for says, (n, effect) in expected.items():
        assert (card.loc[says, "N"], card.loc[says, "effect"]) == (n, pytest.approx(effect, abs=1e-6)), says
    assert card.loc["Single-head τ grows beyond N ≈ 15.", "verdict"] == claims.NOT
    assert card.loc["Multi-head τ falls towards 1.", "verdict"] == claims.REPRODUCED
    assert (
        card.loc["At large N, single-head networks rely on their slow units.", "verdict"] == claims.UNTESTED
    )
    theirs = paper.EPOCHS_PER_N["single", "parity"]
    assert np.isnan(card.loc["Multi-head training is faster.", "published"])  # theirs is known to N = 12
    assert card.loc["Single-head training slows down as N grows.", "published"] == pytest.approx(
        np.mean(theirs[10:19]) - np.mean(theirs[:9])
    )


def test_published_effects_are_computed_from_the_published_numbers():
    short = claims.Networks(pd.DataFrame(), None, "parity")
    assert short.published("cumulative", "mean tau", 10) == 1.3969
    assert np.isnan(short.published("cumulative", "mean tau", 11))
