"""The recurrence over time, forward and backward: the hot path.

For K networks at once, each with H units, a batch of B sequences and T steps::

    default  r(t) = φ[M r(t−1) + u(t)]                         (leak is None)
    mod      r(t) = (1 − a) ∘ r(t−1) + a ∘ φ[M r(t−1) + u(t)]  (leak is a)
    drive    u(t) = bias + weight s(t)

The state carries two more columns, x(t) = [r(t), 1, s(t+1)], and A = [M, bias, weight]: recurrence and drive
are one product a step, x(t−1) Aᵀ. Autograd through T small operations costs more than the operations, so the
gradient is written out::

    g(t)  = ∂L/∂r(t), from the readout at t = T, then backwards
    G(t)  = φ′ ∘ g(t)                    (mod: φ′ ∘ a ∘ g(t))
    g(t−1) = G(t) M                      (mod: + (1 − a) ∘ g(t))
    ∂L/∂A = Σ_t G(t)ᵀ x(t−1)             one product over all T·B rows, after the loop
    ∂L/∂a = Σ_t g(t) ∘ (φ(t) − r(t−1))

All activation functions used have a φ′ that follows from φ itself, so only outputs are kept.
Buffers are (K, T + 1, B, P), networks first, so that the big products work on views. P is H + 2, padded with
columns that nothing reads.

The products can be in another precision than the parameters (bfloat16: twice as fast on processors that
have it). They sum in float32 all the same, and a leak, which adds small steps to a large state, keeps r as it
is.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import torch
from torch import Tensor
from torch.autograd.function import FunctionCtx, once_differentiable

LEAKY_SLOPE = 0.01
# The last two columns of a state: 1, and the next input
INPUTS = 2
# Rows that begin at multiples of so many numbers are faster to multiply.
ALIGNMENT = 8


@dataclass(frozen=True)
class Activation:
    """φ in place, and (g, φ, out): out = g ∘ φ′, with φ′ computed from φ."""

    apply_: Callable[[Tensor], Tensor]
    backward: Callable[[Tensor, Tensor, Tensor], Tensor]


_aten = torch.ops.aten
ACTIVATIONS = {
    "leakyrelu": Activation(
        lambda x: torch.nn.functional.leaky_relu_(x, LEAKY_SLOPE),
        lambda g, y, out: _aten.leaky_relu_backward(g, y, LEAKY_SLOPE, True, grad_input=out),
    ),
    "relu": Activation(torch.relu_, lambda g, y, out: _aten.threshold_backward(g, y, 0, grad_input=out)),
    "tanh": Activation(torch.tanh_, lambda g, y, out: _aten.tanh_backward(g, y, grad_input=out)),
    "sigmoid": Activation(torch.sigmoid_, lambda g, y, out: _aten.sigmoid_backward(g, y, grad_input=out)),
}


class _Buffers:
    """Freed buffers, for the next batch: fresh memory costs a page fault per 4 KiB, 5 % of a step each."""

    def __init__(self) -> None:
        self.free: list[Tensor] = []

    def take(self, shape: Sequence[int], like: Tensor) -> Tensor:
        size = math.prod(shape)
        for i, flat in enumerate(self.free):
            if (flat.dtype, flat.device) == (like.dtype, like.device) and flat.numel() >= size:
                return self.free.pop(i)[:size].view(*shape)
        self.free.clear()  # too small: let them go before a larger one is made
        return like.new_empty(size).view(*shape)

    def give_back(self, *buffers: Tensor) -> None:
        for buffer in buffers:
            storage = buffer.untyped_storage()
            self.free.append(
                buffer.new_empty(0).set_(storage, 0, (storage.nbytes() // buffer.itemsize,), (1,))
            )


_buffers = _Buffers()


@cache
def onednn_is_exact() -> bool:
    """Whether oneDNN may multiply float32 matrices: it is built in, and does not round them to bfloat16.

    torch takes it only where it may round. It does so on processors with AMX, and on no others; there it is
    not used. Where torch's default (MKL) leaves AVX-512 unused, as on AMD, oneDNN is up to twice as fast.
    """
    amx = Path("/proc/cpuinfo").exists() and "amx_tile" in Path("/proc/cpuinfo").read_text()
    if amx or not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        return False
    x = torch.full((256, 256), 1 + 2.0**-20)  # rounded to bfloat16: 1
    out = torch.empty_like(x)
    _multiply_with_onednn(x, torch.eye(256), out)
    return torch.equal(out, x)


def _multiply_with_onednn(a: Tensor, b: Tensor, out: Tensor) -> None:
    settings = torch.backends.mkldnn.matmul  # type: ignore[attr-defined]
    before, settings.fp32_precision = settings.fp32_precision, "bf16"
    try:
        torch.mm(a, b, out=out)
    finally:
        settings.fp32_precision = before


def multiply(a: Tensor, b: Tensor, out: Tensor) -> None:
    """out = a b for each of K networks, in full precision of their type.

    On the CPU one after the other, so that a network of an ensemble is computed as it is alone.
    """
    if a.is_cuda:
        torch.bmm(a, b, out=out)
        return
    mm = _multiply_with_onednn if a.dtype == torch.float32 and onednn_is_exact() else torch.mm
    for k in range(len(a)):
        mm(a[k], b[k], out=out[k])


def _together(M: Tensor, bias: Tensor, weight: Tensor, dtype: torch.dtype) -> Tensor:
    """A = [M, bias, weight], (K, P, P): the rows and columns that are not theirs are 0."""
    K, H, _ = M.shape
    P = -(-(H + INPUTS) // ALIGNMENT) * ALIGNMENT
    A = torch.zeros(K, P, P, dtype=dtype, device=M.device)
    A[:, :H, :H], A[:, :H, H], A[:, :H, H + 1] = M, bias[:, 0], weight[:, 0]
    return A


def _inputs(s: Tensor, dtype: torch.dtype) -> Tensor:
    """[1, s(t+1)] beside r(t), for t = 0 ... T; after the last step there is none, and 0 stands for it."""
    K, T, B = s.shape
    inputs = torch.zeros(K, T + 1, B, INPUTS, dtype=dtype, device=s.device)
    inputs[..., 0], inputs[:, :T, :, 1] = 1, s
    return inputs


class _Scan(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: FunctionCtx,
        M: Tensor,
        bias: Tensor,
        weight: Tensor,
        leak: Tensor | None,
        s: Tensor,
        initial: Tensor,
        starts: Sequence[int],
        activation: Activation,
        dtype: torch.dtype,
    ) -> Tensor:
        (K, T, B), H = s.shape, M.shape[-1]
        A, inputs = _together(M, bias, weight, dtype), _inputs(s, dtype)
        forward = A.mT.contiguous()  # faster than a view
        x = _buffers.take((K, T + 1, B, A.shape[-1]), A)
        # φ is kept apart from r only where a leak mixes it with the past
        phi = x[:, 1:] if leak is None else _buffers.take((K, T, B, A.shape[-1]), A)
        x[:, 0] = 0
        x[:, 0, :, :H] = initial
        x[:, 0, :, H : H + INPUTS] = inputs[:, 0]
        r = initial.clone()  # with a leak, in full precision
        for t in range(T):
            multiply(x[:, t], forward, phi[:, t])
            activation.apply_(phi[:, t])
            if leak is not None:
                r.lerp_(phi[:, t, :, :H].to(r.dtype), leak)
                x[:, t + 1, :, :H] = r
            for k, start in enumerate(starts):
                if t < start:
                    x[k, t + 1, :, :H] = r[k] = initial[k]
            x[:, t + 1, :, H : H + INPUTS] = inputs[:, t + 1]
        ctx.save_for_backward(A, leak)  # type: ignore[arg-type]
        ctx.x, ctx.phi, ctx.starts, ctx.activation, ctx.H = x, phi, starts, activation, H  # type: ignore[attr-defined]
        return x[:, T, :, :H].to(M.dtype, copy=True) if leak is None else r

    @staticmethod
    @once_differentiable
    def backward(ctx, grad):  # type: ignore[no-untyped-def]
        if ctx.x is None:
            raise RuntimeError("the recurrence keeps no states after backward: run it forward again")
        A, leak = ctx.saved_tensors
        x, phi, H = ctx.x, ctx.phi, ctx.H
        K, T, B, P = phi.shape
        G = _buffers.take((K, T, B, P), A)
        back = A.new_zeros(K, B, P)  # G(t) M
        back[..., :H] = grad
        g, grad_leak = grad.clone(), None if leak is None else torch.zeros_like(leak)
        for t in range(T - 1, -1, -1):
            for k, start in enumerate(ctx.starts):
                if t < start:
                    g[k] = back[k] = 0
            if leak is not None:
                grad_leak += (g * (phi[:, t, :, :H] - x[:, t, :, :H])).sum(1, keepdim=True)
                scaled = g * leak
                g -= scaled
                back[..., :H] = scaled
            ctx.activation.backward(back, phi[:, t], G[:, t])
            if t > 0:
                multiply(G[:, t], A, back)
            if leak is not None:
                g += back[..., :H]
        grad_A = A.new_empty(K, P, P)
        multiply(G.view(K, T * B, P).mT, x[:, :T].reshape(K, T * B, P), grad_A)
        _buffers.give_back(*([x, G] if leak is None else [x, G, phi]))
        ctx.x = ctx.phi = None
        grad_A = grad_A[:, :H].to(grad.dtype)
        drive = grad_A[:, None, :, H], grad_A[:, None, :, H + 1]
        return grad_A[..., :H], *drive, grad_leak, None, None, None, None, None


def scan(
    M: Tensor,
    bias: Tensor,
    weight: Tensor,
    leak: Tensor | None,
    s: Tensor,
    initial: Tensor,
    activation: str,
    starts: Sequence[int] = (),
    products: torch.dtype | None = None,
) -> Tensor:
    """The state after the last step, differentiable in M, bias, weight and leak.

    Args:
        M: (K, H, H), M[k, i, j] from unit j to unit i.
        bias, weight: (K, 1, H), the constant and the input part of the drive.
        leak: None, or a = 1/τ (K, 1, H) for the mod equation.
        s: (K, T, B), the input.
        initial: (K, B, H), r(0); no gradient flows to it.
        activation: a key of `ACTIVATIONS`.
        starts: the step (K) at which each network's own sequence begins; until then it stays at `initial`.
        products: the precision that matrices are multiplied in where there is a gradient; default: that of M.

    Returns:
        r(T), (K, B, H). Without gradient only two states are ever in memory.
    """
    if torch.is_grad_enabled() and any(x is not None and x.requires_grad for x in (M, bias, weight, leak)):
        last: Tensor = _Scan.apply(  # type: ignore[no-untyped-call]
            M, bias, weight, leak, s, initial, starts, ACTIVATIONS[activation], products or M.dtype
        )
        return last
    r = initial
    for t, r in enumerate(states(M, bias, weight, leak, s, initial, activation)):
        for k, start in enumerate(starts):
            if t < start:
                r[k] = initial[k]
    return r.clone()


@torch.no_grad()
def states(
    M: Tensor, bias: Tensor, weight: Tensor, leak: Tensor | None, s: Tensor, initial: Tensor, activation: str
) -> Iterator[Tensor]:
    """Yields r(1), ..., r(T), each (K, B, H), valid until the next one. Arguments as `scan`."""
    (K, T, B), H = s.shape, M.shape[-1]
    A, inputs, apply_ = (
        _together(M, bias, weight, M.dtype),
        _inputs(s, M.dtype),
        ACTIVATIONS[activation].apply_,
    )
    forward = A.mT.contiguous()
    x, phi = A.new_zeros(2, K, B, A.shape[-1])
    x[..., :H], x[..., H : H + INPUTS] = initial, inputs[:, 0]
    for t in range(T):
        multiply(x, forward, phi)
        apply_(phi)
        if leak is None:
            x, phi = phi, x
        else:
            x[..., :H].lerp_(phi[..., :H], leak)
        x[..., H : H + INPUTS] = inputs[:, t + 1]
        yield x[..., :H]
