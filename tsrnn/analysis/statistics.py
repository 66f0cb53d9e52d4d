"""How sure a number is, and whether two samples differ: the paper's t-test, and one that assumes less."""

import warnings
from collections.abc import Sequence

import numpy as np
from scipy import stats

from tsrnn import InputError


def interval(values: Sequence[float], level: float = 0.95) -> dict[str, float]:
    """`mean`, `sd`, `n` of independent values, and the bounds `low`, `high` of the mean's t interval."""
    x = np.asarray(values, float)
    if len(x) < 2:
        raise InputError(f"{len(x)} values: an interval needs 2 or more")
    half = float(stats.t.ppf((1 + level) / 2, len(x) - 1) * x.std(ddof=1) / np.sqrt(len(x)))
    mean = float(x.mean())
    return {"mean": mean, "sd": float(x.std(ddof=1)), "n": len(x), "low": mean - half, "high": mean + half}


def compare(a: Sequence[float], b: Sequence[float], seed: int = 0) -> dict[str, float]:
    """Two independent samples: the paper's two-sided unpaired t-test, and a permutation test of the means.

    Returns:
        `difference` of the means a − b with its 95 % interval `low`, `high`; `t`, `p_t` (NaN for equal
        samples); `p_permutation` (9999 permutations, or all of them if there are fewer); `n_a`, `n_b`.

    Raises:
        InputError: fewer than 2 values in a sample, or values that are not finite.
    """
    x, y = np.asarray(a, float), np.asarray(b, float)
    if min(len(x), len(y)) < 2 or not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise InputError(f"samples of {len(x)} and {len(y)}: each needs 2 or more finite values")

    def difference(x: np.ndarray, y: np.ndarray, axis: int = 0) -> np.ndarray:
        return np.asarray(x.mean(axis) - y.mean(axis))

    with warnings.catch_warnings():  # two samples that do not vary: NaN says it
        warnings.simplefilter("ignore", RuntimeWarning)
        test = stats.ttest_ind(x, y)
        low, high = test.confidence_interval()
    permuted = stats.permutation_test((x, y), difference, vectorized=True, rng=np.random.default_rng(seed))
    return {
        "difference": float(difference(x, y)),
        "low": float(low),
        "high": float(high),
        "t": float(test.statistic),
        "p_t": float(test.pvalue),
        "p_permutation": float(permuted.pvalue),
        "n_a": len(x),
        "n_b": len(y),
    }
