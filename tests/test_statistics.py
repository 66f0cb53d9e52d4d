"""Intervals and tests against closed forms and their own definition."""

import numpy as np
import pytest
from scipy import stats

from tsrnn import InputError
from tsrnn.analysis.statistics import compare, equivalence, holm, in_words, interval, p_text, signed


def test_the_tests_are_their_definitions():
    found = compare([1, 2, 3], [4, 5, 6])
    t = -3 / np.sqrt(2 / 3)  # pooled variance 1
    assert found["t"] == pytest.approx(t) and found["difference"] == -3
    assert found["p_t"] == pytest.approx(2 * stats.t.cdf(t, 4))
    assert found["p_permutation"] == pytest.approx(0.1)  # 2 of the 20 ways to split six are as extreme
    assert found["low"] == pytest.approx(-3 - stats.t.ppf(0.975, 4) * np.sqrt(2 / 3))
    same = compare([1, 1, 1], [1, 1, 1])
    assert np.isnan(same["p_t"]) and same["p_permutation"] == 1
    with pytest.raises(InputError, match="samples of 1 and 3"):
        compare([1], [1, 2, 3])


REFUSED = {
    "values .*: they have to be finite": [[0.1, np.nan, -0.1], [np.inf, 1, 2], [-np.inf, np.inf]],
    r"values up to 1e\+308: choose a unit": [[1e308, 1e308], [-1e308, 1.0]],
    "values up to 1e-200: choose a unit": [[1e-200, 3e-201]],
}


@pytest.mark.parametrize("test", [interval, lambda x: compare(x, [1, 2]), lambda x: compare([1, 2], x)])
@pytest.mark.parametrize("said, values", [(said, x) for said in REFUSED for x in REFUSED[said]], ids=repr)
def test_values_that_a_test_would_be_wrong_about_are_refused(test, said, values):
    """The p of NaN was once 0."""
    with pytest.raises(InputError, match=said):
        test(values)


@pytest.mark.parametrize("wrong", [-1, 2, np.inf, 1 + 1e-9])
def test_p_values_are_0_to_1(wrong):
    assert holm([0, 1, np.nan])[:2] == [0, 1]
    with pytest.raises(InputError, match=r"p = .*: each is 0 to 1, or NaN"):
        holm([0.5, wrong])


def test_intervals_cover_the_mean_as_often_as_they_say():
    samples = np.random.default_rng(0).standard_normal((2000, 6))
    intervals = [interval(x) for x in samples]
    covered = np.mean([i["low"] <= 0 <= i["high"] for i in intervals])
    assert covered == pytest.approx(0.95, abs=0.015)
    with pytest.raises(InputError, match="1 values"):
        interval([0.5])


def test_the_least_p_of_a_permutation_test_is_reached_by_samples_that_do_not_overlap():
    for a, b in [([1, 2], [3, 4]), ([1, 2, 3], [4, 5]), (range(8), range(10, 18))]:  # the last is sampled
        found = compare(list(a), list(b))
        assert found["p_permutation"] == pytest.approx(found["p_least"])
    assert compare([1, 2], [3, 4])["p_least"] == pytest.approx(1 / 3)  # 2 of 6 ways
    assert compare([1, 3], [2, 4])["p_permutation"] > 1 / 3


def test_equivalence_is_two_one_sided_tests_at_once():
    samples = np.random.default_rng(1).normal(0.7, 0.5, (300, 4))
    verdicts = {"equivalent": 0, "different": 0, "undecided": 0}
    for x in samples:
        found = equivalence(x, margin=0.7)
        above = stats.ttest_1samp(x, -0.7, alternative="greater")
        below = stats.ttest_1samp(x, 0.7, alternative="less")
        assert found["p"] == pytest.approx(max(above.pvalue, below.pvalue))
        assert (found["verdict"] == "equivalent") == (above.pvalue < 0.05 and below.pvalue < 0.05)
        bounds = stats.ttest_1samp(x, 0).confidence_interval(0.9)
        assert (found["low"], found["high"]) == pytest.approx((bounds.low, bounds.high))
        assert (found["verdict"] == "different") == (bounds.low > 0.7 or bounds.high < -0.7)
        verdicts[found["verdict"]] += 1
    assert min(verdicts.values()) > 0


def test_equivalence_knows_no_unit_no_sign_and_is_not_lost_in_a_larger_margin():
    for x in np.random.default_rng(2).normal(0, 0.5, (300, 4)):
        found, larger = equivalence(x, 0.5), equivalence(x, 0.8)
        for same in (equivalence(1000 * x, 500), equivalence(-x, 0.5)):
            assert same["verdict"] == found["verdict"] and same["p"] == pytest.approx(found["p"])
        assert larger["p"] < found["p"]
        assert found["verdict"] != "equivalent" or larger["verdict"] == "equivalent"
        assert larger["verdict"] != "different" or found["verdict"] == "different"


def test_at_the_margin_one_pair_of_samples_in_twenty_is_called_equivalent():
    samples = np.random.default_rng(3).normal(0.7, 0.1, (3000, 4))
    called = np.mean([equivalence(x, 0.7)["verdict"] == "equivalent" for x in samples])
    assert called == pytest.approx(0.05, abs=0.01)


def test_pairs_without_spread_and_what_is_refused():
    found = equivalence([0, 0, 0, 0], 1)
    assert (found["verdict"], found["p"], found["low"], found["high"]) == ("equivalent", 0, 0, 0)
    assert equivalence([2, 2], 1)["verdict"] == "different" and equivalence([2, 2], 1)["p"] == 1
    with pytest.raises(InputError, match="1 values"):
        equivalence([0.5], 1)
    with pytest.raises(InputError, match="they have to be finite"):
        equivalence([0, np.nan], 1)
    for margin in (0, np.nan):
        with pytest.raises(InputError, match=f"margin = {margin}"):
            equivalence([0, 1], margin)


def test_differences_in_words():
    assert in_words([2, 3], [1, 1.2], "{:+.1f}", "steps") == (
        "difference +1.4 steps (95 % CI −0.8 to +3.6; t-test p = 0.11, permutation test p = 0.33 "
        "of at least 0.33; n = 2 and 2 networks)"
    )
    assert in_words([1], [1.5, 2]) == "difference −0.75 (n = 1 and 2 networks, too few for a test)"
    assert in_words([], [1, 2], unit="steps") == "nothing to compare (n = 0 and 2 networks)"
    assert "t-test p unknown" in in_words([1, 1], [1, 1])
    assert [signed(-1.25), signed(0.5), signed(-0.031, "{:.1%}")] == ["−1.25", "+0.50", "−3.1%"]
    assert [p_text(p) for p in (0.04999, 1, 0.000999)] == ["p = 0.05", "p = 1", "p < 0.001"]
