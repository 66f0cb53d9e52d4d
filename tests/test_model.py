"""The engine against an independent loop of the equation, in float64, in value and gradient."""

import pytest
import torch
from naive import NaiveRNN

from tsrnn import InputError
from tsrnn.model import Architecture, LeakyRNN
from tsrnn.recurrence import ACTIVATIONS


def random_model(K: int, variant: str, activation: str) -> LeakyRNN:
    generators = [torch.Generator().manual_seed(k) for k in range(K)]
    architecture = Architecture(neurons=7, model=variant, activation=activation)
    model = LeakyRNN.initialise(architecture, generators).double()
    with torch.no_grad():
        model.tau.mul_(1.7)
        model.tau[:, 0] = 0.9  # below 1: used as 1, and its gradient is 0
        model.W.mul_(3)
        model.W += torch.eye(7)  # a diagonal that must not count
    return model


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("variant", ["default", "mod"])
@pytest.mark.parametrize("starts", [[], [0, 6, 2]], ids=["K=1", "K=3"])
def test_engine_agrees_with_the_loop(variant, activation, starts):
    K, T, B = max(1, len(starts)), 11, 5
    model = random_model(K, variant, activation)
    g = torch.Generator().manual_seed(9)
    s = torch.randint(0, 2, (K, T, B), generator=g).double()
    initial = torch.rand(K, B, 7, generator=g).double()
    weights = torch.randn(K, 100, B, 2, generator=g).double()

    logits = model.logits(model(s, initial, starts))
    (logits * weights).sum().backward()
    with torch.no_grad():
        without_gradient = model.logits(model(s, initial, starts))

    for k in range(K):
        naive = NaiveRNN(model, k)
        expected = torch.stack(naive.logits(naive(s[k, starts[k] if starts else 0 :], initial[k])))
        (expected * weights[k]).sum().backward()
        torch.testing.assert_close(logits[k], expected, rtol=1e-9, atol=1e-12)
        torch.testing.assert_close(without_gradient[k], expected, rtol=1e-9, atol=1e-12)
        for name, gradient in naive.gradients().items():
            mine = dict(model.named_parameters())[name].grad[k]
            torch.testing.assert_close(
                mine, gradient, rtol=1e-9, atol=1e-12, msg=lambda m, n=name: f"{n}: {m}"
            )


def test_buffers_are_not_shared_between_two_forwards():
    model = random_model(1, "mod", "tanh")
    s, initial = torch.ones(2, 1, 6, 3).double(), torch.rand(2, 1, 3, 7).double()
    together = [model(s[i] * i, initial[i]) for i in range(2)]
    (together[0].sum() + together[1].sum()).backward()
    both = model.W.grad.clone()
    model.zero_grad()
    for i in range(2):
        model(s[i] * i, initial[i]).sum().backward()
    torch.testing.assert_close(both, model.W.grad, rtol=1e-12, atol=0)


def test_initial_values_have_the_published_ranges():
    model = LeakyRNN.initialise(Architecture(), [torch.Generator().manual_seed(0)])
    limits = {"w_in": 1, "b_in": 1, "b": 500**-0.5, "head_weight": 500**-0.5, "head_bias": 500**-0.5}
    for name, limit in limits.items():
        values = getattr(model, name)
        assert 0.95 * limit < values.abs().max() <= limit, name
        assert values.std().item() == pytest.approx(limit / 3**0.5, rel=0.1), name
    assert 1 <= model.tau.min() < 1.02 and 1.98 < model.tau.max() <= 2
    assert model.W.diagonal(dim1=1, dim2=2).abs().max() == 0
    assert model.W.std().item() == pytest.approx(500**-0.5 / 3**0.5, rel=0.01)


def test_a_network_of_an_ensemble_starts_as_it_would_alone():
    g = [torch.Generator().manual_seed(k) for k in (5, 6)]
    pair = LeakyRNN.initialise(Architecture(neurons=9), g)
    alone = LeakyRNN.initialise(Architecture(neurons=9), [torch.Generator().manual_seed(6)])
    for name, p in alone.named_parameters():
        assert torch.equal(p[0], dict(pair.named_parameters())[name][1])


def test_fixed_tau_is_not_trained():
    model = LeakyRNN.initialise(Architecture(neurons=5, tau=3), [torch.Generator().manual_seed(0)])
    model(torch.ones(1, 4, 2), torch.zeros(1, 2, 5)).sum().backward()
    assert model.tau.tolist() == [[3.0] * 5] and model.tau.grad is None
    assert model.W.grad.abs().sum() > 0


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"neurons": 0}, "neurons = 0: choose 1"),
        ({"neurons": -5}, "neurons = -5"),
        ({"neurons": 10**9}, "choose 1 to 20000"),
        ({"model": "lstm"}, "'lstm': choose one of default, mod"),
        ({"activation": "gelu"}, "'gelu': choose one of leakyrelu, relu, tanh, sigmoid"),
        ({"tau": 0.5}, "tau = 0.5"),
        ({"tau": float("nan")}, "tau = nan"),
        ({"tau": float("inf")}, "tau = inf"),
    ],
)
def test_impossible_architectures_are_refused(values, message):
    with pytest.raises(InputError, match=message):
        Architecture(**values)
