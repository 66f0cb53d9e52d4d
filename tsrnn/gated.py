"""Gated networks of the appendix, LSTM and GRU, with the readouts, tasks and curricula of the leaky ones.

With x(t) = w_in s(t) + b_in + b, of each gate its own; σ is the logistic function::

    LSTM  i, f, o = σ(x(t) + W h(t−1))    g = tanh(x(t) + W h(t−1))
          c(t) = f ∘ c(t−1) + i ∘ g       h(t) = o ∘ tanh c(t)

    GRU   r, z = σ(x(t) + W h(t−1))       n = tanh(w_in s(t) + b_in + r ∘ (W h(t−1) + b))
          h(t) = (1 − z) ∘ n + z ∘ h(t−1)

`torch.lstm` and `torch.gru`, which `nn.LSTM` and `nn.GRU` call, compute them, for one network of an ensemble
after the other: each as it is alone. The state before the first bit is 0. In the published protocol the input
is −1 or 1, else 0 or 1.
"""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from tsrnn.model import HEADS, Architecture, LeakyRNN, RecurrentNetwork, uniform

GATES = {"lstm": 4, "gru": 3}


class GatedRNN(RecurrentNetwork):
    """K networks of H gated units side by side.

    Parameters (float32): `w_in`, `b_in`, `b` (K, G H); `W` (K, G H, H), `W[k, i, j]` from unit j to gate i;
    `head_weight`, `head_bias` as every `RecurrentNetwork`. G gates of H units follow each other in torch's
    order: LSTM i, f, g, o; GRU r, z, n. The state is h (K, B, H) of a GRU, h and c together (K, B, 2 H) of an
    LSTM.
    """

    @staticmethod
    def shapes(architecture: Architecture, C: int) -> dict[str, tuple[int, ...]]:
        H = architecture.neurons
        gates = GATES[architecture.model] * H
        units = dict.fromkeys(("w_in", "b_in"), (gates,))
        return {**units, "W": (gates, H), "b": (gates,), "head_weight": (C, 2, H), "head_bias": (C, 2)}

    @staticmethod
    def initial_parameters(architecture: Architecture, generator: torch.Generator) -> dict[str, Tensor]:
        """All uniform in ±1/√H, as in `nn.LSTM`, `nn.GRU`, and `nn.Linear` for the heads."""
        H, shapes = architecture.neurons, GatedRNN.shapes(architecture, HEADS)
        return {name: uniform(*shape, fan_in=H, generator=generator) for name, shape in shapes.items()}

    def start_state(self, batch: int, generator: torch.Generator) -> Tensor:
        """Zeros, (K, batch, H), or (K, batch, 2 H) of an LSTM; nothing is drawn."""
        return self.b.new_zeros(len(self.b), batch, state_size(self.architecture))

    def forward(
        self,
        s: Tensor,
        initial: Tensor,
        lengths: Sequence[int] = (),
        products: torch.dtype | None = None,
    ) -> Tensor:
        lengths = lengths or [s.shape[1]] * len(s)
        return torch.stack([self.advance(k, s[k, :end], initial[k])[1] for k, end in enumerate(lengths)])

    @torch.no_grad()
    def blocks(self, s: Tensor, initial: Tensor, length: int = 8) -> Iterator[Tensor]:
        states = list(initial)
        for now in torch.split(s, length, 1):
            activity = []
            for k, state in enumerate(states):
                h, states[k] = self.advance(k, now[k], state)
                activity.append(h)
            yield torch.stack(activity, 1)

    def advance(self, k: int, s: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Network k from a state (B, S) on: h after every bit of s (T, B), (T, B, H), and the state then."""
        H = self.shape[1]
        x = (2 * s - 1 if self.architecture.signed else s)[..., None]
        weights = [self.w_in[k][:, None], self.W[k], self.b_in[k], self.b[k]]
        # biases; one layer; no dropout; whether there is a gradient; one direction; time first
        options = True, 1, 0.0, torch.is_grad_enabled(), False, False
        h = state[None, :, :H].contiguous()
        if self.architecture.model == "gru":
            activity, h = torch.gru(x, h, weights, *options)
            return activity, h[0]
        activity, h, c = torch.lstm(x, [h, state[None, :, H:].contiguous()], weights, *options)
        return activity, torch.cat([h[0], c[0]], -1)


def state_size(architecture: Architecture) -> int:
    """How many numbers the state of one network is: two a unit in an LSTM, h and c, else one."""
    return architecture.neurons * (2 if architecture.model == "lstm" else 1)


def network_class(architecture: Architecture) -> type[RecurrentNetwork]:
    """Leaky or gated."""
    return GatedRNN if architecture.gated else LeakyRNN
