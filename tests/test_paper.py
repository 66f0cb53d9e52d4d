"""Published numbers, and how ours are set beside them."""

import pytest

from tsrnn import paper


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
    assert cells["single-head"] == ("1.00 (n = 1)" if single else "none trained that far")
    assert [cells[x] for x in ("difference (95 % CI)", "t-test", "permutation test")] == ["–"] * 3


def test_the_test_is_of_multi_head_minus_single_head():
    cells = paper.beside("τ", [3.0, 4.0], [1.0, 2.0], "{:.1f}")
    assert cells["difference (95 % CI)"] == "+2.0 (−1.0 to +5.0)"
    assert (cells["t-test"], cells["permutation test"]) == ("p = 0.11", "p = 0.33")
