"""What the chapters found, side by side: numbers of a made-up zoo, and sentences that follow them."""

import pandas as pd
import pytest

from tsrnn import zoo
from tsrnn.book import synthesis, toy
from tsrnn.book.effects import Networks, comparison_n


def made_up(**values: tuple[list[float], list[float]]) -> pd.DataFrame:
    """Rows as `evidence` gives them, of multi-head and single-head networks."""
    start = {"tau": ([1.3, 1.4], [1.5, 1.6]), "held": ([0.0], [0.01]), "tau_net": ([2, 2.2], [3, 4])}
    start |= {"ladder": ([95.0, 97], [1, 2.0]), "slowest": ([100.0], [1, 2]), "fastest": ([0.0], [-1, 30])}
    start |= {"half": ([0.7, 0.8], [0.4, 0.5]), "step": ([0.023], [0.022, 0.024])}
    start |= {"change": ([-0.1, -0.2], [-0.1, 0.1]), "slow_change": ([-0.1, -0.2], [0.5, 0.6])}
    return pd.DataFrame(
        [
            {"measure": name, "curriculum": kind, "number": k + 1, "value": float(value)}
            for name, both in (start | values).items()
            for kind, numbers in zip(("cumulative", "single"), both, strict=True)
            for k, value in enumerate(numbers)
        ]
    )


OTHERS = {
    "slowed": ({"change": ([-0.1], [0.1])}, "grew in 1 network with a single head"),
    "held": (
        {"held": ([0.1], [40.0])},
        "hold part of the memory: one with the average τ of the twenty slowest keeps 40 %",
    ),
    "needs": (
        {"slowest": ([100.0], [90.0, 99])},
        "single-head networks can lose their twenty slowest units",
    ),
    "activity": ({"tau_net": ([2.0, 5], [3, 4])}, "does not tell the kinds apart"),
    "holds": ({"ladder": ([0.0], [1.0])}, "Neither kind keeps a ladder"),
    "noise": ({"half": ([0.3, 0.35], [0.4, 0.5])}, "single-head networks tolerate more noise"),
}


@pytest.mark.parametrize("name", OTHERS)
def test_other_numbers_give_another_sentence(name):
    values, wanted = OTHERS[name]
    usual, other = (synthesis.sentences(t, 20) for t in (made_up(), made_up(**values)))
    assert wanted in other[name] and wanted not in usual[name]
    assert all(other[key] == usual[key] for key in usual if key != name)


def test_networks_of_a_kind_that_differ_are_not_one():
    said = synthesis.sentences(made_up(slowest=([100.0], [24.0, 99])), 20)["needs"]
    assert "single-head networks differ in whether they can lose their twenty slowest units" in said


def test_what_is_not_measured_is_said():
    text = synthesis.sentences(made_up(half=([], []), step=([], [])), 20)["noise"]
    assert "not measured against not measured" in text and "does not tell the kinds apart" in text


def test_the_numbers_are_those_of_the_tables():
    networks, base, _ = toy.get_networks("parity")
    n = comparison_n(zoo.kept(networks, base))
    found = synthesis.evidence(Networks(networks, base, "parity"), n).set_index(
        ["measure", "curriculum", "number"]
    )
    rows = pd.read_parquet(base / "single_parity_network_1" / "promotions.parquet").query("N_max == @n")
    tau = rows[rows["measure"] == "tau"]["value"]
    mine = found["value"].xs(("single", 1), level=("curriculum", "number"))
    assert mine["tau"] == pytest.approx(tau.mean())
    assert mine["held"] == pytest.approx(100 * (1 - 1 / tau.nlargest(20).mean()) ** (n - 1))
    net = rows[rows["measure"] == "tau_net_median"]["value"]
    assert len(net) == 3 and mine["tau_net"] == pytest.approx(net.mean())
    damage = pd.read_parquet(base / "single_parity_network_1" / "robustness.parquet").query("N == @n")
    left = damage[damage["damage"] == "all fastest"]["relative_accuracy"].mean()
    assert mine["fastest"] == pytest.approx(100 * left)
