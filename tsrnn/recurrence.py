"""The recurrence over time, forward and backward: the hot path.

For K networks at once, each with H units, a batch of B sequences and T steps::

    default  r(t) = φ[M r(t−1) + u(t)]                         (leak is None)
    mod      r(t) = (1 − a) ∘ r(t−1) + a ∘ φ[M r(t−1) + u(t)]  (leak is a)
    drive    u(t) = bias + weight s(t)

Autograd through T small operations costs more than the operations, so the gradient is written out::

    g(t)  = ∂L/∂r(t), from the readout at t = T, then backwards
    G(t)  = φ′ ∘ g(t)                    (mod: φ′ ∘ a ∘ g(t))
    g(t−1) = G(t) M                      (mod: + (1 − a) ∘ g(t))
    ∂L/∂M = Σ_t G(t)ᵀ r(t−1)             one product over all T·B rows, after the loop
    ∂L/∂(bias, weight) = Σ_t G(t)ᵀ [1, s(t)]
    ∂L/∂a = Σ_t g(t) ∘ (φ(t) − r(t−1))

All activation functions used have a φ′ that follows from φ itself, so only outputs are kept.
Buffers are (K, T + 1, B, H), networks first, so that the big products work on views.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.autograd.function import FunctionCtx, once_differentiable

LEAKY_SLOPE = 0.01
# Rows that begin at multiples of 16 numbers make the matrix products 8 % faster at H = 500.
ALIGNMENT = 16


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


def _padded(shape: Sequence[int]) -> torch.Size:
    return torch.Size([*shape[:-1], -(-shape[-1] // ALIGNMENT) * ALIGNMENT])


def _aligned(shape: Sequence[int], flat: Tensor) -> Tensor:
    """A view of `shape` on `flat` whose rows begin at multiples of ALIGNMENT."""
    padded = _padded(shape)
    return flat[: padded.numel()].view(padded)[..., : shape[-1]]


class _Buffers:
    """Freed buffers, for the next batch: fresh memory costs a page fault per 4 KiB, 5 % of a step each."""

    def __init__(self) -> None:
        self.free: list[Tensor] = []

    def take(self, shape: Sequence[int], like: Tensor) -> Tensor:
        size = _padded(shape).numel()
        for i, flat in enumerate(self.free):
            if (flat.dtype, flat.device) == (like.dtype, like.device) and flat.numel() >= size:
                return _aligned(shape, self.free.pop(i))
        self.free.clear()  # too small: let them go before a larger one is made
        return _aligned(shape, like.new_empty(size))

    def give_back(self, *buffers: Tensor) -> None:
        for buffer in buffers:
            storage = buffer.untyped_storage()
            self.free.append(
                buffer.new_empty(0).set_(storage, 0, (storage.nbytes() // buffer.itemsize,), (1,))
            )


_buffers = _Buffers()


def step_(
    out: Tensor, r: Tensor, s: Tensor, M: Tensor, bias: Tensor, weight: Tensor, activation: Activation
) -> None:
    """out = φ[M r + bias + weight s]; out, r (K, B, H), s (K, B), M (K, H, H), bias, weight (K, 1, H)."""
    torch.addcmul(bias, s[..., None], weight, out=out)
    activation.apply_(out.baddbmm_(r, M.mT))


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
    ) -> Tensor:
        K, T, B = s.shape
        M = _aligned(M.shape, M.new_empty(_padded(M.shape).numel())).copy_(M)
        r = _buffers.take((K, T + 1, B, M.shape[-1]), M)
        # φ is kept apart from r only where a leak mixes it with the past
        phi = r[:, 1:] if leak is None else _buffers.take((K, T, B, M.shape[-1]), M)
        r[:, 0] = initial
        for t in range(T):
            step_(phi[:, t], r[:, t], s[:, t], M, bias, weight, activation)
            if leak is not None:
                torch.lerp(r[:, t], phi[:, t], leak, out=r[:, t + 1])
            for k, start in enumerate(starts):
                if t < start:
                    r[k, t + 1] = initial[k]
        ctx.save_for_backward(M, bias, weight, leak, s)  # type: ignore[arg-type]
        ctx.r, ctx.phi, ctx.starts, ctx.activation = r, phi, starts, activation  # type: ignore[attr-defined]
        return r[:, T].clone()

    @staticmethod
    @once_differentiable
    def backward(ctx, grad):  # type: ignore[no-untyped-def]
        if ctx.r is None:
            raise RuntimeError("the recurrence keeps no states after backward: run it forward again")
        M, _, _, leak, s = ctx.saved_tensors
        r, phi, starts = ctx.r, ctx.phi, ctx.starts
        K, T, B = s.shape
        G = _buffers.take((K, T, B, M.shape[-1]), M)
        g, scaled = grad.clone(), torch.empty_like(grad)
        grad_leak = None if leak is None else torch.zeros_like(leak)
        for t in range(T - 1, -1, -1):
            for k, start in enumerate(starts):
                if t < start:
                    g[k] = 0
            if leak is None:
                ctx.activation.backward(g, phi[:, t], G[:, t])
                if t > 0:
                    torch.bmm(G[:, t], M, out=g)
            else:
                grad_leak += (g * (phi[:, t] - r[:, t])).sum(1, keepdim=True)
                torch.mul(g, leak, out=scaled)
                ctx.activation.backward(scaled, phi[:, t], G[:, t])
                g.sub_(scaled).baddbmm_(G[:, t], M)
        rows = G.view(K, T * B, -1).mT
        grad_M = torch.bmm(rows, r[:, :T].reshape(K, T * B, -1))
        inputs = torch.stack([torch.ones_like(s), s], -1).view(K, T * B, 2)
        grad_drive = torch.bmm(rows, inputs)
        _buffers.give_back(*([r, G] if leak is None else [r, G, phi]))
        ctx.r = ctx.phi = None
        return grad_M, grad_drive[:, None, :, 0], grad_drive[:, None, :, 1], grad_leak, None, None, None, None


def scan(
    M: Tensor,
    bias: Tensor,
    weight: Tensor,
    leak: Tensor | None,
    s: Tensor,
    initial: Tensor,
    activation: str,
    starts: Sequence[int] = (),
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

    Returns:
        r(T), (K, B, H). Without gradient only two states are ever in memory.
    """
    if torch.is_grad_enabled() and any(x is not None and x.requires_grad for x in (M, bias, weight, leak)):
        last: Tensor = _Scan.apply(  # type: ignore[no-untyped-call]
            M, bias, weight, leak, s, initial, starts, ACTIVATIONS[activation]
        )
        return last
    r = initial
    for t, r in enumerate(states(M, bias, weight, leak, s, initial, activation)):
        for k, start in enumerate(starts):
            if t < start:
                r[k] = initial[k]
    return r.clone()


@torch.no_grad()
def states(  # type: ignore[no-untyped-def]
    M: Tensor, bias: Tensor, weight: Tensor, leak: Tensor | None, s: Tensor, initial: Tensor, activation: str
):
    """Yields r(1), ..., r(T), each (K, B, H), valid until the second next one. Arguments as `scan`."""
    phi, r, spare = torch.empty_like(initial), initial.clone(), torch.empty_like(initial)
    for t in range(s.shape[1]):
        step_(phi, r, s[:, t], M, bias, weight, ACTIVATIONS[activation])
        if leak is None:
            r, phi = phi, r
        else:
            torch.lerp(r, phi, leak, out=spare)
            r, spare = spare, r
        yield r
