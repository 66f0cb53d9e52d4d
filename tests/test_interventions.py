"""Ablation and perturbation against slow loops, smaller networks and closed forms."""

import numpy as np
import pandas as pd
import pytest
import torch
from ground_truth import delay_line, network
from naive import LABEL_OF, NaiveRNN
from torch import nn

from tsrnn import InputError, tasks
from tsrnn.analysis.interventions import (
    Stream,
    ablate,
    ablation,
    epsilon_half,
    fastest_and_slowest,
    perturb_tau,
    perturb_weights,
    perturbation,
    stream_accuracy,
)
from tsrnn.model import Architecture, LeakyRNN, initial_state

SHORT = Stream(steps=30, warm_up=5, repetitions=3)


def random_model(H: int = 8, K: int = 1) -> LeakyRNN:
    generators = [torch.Generator().manual_seed(k) for k in range(K)]
    model = LeakyRNN.initialise(Architecture(neurons=H), generators).requires_grad_(False)
    model.heads = {2: 0, 3: 1, 4: 2}
    return model


def copier() -> LeakyRNN:
    """Unit 0 shows the bit, unit 1 nothing: 1-parity is right as long as unit 0 is there."""
    model = delay_line(6)
    model.W.zero_()
    model.head_weight[0, 3, 1, 0] = 1
    model.head_bias[0, 3, 0] = 0.5
    model.heads = {1: 3}
    return model


@pytest.mark.parametrize("task", ["parity", "dms"])
def test_the_stream_is_read_at_every_step(task):
    model = random_model(K=2)
    found = stream_accuracy(model, task, 4, SHORT)
    generator = torch.Generator().manual_seed(SHORT.seed)
    bits = tasks.draw_fair(35, 3, generator)
    initial = initial_state(3, 8, generator)
    for k in range(2):
        naive = NaiveRNN(model, k)
        right = torch.zeros(3)
        for t in range(5, 35):
            answers = naive.logits(naive(bits[: t + 1], initial))[2].argmax(-1)
            wanted = [LABEL_OF[task](bits[: t + 1, b].int().tolist(), 4) for b in range(3)]
            right += answers == torch.tensor(wanted)
        assert found[k].tolist() == pytest.approx((right / 30).tolist())


def test_an_ablated_unit_is_as_good_as_gone():
    """The others behave as in a network that never had it."""
    model, others = random_model(), [0, 1, 3, 4, 6, 7]
    ablate([2, 5])(model, 0)
    small = LeakyRNN(
        Architecture(neurons=6),
        {
            name: p[..., others, :][..., others] if name == "W" else p[..., others] if p.shape[-1] == 8 else p
            for name, p in model.named_parameters()
        },
    )
    s, initial = torch.randint(0, 2, (1, 20, 4)).float(), torch.rand(1, 4, 8)
    whole, part = model(s, initial), small(s, initial[..., others])
    torch.testing.assert_close(whole[..., others], part)
    torch.testing.assert_close(model.logits(whole), small.logits(part))


def test_ablation_finds_the_unit_that_matters():
    table = ablation(copier(), "parity", 1, {"all": [0, 1, 2]}, stream=Stream(steps=500, repetitions=4))
    by_unit = table.groupby("unit")["relative_accuracy"].mean()
    assert table["baseline"].unique() == [1]
    assert by_unit[[1, 2]].tolist() == [1, 1] and abs(by_unit[0]) < 0.1
    together = ablation(copier(), "parity", 1, {"all": [0, 1, 2], "idle": [3, 4]}, together=True)
    assert set(together["unit"]) == {-1} and len(together) == 20
    assert together.groupby("group")["relative_accuracy"].mean()["idle"] == 1


def test_all_heads_lose_the_unit():
    model = random_model()
    ablate([3])(model, 0)
    assert (model.head_weight[0, :, :, 3] == 0).all() and (model.head_weight[0, :, :, 2] != 0).all()


def test_fastest_and_slowest_are_ranked_by_tau():
    model = network(8)
    model.tau[0] = torch.tensor([3, 0.9, 0.8, 2, 5, 4, 6, 1])
    assert fastest_and_slowest(model, 2) == {"fastest": [2, 1], "slowest": [4, 6]}
    with pytest.raises(InputError, match="count = 5: choose 1 to 4"):
        fastest_and_slowest(model, 5)


@pytest.mark.parametrize("epsilon", [0.01, 0.5, 10])
def test_perturbations_have_the_size_they_say(epsilon):
    model, D = random_model(), torch.randn(8, 8)
    W, tau = model.W[0].clone(), model.effective_tau[0].clone()
    perturb_weights(epsilon, D)(model, 0)
    perturb_tau(epsilon, D[0].abs())(model, 0)
    assert (model.W[0] - W).norm() / W.norm() == pytest.approx(epsilon, rel=1e-5)
    assert model.W[0].diagonal().abs().max() == 0
    assert (model.tau[0] - tau).norm() / tau.norm() == pytest.approx(epsilon, rel=1e-4)
    assert (model.tau[0] >= tau).all()


def test_what_units_give_themselves_is_perturbed_where_it_is_used():
    model, D = LeakyRNN.from_rnn(nn.RNN(1, 6)).requires_grad_(False), torch.randn(6, 6)
    W = model.W[0].clone()
    perturb_weights(0.5, D)(model, 0)
    torch.testing.assert_close(model.W[0], W + 0.5 * W.norm() / D.norm() * D)


@pytest.mark.parametrize("parameter", ["W", "tau"])
def test_no_perturbation_is_the_baseline_and_a_huge_one_is_chance(parameter):
    epsilons, model = [0, 1e5], copier()
    model.W.data[0, 1, 0] = 1  # or there were no size to perturb by
    table = perturbation(model, "parity", 1, parameter, epsilons, 3, Stream(steps=400, repetitions=4))
    by_epsilon = table.groupby("epsilon")["relative_accuracy"].mean()
    assert by_epsilon[0] == 1
    assert abs(by_epsilon[1e5]) < 0.15
    assert len(table) == 6 and table.attrs["parameter"] == parameter


def test_the_original_is_left_alone():
    model = random_model()
    before = {name: p.clone() for name, p in model.named_parameters()}
    perturbation(model, "parity", 3, "W", [1], 2, SHORT)
    ablation(model, "parity", 3, {"one": [1]}, stream=SHORT)
    assert all(torch.equal(p, before[name]) for name, p in model.named_parameters())


def test_bad_input_is_named():
    model = random_model()
    with pytest.raises(InputError, match="unit = 8: choose 0 to 7"):
        ablation(model, "parity", 3, {"x": [8]})
    with pytest.raises(InputError, match=r"epsilon = -0\.1"):
        perturbation(model, "parity", 3, "W", [0.5, -0.1])
    with pytest.raises(InputError, match="unknown parameter 'b': choose one of W, tau"):
        perturbation(model, "parity", 3, "b")
    with pytest.raises(InputError, match=r"no head for N = \[9\]"):
        ablation(model, "parity", 9, {"x": [1]})
    with pytest.raises(InputError, match="warm-up = 2: choose 3 or more"):
        ablation(model, "parity", 3, {"x": [1]}, stream=Stream(warm_up=2))
    with pytest.raises(InputError, match="2 networks: choose one"):
        ablation(random_model(K=2), "parity", 3, {"x": [1]}, stream=SHORT)
    one = random_model(H=1)
    with pytest.raises(InputError, match="one unit has no connections; choose tau"):
        perturbation(one, "parity", 3, "W", [1], 2, SHORT)
    with pytest.raises(InputError, match="one unit is neither fastest nor slowest: give groups"):
        ablation(one, "parity", 3, stream=SHORT)
    assert perturbation(one, "parity", 3, "tau", [1], 2, SHORT)["accuracy"].between(0, 1).all()
    model.tau[0, 0] = float("inf")
    with pytest.raises(InputError, match="tau holds 1 values that are not finite"):
        perturbation(model, "parity", 3, "tau")


def test_epsilon_half_is_where_the_curve_crosses():
    """Closed form: linear in log ε it falls from 1 at 0.01 to 0 at 1, so it is 0.5 at 0.1."""
    epsilons = np.geomspace(0.01, 1, 9)
    curve = pd.Series(1 - np.log10(epsilons / 0.01) / 2, epsilons)
    assert epsilon_half(curve) == pytest.approx(0.1)
    assert epsilon_half(curve[curve < 0.45]) == pytest.approx(epsilons[curve < 0.45][0])  # half at once
    assert np.isnan(epsilon_half(curve[curve > 0.55]))  # not yet
    undamaged = pd.concat([pd.Series([1.0], [0.0]), curve])
    assert epsilon_half(undamaged) == epsilon_half(curve)
    assert epsilon_half(pd.Series([1.0, 0.2], [0.0, 0.1])) == 0.1
