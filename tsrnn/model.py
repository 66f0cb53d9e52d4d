"""The network of the paper (section 2.1): leaky units with trainable time constants, and many readouts.

Its variants::

    default     r(t) = φ[(1 − 1/τ) r(t−1) + (1/τ)(W r(t−1) + b + w_in s(t) + b_in)]
    mod         r(t) = (1 − 1/τ) r(t−1) + (1/τ) φ[W r(t−1) + b + w_in s(t) + b_in]
    continuous  as mod, but every bit is held for k steps, and kτ is in the place of τ: Δt = 1/k of a bit

W has no diagonal and τ (or kτ) is used as max(τ, 1), in steps. With A = diag(1/τ) the default equation is
r(t) = φ[M r(t−1) + u(t)], M = (I − A) + A W and u(t) = A (b + b_in + w_in s(t)): M and u are built once
a batch by autograd, and `recurrence.scan` does the rest.

Every tensor has a leading axis K of independent networks (an ensemble); K = 1 is the ordinary case.
`RecurrentNetwork` is what leaky networks and the gated ones (see `gated`) have in common.
"""

import math
import re
import reprlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, Self, get_args, runtime_checkable

import numpy as np
import torch
from torch import Tensor, nn

from tsrnn import InputError, recurrence
from tsrnn.inputs import LARGEST_N, check_fields, choice, integer, integers, listed
from tsrnn.kinds import check_kinds

HEADS = 100
INITIAL_STATE = 0.1
LARGEST_K = 10_000
Model = Literal["default", "mod", "continuous", "lstm", "gru"]
TrainedAs = Literal["published", "matched"]
MODELS = get_args(Model)
PUBLISHED_K = (7, 8, 9, 10)


@dataclass(frozen=True)
class Architecture:
    """What is fixed about a network before training. Raises InputError if there is no such network.

    neurons: H. model: one of `MODELS`. activation: a key of `recurrence.ACTIVATIONS`.
    tau: the fixed time constant of all units, in steps; None trains them from 1 + U(0, 1).
    protocol: how it is trained: "published", or, of a gated network, "matched" to the leaky one.
    k: of a continuous network, how many steps a bit is held in training, one of these after the other.
    """

    neurons: int = 500
    model: Model = "default"
    activation: str = "leakyrelu"
    tau: float | None = None
    protocol: TrainedAs = "published"
    k: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        check_fields(self, {"neurons": (1, 10_000)})
        choice("model", self.model, MODELS)
        choice("activation", self.activation, recurrence.ACTIVATIONS)
        choice("protocol", self.protocol, get_args(TrainedAs))
        if self.tau is not None:
            check_fields(self, {"tau": (1.0, 1e6)})
            if float(f"{self.tau:g}") != self.tau:  # in a folder's name there are so many digits
                raise InputError(f"tau = {self.tau!r}: choose one of 6 digits at the most, as {self.tau:g}")
        if self.gated and self.tau is not None:
            raise InputError(f"tau = {self.tau:g}: no unit of {self.model} has a tau; choose None")
        if self.gated and self.activation != Architecture.activation:
            raise InputError(f"activation = {self.activation}: {self.model} has its own, tanh; choose none")
        if not self.gated and self.protocol == "matched":
            raise InputError(
                f"protocol = matched: only lstm and gru are matched to leaky ones, as {self.model} is; "
                "choose published"
            )
        if not isinstance(self.k, Sequence | np.ndarray) or not getattr(self.k, "ndim", 1):
            raise InputError(f"k = {self.k!r}: give whole numbers in their order, as (7, 8, 9, 10)")
        held = list(self.k)
        if held and self.model != "continuous":
            raise InputError(
                f"k = {self.k}: no bit is held in a {self.model} network; choose model continuous"
            )
        if self.model == "continuous":
            held = integers("k", held or PUBLISHED_K, 1, 1000)
        object.__setattr__(self, "k", tuple(held))

    @property
    def gated(self) -> bool:
        """Whether it is an LSTM or a GRU."""
        return self.model in ("lstm", "gru")

    @property
    def signed(self) -> bool:
        """Whether it is trained on fair bits, and sees them as −1 and 1: as the published LSTM."""
        return self.gated and self.protocol == "published"


@runtime_checkable
class Network(Protocol):
    """What the analyses of activity need of a network, ours or a reader's own."""

    def states(self, bits: Tensor) -> Tensor:
        """bits (T, B), 0 or 1 -> what each unit does after each of them, (T, B, H)."""


class RecurrentNetwork(nn.Module):
    """K recurrent networks side by side, each with C readouts of its H units.

    Parameters: `head_weight` (K, C, 2, H), `head_bias` (K, C, 2), one linear map to two classes per head; and
    `w_in`, `b_in`, `W`, `b` (see the subclasses).

    `heads` says which head answers for which N: {2: 0, 3: 1} in a multi-head network, {10: 0} in a
    single-head one. Training and loading set it. `k` is how many steps each bit is held: 1, but in a
    continuous network. `task` is what a loaded network was trained for, "" if nothing says so.
    """

    w_in: Tensor
    b_in: Tensor
    W: Tensor
    b: Tensor
    head_weight: Tensor
    head_bias: Tensor

    def __init__(self, architecture: Architecture, parameters: dict[str, Tensor]) -> None:
        super().__init__()
        self.architecture = architecture
        self.heads: dict[int, int] = {}
        self.task = ""
        self.k = architecture.k[0] if architecture.k else 1
        # In this order, always: the gradient's norm is a sum over them, which depends on it to rounding
        for name in self.shapes(architecture, HEADS):
            trained = name != "tau" or architecture.tau is None
            self.register_parameter(name, nn.Parameter(parameters[name], requires_grad=trained))

    @staticmethod
    def shapes(architecture: Architecture, C: int) -> dict[str, tuple[int, ...]]:
        """The shape of each parameter of one network with C heads, by name, in order."""
        raise NotImplementedError

    @staticmethod
    def initial_parameters(architecture: Architecture, generator: torch.Generator) -> dict[str, Tensor]:
        """Parameters of one network, in a fixed order (heads last: their number changes nothing else)."""
        raise NotImplementedError

    def start_state(self, batch: int, generator: torch.Generator) -> Tensor:
        """The state before the first bit, (K, batch, S), the same for all K."""
        raise NotImplementedError

    def forward(
        self,
        s: Tensor,
        initial: Tensor,
        lengths: Sequence[int] = (),
        products: torch.dtype | None = None,
    ) -> Tensor:
        """The state at the end of a batch of sequences.

        Args:
            s: input (K, T, B), 0 or 1, a bit a step.
            initial: the state before it, (K, B, S), as `start_state`.
            lengths: the bits of each network's sequence, (K,); default: T.
            products: the precision of matrix products in training; default, and in gated networks always:
                that of the parameters.

        Returns:
            The state at the end of each sequence, (K, B, S); its first H are the activity.
        """
        raise NotImplementedError

    def blocks(self, s: Tensor, initial: Tensor, length: int = 8) -> Iterator[Tensor]:
        """The activity after every bit of s (K, T, B), from the state `initial` on.

        In blocks of `length` bits: (≤ length, K, B, H), each valid until the next. No gradient.
        """
        raise NotImplementedError

    @property
    def k(self) -> int:
        """How many steps each bit is held. To set it to none, or to no whole number, is an InputError."""
        return self._k

    @k.setter
    def k(self, k: int) -> None:
        self._k = integer("k", k, 1, LARGEST_K)

    @property
    def shape(self) -> tuple[int, int]:
        """K and H."""
        return self.head_weight.shape[0], self.head_weight.shape[-1]

    @classmethod
    @check_kinds
    def initialise(cls, architecture: Architecture, generators: Sequence[torch.Generator]) -> Self:
        """One fresh network per generator."""
        if not len(generators) or not all(isinstance(g, torch.Generator) for g in generators):
            raise InputError(f"generators = {reprlib.repr(generators)}: give a torch.Generator a network")
        networks = [cls.initial_parameters(architecture, g) for g in generators]
        return cls(architecture, {name: torch.stack([n[name] for n in networks]) for name in networks[0]})

    @check_kinds
    def select(self, networks: Sequence[int]) -> Self:
        """The networks of these indices, as a model of their own (a copy). Raises InputError if none is."""
        found = listed("networks", networks, f"one or more, 0 to {self.shape[0] - 1}")
        networks = [integer("network", k, 0, self.shape[0] - 1) for k in found]
        chosen = {name: p.detach()[networks].clone() for name, p in self.named_parameters()}
        model = type(self)(self.architecture, chosen)
        model.heads, model.k, model.task = dict(self.heads), self.k, self.task
        return model

    def __repr__(self) -> str:
        """`LeakyRNN(500 units, parity N = 2…10, mean τ 1.41)`, the mean over units."""
        (K, H), a = self.shape, self.architecture
        names = [a.model] * (a.model != "default") + [a.activation] * (a.activation != "leakyrelu")
        heads = self.heads if isinstance(self.heads, Mapping) else {}  # `heads_of` says what is wrong with it
        asked = f"N = {min(heads)}" if heads else "no readout"
        asked += f"…{max(heads)}" if len(heads) > 1 else ""
        parts = [f"{K} networks"] * (K > 1) + [f"{H} units", *names, f"{self.task} {asked}".strip()]
        return f"{type(self).__name__}({', '.join(parts + self.of_its_kind())})"

    def of_its_kind(self) -> list[str]:
        """What there is to say of one of these only."""
        return []

    def run(self, bits: Any) -> Tensor:
        """What each unit of one network does after each bit, as `states`, of whatever holds bits.

        Args:
            bits: (T, B), 0 or 1, of B sequences, or (T,) of one: a tensor, an array of NumPy, a list.

        Returns:
            (T, B, H), in the range of the activation function.

        Raises:
            InputError: other bits, more than one network, parameters that are not finite.
        """
        check_one(self)
        return self.states(as_bits(bits))

    @torch.no_grad()
    def answer(self, bits: Any, n: int) -> Tensor:
        """What one network answers for n after the last bit: 0 or 1, (B,), as `tasks.parity(bits, n)`.

        Args:
            bits: as `run`; n or more of them.
            n: one that it has a readout for.

        Raises:
            InputError: as `run`; no readout for n; fewer than n bits.
        """
        check_one(self)
        [n] = check_heads(self, [n])
        bits = as_bits(bits)
        if len(bits) < n:
            raise InputError(f"{len(bits)} bits: N = {n} is asked for, so give {n} or more in each sequence")
        initial = self.start_state(bits.shape[1], torch.Generator().manual_seed(0))
        last = self(bits[None].to(self.b), initial)
        check_activity(last)
        return self.logits(last, self.head(n))[0, 0].argmax(-1)

    @torch.no_grad()
    def states(self, bits: Tensor) -> Tensor:
        """What each unit of one network does after each of bits (T, B): (T, B, H). See `Network`."""
        initial = self.start_state(bits.shape[1], torch.Generator().manual_seed(0))
        blocks = self.blocks(bits[None].to(self.b), initial)
        activity = torch.cat([block[:, 0].clone() for block in blocks])
        check_activity(activity)
        return activity

    @torch.no_grad()
    def answers(self, s: Tensor, initial: Tensor, n: int) -> Tensor:
        """What the head for n answers after every bit of s (K, T, B), from a state on: 0 or 1, (K, T, B)."""
        found = []
        for block in self.blocks(s, initial):
            T, K, B, _ = block.shape
            logits = self.logits(block.transpose(0, 1).flatten(1, 2), self.head(n))
            found.append(logits[:, 0].argmax(-1).view(K, T, B))
        return torch.cat(found, 1)

    def head(self, n: int) -> slice:
        """Which heads `logits` is to read to answer for n."""
        return slice(self.heads[n], self.heads[n] + 1)

    def logits(self, r: Tensor, heads: slice = slice(None)) -> Tensor:
        """Readout of the state r (K, B, H or more, of which the first H are read): (K, C, B, 2)."""
        weight, bias = self.head_weight[:, heads], self.head_bias[:, heads]
        K, C, two, H = weight.shape
        flat = torch.baddbmm(bias.reshape(K, 1, C * two), r[..., :H], weight.reshape(K, C * two, H).mT)
        return flat.view(K, -1, C, two).transpose(1, 2)


class LeakyRNN(RecurrentNetwork):
    """K leaky recurrent networks side by side.

    Parameters (float32): `tau`, `w_in`, `b_in`, `b` (K, H); `W` (K, H, H), `W[k, i, j]` from unit j to
    unit i; `head_weight`, `head_bias` as every `RecurrentNetwork`. The state is r (K, B, H).

    The diagonal of W is not used: of a unit's own past there is what the leak keeps. (But in a network
    `from_rnn`, which has no leak.)
    """

    tau: Tensor
    own_past = False  # whether the diagonal of W is used

    @classmethod
    def from_rnn(cls, rnn: nn.RNN) -> Self:
        """An `nn.RNN` as a network of units with τ = 1, which does the same from the same state on.

        For whatever looks at activity or connections: it has no readouts, so it can neither answer nor be
        saved.

        Raises:
            InputError: more than one layer, direction or input; weights that are pruned or normed, or without
                values (meta).
        """
        plain = isinstance(rnn, nn.RNN) and rnn.num_layers == rnn.input_size == 1
        if not plain or rnn.bidirectional:
            raise InputError(f"{rnn}: choose an nn.RNN of one layer, one direction and one input, the bits")
        nothing, own = torch.zeros(rnn.hidden_size), dict(rnn.named_parameters())
        names = ["weight_ih_l0", "weight_hh_l0"] + ["bias_ih_l0", "bias_hh_l0"] * rnn.bias
        if lacking := [name for name in names if name not in own]:  # what stands for it may be out of date
            raise InputError(f"{', '.join(lacking)} is made of others: remove its norm or pruning first")
        for name in names:
            check_plain(own[name], name)
        given = {name: own[name].detach().float().cpu() for name in names}
        parameters = {
            "tau": nothing + 1,
            "w_in": given["weight_ih_l0"][:, 0],
            "b_in": given.get("bias_ih_l0", nothing),
            "W": given["weight_hh_l0"],
            "b": given.get("bias_hh_l0", nothing),
            "head_weight": torch.zeros(0, 2, rnn.hidden_size),
            "head_bias": torch.zeros(0, 2),
        }
        architecture = Architecture(rnn.hidden_size, activation=rnn.nonlinearity, tau=1)
        model = cls(architecture, {name: p[None].clone() for name, p in parameters.items()})
        model.own_past = True
        return model

    def select(self, networks: Sequence[int]) -> Self:
        model = super().select(networks)
        model.own_past = self.own_past
        return model

    def of_its_kind(self) -> list[str]:
        return [f"mean τ {self.effective_tau.mean().item():.2f}"]

    @staticmethod
    def shapes(architecture: Architecture, C: int) -> dict[str, tuple[int, ...]]:
        H = architecture.neurons
        units = dict.fromkeys(("tau", "w_in", "b_in"), (H,))
        return {**units, "W": (H, H), "b": (H,), "head_weight": (C, 2, H), "head_bias": (C, 2)}

    @staticmethod
    def initial_parameters(architecture: Architecture, generator: torch.Generator) -> dict[str, Tensor]:
        """Weights and biases uniform in ±1/√fan_in, as torch's Linear."""
        H = architecture.neurons
        tau = 1 + torch.rand(H, generator=generator)
        return {
            "tau": tau if architecture.tau is None else torch.full((H,), float(architecture.tau)),
            "w_in": uniform(H, fan_in=1, generator=generator),
            "b_in": uniform(H, fan_in=1, generator=generator),
            "W": uniform(H, H, fan_in=H, generator=generator).fill_diagonal_(0),
            "b": uniform(H, fan_in=H, generator=generator),
            "head_weight": uniform(HEADS, 2, H, fan_in=H, generator=generator),
            "head_bias": uniform(HEADS, 2, fan_in=H, generator=generator),
        }

    def start_state(self, batch: int, generator: torch.Generator) -> Tensor:
        """r(0), (K, batch, H), the same for all K."""
        K, H = self.shape
        return initial_state(batch, H, generator).expand(K, -1, -1).to(self.b)

    @property
    def effective_tau(self) -> Tensor:
        """max(τ, 1) in steps, (K, H), the value that the dynamics see; continuous: max(kτ, 1)/k, in bits."""
        return (self.k * self.tau).clamp(min=1) / self.k

    @property
    def used_W(self) -> Tensor:
        """W as the dynamics see it, (K, H, H): the diagonal is 0, but where a unit's own past counts."""
        if self.own_past:
            return self.W
        return self.W * (1 - torch.eye(self.W.shape[-1], dtype=self.W.dtype, device=self.W.device))

    def dynamics(self) -> tuple[Tensor, Tensor, Tensor, Tensor | None]:
        """M (K, H, H), bias and weight of the drive (K, 1, H), and the leak (not default), as for `scan`."""
        a, W = 1 / (self.k * self.tau).clamp(min=1), self.used_W
        bias, weight = self.b + self.b_in, self.w_in
        if self.architecture.model != "default":
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
        held, ends = self.held(s), [self.k * end for end in lengths]
        activation = self.architecture.activation
        return recurrence.scan(*self.dynamics(), held, initial, activation, ends, products)

    def blocks(self, s: Tensor, initial: Tensor, length: int = 8) -> Iterator[Tensor]:
        held, activation = self.held(s), self.architecture.activation
        for r in recurrence.blocks(*self.dynamics(), held, initial, activation, length * self.k):
            yield r[self.k - 1 :: self.k]

    def held(self, s: Tensor) -> Tensor:
        """Input s (K, T, B) with every bit held for k steps, (K, k T, B)."""
        return s if self.k == 1 else s.repeat_interleave(self.k, 1)


def uniform(*shape: int, fan_in: int, generator: torch.Generator) -> Tensor:
    """Uniform in ±1/√fan_in."""
    return (2 * torch.rand(*shape, generator=generator) - 1) / math.sqrt(fan_in)


def initial_state(batch: int, neurons: int, generator: torch.Generator) -> Tensor:
    """r(0) = 0.1 U(0, 1) for every trial and unit, (B, H)."""
    return torch.rand(batch, neurons, generator=generator).mul_(INITIAL_STATE)


def as_bits(bits: Any) -> Tensor:
    """Bits (T, B) of whatever holds them, (T,) as one sequence. Raises InputError if they are not 0 and 1."""
    found = as_plain(bits, "bits", "an array of 0 and 1, time first")
    found = found[:, None] if found.dim() == 1 else found
    if found.dim() != 2 or not found.numel():
        raise InputError(f"bits of shape {tuple(found.shape)}: give (T, B), time first, or (T,)")
    check_bits(found)
    return found.float()


def check_bits(bits: Tensor, where: str = "bits hold") -> None:
    """Raise InputError unless a tensor is of 0 and 1, with an axis of time."""
    check_plain(bits, "bits")
    if not bits.dim() or not len(bits):
        raise InputError(f"bits of shape {tuple(bits.shape)}: give (T, B), time first, or (T,)")
    if not ((bits == 0) | (bits == 1)).all():
        raise InputError(f"{where} {bits[(bits != 0) & (bits != 1)][0].item():g}: each is 0 or 1")


def as_plain(x: Any, name: str, give: str) -> Tensor:
    """What holds real numbers, as a tensor. Else raises InputError, with what to `give` instead."""
    if np.ma.is_masked(x):
        raise InputError(f"{name}: masked in places; give {give}, without a mask")
    try:
        if isinstance(x, np.ndarray) and not np.iscomplexobj(x):
            # a copy, for those turned round or of another byte order
            x = np.array(x, np.float32 if x.dtype == np.float32 else float)
        found = torch.as_tensor(x).detach()
    except (TypeError, ValueError, RuntimeError, OverflowError) as error:
        raise InputError(f"{name} of type {type(x).__name__}: give {give}") from error
    check_plain(found, name)
    return found


def check_plain(x: Tensor, name: str) -> None:
    """Raise InputError unless a tensor holds its numbers as an array does, and they are real."""
    kinds = {
        "a nested tensor": x.is_nested,
        "a sparse tensor": x.layout != torch.strided,
        "a quantized tensor": x.is_quantized,
        "a tensor without values (meta)": x.is_meta,
        "a complex tensor": x.is_complex(),
    }
    if found := next((kind for kind, is_so in kinds.items() if is_so), None):
        raise InputError(f"{name}: {found}; give one that holds its numbers as an array does")


def check_heads(model: RecurrentNetwork, ns: Sequence[int]) -> list[int]:
    """These N, one or more, as Python ints. Raises InputError unless there is a head for each."""
    ns, heads = [integer("N", n, 1, LARGEST_N) for n in ns], heads_of(model)
    missing = [n for n in ns if n not in heads]
    if missing or not ns:
        raise InputError(f"no head for N = {missing or list(ns)}: this network has heads for {list(heads)}")
    return ns


def largest_head(model: RecurrentNetwork) -> int:
    """The largest N that there is a head for. Raises InputError if there is none."""
    return max(heads_of(model))


def heads_of(model: RecurrentNetwork) -> Mapping[int, int]:
    """Which head answers for which N. Raises InputError if none does, or there is no such head."""
    heads, C = model.heads, model.head_weight.shape[1]
    if not isinstance(heads, Mapping):
        raise InputError(f"heads = {reprlib.repr(heads)}: say which head answers for which N, as {{2: 0}}")
    if not heads or not C:
        how = "load a trained one" + (", or set `heads`, as {2: 0}" if C else "")
        raise InputError(f"this network has no head: {how}")
    for n, head in heads.items():
        integer("N of a head", n, 1, LARGEST_N)
        integer(f"head for N = {n}", head, 0, C - 1)
    return heads


def check_one(model: Network) -> None:
    """Raise InputError unless this is one network, and all its parameters, if it is ours, are finite."""
    if isinstance(model, RecurrentNetwork):
        if model.shape[0] != 1:
            raise InputError(f"{model.shape[0]} networks: choose one, model.select([k])")
        check_finite(model)


def check_activity(activity: Tensor) -> None:
    """Raise InputError if the activity of a network is NaN or infinite."""
    if not activity.isfinite().all():
        raise InputError("the activity of this network grows beyond all bounds")


def check_finite(model: RecurrentNetwork) -> None:
    """Raise InputError if a parameter is NaN or infinite."""
    for name, p in model.named_parameters():
        if not p.isfinite().all():
            raise InputError(f"{name} holds {int((~p.isfinite()).sum())} values that are not finite")


def check_device_name(device: str) -> None:
    """Raise InputError unless `device` is the name of one that some machine may have."""
    if not isinstance(device, str) or not re.fullmatch(r"cpu|mps|cuda(:[0-9]{1,3})?", device):
        raise InputError(f"unknown device {reprlib.repr(device)}: choose cpu, cuda or mps")


def check_device(device: str) -> None:
    """Raise InputError unless `device` is cpu, or cuda or mps (of an Apple processor) with one present."""
    check_device_name(device)
    if device.startswith("cuda") and not torch.cuda.is_available():
        raise InputError(f"device {device!r}: no CUDA device is available here; use cpu")
    if device.startswith("cuda:") and int(device[5:]) >= torch.cuda.device_count():
        raise InputError(f"device {device!r}: choose cuda:0 to cuda:{torch.cuda.device_count() - 1}")
    if device == "mps" and not torch.backends.mps.is_available():
        raise InputError("device 'mps': torch has no Apple GPU here; use cpu")


def leaky(model: Network, what: str) -> LeakyRNN:
    """The network, if its units are leaky. Else raises InputError with `what` it is that needs them."""
    if not isinstance(model, LeakyRNN):
        kind = model.architecture.model if isinstance(model, RecurrentNetwork) else type(model).__name__
        raise InputError(f"{what} needs the tau and W of leaky units, and {kind} has none: choose a LeakyRNN")
    return model
