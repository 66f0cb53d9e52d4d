"""How sure a number is, and whether two samples differ (the paper's t-test, one that assumes less) or do not.

The last three functions say so in words, the same ones throughout the book.
"""

import reprlib
import warnings
from collections.abc import Sequence
from math import comb
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from tsrnn import InputError
from tsrnn.inputs import LARGEST_SEED, integer, number


def sample(values: Any) -> NDArray[np.float64]:
    """The values as one axis of floats. Raises InputError if they are none."""
    if np.ma.is_masked(values):
        raise InputError(f"{reprlib.repr(values)}: masked in places; leave those out")
    try:
        x = np.asarray(values)
        if x.dtype.kind not in "biufO":
            raise TypeError(f"{x.dtype} is no real number")
        x = x.astype(float)
    except (TypeError, ValueError, RuntimeError) as error:  # RuntimeError: a tensor with a gradient
        raise InputError(f"{reprlib.repr(values)}: give a list of numbers") from error
    if x.ndim != 1:
        raise InputError(f"values of shape {x.shape}: give one list of numbers, (n,)")
    return x


def finite(name: str, values: Any) -> NDArray[np.float64]:
    """The values, as `sample`. Raises InputError if they, or what is computed of them, are not all finite."""
    x = sample(values)
    if not np.isfinite(x).all():
        raise InputError(f"{name} {reprlib.repr(x.tolist())}: they have to be finite; leave the others out")
    largest = float(np.abs(x).max(initial=0))
    if largest and not 1e-100 < largest < 1e100:  # its square would be 0, or beyond all floats
        raise InputError(f"{name} up to {largest:.0e}: choose a unit in which this is 1e-100 to 1e100")
    return x


def interval(values: Sequence[float], level: float = 0.95) -> dict[str, float]:
    """`mean`, `sd`, `n` of independent values, the bounds `low`, `high` of the mean's t interval, and `p`,
    of the two-sided t-test that the mean is 0 (of values that do not vary: 1 if they are 0, else 0).

    Raises InputError if there are fewer than 2, or they are not finite.
    """
    x, level = finite("values", values), number("level", level, 1e-6, 1 - 1e-6)
    if len(x) < 2:
        raise InputError(f"{len(x)} values: an interval needs 2 or more")
    mean, sd = float(x.mean()), float(x.std(ddof=1))
    error = sd / np.sqrt(len(x))
    half = float(stats.t.ppf((1 + level) / 2, len(x) - 1) * error)
    p = 2 * float(stats.t.sf(abs(mean) / error, len(x) - 1)) if error > 0 else float(mean == 0)
    return {"mean": mean, "sd": sd, "n": len(x), "low": mean - half, "high": mean + half, "p": p}


def holm(p: Sequence[float]) -> list[float]:
    """p values corrected for their number by Holm's method, in the same order; NaN are not counted.

    Raises InputError if one is not 0 to 1.

    >>> holm([0.01, 0.04, 0.03, float("nan")])
    [0.03, 0.06, 0.06, nan]
    """
    p, largest = sample(p).tolist(), 0.0
    if wrong := [value for value in p if not (0 <= value <= 1 or np.isnan(value))]:
        raise InputError(f"p = {wrong[0]:g}: each is 0 to 1, or NaN where there is none")
    found = [float("nan")] * len(p)
    order = sorted((i for i in range(len(p)) if not np.isnan(p[i])), key=lambda i: p[i])
    for rank, i in enumerate(order):
        largest = max(largest, min(1.0, (len(order) - rank) * p[i]))
        found[i] = largest
    return found


def compare(a: Sequence[float], b: Sequence[float], seed: int = 0) -> dict[str, float]:
    """Two independent samples: the paper's two-sided unpaired t-test, and a permutation test of the means.

    Returns:
        `difference` of the means a − b with its 95 % interval `low`, `high`; `t`, `p_t` (NaN for equal
        samples); `p_permutation` (9999 permutations, or all of them if there are fewer) and `p_least`, the
        smallest that it can be with so few values; `n_a`, `n_b`.

    Raises:
        InputError: fewer than 2 values in a sample, or values that are not finite.
    """
    x, y, seed = finite("values", a), finite("values", b), integer("seed", seed, 0, LARGEST_SEED)
    if min(len(x), len(y)) < 2:
        raise InputError(f"samples of {len(x)} and {len(y)}: each needs 2 or more values")

    def difference(x: np.ndarray, y: np.ndarray, axis: int = 0) -> np.ndarray:
        return np.asarray(x.mean(axis) - y.mean(axis))

    with warnings.catch_warnings():  # two samples that do not vary: NaN says it
        warnings.simplefilter("ignore", RuntimeWarning)
        test = stats.ttest_ind(x, y)
        low, high = test.confidence_interval()
    permutations, rng = 9999, np.random.default_rng(seed)
    permuted = stats.permutation_test((x, y), difference, vectorized=True, n_resamples=permutations, rng=rng)
    return {
        "difference": float(difference(x, y)),
        "low": float(low),
        "high": float(high),
        "t": float(test.statistic),
        "p_t": float(test.pvalue),
        "p_permutation": float(permuted.pvalue),
        "p_least": 2 / min(comb(len(x) + len(y), len(x)), permutations + 1),
        "n_a": len(x),
        "n_b": len(y),
    }


def equivalence(differences: Sequence[float], margin: float, alpha: float = 0.05) -> dict[str, Any]:
    """Whether a mean difference of pairs is within ±margin: two one-sided t-tests, each at level alpha.

    Both reject exactly if the 1 − 2 alpha interval of the mean lies within the margin. A t-test for a
    difference that fails says less: with few pairs it always does.

    Returns:
        `mean`, `sd`, `n` of the differences, and the bounds `low`, `high` of the mean's 1 − 2 alpha interval;
        `p`, the larger one of the two tests; `verdict`: "equivalent" if the interval is within the margin,
        "different" if it is wholly beyond, else "undecided".

    Raises:
        InputError: fewer than 2 differences, values that are not finite, or a margin that is not positive.

    >>> equivalence([0.1, -0.2, 0.2, 0.1], margin=1)["verdict"]
    'equivalent'
    """
    x, margin = finite("differences", differences), number("margin", margin, 1e-300, 1e300)
    alpha = number("alpha", alpha, 1e-6, 0.5 - 1e-6)
    found = interval(differences, 1 - 2 * alpha)
    nearest = margin - abs(found["mean"])  # to the bound that is harder to reject
    with np.errstate(divide="ignore", invalid="ignore"):  # pairs that all differ by the same
        t = nearest / np.float64(found["sd"] / np.sqrt(len(x)))
    within = -margin < found["low"] and found["high"] < margin
    beyond = found["low"] > margin or found["high"] < -margin
    verdict = "equivalent" if within else "different" if beyond else "undecided"
    return found | {"p": float(stats.t.sf(t, len(x) - 1)), "verdict": verdict}


def signed(x: float, form: str = "{:+.2f}") -> str:
    """A number with a minus sign, not a hyphen.

    >>> signed(-0.5)
    '−0.50'
    """
    return form.format(x).replace("-", "−")


def p_text(p: float) -> str:
    """A p value, to two digits.

    >>> p_text(0.0333), p_text(1e-5), p_text(float("nan"))
    ('p = 0.033', 'p < 0.001', 'p unknown')
    """
    return "p unknown" if np.isnan(p) else "p < 0.001" if p < 0.001 else f"p = {p:.2g}"


def in_words(a: Sequence[float], b: Sequence[float], form: str = "{:+.2f}", unit: str = "") -> str:
    """By how much two samples of networks differ (a − b), with the interval and both tests of `compare`.

    >>> in_words([2, 3], [1, 1.2], "{:+.1f}", "steps")
    'difference +1.4 steps (95 % CI −0.8 to +3.6; t-test p = 0.11, permutation test p = 0.33 of at least 0.33; n = 2 and 2 networks)'
    >>> in_words([2], [1, 1.2], "{:+.1f}", "steps")
    'difference +0.9 steps (n = 1 and 2 networks, too few for a test)'
    """  # noqa: E501
    n = f"n = {len(a)} and {len(b)} networks"
    if not (len(a) and len(b)):
        return f"nothing to compare ({n})"
    value = f"difference {signed(float(np.mean(a) - np.mean(b)), form)}" + (f" {unit}" if unit else "")
    if min(len(a), len(b)) < 2:
        return f"{value} ({n}, too few for a test)"
    t = compare(a, b)
    return (
        f"{value} (95 % CI {signed(t['low'], form)} to {signed(t['high'], form)}; t-test {p_text(t['p_t'])}, "
        f"permutation test {p_text(t['p_permutation'])} of at least {t['p_least']:.2g}; {n})"
    )
