"""Intervals and tests against closed forms and their own definition."""

import numpy as np
import pytest
from scipy import stats

from tsrnn import InputError
from tsrnn.analysis.statistics import compare, in_words, interval, p_text, signed


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
