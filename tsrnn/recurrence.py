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

On a GPU all steps are one kernel (see `kernels`), except with a leak or in networks too large for it.

The products can be in another precision than the parameters (bfloat16: twice as fast on processors that
have it). They sum in float32 all the same, and a leak, which adds small steps to a large state, keeps r as it
is.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import torch
from torch import Tensor
from torch.autograd.function import FunctionCtx, once_differentiable

LEAKY_SLOPE = 0.01
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
IN_KERNELS = frozenset(ACTIVATIONS)  # `kernels` has these; one of a reader's own goes step by step


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
def processor_flags() -> frozenset[str]:
    """What Linux says this processor can do; nothing elsewhere."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text().splitlines() if path.exists() else []
    features = [line.split(":", 1)[1] for line in lines if line.startswith(("flags", "Features"))]
    return frozenset(" ".join(features[:1]).split())


def bfloat16_gains(device: str) -> bool:
    """Whether products in bfloat16 are faster than in float32 there, as far as can be told."""
    known = processor_flags()
    return device != "cpu" or not known or bool(known & {"avx512_bf16", "amx_bf16", "bf16"})


@cache
def onednn_is_exact() -> bool:
    """Whether oneDNN may multiply float32 matrices: it is built in, and does not round them to bfloat16.

    torch takes it only where it may round. It does so on processors with AMX, and on no others; there it is
    not used. Where torch's default (MKL) leaves AVX-512 unused, as on AMD, oneDNN is up to twice as fast.
    """
    if "amx_tile" in processor_flags() or not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        return False
    x = torch.full((256, 256), 1 + 2.0**-20)  # rounded to bfloat16: 1
    with _through_onednn():
        return torch.equal(x @ torch.eye(256), x)


@contextmanager
def _through_onednn() -> Iterator[None]:
    settings = torch.backends.mkldnn.matmul  # type: ignore[attr-defined]
    before, settings.fp32_precision = settings.fp32_precision, "bf16"
    try:
        yield
    finally:
        settings.fp32_precision = before


def fastest_products(of: Tensor) -> AbstractContextManager[None]:
    """Products of such matrices by the fastest way that does not round, while this is entered."""
    onednn = of.dtype == torch.float32 and of.device.type == "cpu" and onednn_is_exact()
    return _through_onednn() if onednn else nullcontext()


def multiply(a: Tensor, b: Tensor, out: Tensor) -> None:
    """out = a b for each of K networks.

    On the CPU one after the other, so that a network of an ensemble is computed as it is alone.
    """
    if a.is_cuda:
        torch.bmm(a, b, out=out)
    else:
        for k in range(len(a)):
            torch.mm(a[k], b[k], out=out[k])


def _joined(M: Tensor, bias: Tensor, weight: Tensor, dtype: torch.dtype) -> Tensor:
    """Aᵀ, (K, P, H), of A = [M, bias, weight]; what else there is in P rows is 0."""
    K, H, _ = M.shape
    columns = -(-(H + 2) // ALIGNMENT) * ALIGNMENT
    joined = torch.zeros(K, columns, H, dtype=dtype, device=M.device)
    joined[:, :H], joined[:, H : H + 1], joined[:, H + 1 : H + 2] = M.mT, bias, weight
    return joined


def _fill_inputs(x: Tensor, s: Tensor, H: int) -> None:
    """Put [1, s(t+1)] beside r(t) in x (K, T + 1, B, P), and 0 into the columns that pad it."""
    x[..., H:] = 0
    x[..., H] = 1
    x[:, : s.shape[1], :, H + 1] = s


def _run(
    x: Tensor,
    phi: Tensor,
    joined: Tensor,
    leak: Tensor | None,
    r: Tensor,
    activation: Activation,
) -> None:
    """All steps from x(0) on, in place; x (K, T + 1, B, P) with its inputs; phi (K, T, B, H), of x or apart.

    With a leak, r (K, B, H) is the state in full precision, and goes along.
    """
    H, xs, phis = phi.shape[-1], x.unbind(1), phi.unbind(1)
    with fastest_products(x):
        for t, out in enumerate(phis):
            multiply(xs[t], joined, out)
            activation.apply_(out)
            if leak is not None:
                r.lerp_(out.to(r.dtype), leak)
                xs[t + 1][..., :H] = r


def _run_back(
    x: Tensor,
    phi: Tensor,
    M: Tensor,
    leak: Tensor | None,
    G: Tensor,
    grad: Tensor,
    lengths: Sequence[int],
    activation: Activation,
) -> Tensor | None:
    """All G(t) into G (K, T, B, H), from grad (K, B, H), the gradient of each network's last state.

    Returns the gradient of the leak, if there is one.
    """
    K, T, B, H = phi.shape
    back = M.new_zeros(K, B, H)  # G(t) M, and at a network's last step what comes from its readout
    g = torch.zeros_like(grad)
    grad_leak = torch.zeros_like(grad[:, :1])
    xs, phis, Gs = x.unbind(1), phi.unbind(1), G.unbind(1)
    ends: dict[int, list[int]] = {}
    for k, end in enumerate(lengths):
        ends.setdefault(end, []).append(k)
    with fastest_products(x):
        for t in range(T - 1, -1, -1):
            for k in ends.get(t + 1, ()):
                g[k] = back[k] = grad[k]
            if leak is not None:
                grad_leak += (g * (phis[t] - xs[t][..., :H])).sum(1, keepdim=True)
                back.copy_(g * leak)
                g -= g * leak
            activation.backward(back, phis[t], Gs[t])
            if t > 0:
                multiply(Gs[t], M, back)
            if leak is not None:
                g += back
    for k, end in enumerate(lengths):
        x[k, end:] = 0  # it ran on after its end, maybe to infinity; G is 0 there
    return None if leak is None else grad_leak


def _is_one_kernel(M: Tensor, leak: Tensor | None, activation: str) -> bool:
    """Whether a GPU takes all steps in one kernel."""
    if not M.is_cuda or leak is not None or activation not in IN_KERNELS:
        return False
    from tsrnn import kernels

    return kernels.width(M.shape[-1]) <= kernels.LARGEST_WIDTH


def _run_in_one_kernel(
    joined: Tensor, s: Tensor, initial: Tensor, lengths: Sequence[int], activation: str
) -> tuple[Tensor, Tensor]:
    """x (K, T + 1, B, P) with all states, 0 after each network's end; and the ends, on the GPU."""
    from tsrnn import kernels

    (K, T, B), H = s.shape, joined.shape[-1]
    x = _buffers.take((K, T + 1, B, kernels.width(H)), joined)
    _fill_inputs(x, s, H)
    x[:, 0, :, :H] = initial
    # from pinned memory: the copy does not wait for the GPU
    ends = torch.tensor(lengths, dtype=torch.int32).pin_memory().to(x.device, non_blocking=True)
    kernels.forward(x, joined, ends, activation, LEAKY_SLOPE)
    return x, ends


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
        lengths: Sequence[int],
        activation: str,
        dtype: torch.dtype,
    ) -> Tensor:
        (K, T, B), H = s.shape, M.shape[-1]
        joined, ends = _joined(M, bias, weight, dtype), None
        if _is_one_kernel(M, leak, activation):
            x, ends = _run_in_one_kernel(joined, s, initial, lengths, activation)
            phi = x[:, 1:, :, :H]
        else:
            x = _buffers.take((K, T + 1, B, joined.shape[1]), joined)
            _fill_inputs(x, s, H)
            x[:, 0, :, :H] = initial
            # φ is kept apart from r only where a leak mixes it with the past
            phi = x[:, 1:, :, :H] if leak is None else _buffers.take((K, T, B, H), joined)
            _run(x, phi, joined, leak, initial.clone(), ACTIVATIONS[activation])
        ctx.save_for_backward(joined, leak, ends)  # type: ignore[arg-type]
        ctx.x, ctx.phi, ctx.lengths, ctx.activation = x, phi, lengths, activation  # type: ignore[attr-defined]
        return _last(x, lengths, H).to(M.dtype)

    @staticmethod
    @once_differentiable
    def backward(ctx, grad):  # type: ignore[no-untyped-def]
        if ctx.x is None:
            raise RuntimeError("the recurrence keeps no states after backward: run it forward again")
        joined, leak, ends = ctx.saved_tensors
        x, phi, grad_leak = ctx.x, ctx.phi, None
        K, T, B, H = phi.shape
        if ends is not None:
            from tsrnn import kernels

            G = _buffers.take((K, T, B, x.shape[-1]), joined)
            kernels.backward(x, joined, grad, G, ends, ctx.activation, LEAKY_SLOPE)
        else:
            M = joined[:, :H].mT.contiguous()
            G = _buffers.take((K, T, B, H), M)
            grad_leak = _run_back(x, phi, M, leak, G, grad, ctx.lengths, ACTIVATIONS[ctx.activation])
        grad_joined = joined.new_empty(K, x.shape[-1], G.shape[-1])
        with fastest_products(x):
            multiply(x[:, :T].flatten(1, 2).mT, G.flatten(1, 2), grad_joined)
        _buffers.give_back(*([x, G] if leak is None else [x, G, phi]))
        ctx.x = ctx.phi = None
        grad_joined = grad_joined[..., :H].to(grad.dtype)
        drive = grad_joined[:, H : H + 1], grad_joined[:, H + 1 : H + 2]
        return grad_joined[:, :H].mT, *drive, grad_leak, None, None, None, None, None


def _last(x: Tensor, lengths: Sequence[int], H: int) -> Tensor:
    """r at the end of each network's sequences, (K, B, H), from x (K, T + 1, B, P)."""
    return torch.stack([x[k, end, :, :H] for k, end in enumerate(lengths)])


def scan(
    M: Tensor,
    bias: Tensor,
    weight: Tensor,
    leak: Tensor | None,
    s: Tensor,
    initial: Tensor,
    activation: str,
    lengths: Sequence[int] = (),
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
        lengths: the steps (K) of each network's own sequence; what s has after them does not count.
            Default: T.
        products: the precision that matrices are multiplied in where there is a gradient; default: that of M.

    Returns:
        r at the end of each sequence, (K, B, H). Without gradient only a block of states is ever in memory.
    """
    lengths = lengths or [s.shape[1]] * len(s)
    if torch.is_grad_enabled() and any(x is not None and x.requires_grad for x in (M, bias, weight, leak)):
        last: Tensor = _Scan.apply(  # type: ignore[no-untyped-call]
            M, bias, weight, leak, s, initial, lengths, activation, products or M.dtype
        )
        return last
    if _is_one_kernel(M, leak, activation):
        x, _ = _run_in_one_kernel(_joined(M, bias, weight, M.dtype), s, initial, lengths, activation)
        last = _last(x, lengths, M.shape[-1])
        _buffers.give_back(x)
        return last
    last, first = initial.clone(), 0
    for block in blocks(M, bias, weight, leak, s, initial, activation):
        for k, end in enumerate(lengths):
            if first < end <= first + len(block):
                last[k] = block[end - first - 1, k]
        first += len(block)
    return last


@torch.no_grad()
def blocks(
    M: Tensor,
    bias: Tensor,
    weight: Tensor,
    leak: Tensor | None,
    s: Tensor,
    initial: Tensor,
    activation: str,
    length: int = 8,
) -> Iterator[Tensor]:
    """All states r(1), ..., r(T), in blocks of `length`: (≤ length, K, B, H), each valid until the next.

    Arguments as `scan`, in the precision of M.
    """
    (K, T, B), H = s.shape, M.shape[-1]
    joined, r = _joined(M, bias, weight, M.dtype), initial.clone()
    x = joined.new_empty(K, min(length, T) + 1, B, joined.shape[1])
    phi = x[:, 1:, :, :H] if leak is None else joined.new_empty(K, x.shape[1] - 1, B, H)
    for first in range(0, T, length):
        now = s[:, first : first + length]
        n = now.shape[1]
        _fill_inputs(x, now, H)
        x[:, 0, :, :H] = r
        _run(x, phi[:, :n], joined, leak, r, ACTIVATIONS[activation])
        r.copy_(x[:, n, :, :H])
        yield x[:, 1 : n + 1, :, :H].transpose(0, 1)
