"""Networks of the appendix beside the standard ones: made-up numbers, and sentences that follow."""

import numpy as np
import pandas as pd
import pytest

from tsrnn.book import others, synthesis, toy
from tsrnn.book.effects import Networks, comparison_n


def ended(**values: dict[str, list[float]]) -> pd.DataFrame:
    """Rows as `at_the_end` gives them."""
    usual = {
        "ladder": {"multi-head": [95, 97], "sliding": [93], "single-head": [1], "no curriculum": [5]},
        "slowest": {"multi-head": [100, 99], "sliding": [98], "single-head": [1], "no curriculum": [30]},
    }
    return pd.DataFrame(
        [
            (kind, number + 1, 20, measure, float(value))
            for measure, by_kind in usual.items()
            for kind, numbers in (by_kind | values.get(measure, {})).items()
            for number, value in enumerate(numbers)
        ],
        columns=["kind", "number", "N", "measure", "value"],
    )


def steps(**by_kind: list[int]) -> pd.DataFrame:
    """Rows as `solved` gives them: the epochs at which one network of each kind solved N = 11, 12, ..."""
    return pd.DataFrame(
        [
            (kind.replace("_", " "), 1, n, epoch)
            for kind, epochs in by_kind.items()
            for n, epoch in enumerate(epochs, 11)
        ],
        columns=["kind", "number", "N", "epoch"],
    )


def test_what_is_said_follows_the_numbers():
    speed = steps(**{"multi-head": [10, 11, 12], "sliding": [5, 6], "single-head": [20]})
    said = others.curricula_in_words(speed, ended())
    assert "and networks with one head do not" in said["found_ladder"]
    assert "93 to 97 % (n = 3) against 1 to 5 % (n = 2)" in said["found_ladder"]
    assert said["found_units"].startswith("Those with several heads do without")
    assert "sliding got to N = 12 sooner" in said["found_speed"]
    assert said["first"] == "Epochs to N = 11: multi-head 10; sliding 5"
    other = ended(ladder={"no curriculum": [60]}, slowest={"sliding": [50]})
    said = others.curricula_in_words(steps(**{"multi-head": [5], "sliding": [6]}), other)
    assert said["found_ladder"].startswith("The number of heads does not tell")
    assert said["found_units"].startswith("The twenty slowest units do not tell")
    assert "none of them got to N = 11 sooner" in said["found_speed"]
    alone = others.curricula_in_words(steps(**{"multi-head": [5], "single-head": [6]}), ended())
    assert alone["found_speed"].startswith("There are no networks of other curricula")
    for kinds in ({"multi-head": [5], "sliding": [6]}, {"sliding": [5], "ten heads at once": [6]}):
        apart = steps(**kinds)
        apart.loc[apart.index[0], "N"] += 10 * ("multi-head" in kinds)  # no N that both solved
        assert others.curricula_in_words(apart, ended())["first"] == alone["first"]


@pytest.mark.parametrize(
    ("epochs", "said"),
    [
        ([1, 2, 2, 5], "The heads are learned from the smallest N to the largest, in epochs 1, 2, 2, 5"),
        ([1, 2, np.nan, np.nan], "2 of 4 heads were learned, the heads are learned from the smallest"),
        ([1, 3, 2, 4], "The heads are not learned in the order of N"),
        ([1, np.nan, 2], "2 of 3 heads were learned, the heads are not learned in the order"),
        ([np.nan], "No head was learned"),
    ],
)
def test_the_order_of_heads_in_words(epochs, said):
    assert others.order_in_words(pd.Series(epochs, range(2, 2 + len(epochs)))).startswith(said)


def test_networks_are_those_of_the_folder_and_their_numbers_those_of_its_files():
    standard, base, _ = toy.get_networks("parity", [1])
    index = others.networks(standard, base, "parity", others.CURRICULA)
    assert list(index["kind"].unique()) == ["multi-head", "single-head", *others.CURRICULA]
    ends = others.at_the_end(index, base).set_index(["kind", "number", "measure"])["value"]
    rows = pd.read_parquet(base / "sliding_10_5_parity_network_1" / "promotions.parquet").query("N_max == 41")
    value = {name: part["value"] for name, part in rows.groupby("measure", observed=True)}
    assert ends["sliding", 1, "tau"] == pytest.approx(value["tau"].mean())
    assert ends["sliding", 1, "delay_line"] == pytest.approx(100 * value["delay_line"].item())
    damage = pd.read_parquet(base / "sliding_10_5_parity_network_1" / "robustness.parquet")
    lost = others.without_one(index[index["kind"] == "sliding"], base, "fastest")
    wanted = damage[damage["damage"] == "fastest"]["relative_accuracy"].mean()
    assert lost[0] == pytest.approx(wanted)
    times = others.through_training(index, base).set_index(["kind", "number", "N", "measure"])["value"]
    over = value["tau_net"][value["tau_net"] > 1]
    assert times["sliding", 1, 41, "median τ_net (steps)"] == pytest.approx(over.median())
    assert times["sliding", 1, 41, "answers changed (%)"] == pytest.approx(100 * value["ladder"].item())
    nothing = others.models_in_words(standard[:0], base, pd.DataFrame(columns=["kind"]))
    assert set(nothing.values()) == {"No such network is here yet"}
    gated = others.networks(standard, base, "parity", others.models("gated"))
    found = others.ladder_pairs(others.at_the_end(gated, base)).set_index(["model", "curriculum"])["value"]
    tables = [
        pd.read_parquet(path / "promotions.parquet").query("measure == 'ladder'").dropna(subset="value")
        for path in base.glob("single_parity_lstm_published_network_*")
    ]
    shares = [rows.sort_values("N_max")["value"].iloc[-1] for rows in tables]
    assert found["LSTM", "single"] == pytest.approx(100 * np.mean(shares))
    assert list(found.index.levels[0]) == ["GRU", "GRU, matched", "LSTM", "standard"] and len(found) == 8
    n = comparison_n(Networks(standard, base, "parity").readouts)
    assert synthesis.evidence(Networks(standard, base, "parity"), n)["value"].notna().all()


def test_where_bits_may_be_held_for_longer():
    rows = [("multi-head", 1, 8, k, 99.0 if 5 <= k <= 20 else 60.0) for k in (1, 5, 10, 20, 50)]
    rows += [("single-head", 1, 8, k, 70.0) for k in (1, 5, 10)]
    table = pd.DataFrame(rows, columns=["kind", "number", "N", "k", "accuracy"])
    said = "Above 98 % are: multi-head (N = 8) for k = 5 to 20; single-head (N = 8) for none of these k"
    assert others.held_in_words(table) == said
    assert others.held_in_words(table[:0]) == "No such network is here yet"
