"""Noise of known timescale: the ground truth for `fits`, in the tests and in the book."""

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter


def ar1(tau: float, steps: int, trials: int, series: int, seed: int) -> NDArray[np.float64]:
    """Stationary autoregressive noise x(t) = e^(−1/τ) x(t−1) + ξ(t), (steps, trials, series).

    Mean 0, variance 1, autocorrelation exp(−l/τ) with l in steps.
    """
    phi, rng = np.exp(-1 / tau), np.random.default_rng(seed)
    start = int(20 * tau) + 100
    xi = rng.standard_normal((steps + start, trials, series)) * np.sqrt(1 - phi**2)
    return np.asarray(lfilter([1], [1, -phi], xi, axis=0)[start:])
