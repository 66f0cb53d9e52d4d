"""Intervals and tests against closed forms and their own definition."""

import numpy as np
import pytest
from scipy import stats

from tsrnn import InputError
from tsrnn.analysis.statistics import compare, interval


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
