"""Autocorrelations and fits against slow formulas, autoregressive noise and a network with a closed form."""

import numpy as np
import pandas as pd
import pytest
import torch
from ground_truth import linear_network, network
from hypothesis import given
from hypothesis import strategies as st
from naive import NaiveRNN
from scipy.linalg import solve_discrete_lyapunov
from scipy.optimize import curve_fit

from tsrnn import InputError, tasks
from tsrnn.analysis.fits import SHAPES, criteria, fit, fit_all, jackknife_error, ratio
from tsrnn.analysis.noise import ar1
from tsrnn.analysis.simulate import Protocol, collect, simulate
from tsrnn.analysis.timescales import (
    POPULATION,
    ActivityLags,
    LagProducts,
    autocorrelation_table,
    summary,
    timescales,
)
from tsrnn.model import Architecture, LeakyRNN, initial_state


def autocovariance(x: np.ndarray, max_lag: int = 30, block: int = 128) -> np.ndarray:
    lags = LagProducts(max_lag)
    for part in torch.from_numpy(x).split(block):
        lags.add(part)
    return lags.autocovariance().numpy()


def random_model(K: int = 1, H: int = 6) -> LeakyRNN:
    generators = [torch.Generator().manual_seed(k) for k in range(K)]
    return LeakyRNN.initialise(Architecture(neurons=H), generators).requires_grad_(False)


# ---------------------------------------------------------------- simulation


def test_a_simulation_is_the_equation_on_its_bits():
    """Blocks of two networks, end to end, against the slow loop; the burn-in ends inside a block."""
    model, protocol = random_model(2), Protocol(steps=301, trials=3, burn_in=50, seed=4)
    activity = torch.cat([block.clone() for block in simulate(model, protocol)])
    assert activity.shape == (301, 2, 3, 6)
    generator = torch.Generator().manual_seed(4)
    bits = tasks.draw_biased(351, 3, generator)
    initial = initial_state(3, 6, generator)
    for k in range(2):
        naive = NaiveRNN(model, k)
        for steps in (51, 128, 351):
            expected = naive(bits[:steps], initial)
            torch.testing.assert_close(activity[steps - 51, k], expected, rtol=1e-5, atol=1e-6)


def test_activity_that_explodes_is_an_error():
    model = random_model()
    model.W.fill_(10)
    with pytest.raises(InputError, match="grows beyond all bounds"):
        list(simulate(model, Protocol(steps=500, trials=1)))


# ---------------------------------------------------------------- autocorrelation


@given(
    steps=st.integers(9, 60),
    max_lag=st.integers(1, 7),
    block=st.integers(1, 20),
    seed=st.integers(0, 1000),
    offset=st.sampled_from([0, 1, -1000]),
)
def test_autocovariance_is_the_definition(steps, max_lag, block, seed, offset):
    x = np.random.default_rng(seed).standard_normal((steps, 2, 3)) + offset
    found = autocovariance(x, max_lag, block)
    y = x - x.mean(0)
    for lag in range(max_lag + 1):
        expected = (y[lag:] * y[: steps - lag]).sum(0) / (steps - lag)
        np.testing.assert_allclose(found[lag], expected, rtol=1e-9, atol=1e-9)


def test_a_linear_network_has_the_autocorrelation_of_its_equation():
    """Covariance S = M S Mᵀ + w wᵀ var(s), and M^l S at lag l; the variance of the input drops out."""
    model, lags = linear_network(6), ActivityLags()
    collect(model, Protocol(steps=40_000, trials=10), lags)
    table = autocorrelation_table(lags)
    M, _, w, _ = (x if x is None else x[0].double().numpy() for x in model.dynamics())
    S = solve_discrete_lyapunov(M, w.T @ w)
    ones = np.ones(6)
    for lag in range(31):
        C = np.linalg.matrix_power(M, lag) @ S
        found = table[table["lag"] == lag].set_index("unit")["autocorrelation"]
        np.testing.assert_allclose(found[list(range(6))], C.diagonal() / S.diagonal(), atol=0.01)
        assert found[POPULATION] == pytest.approx(ones @ C @ ones / (ones @ S @ ones), abs=0.01)


def test_a_series_shorter_than_the_lags_is_refused():
    with pytest.raises(InputError, match="series of 20 steps: lags up to 30 need 32"):
        autocovariance(np.random.default_rng(0).standard_normal((20, 1, 1)))
    with pytest.raises(InputError, match="largest lag = 0"):
        LagProducts(0)
    with pytest.raises(InputError, match="3 lags: 7 or more"):
        fit(np.array([1, 0.5, 0.2]))


# ---------------------------------------------------------------- fits


@pytest.mark.parametrize("tau", [1, 2, 5, 10, 20, 50])
def test_one_exponential_is_found_within_five_per_cent(tau):
    """10 trials of 10⁵ steps. Theory: SD of τ is about τ √(2τ/10⁶), 1 % at τ = 50."""
    found = fit_all(autocovariance(ar1(tau, 100_000, 10, 8, seed=tau)))
    assert found["single_tau"].mean() == pytest.approx(tau, rel=0.02)
    assert (found["single_tau"] / tau - 1).abs().max() < 0.05
    # a second exponential may fit the noise: its slower τ then says nothing, in the published way, too
    assert found["tau_net"].median() == pytest.approx(tau, rel=0.05)


@pytest.mark.parametrize(("fast", "slow", "c"), [(1, 10, 0.5), (2, 20, 0.3), (1.5, 15, 0.7)])
def test_of_two_exponentials_the_slower_is_found_within_five_per_cent(fast, slow, c):
    x = np.sqrt(c) * ar1(fast, 100_000, 10, 8, seed=1) + np.sqrt(1 - c) * ar1(slow, 100_000, 10, 8, seed=2)
    found = fit_all(autocovariance(x))
    for end in ("", "_bic", "_aicc"):
        assert (found[f"model{end}"] == "double").all()
        assert found[f"tau_net{end}"].mean() == pytest.approx(slow, rel=0.05)


def test_standard_errors_are_the_spread():
    """The jackknife over 10 trials against the spread over 200 series."""
    found = fit_all(autocovariance(ar1(5, 5000, 10, 200, seed=3)))
    found = found[found["model"] == "single"]
    assert len(found) > 100
    assert found["tau_net_se"].median() == pytest.approx(found["tau_net"].std(), rel=0.2)


def test_parameters_of_an_exact_sum_come_back():
    lags = np.arange(31.0)
    found = fit(SHAPES["double"].function(lags, 0.9, 3, 12, 0.4))
    assert found["model"] == "double" and found["tau_net"] == pytest.approx(12, rel=1e-3)
    assert {round(found["double_tau1"], 2), round(found["double_tau2"], 2)} == {3, 12}


@pytest.mark.parametrize("name", SHAPES)
def test_gradients_are_those_of_the_functions(name):
    shape, lags = SHAPES[name], np.arange(8.0)
    values = np.array([0.8, 2.5, 7, 0.3])[: len(shape.parameters)]
    for i in range(len(values)):
        step = np.eye(len(values))[i] * 1e-6
        slope = (shape.function(lags, *(values + step)) - shape.function(lags, *(values - step))) / 2e-6
        np.testing.assert_allclose(shape.gradient(lags, *values)[:, i], slope, atol=1e-8)


@pytest.mark.parametrize("tau", [1e-3, 1e-200, 5e-324])
def test_gradients_are_finite_next_to_zero(tau):
    """Units whose activity has no memory are fitted by τ → 0; warnings are errors in these tests."""
    gradient = SHAPES["double"].gradient(np.arange(31.0), 0.9, tau, 5, 0.5)
    assert np.isfinite(gradient).all() and (gradient[:, 1] == 0).all()


def test_the_criteria_are_their_formulas():
    scores = criteria(rss=31 * np.exp(-2), n=31, k=4)
    assert scores["aic"] == pytest.approx(8 - 62)
    assert scores["bic"] == pytest.approx(4 * np.log(31) - 62)
    assert scores["aicc"] == pytest.approx(8 - 62 + 40 / 26)


def test_a_silent_unit_is_nan_and_counted():
    model = linear_network(5)
    model.w_in[0, 2] = 0
    model.W[0, 2] = 0
    model.tau[0, 2] = 1
    table = timescales(model, Protocol(steps=2000, trials=3))
    units = table.set_index("unit")
    assert units["tau_net"].isna()[[0, 1, 2, 3, 4]].tolist() == [False, False, True, False, False]
    assert units["model"][2] == "none" and np.isnan(units["tau_net_se"][2])
    [row] = summary(table).to_dict("records")
    assert row["n_nan"] == 1 and row["n"] + row["n_fast"] == 4
    kept = units["tau_net"][[0, 1, 3, 4]]
    assert row["mean"] == pytest.approx(kept[kept > 1].mean())


def test_one_trial_has_no_standard_error():
    rho = ratio(autocovariance(ar1(3, 2000, 1, 1, seed=0))[:, 0, 0])
    assert np.isnan(jackknife_error(fit(rho), rho, rho[None]))


def test_weights_that_are_not_finite_are_refused():
    model = network(4)
    model.W[0, 1, 2] = float("nan")
    with pytest.raises(InputError, match="W holds 1 values that are not finite"):
        timescales(model, Protocol(steps=100))


@pytest.mark.parametrize("values", [{"steps": 1}, {"trials": 0}, {"burn_in": -1}])
def test_impossible_protocols_are_refused(values):
    [(name, value)] = values.items()
    with pytest.raises(InputError, match=f"{name.replace('_', ' ')} = {value}: choose"):
        Protocol(**values)


def test_the_protocol_is_kept_with_the_table(tmp_path):
    table = timescales(linear_network(3), Protocol(steps=200, trials=2, seed=5))
    table.to_parquet(tmp_path / "t.parquet")
    kept = pd.read_parquet(tmp_path / "t.parquet").attrs
    assert kept == {"protocol": {"steps": 200, "trials": 2, "burn_in": 500, "seed": 5}, "max_lag": 30}


def test_the_published_start_is_what_scipy_does_when_it_is_given_none():
    """It finds nothing better than our start; what it ends at can be another place."""
    lags, bounds = np.arange(31), (0, [1, 100, 100, 1])
    for series in range(4):
        rho = ratio(autocovariance(ar1(3, 2000, 10, 1, seed=series)).sum(1)[:, 0])
        found, ours = fit(rho, published_start=True), fit(rho)
        expected, _ = curve_fit(SHAPES["double"].function, lags, rho, bounds=bounds, maxfev=2000)
        names = ("double_a", "double_tau1", "double_tau2", "double_c")
        assert [found[name] for name in names] == pytest.approx(list(expected))
        assert found["double_rss"] > 0.999 * ours["double_rss"]
