"""How weights change, and what an optimiser remembers of them from step to step.

Leaky networks learn by SGD with Nesterov momentum, gated ones in their published protocol by Adam.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

# What is remembered of each parameter: its name in a run's state, and in the optimiser's
MEMORY = {
    "sgd": {"momentum": "momentum_buffer"},
    "adam": {"exp_avg": "exp_avg", "exp_avg_sq": "exp_avg_sq", "step": "step"},
}
DECAY, EPSILON = 0.999, 1e-8  # of Adam's mean squares, and beside their root, as torch has them


class Adam(torch.optim.Optimizer):
    """torch's Adam, for parameters (K, ...) of K networks, each of which counts its own steps.

    So does each head, (K, C, ...). A network or head without any gradient stays as it is: to the authors each
    head is a parameter of its own, and so torch leaves it alone.
    """

    def __init__(self, params: list[Tensor], lr: float, momentum: float) -> None:
        super().__init__(params, {"lr": lr, "momentum": momentum})

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        for group in self.param_groups:
            for p in group["params"]:
                self.change(p, group["lr"], group["momentum"])

    def change(self, p: Tensor, lr: float, momentum: float) -> None:
        """One update of one parameter, whose gradient is there."""
        g, mean, square, steps = p.grad, *(self.state[p][name] for name in MEMORY["adam"])
        assert g is not None
        counts = g.flatten(steps.dim()).any(-1)  # (K,), or (K, C)
        steps += counts
        each = steps.shape + (1,) * (p.dim() - steps.dim())
        now = counts.view(each).to(p.dtype)
        mean.lerp_(g, (1 - momentum) * now)
        square.lerp_(g * g, (1 - DECAY) * now)
        t = steps.clamp(min=1).double().view(each)
        change = (square / (1 - DECAY**t).to(p.dtype)).sqrt_().add_(EPSILON)
        p -= torch.div(mean, change, out=change).mul_(now * lr / (1 - momentum**t).to(p.dtype))


OPTIMISERS: dict[str, Callable[[list[Tensor], float, float], torch.optim.Optimizer]] = {
    "sgd": lambda p, lr, momentum: torch.optim.SGD(p, lr, momentum, nesterov=True, foreach=True),
    "adam": Adam,
}


def memory(optimiser: str, parameters: dict[str, Tensor]) -> dict[str, dict[str, Tensor]]:
    """What an optimiser remembers of the parameters of one network before its first step: zeros."""

    def nothing(what: str, name: str, p: Tensor) -> Tensor:
        if what != "step":
            return torch.zeros_like(p)
        return p.new_zeros(p.shape[:1] if name.startswith("head_") else ())

    return {what: {n: nothing(what, n, p) for n, p in parameters.items()} for what in MEMORY[optimiser]}
