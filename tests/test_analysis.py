"""Dimensionality, connectivity and what is measured at promotions."""

from dataclasses import replace
from functools import partial

import numpy as np
import pandas as pd
import pytest
import torch
from ground_truth import delay_line, linear_network, network
from sklearn.decomposition import PCA
from torch import nn

from tsrnn import InputError, evaluation, probes, retraining, zoo
from tsrnn.analysis import measure
from tsrnn.analysis.connectivity import by_speed, connectivity, spectrum
from tsrnn.analysis.dimensionality import dimensionality, dimensions
from tsrnn.analysis.interventions import perturbation
from tsrnn.analysis.recordings import timescales_of
from tsrnn.analysis.simulate import Protocol, simulate
from tsrnn.analysis.timescales import timescales
from tsrnn.evaluation import verify
from tsrnn.files import remove
from tsrnn.model import Architecture, LeakyRNN
from tsrnn.training import train


def test_dimensions_are_those_of_pca():
    generator = torch.Generator().manual_seed(1)
    model = LeakyRNN.initialise(Architecture(neurons=30), [generator, generator])
    protocol = Protocol(steps=700, trials=3, burn_in=10)
    activity = torch.cat([block.clone() for block in simulate(model, protocol)])
    found = dimensionality(model, protocol, 0.95).set_index(["network", "trial"])
    for (k, b), row in found.iterrows():
        variance = PCA().fit(activity[:, k, b].double().numpy()).explained_variance_
        assert row["components"] == 1 + (np.cumsum(variance) / variance.sum() < 0.95).sum()
        assert row["participation_ratio"] == pytest.approx(
            variance.sum() ** 2 / (variance**2).sum(), rel=1e-3
        )


@pytest.mark.parametrize(
    ("variances", "components", "participation"),
    [([1, 1, 1, 1, 1], 5, 5), ([1, 0, 0], 1, 1), ([0.9, 0.1], 1, 1 / 0.82), ([8, 1, 1], 2, 100 / 66)],
)
def test_dimensions_of_known_variances(variances, components, participation):
    found = dimensions(np.array(variances, float), 0.9)
    assert found == pytest.approx({"components": components, "participation_ratio": participation})


def test_a_delay_line_has_a_dimension_per_unit():
    table = dimensionality(delay_line(8), Protocol(steps=20_000, trials=2), 0.99)
    assert (table["components"] == 8).all()
    assert table["participation_ratio"].tolist() == pytest.approx([8, 8], rel=0.05)


def test_silent_networks_have_no_dimension():
    assert dimensionality(network(3), Protocol(steps=50, trials=1, burn_in=200)).isna().any(axis=None)


class Silent:
    """A network that can be given, but must not be simulated."""

    def states(self, bits):
        raise AssertionError("simulated before what it is for was looked at")


NEVER_ASKED = Silent()


@pytest.mark.parametrize(
    ("steps", "max_lag", "said"),
    [(1000, 10**6, "lags up to 1000000 need 1000002"), (1000, 5, "6 lags: 7 or more"), (31, 30, "need 32")],
)
def test_lags_that_cannot_be_fitted_are_refused_before_any_work(steps, max_lag, said):
    with pytest.raises(InputError, match=said):
        timescales(NEVER_ASKED, Protocol(steps=steps, trials=2), max_lag)
    with pytest.raises(InputError, match=said):
        timescales_of(np.arange(steps), dims=["time"], max_lag=max_lag)


@pytest.mark.parametrize("explained", [0, 1, 1.2, -0.1])
def test_impossible_shares_are_refused(explained):
    with pytest.raises(InputError, match=f"explained = {explained}"):
        dimensionality(NEVER_ASKED, Protocol(steps=50), explained)


def test_connectivity_leaves_the_diagonal_out():
    model = network(3, tau=2)
    model.W[0] = torch.tensor([[9.0, 1, -3], [0.5, 9, 0.5], [-1, -2, 9]])
    table = connectivity(model)
    assert table["weight_mean"].tolist() == pytest.approx([-1, 0.5, -1.5])
    assert table["weight_sd"].tolist() == pytest.approx([2, 0, 0.5])
    assert table["positive"].tolist() == pytest.approx([1, 1, 0])
    assert table["negative"].tolist() == pytest.approx([-3, 0, -3])
    assert table["tau"].tolist() == [2, 2, 2]


def test_whether_slow_units_receive_other_weights():
    """Of 20 units the faster half has τ = 1; the slower, the weaker; the two strongest are among the fast."""
    tau = np.r_[np.ones(10), np.arange(2, 12)]
    units = pd.DataFrame({"tau": tau, "positive": 12 - tau + np.r_[9, 9, np.zeros(18)], "negative": -tau})
    found = by_speed(units)
    assert (found["fastest"], found["fastest_of_strongest"]) == (0.5, 1)
    assert found["rank_negative"] == pytest.approx(1) and found["rank_positive"] < -0.8
    assert found["slow_weights"] == pytest.approx(12 / (12 + 18 / 20))  # 8 units that receive 12 − τ + τ
    assert np.isnan(by_speed(units[:11])["slow_weights"])


def test_the_spectrum_of_a_ring_and_of_unconnected_units():
    alone = spectrum(network(4, tau=5))
    assert alone["modulus"].tolist() == pytest.approx([0.8] * 4)
    assert alone["timescale"].tolist() == pytest.approx([-1 / np.log(0.8)] * 4)
    ring = network(3, tau=1)
    ring.W[0] = 0.9 * torch.tensor([[0.0, 0, 1], [1, 0, 0], [0, 1, 0]])
    found = spectrum(ring)
    assert found["modulus"].tolist() == pytest.approx([0.9] * 3)
    assert found["imaginary"].abs().max() == pytest.approx(0.9 * np.sin(2 * np.pi / 3))
    ring.W *= 2
    assert np.isinf(spectrum(ring)["timescale"]).all()


def test_what_units_give_themselves_counts_where_the_dynamics_use_it():
    """Of torch's own network W has a diagonal, also in a copy."""
    rnn = nn.RNN(1, 5)
    W = rnn.weight_hh_l0.detach().double().numpy()
    model = LeakyRNN.from_rnn(rnn).select([0])
    moduli = np.sort(np.abs(np.linalg.eigvals(W)))[::-1]
    assert spectrum(model)["modulus"].tolist() == pytest.approx(moduli.tolist())
    table = connectivity(model)
    assert table["weight_mean"].tolist() == pytest.approx(W.mean(1).tolist())
    assert table["positive"].tolist() == pytest.approx(W.clip(min=0).sum(1).tolist())
    assert connectivity(LeakyRNN.from_rnn(nn.RNN(1, 1)))["weight_mean"].notna().all()


# ---------------------------------------------------------------- at promotions


def test_every_promotion_is_measured_and_costly_ones_when_due(small, tmp_path):
    [folder] = train(replace(small, max_n=11), base_path=tmp_path, progress=False)
    p = pd.read_parquet(folder / "promotions.parquet")
    counts = p.groupby(["N_max", "measure"], observed=True)["value"].size().unstack()
    assert counts.index.tolist() == list(range(2, 12))
    assert (counts[["tau", "weight_mean", "positive"]] == [20, 1, 1]).all(axis=None)
    due = counts.loc[:10, ["tau_net", "exponentials", "population_autocorrelation", "components"]]
    assert (due == [20, 20, 31, 10]).all(axis=None)
    assert counts.loc[11, "tau_net":"tau_net"].isna().all()
    assert [n for n in range(2, 31) if measure.is_costly_due(n)] == [*range(2, 11), 15, 20, 25, 30]


def test_what_is_missing_is_added_and_is_the_same(small, tmp_path):
    [measured] = train(small, base_path=tmp_path / "a", progress=False)
    [bare] = train(replace(small, measure_steps=0), base_path=tmp_path / "b", progress=False)
    before = pd.read_parquet(bare / "promotions.parquet")
    assert "tau_net" not in set(before["measure"])
    [again] = train(small, base_path=tmp_path / "b", progress=False)  # complete: notes the steps to measure
    quick = replace(probes.QUICK, steps=small.measure_steps)
    assert probes.add_missing(again, progress=False, scale=quick) == [5, 6]
    assert probes.add_missing(again, progress=False, scale=quick) == []

    def values(folder):
        p = pd.read_parquet(folder / "promotions.parquet").astype({"measure": str})
        p = p[p["N_max"].isin([5, 6])].sort_values(["N_max", "measure", "index"], ignore_index=True)
        more = p["measure"].isin(["components", "participation_ratio"]) & (p["index"] >= 10)
        assert more.sum() == (2 * 2 * 20 if folder == bare else 0)  # trials of two more simulations
        published = p["measure"] == "tau_net_published"
        assert published.sum() == (2 * 20 if folder == bare else 0)  # units; not at promotions
        by_seed = p["measure"].isin(["tau_net_mean", "tau_net_sd", "tau_net_median"])
        assert by_seed.sum() == (2 * 3 * 3 if folder == bare else 0)  # simulations
        for n, rows in p[by_seed & (p["measure"] == "tau_net_median") & (p["index"] == 0)].groupby("N_max"):
            units = p[(p["measure"] == "tau_net") & (p["N_max"] == n) & (p["value"] > 1)]["value"]
            assert rows["value"].item() == pytest.approx(units.median(), rel=1e-5, nan_ok=True)
        more |= published | by_seed
        return p[~more].reset_index(drop=True)

    pd.testing.assert_frame_equal(values(bare), values(measured))
    assert len(pd.read_parquet(bare / "promotions.parquet")) > len(before)


def test_robustness_takes_the_largest_n_that_there_is_a_head_for():
    """N = 101 needs a longer warm-up than the published one."""
    model = LeakyRNN.initialise(Architecture(neurons=4), [torch.Generator().manual_seed(0)])
    model.heads = {n: n - 2 for n in range(2, 102)}
    found = probes.robustness(model, "parity", probes.QUICK)
    assert set(found["N"]) == {101} and found["accuracy"].between(0, 1).all()


def test_probes_are_those_of_the_interventions_and_readouts(small, tmp_path):
    """Every kept checkpoint is in both files once, as the functions themselves give it."""
    [folder] = train(small, base_path=tmp_path, progress=False)
    probes.add_missing(folder, progress=False, scale=probes.QUICK)
    model = zoo.load_checkpoint(folder / "rnn_N2_N6.safetensors")
    found = pd.read_parquet(folder / "robustness.parquet").query("N == 6")
    expected = perturbation(model, "parity", 6, "tau", [0.1, 1], stream=probes.QUICK.stream)
    here = found[(found["damage"] == "tau") & found["epsilon"].isin([0.1, 1])]
    assert here["relative_accuracy"].tolist() == expected["relative_accuracy"].tolist()
    assert (found["damage"].value_counts()[["fastest", "slowest", "all fastest"]] == [20, 20, 2]).all()
    asked = pd.read_parquet(folder / "readouts.parquet")
    assert asked.groupby(["N", "readout"])["n"].apply(list).to_dict() == {
        (5, "own"): [2, 3, 4, 5],
        (5, "new"): [2, 3, 4, 5, 6, 7],
        (6, "own"): [2, 3, 4, 5, 6],
        (6, "new"): [2, 3, 4, 5, 6, 7, 8],
    }
    own = asked[(asked["N"] == 6) & (asked["readout"] == "own")]["accuracy"]
    assert own.tolist() == pytest.approx(list(evaluation.accuracy(model, "parity", batches=2)["accuracy"]))


def test_retraining_is_kept_with_where_it_began_and_not_done_twice(small, tmp_path, monkeypatch):
    few = partial(retraining.retrain, steps=20, batch_size=16)  # steps of an epoch, not 600
    monkeypatch.setattr(retraining, "retrain", few)
    [folder] = train(small, base_path=tmp_path, progress=False)
    with pytest.raises(InputError, match="at N = 16: choose one of 5, 6"):
        retraining.add_retraining(folder, 16, [6], 1, progress=False)
    assert retraining.add_retraining(folder, 5, [5], 1, progress=False)  # as if cut off after the first
    assert retraining.add_retraining(folder, 5, [5, 6], 1, progress=False)
    assert not retraining.add_retraining(folder, 5, [5, 6], 1, progress=False)
    found = pd.read_parquet(folder / "retraining.parquet")
    model = zoo.load_checkpoint(folder / "rnn_N2_N5.safetensors")
    expected = retraining.retrain(model, "parity", [5, 6], 1, progress=False)
    pd.testing.assert_frame_equal(found.drop(columns="start"), expected)
    assert set(found["start"]) == {5}
    remove(folder / "rnn_N2_N5.safetensors")
    assert not retraining.add_retraining(folder, 5, [5, 6], 1, progress=False)  # needs it no more
    with pytest.raises(InputError, match="at N = 5: choose one of 6"):
        retraining.add_retraining(folder, 5, [5, 7], 1, progress=False)
    before = (folder / "retraining.parquet").read_bytes()
    for ns, start, epochs, message in (
        ([5], 5, 2, "holds what was measured from N = 5, 1 epochs each; to measure from N = 5 for 2, move"),
        ([5], 6, 1, "to measure from N = 6 for 1, move it away first"),
        ([5, 5], 5, 1, r"N = \[5, 5\]: give each once"),
        ([5, 1], 5, 1, "N = 1: choose 2"),
        ([5], 5, 0, "epochs = 0: choose 1"),
    ):
        with pytest.raises(InputError, match=message):
            retraining.add_retraining(folder, start, ns, epochs, progress=False)
    assert (folder / "retraining.parquet").read_bytes() == before


def test_costly_measures_are_those_of_the_analyses():
    model, protocol = linear_network(5), Protocol(steps=300, trials=2)
    found = measure.costly(model, protocol)
    expected = timescales(model, protocol)["tau_net"][:5]
    assert found[found["measure"] == "tau_net"]["value"].tolist() == pytest.approx(list(expected))


def test_only_networks_of_tsrnn_are_analysed(tmp_path):
    for look in (probes.add_missing, verify):
        with pytest.raises(InputError, match="is not a network of tsrnn"):
            look(tmp_path)
    assert not list(tmp_path.iterdir())
