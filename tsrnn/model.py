"""The network of the paper (section 2.1): leaky units with trainable time constants, and many readouts.

Its two variants::

    default  r(t) = φ[(1 − 1/τ) r(t−1) + (1/τ)(W r(t−1) + b + w_in s(t) + b_in)]
    mod      r(t) = (1 − 1/τ) r(t−1) + (1/τ) φ[W r(t−1) + b + w_in s(t) + b_in]

W has no diagonal and τ is used as max(τ, 1), in steps. With A = diag(1/τ) the default equation is
r(t) = φ[M r(t−1) + u(t)], M = (I − A) + A W and u(t) = A (b + b_in + w_in s(t)): M and u are built once
a batch by autograd, and `recurrence.scan` does the rest.

Every tensor has a leading axis K of independent networks (an ensemble); K = 1 is the ordinary case.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Self

import torch
from torch import Tensor, nn

from tsrnn import InputError, recurrence
from tsrnn.inputs import check_fields, choice

HEADS = 100
INITIAL_STATE = 0.1
# In this order, always: the gradient's norm is a sum over them, and a sum depends on the order to rounding.
PARAMETERS = ("tau", "w_in", "b_in", "W", "b", "head_weight", "head_bias")


@dataclass(frozen=True)
class Architecture:
    """What is fixed about a network before training.

    neurons: H. model: "default" or "mod". activation: a key of `recurrence.ACTIVATIONS`.
    tau: the fixed time constant of all units, in steps; None trains them from 1 + U(0, 1).
    """

    neurons: int = 500
    model: Literal["default", "mod"] = "default"
    activation: str = "leakyrelu"
    tau: float | None = None

    def __post_init__(self) -> None:
        check_fields(self, {"neurons": (1, 10_000)})
        choice("model", self.model, ("default", "mod"))
        choice("activation", self.activation, recurrence.ACTIVATIONS)
        if self.tau is not None:
            check_fields(self, {"tau": (1.0, 1e6)})


class LeakyRNN(nn.Module):
    """K leaky recurrent networks side by side.

    Parameters (float32): `tau`, `w_in`, `b_in`, `b` (K, H); `W` (K, H, H), `W[k, i, j]` from unit j to
    unit i; `head_weight` (K, C, 2, H), `head_bias` (K, C, 2), one linear map to two classes per head.

    `heads` says which head answers for which N: {2: 0, 3: 1} in a multi-head network, {10: 0} in a
    single-head one. Training and loading set it.
    """

    def __init__(self, architecture: Architecture, parameters: dict[str, Tensor]) -> None:
        super().__init__()
        self.architecture = architecture
        self.heads: dict[int, int] = {}
        for name in PARAMETERS:
            trained = name != "tau" or architecture.tau is None
            self.register_parameter(name, nn.Parameter(parameters[name], requires_grad=trained))

    tau: Tensor
    w_in: Tensor
    b_in: Tensor
    W: Tensor
    b: Tensor
    head_weight: Tensor
    head_bias: Tensor

    @classmethod
    def initialise(cls, architecture: Architecture, generators: Sequence[torch.Generator]) -> Self:
        """One fresh network per generator: weights and biases uniform in ±1/√fan_in, as torch's Linear."""
        networks = [initial_parameters(architecture, g) for g in generators]
        return cls(architecture, {name: torch.stack([n[name] for n in networks]) for name in networks[0]})

    def select(self, networks: Sequence[int]) -> "LeakyRNN":
        """The networks of these indices, as a model of their own (a copy)."""
        chosen = {name: p.detach()[list(networks)].clone() for name, p in self.named_parameters()}
        model = LeakyRNN(self.architecture, chosen)
        model.heads = dict(self.heads)
        return model

    @property
    def effective_tau(self) -> Tensor:
        """max(τ, 1) in steps, (K, H), the value that the dynamics see."""
        return self.tau.clamp(min=1)

    def dynamics(self) -> tuple[Tensor, Tensor, Tensor, Tensor | None]:
        """M (K, H, H), bias and weight of the drive (K, 1, H), and the leak (mod only), as for `scan`."""
        a = 1 / self.effective_tau
        off_diagonal = 1 - torch.eye(self.W.shape[-1], dtype=self.W.dtype, device=self.W.device)
        W, bias, weight = self.W * off_diagonal, self.b + self.b_in, self.w_in
        if self.architecture.model == "mod":
            return W, bias[:, None], weight[:, None], a[:, None]
        M = torch.diag_embed(1 - a) + a[..., None] * W
        return M, (a * bias)[:, None], (a * weight)[:, None], None

    def forward(
        self,
        s: Tensor,
        initial: Tensor,
        lengths: Sequence[int] = (),
        products: torch.dtype | None = None,
    ) -> Tensor:
        """The state at the end of a batch of sequences.

        Args:
            s: input (K, T, B).
            initial: r(0), (K, B, H).
            lengths: the steps of each network's sequence, (K,); default: T.
            products: the precision of matrix products in training; default: that of the parameters.

        Returns:
            r at the end of each sequence, (K, B, H).
        """
        return recurrence.scan(*self.dynamics(), s, initial, self.architecture.activation, lengths, products)

    @torch.no_grad()
    def answers(self, s: Tensor, initial: Tensor, n: int) -> Tensor:
        """What the head for n answers after every step of s (K, T, B), from r(0) on: 0 or 1, (K, T, B)."""
        head = slice(self.heads[n], self.heads[n] + 1)
        found = []
        for block in recurrence.blocks(*self.dynamics(), s, initial, self.architecture.activation):
            T, K, B, _ = block.shape
            logits = self.logits(block.transpose(0, 1).flatten(1, 2), head)
            found.append(logits[:, 0].argmax(-1).view(K, T, B))
        return torch.cat(found, 1)

    def logits(self, r: Tensor, heads: slice = slice(None)) -> Tensor:
        """Readout of the state r (K, B, H) by these heads: (K, C, B, 2)."""
        weight, bias = self.head_weight[:, heads], self.head_bias[:, heads]
        K, C, two, H = weight.shape
        flat = torch.baddbmm(bias.reshape(K, 1, C * two), r, weight.reshape(K, C * two, H).mT)
        return flat.view(K, -1, C, two).transpose(1, 2)


def initial_parameters(architecture: Architecture, generator: torch.Generator) -> dict[str, Tensor]:
    """Parameters of one network, drawn in a fixed order (heads last: their number changes nothing else)."""
    H = architecture.neurons

    def uniform(*shape: int, fan_in: int) -> Tensor:
        return (2 * torch.rand(*shape, generator=generator) - 1) / math.sqrt(fan_in)

    tau = 1 + torch.rand(H, generator=generator)
    return {
        "tau": tau if architecture.tau is None else torch.full((H,), float(architecture.tau)),
        "w_in": uniform(H, fan_in=1),
        "b_in": uniform(H, fan_in=1),
        "W": uniform(H, H, fan_in=H).fill_diagonal_(0),
        "b": uniform(H, fan_in=H),
        "head_weight": uniform(HEADS, 2, H, fan_in=H),
        "head_bias": uniform(HEADS, 2, fan_in=H),
    }


def initial_state(batch: int, neurons: int, generator: torch.Generator, out: Tensor | None = None) -> Tensor:
    """r(0) = 0.1 U(0, 1) for every trial and unit, (B, H), into `out` if it is given."""
    return torch.rand(batch, neurons, generator=generator, out=out).mul_(INITIAL_STATE)


def check_finite(model: LeakyRNN) -> None:
    """Raise InputError if a parameter is NaN or infinite."""
    for name, p in model.named_parameters():
        if not p.isfinite().all():
            raise InputError(f"{name} holds {int((~p.isfinite()).sum())} values that are not finite")


def check_device(device: str) -> None:
    """Raise InputError unless `device` is cpu, or cuda with one present."""
    if not isinstance(device, str) or (device != "cpu" and not device.startswith("cuda")):
        raise InputError(f"unknown device {device!r}: choose cpu or cuda")
    if device.startswith("cuda") and not torch.cuda.is_available():
        raise InputError(f"device {device!r}: no CUDA device is available here; use cpu")
