"""The engine against an independent loop of the equation, in float64, in value and gradient."""

import pytest
import torch
from naive import NaiveRNN

from tsrnn import InputError
from tsrnn.model import Architecture, LeakyRNN
from tsrnn.recurrence import ACTIVATIONS, fastest_products, onednn_is_exact


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
@pytest.mark.parametrize("lengths", [[], [11, 5, 9]], ids=["K=1", "K=3"])
def test_engine_agrees_with_the_loop(variant, activation, lengths):
    K, T, B = max(1, len(lengths)), 11, 5
    model = random_model(K, variant, activation)
    g = torch.Generator().manual_seed(9)
    s = torch.randint(0, 2, (K, T, B), generator=g).double()
    initial = torch.rand(K, B, 7, generator=g).double()
    weights = torch.randn(K, 100, B, 2, generator=g).double()

    logits = model.logits(model(s, initial, lengths))
    (logits * weights).sum().backward()
    with torch.no_grad():
        without_gradient = model.logits(model(s, initial, lengths))

    for k in range(K):
        naive = NaiveRNN(model, k)
        expected = torch.stack(naive.logits(naive(s[k, : lengths[k] if lengths else T], initial[k])))
        (expected * weights[k]).sum().backward()
        torch.testing.assert_close(logits[k], expected, rtol=1e-9, atol=1e-12)
        torch.testing.assert_close(without_gradient[k], expected, rtol=1e-9, atol=1e-12)
        for name, gradient in naive.gradients().items():
            mine = dict(model.named_parameters())[name].grad[k]
            torch.testing.assert_close(
                mine, gradient, rtol=1e-9, atol=1e-12, msg=lambda m, n=name: f"{n}: {m}"
            )


ROUNDING = 2.0**-9  # of a number to bfloat16, which has 8 bits


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("variant", ["default", "mod"])
def test_bfloat16_products_err_no_more_than_their_rounding(variant, activation):
    """Against the loop in float64, with the bound that follows from the equation.

    A product of rounded factors is off by |A| (2u |x| + e), e the error of x so far; it is rounded, as is φ
    of it, and all φ have a slope of at most 1. A leak a keeps (1 − a) e and adds a times that; r is rounded.
    """
    K, T, B, H = 3, 9, 5, 7
    model = random_model(K, variant, activation)
    lengths, u = [9, 4, 7], 1.01 * ROUNDING  # the terms in u² that the bound leaves out
    g = torch.Generator().manual_seed(9)
    s = torch.randint(0, 2, (K, T, B), generator=g).double()
    initial = torch.rand(K, B, H, generator=g).double()
    found = model.float()(s.float(), initial.float(), lengths, torch.bfloat16).double()
    M, bias, weight, leak = (None if x is None else x.detach().double() for x in model.double().dynamics())
    for k in range(K):
        naive = NaiveRNN(model, k)
        A = torch.cat([M[k], bias[k].mT, weight[k].mT], 1).abs()
        r, e = initial[k], u * initial[k]
        for t in range(lengths[k]):
            inputs = torch.stack([torch.ones(B), s[k, t]], -1).double()
            x = torch.cat([r.abs(), inputs], -1)
            with torch.no_grad():
                after = naive(s[k, t : t + 1], r)
            error = (u * x + torch.cat([e, 0 * inputs], -1) + u * x) @ A.T
            error = error + 2 * u * (x @ A.T + 1)  # rounded before φ and after; φ(0) is at most 1
            e = error if leak is None else (1 - leak[k]) * e + leak[k] * error + u * (after.abs() + error)
            r = after
        assert ((found[k] - r).abs() <= e).all()
        assert (found[k] - r).abs().max() > 0  # it does round


@pytest.mark.parametrize("activation", ["leakyrelu", "relu"])
def test_bfloat16_gradients_are_exact_where_nothing_needs_rounding(activation):
    """Small whole numbers: all sums fit into 8 bits, and only the leaky slope and the result are rounded."""
    K, T, B, H = 3, 3, 4, 6
    model = LeakyRNN.initialise(
        Architecture(H, "default", activation), [torch.Generator().manual_seed(k) for k in range(K)]
    )
    g = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for p in model.parameters():
            p.copy_(torch.randint(0, 2, p.shape, generator=g))
        model.W.mul_((torch.rand(model.W.shape, generator=g) < 0.3).float())
        model.tau.copy_(1 + torch.randint(0, 2, model.tau.shape, generator=g))
    s = torch.randint(0, 2, (K, T, B), generator=g).float()
    initial = torch.randint(0, 2, (K, B, H), generator=g).float()
    towards = torch.randint(0, 2, (K, B, H), generator=g).float()
    gradients = {}
    for name, dtype in (("bfloat16", torch.bfloat16), ("float64", None)):
        chosen = model if dtype else model.double()
        chosen.zero_grad()
        to = torch.float32 if dtype else torch.float64
        r = chosen(s.to(to), initial.to(to), [3, 1, 2], dtype)
        (r * towards.to(to)).sum().backward()
        gradients[name] = {
            n: p.grad.double().clone() for n, p in chosen.named_parameters() if p.grad is not None
        }
    for name, exact in gradients["float64"].items():
        # M is put together in float32, of gradients that were rounded once
        torch.testing.assert_close(
            gradients["bfloat16"][name],
            exact,
            rtol=2 * ROUNDING,
            atol=2 * ROUNDING * exact.abs().max().item(),
        )


def test_a_network_of_an_ensemble_is_computed_as_alone():
    """To the bit, on the CPU, whatever the others do after its end."""
    model = random_model(3, "default", "leakyrelu").float()
    with torch.no_grad():
        model.W[0] *= 1e4  # overflows
    s = torch.randint(0, 2, (3, 60, 5), generator=torch.Generator().manual_seed(2)).float()
    initial, lengths = torch.rand(3, 5, 7), [2, 60, 31]
    together = model(s, initial, lengths)
    together.sum().backward()
    assert together.isfinite().all() and all(
        p.grad is None or p.grad.isfinite().all() for p in model.parameters()
    )
    for k in range(3):
        alone = model.select([k])
        last = alone(s[k : k + 1, : lengths[k]], initial[k : k + 1])
        last.sum().backward()
        assert torch.equal(last[0], together[k])
        assert torch.equal(alone.W.grad[0], model.W.grad[k]) or k == 0


@pytest.mark.skipif(not onednn_is_exact(), reason="this processor rounds, or torch has no oneDNN")
def test_float32_products_through_onednn_do_not_round_and_leave_the_setting_alone():
    before = torch.backends.mkldnn.matmul.fp32_precision
    g = torch.Generator().manual_seed(0)
    for rows in (10, 256, 5000):
        a, b = torch.randn(rows, 504, generator=g), torch.randn(504, 500, generator=g)
        with fastest_products(a):
            assert torch.backends.mkldnn.matmul.fp32_precision == "bf16"
            found = torch.mm(a, b)
        exact = a.double() @ b.double()
        assert (found - exact).abs().max() < 2e-6 * exact.abs().max()
    assert torch.backends.mkldnn.matmul.fp32_precision == before


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
        ({"neurons": 10**9}, "choose 1 to 10000"),
        ({"model": "elman"}, "'elman': choose one of default, mod"),
        ({"activation": "gelu"}, "'gelu': choose one of leakyrelu, relu, tanh, sigmoid"),
        ({"tau": 0.5}, "tau = 0.5"),
        ({"tau": float("nan")}, "tau = nan"),
        ({"tau": float("inf")}, "tau = inf"),
    ],
)
def test_impossible_architectures_are_refused(values, message):
    with pytest.raises(InputError, match=message):
        Architecture(**values)
