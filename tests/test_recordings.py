"""Timescales of a reader's own array: axes by name, units of time, doubts that are said."""

import warnings

import numpy as np
import pandas as pd
import pytest
import torch

import tsrnn
from tsrnn import InputError
from tsrnn.analysis.fits import fit, ratio
from tsrnn.analysis.noise import ar1
from tsrnn.analysis.timescales import LagProducts, published_tau_net

DIMS = ("trial", "time", "unit")


@pytest.fixture(scope="module")
def recording() -> np.ndarray:
    """Noise of τ = 2 and τ = 6 steps, (trial, time, unit)."""
    return np.concatenate([ar1(tau, 600, 5, 1, 3) for tau in (2, 6)], 2).swapaxes(0, 1)


def test_it_is_the_autocorrelation_fitted_whatever_the_order_of_the_axes(recording):
    """Against the sums written out."""
    table = tsrnn.timescales_of(recording, dims=DIMS, max_lag=12)
    for unit in range(2):
        x = recording[:, :, unit] - recording[:, :, unit].mean(1, keepdims=True)
        slow = [np.mean([(trial[lag:] * trial[: 600 - lag]).mean() for trial in x]) for lag in range(13)]
        assert table.loc[unit, "tau"] == pytest.approx(fit(ratio(np.array(slow)))["tau_net"], rel=1e-6)
    for axes in [(1, 2, 0), (2, 1, 0), (0, 2, 1)]:
        turned = tsrnn.timescales_of(
            recording.transpose(axes), dims=[DIMS[axis] for axis in axes], max_lag=12
        )
        pd.testing.assert_frame_equal(turned, table)
    alone = tsrnn.timescales_of(recording[:, :, 1].tolist(), dims=DIMS[:2], max_lag=12)
    pd.testing.assert_frame_equal(alone.drop(columns="unit"), table[1:].reset_index().iloc[:, 2:])


def test_time_has_the_units_that_are_given(recording):
    steps = tsrnn.timescales_of(recording, dims=DIMS)
    ms = tsrnn.timescales_of(recording, dims=DIMS, dt=5, time_unit="ms")
    times = ["tau", "tau_se", "tau_bic", "single_tau", "double_tau2"]
    np.testing.assert_allclose(ms[times], 5 * steps[times])
    same = [name for name in ms if "tau" not in name]
    pd.testing.assert_frame_equal(ms[same], steps[same], check_exact=True)
    assert ms.attrs == {"dt": 5, "time_unit": "ms", "first_lag": 0, "max_lag": 30}
    assert (abs(ms["tau"] / 5 - [2, 6]) < 3 * ms["tau_se"] / 5).all()


def test_from_lag_1_what_is_random_at_each_step_does_not_count(recording):
    """Counts as of spikes; and exactly, whatever stands at lag 0."""
    rng = np.random.default_rng(0)
    long = ar1(6, 20_000, 4, 1, 1)
    counts = rng.poisson(0.8 * np.clip(1 + 0.5 * long, 0, None))
    dims = ("time", "trial", "unit")
    [found] = tsrnn.timescales_of(counts, dims=dims, first_lag=1).to_dict("records")
    assert found["model"] == "single" and abs(found["tau"] - 6) < 3 * found["tau_se"] < 1.5
    assert tsrnn.timescales_of(counts, dims=dims)["single_tau"][0] < 2
    rho = np.exp(-np.arange(20) / 4)
    assert fit(rho, first_lag=1) == fit(np.append(9.0, rho[1:]), first_lag=1)


def test_the_published_fit_is_an_option(recording):
    lags = LagProducts(30)
    lags.add(torch.from_numpy(recording.transpose(1, 0, 2))[:, None])  # with a network, and no population
    expected = published_tau_net(_with_population(lags))
    found = tsrnn.timescales_of(recording, dims=DIMS, published=True)
    np.testing.assert_allclose(found["tau"], expected, rtol=1e-4)


def _with_population(lags: LagProducts) -> LagProducts:
    """`published_tau_net` leaves the last unit out."""
    for name in ("products", "total", "first", "last", "offset"):
        value = getattr(lags, name)
        setattr(lags, name, torch.cat([value, value[..., :1]], -1))
    return lags


def test_what_is_in_doubt_is_said():
    """A second exponential that chance put there, and one that is there."""
    noise = ar1(5, 1000, 10, 40, 1)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        table = tsrnn.timescales_of(noise, dims=("time", "trial", "unit"))
    found = [str(each.message) for each in said]
    double = table["model"] == "double"
    alone = table["aic_alone"]
    assert alone.sum() > 5 and alone[double].mean() > 0.8 and not alone[~double].any()
    assert f"{alone.sum()} of 40 units: two exponentials were chosen by AIC alone" in found[0]
    assert any("units: tau is at the bound of 100 steps" in each for each in found)
    assert any("trials of 1000 steps are shorter than 50 tau" in each for each in found)
    assert all(each.filename == __file__ for each in said)
    two = np.sqrt(0.7) * ar1(1.5, 1000, 10, 4, 2) + np.sqrt(0.3) * ar1(15, 1000, 10, 4, 3)
    table = tsrnn.timescales_of(two, dims=("time", "trial", "unit"))
    assert (table["model"] == "double").all() and not table["aic_alone"].any()
    assert all(each.filename == __file__ for each in said)
    turned = np.random.default_rng(0).normal(size=(2, 100, 40))
    with pytest.warns(UserWarning, match="time is said to have 40 steps, and unit 100: are dims in the"):
        tsrnn.timescales_of(turned, dims=("trial", "unit", "time"))


def test_a_constant_unit_has_none(recording):
    silent = recording.copy()
    silent[:, :, 0] = 3
    table = tsrnn.timescales_of(silent, dims=DIMS)
    assert table["model"].tolist() == ["none", "single"] and np.isnan(table["tau"][0])


NAN = np.ones((2, 50))
NAN[1, 7] = np.nan
BAD = [
    (np.ones((2, 50)), {"dims": DIMS}, r"x has the shape \(2, 50\), dims names 3 axes: trial, time, unit"),
    (np.ones((2, 50)), {"dims": ("trial", "unit")}, r"dims = \('trial', 'unit'\): name each axis of x once"),
    (np.ones((2, 50)), {"dims": ("time", "time")}, "name each axis of x once, of trial, time, unit"),
    (np.ones(50), {"dims": "time"}, "dims = 'time': name each axis"),
    (np.ones((2, 50)), {"dims": ("time", "neuron")}, "of trial, time, unit, and one is time"),
    (NAN, {"dims": ("trial", "time")}, "1 values that are not finite, the first at trial 1, time 7"),
    (["a"], {"dims": ("time",)}, "x of type list: give an array of real numbers"),
    (np.ones(9, complex), {"dims": ("time",)}, "give an array of real numbers"),
    (np.ones((0, 50)), {"dims": ("trial", "time")}, "there is nothing in it"),
    (np.ones(20), {"dims": ("time",)}, "series of 20 steps: lags up to 30 need 32"),
    (np.ones(20), {"dims": ("time",), "max_lag": 5}, "6 lags: 7 or more are needed"),
    (np.ones(50), {"dims": ("time",), "dt": 0}, "dt = 0: choose a number"),
    (np.ones(50), {"dims": ("time",), "first_lag": -1}, "first lag = -1: choose 0 to 30"),
]


@pytest.mark.parametrize(("x", "options", "said"), BAD)
def test_what_cannot_be_measured_is_named(x, options, said):
    with pytest.raises(InputError, match=said):
        tsrnn.timescales_of(x, **options)
