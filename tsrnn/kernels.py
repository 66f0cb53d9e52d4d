"""The recurrence on a GPU: all steps of a batch in one kernel, forward and backward.

What `recurrence` writes out, step by step, takes a few kernels a step there, and to launch them takes longer
than to run them. Here each block of threads takes some sequences of one network through all their steps, so
that nothing is launched in between and no block waits for another. Only the weights are read anew at every
step, from the cache that all blocks share.

Rows of the states and of the matrices are `width` numbers long; what a row has more than it needs is 0.

In bfloat16, and with 255 to 510 units, `recurrence.cu` does the same in half the time, on GPUs whose blocks
can share memory and where torch finds NVIDIA's compiler.
"""

import warnings
from functools import cache
from pathlib import Path
from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor
from torch.nn.functional import pad

LARGEST_WIDTH = 512  # the sums of a block of sequences are to stay in registers
WARPS = 8  # of 32 threads each, in a block
SHARING = (9, 10)  # GPUs (Hopper, Blackwell, by CUDA's count) whose blocks share enough memory
TOGETHER = 28  # fours of blocks that such a GPU takes at a time
SEQUENCES = (32, 48, 64)  # of four blocks: the fewer, the faster


def width(H: int) -> int:
    """The length of a row with room for H states and two inputs."""
    return max(1 << (H + 1).bit_length(), 32)


@triton.jit
def _activate(x, KIND: tl.constexpr, SLOPE: tl.constexpr):
    if KIND == "leakyrelu":
        x = tl.where(x > 0, x, SLOPE * x)
    if KIND == "relu":
        x = tl.where(x > 0, x, 0.0)
    if KIND == "tanh":
        x = 2 * tl.sigmoid(2 * x) - 1
    if KIND == "sigmoid":
        x = tl.sigmoid(x)
    return x


@triton.jit
def _derive(g, y, KIND: tl.constexpr, SLOPE: tl.constexpr):
    if KIND == "leakyrelu":
        g = tl.where(y > 0, g, SLOPE * g)
    if KIND == "relu":
        g = tl.where(y > 0, g, 0.0)
    if KIND == "tanh":
        g = g * (1 - y * y)
    if KIND == "sigmoid":
        g = g * y * (1 - y)
    return g


@triton.jit
def _multiply(rows, matrix, there, P: tl.constexpr, INNER: tl.constexpr, ROUNDING: tl.constexpr):
    """The product of a block of rows (pointers to their beginnings) with a matrix (P, P), in float32."""
    inner, columns = tl.arange(0, INNER), tl.arange(0, P)
    total = tl.zeros((rows.shape[0], P), tl.float32)
    for first in range(0, P, INNER):
        a = tl.load(rows + (first + inner)[None, :], mask=there, other=0.0)
        b = tl.load(matrix + (first + inner)[:, None] * P + columns[None, :])
        total = tl.dot(a, b, total, input_precision=ROUNDING)
    return total


@triton.jit
def _forward(
    x, joined, lengths, T, B, H: tl.constexpr, P: tl.constexpr, KIND: tl.constexpr, SLOPE: tl.constexpr,
    ROWS: tl.constexpr, INNER: tl.constexpr, ROUNDING: tl.constexpr,
):  # fmt: skip
    k = tl.program_id(1).to(tl.int64)
    sequence, columns = tl.program_id(0) * ROWS + tl.arange(0, ROWS), tl.arange(0, P)
    there = (sequence < B)[:, None]
    rows = x + k * (T + 1) * B * P + sequence[:, None] * P
    end = tl.load(lengths + k)
    for _ in range(0, end):
        r = _activate(_multiply(rows, joined + k * P * P, there, P, INNER, ROUNDING), KIND, SLOPE)
        rows += B * P
        tl.store(rows + columns[None, :], r.to(x.dtype.element_ty), mask=there & (columns < H)[None, :])
        tl.debug_barrier()
    for _ in range(end, T):  # nothing is left there that is no number
        rows += B * P
        tl.store(rows + columns[None, :], tl.zeros((ROWS, P), x.dtype.element_ty), mask=there)


@triton.jit
def _backward(
    x, M, grad, G, lengths, T, B, H: tl.constexpr, P: tl.constexpr, KIND: tl.constexpr, SLOPE: tl.constexpr,
    ROWS: tl.constexpr, INNER: tl.constexpr, ROUNDING: tl.constexpr,
):  # fmt: skip
    k = tl.program_id(1).to(tl.int64)
    sequence, columns = tl.program_id(0) * ROWS + tl.arange(0, ROWS), tl.arange(0, P)
    there = (sequence < B)[:, None]
    states = there & (columns < H)[None, :]
    end = tl.load(lengths + k)
    first = sequence[:, None] * P
    rows, above = G + ((k + 1) * T - 1) * B * P + first, x + (k * (T + 1) + end) * B * P + first
    for _ in range(end, T):
        tl.store(rows + columns[None, :], tl.zeros((ROWS, P), G.dtype.element_ty), mask=there)
        rows -= B * P
    back = tl.load(grad + (k * B + sequence[:, None]) * H + columns[None, :], mask=states, other=0.0)
    for _ in range(0, end):
        y = tl.load(above + columns[None, :], mask=states, other=0.0).to(tl.float32)
        g = _derive(back, y, KIND, SLOPE).to(G.dtype.element_ty)
        tl.store(rows + columns[None, :], g, mask=there)
        tl.debug_barrier()
        back = _multiply(rows, M + k * P * P, there, P, INNER, ROUNDING)
        rows -= B * P
        above -= B * P


def _launch(kernel, x: Tensor, *more: object, H: int, activation: str, slope: float) -> None:
    K, steps, B, P = x.shape
    half = x.dtype == torch.bfloat16
    processors = torch.cuda.get_device_properties(x.device).multi_processor_count
    few = K * triton.cdiv(B, 16) <= processors  # so few sequences that each processor takes as few as it can
    # sequences and rows of the matrix that a block of threads takes at a time, loads under way: as measured
    rows, inner, stages = {
        (True, True): (16, 64, 3),
        (True, False): (64, 32, 4),
        (False, True): (16, 32, 3),
        (False, False): (32, 16, 3),
    }[half, few]
    rounding = "ieee" if half else "tf32x3"  # in three parts: as exact as float32, but by the tensor cores
    kernel[(triton.cdiv(B, rows), K)](
        x, *more, steps - 1, B, H, P, activation, slope, rows, inner, rounding,
        num_warps=WARPS, num_stages=stages,
    )  # fmt: skip


def is_shared(x: Tensor) -> bool:
    """Whether `recurrence.cu` takes such states, all at a time: if some had to wait, it were no faster."""
    K, _, B, P = x.shape
    if x.dtype != torch.bfloat16 or P != 512 or K * triton.cdiv(B, SEQUENCES[-1]) > TOGETHER:
        return False
    known = torch.cuda.get_device_capability()[0] in SHARING
    return known and _shared("forward", "leakyrelu", 0.01, SEQUENCES[0]) is not None


@cache
def _shared(kernel: str, activation: str, slope: float, rows: int) -> Any:
    """A kernel of `recurrence.cu` for so many sequences at a time, or None where it cannot be compiled."""
    source = (Path(__file__).parent / "recurrence.cu").read_text()
    options = [f"-D{activation.upper()}", f"-DSLOPE={slope}f", f"-DROWS={rows}"]
    try:
        compiled = torch.cuda._compile_kernel(source, kernel, nvcc_options=options)
        compiled.set_shared_memory_config(_shared_bytes(rows))
    except (AttributeError, OSError, RuntimeError) as error:  # no compiler, or a torch without it
        warnings.warn(f"slower kernels are used: {str(error).splitlines()[0]}", stacklevel=2)
        return None
    return compiled


def _shared_bytes(rows: int) -> int:
    """Two states of so many sequences, as `recurrence.cu` has them."""
    return 2 * 2 * rows * (512 + 8)


def _launch_shared(kernel: str, x: Tensor, *more: object, H: int, activation: str, slope: float) -> None:
    K, steps, B, _ = x.shape
    rows = next(rows for rows in SEQUENCES if K * triton.cdiv(B, rows) <= TOGETHER)
    grid, threads = (4 * triton.cdiv(B, rows), K, 1), (256, 1, 1)
    compiled = _shared(kernel, activation, slope, rows)
    compiled(grid, threads, [x, *more, steps - 1, B, H], shared_mem=_shared_bytes(rows))


def forward(x: Tensor, joined: Tensor, lengths: Tensor, activation: str, slope: float) -> None:
    """All states r(t) into x (K, T + 1, B, P), from r(0) and the inputs that it holds; 0 after the end.

    joined: (K, H + 2 or more, H), as in `recurrence`; lengths: (K,), int32, on the device.
    """
    P, (_, rows, H) = x.shape[-1], joined.shape
    matrix = pad(joined, (0, P - H, 0, P - rows))
    if is_shared(x):
        _launch_shared("forward", x, matrix.mT.contiguous(), lengths, H=H, activation=activation, slope=slope)
    else:
        _launch(_forward, x, matrix, lengths, H=H, activation=activation, slope=slope)


def backward(
    x: Tensor, joined: Tensor, grad: Tensor, G: Tensor, lengths: Tensor, activation: str, slope: float
) -> None:
    """All G(t) into G (K, T, B, P), from grad (K, B, H) float32, that of the last states; 0 after the end."""
    P, H = x.shape[-1], joined.shape[-1]
    matrix, grad = pad(joined[:, :H], (0, P - H, 0, P - H)), grad.contiguous()
    if is_shared(x):
        _launch_shared("backward", x, matrix, grad, G, lengths, H=H, activation=activation, slope=slope)
    else:
        turned = matrix.mT.contiguous()
        _launch(_backward, x, turned, grad, G, lengths, H=H, activation=activation, slope=slope)
