"""Published numbers, and how ours are set beside them."""

import pytest

from tsrnn.book import paper


def test_a_published_zero_is_known():
    assert paper.published("cumulative", "parity", "modes on or beyond the circle", 10) == 0
    assert paper.row("modes", [1, 2], 0, "{:.0f}") == {
        "": "modes",
        "here": "2 (n = 2, 1 to 2)",
        "published": "0 (n = 1)",
        "difference": "–",  # relative to 0 there is none
    }
    assert paper.row("modes", [1], None)["published"] == "not known"


def test_a_row_gives_the_difference_relative_to_the_published_value():
    found = paper.row("tau", [1.5, 2.0], 2.0, "{:.1f}", networks=4)
    assert (found["published"], found["difference"]) == ("2.0 (n = 4)", "−12.5%")
    assert paper.row("sum", [-3.0], -2.0, "{:.0f}") == {
        "": "sum",
        "here": "−3 (n = 1)",
        "published": "−2 (n = 1)",
        "difference": "+50.0%",
    }


@pytest.mark.parametrize("single", [[], [1.0]])
def test_two_kinds_of_network_are_tested_only_with_two_of_each(single):
    cells = paper.beside("τ", [1.0, 2.0], single)
    assert cells["multi-head"] == "1.50 (n = 2, 1.00 to 2.00)"
    assert cells["single-head"] == ("1.00 (n = 1)" if single else "none measured")
    assert [cells[x] for x in ("difference (95 % CI)", "t-test", "permutation test")] == ["–"] * 3


def test_the_test_is_of_multi_head_minus_single_head():
    cells = paper.beside("τ", [3.0, 4.0], [1.0, 2.0], "{:.1f}")
    assert cells["difference (95 % CI)"] == "+2.0 (−1.0 to +5.0)"
    assert (cells["t-test"], cells["permutation test"]) == ("p = 0.11", "p = 0.33")


def test_every_published_number_says_where_it_is_from_and_how_exactly_it_is_known():
    t = paper.TABLE
    assert set(t["mark"]) == {"data", "plot"} and t["source"].notna().all()
    assert (t["error"].notna() == (t["mark"] == "plot")).all()
    assert set(t["task"]) == {"parity", "dms"} and set(t["curriculum"]) == {"single", "cumulative", "sliding"}
    assert (t["value"].notna() & (t["networks"] >= 1)).all()
    key = ["quantity", "task", "curriculum", "variant", "N", "epsilon", "network", "networks"]
    assert not t.duplicated(key).any()


def test_the_loader_gives_the_numbers_as_they_are_published():
    """A few of each kind, typed from the paper's files and figures once more."""
    assert sum(paper.EPOCHS_PER_N["single", "parity"][:9]) == 15  # to N = 10
    assert paper.LARGEST_N["single", None] == [37, 33, 35, 35] and paper.LARGEST_N["cumulative", 5] == [50]
    assert paper.largest_n("single", "dms")["value"].tolist() == [94]
    assert paper.largest_n("single", "parity", "mod_leakyrelu")["value"].tolist() == [42]
    assert paper.PERTURBED["single", "tau"][0.0464] == 0.713
    assert paper.published("single", "dms", "mean tau", 41) == 1.6
    assert paper.published("cumulative", "dms", "mean tau", 30) == 1.285
    assert paper.published("sliding", "parity", "without fastest", 30) == 0.778
    assert paper.published("single", "parity", "mean tau", 42) is None  # of another model
    assert paper.published("single", "parity", "tau of slowest", 30) == 5.28
