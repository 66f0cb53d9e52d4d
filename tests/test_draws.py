"""What simulations with other draws of p say, from made-up numbers."""

import pandas as pd
import pytest

from tsrnn.book import draws


def measured(multi: list[list[float]], single: list[list[float]]) -> pd.DataFrame:
    """Promotions at N = 20: the mean and median τ_net of networks, a list over simulations each."""
    return pd.DataFrame(
        [
            (kind, number, 20, measure, simulation, value)
            for kind, networks in (("cumulative", multi), ("single", single))
            for number, values in enumerate(networks, 1)
            for simulation, value in enumerate(values)
            for measure in ("tau_net_mean", "tau_net_median")
        ],
        columns=["curriculum", "number", "N", "measure", "index", "value"],
    )


@pytest.mark.parametrize(
    ("multi", "single", "slower", "published"),
    [
        ([[3, 5], [4, 6]], [[5, 5.5], [6, 5.6]], "in 1 of 2 simulations", "is within it"),
        ([[3, 3.5]], [[4, 5]], "in 2 of 2 simulations", "is beyond it"),
        ([[3, 5]], [], "not measured for both", "is within it"),
    ],
)
def test_what_is_said_is_true_of_every_simulation(multi, single, slower, published):
    table = draws.table(measured(multi, single))
    assert set(table["simulation"]) == {1, 2}
    said = draws.sentences(table, "parity", 20)
    assert slower in said["apart"] and published in said["published"]  # the paper's 4.9
    assert draws.sentences(table, "parity", 21)["apart"] == "this was not measured for both kinds"


def test_the_kinds_are_told_apart_at_the_largest_n_of_two_networks_of_each_kind_too():
    later = measured([[1, 1], [2, 2]], [[3, 3], [4, 4]]).assign(N=30)
    alone = measured([[1, 1], [2, 2]], [[3, 3]]).assign(N=40)
    table = draws.table(pd.concat([measured([[3, 5], [4, 6]], [[5, 5.5], [6, 5.6]]), later, alone]))
    said = draws.sentences(table, "parity", 20)["apart"]
    assert said.endswith("at N = 20 in 1 of 2 simulations and at N = 30 in 2 of 2 simulations")


def test_ranges_are_of_means_over_networks():
    said = draws.sentences(draws.table(measured([[3, 5], [4, 8]], [])), "parity", 20)
    assert said["tau_net_mean_cumulative"] == "3.5 to 6.5 steps (means over n = 2)"
    assert said["tau_net_mean_single"] == said["tau_net_sd_cumulative"].split(" steps")[0] == "not measured"
