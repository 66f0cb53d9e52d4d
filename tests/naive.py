"""The paper's equations, written slowly: one network, a Python loop over time, autograd, a Linear per head.

Independent of `tsrnn.recurrence` and `tsrnn.tasks`: the tests compare them with this, and the benchmark
measures against it, since the published code works this way.
"""

import torch
from torch import Tensor, nn

from tsrnn.model import LeakyRNN

PHI = {
    "leakyrelu": nn.LeakyReLU(0.01),
    "relu": nn.ReLU(),
    "tanh": nn.Tanh(),
    "sigmoid": nn.Sigmoid(),
}


class NaiveRNN(nn.Module):
    """Network k of a LeakyRNN, with copies of its parameters."""

    def __init__(self, model: LeakyRNN, k: int = 0) -> None:
        super().__init__()
        H, C = model.b.shape[1], model.head_bias.shape[1]
        self.variant, self.phi = model.architecture.model, PHI[model.architecture.activation]
        self.tau = nn.Parameter(model.tau[k].detach().clone())
        self.input, self.recurrent = nn.Linear(1, H), nn.Linear(H, H)
        self.heads = nn.ModuleList(nn.Linear(H, 2) for _ in range(C))
        self.to(model.b.dtype)
        with torch.no_grad():
            self.input.weight.copy_(model.w_in[k][:, None])
            self.input.bias.copy_(model.b_in[k])
            self.recurrent.weight.copy_(model.W[k])
            self.recurrent.bias.copy_(model.b[k])
            for head, weight, bias in zip(self.heads, model.head_weight[k], model.head_bias[k], strict=True):
                head.weight.copy_(weight)
                head.bias.copy_(bias)

    def forward(self, s: Tensor, r: Tensor) -> Tensor:
        """s (T, B), r(0) (B, H) -> r(T) (B, H).

        As in the published code, the input layer sees the whole sequence at once. Taking its steps one by one
        costs autograd a gradient of the size of the whole for each of them: the time grows with T².
        """
        x, W = self.input(s[..., None]), self.without_diagonal()
        for t in range(len(s)):
            r = self.step(x[t], r, W)
        return r

    def without_diagonal(self) -> Tensor:
        return self.recurrent.weight * (1 - torch.eye(len(self.tau), dtype=self.tau.dtype))

    def step(self, x: Tensor, r: Tensor, W: Tensor) -> Tensor:
        """Input w_in s(t) + b_in and r(t − 1), both (B, H), W without its diagonal -> r(t)."""
        tau = torch.clamp(self.tau, min=1)
        current = nn.functional.linear(r, W, self.recurrent.bias) + x
        if self.variant == "default":
            return self.phi((1 - 1 / tau) * r + current / tau)
        return (1 - 1 / tau) * r + self.phi(current) / tau

    def logits(self, r: Tensor) -> list[Tensor]:
        """All heads, each (B, 2)."""
        return [head(r) for head in self.heads]

    def gradients(self) -> dict[str, Tensor]:
        """By the names of LeakyRNN's parameters, of one network."""
        return {
            "tau": self.tau.grad,
            "w_in": self.input.weight.grad[:, 0],
            "b_in": self.input.bias.grad,
            "W": self.recurrent.weight.grad,
            "b": self.recurrent.bias.grad,
            "head_weight": torch.stack([h.weight.grad for h in self.heads]),
            "head_bias": torch.stack([h.bias.grad for h in self.heads]),
        }


def parity_of(bits: list[int], n: int) -> int:
    """Flip a switch at each of the last n bits that is 1."""
    on = False
    for bit in reversed(bits):
        if n == 0:
            break
        if bit == 1:
            on = not on
        n -= 1
    return int(on)


def dms_of(bits: list[int], n: int) -> int:
    """Compare the last bit with the one n - 1 steps before it."""
    last, cue = bits[len(bits) - 1], bits[len(bits) - 1 - (n - 1)]
    return 1 if last == cue else 0


LABEL_OF = {"parity": parity_of, "dms": dms_of}


def parity_batch(length: int, batch: int, ns: range) -> tuple[Tensor, list[Tensor]]:
    """Bits (T, B) and labels (B,) per N, made sequence by sequence."""
    sequences = [(torch.rand(length) < torch.rand(1)).float() for _ in range(batch)]
    labels = [torch.stack([(bits[-n:].sum() % 2).long() for bits in sequences]) for n in ns]
    return torch.stack(sequences, 1), labels
