"""Damage to a trained network (paper, section 3.4, Figures 7 and 8): ablation, perturbation of W and τ.

The published measure: a stream of 1000 fair bits after 100 to warm up, the readout of N asked at every
step, 10 repetitions; relative accuracy = (accuracy − 0.5) / (baseline − 0.5), baseline the same network
untouched. Here all conditions see the same bits and the baseline is the mean over repetitions, so
differences are not those of the bits. Damaged copies run side by side, as an ensemble.

All functions take one network (K = 1) and its heads, and raise InputError if there are more, if a parameter
is not finite, or if there is no head for N.
"""

import reprlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from tsrnn import InputError, tasks
from tsrnn.inputs import LARGEST_SEED, check_amount, check_fields, choice, integer, numbers
from tsrnn.kinds import check_kinds
from tsrnn.model import LeakyRNN, RecurrentNetwork, check_finite, check_heads, check_one, leaky

# Of the paper: 10 values for W, 13 for τ
WEIGHT_EPSILONS = tuple(np.geomspace(0.01, 10, 10))
TAU_EPSILONS = tuple(np.geomspace(0.001, 10, 13))
AT_ONCE = 20  # damaged copies in one ensemble: 20 MB of weights at H = 500


@dataclass(frozen=True)
class Stream:
    """The bits that all conditions see: `repetitions` sequences of `warm_up` + `steps` fair bits."""

    steps: int = 1000
    warm_up: int = 100
    repetitions: int = 10
    seed: int = 0

    def __post_init__(self) -> None:
        limits = {"steps": (1, 10**9), "warm_up": (0, 10**9), "repetitions": (2, 10**6)}
        check_fields(self, limits | {"seed": (0, LARGEST_SEED)})
        check_amount(self.warm_up + self.steps, self.repetitions)


@check_kinds
@torch.no_grad()
def stream_accuracy(model: RecurrentNetwork, task: str, n: int, stream: Stream) -> Tensor:
    """Share of right answers for N = n at every step of the stream, (K, repetitions).

    Raises:
        InputError: no head for n, or a warm-up too short for n bits.
    """
    [n] = check_heads(model, [n])
    check_finite(model)
    if stream.warm_up < n:
        raise InputError(f"warm-up = {stream.warm_up}: choose {n} or more, to ask for N = {n}")
    chosen, generator = tasks.get_task(task), torch.Generator().manual_seed(stream.seed)
    bits = tasks.draw_fair(stream.warm_up + stream.steps, stream.repetitions, generator)
    initial = model.start_state(stream.repetitions, generator)
    s = bits.expand(len(initial), -1, -1).to(model.b)
    answers = model.answers(s, initial, n)[:, stream.warm_up :]  # (K, T, R)
    windows = bits[stream.warm_up - n + 1 :].unfold(0, n, 1)  # (T, R, n): the last n bits at each step
    right = tasks.labels(chosen, windows.flatten(0, 1).T, [n])[0].view(len(windows), -1)
    return (answers.cpu() == right).double().mean(1)


def damaged_accuracy(
    model: RecurrentNetwork,
    task: str,
    n: int,
    stream: Stream,
    damages: Sequence[Callable[[RecurrentNetwork, int], None]],
) -> tuple[Tensor, float]:
    """Accuracy of a copy for each damage, (len(damages), repetitions), and the untouched network's mean.

    `damage(copies, k)` changes network k of an ensemble of copies in place.
    """
    check_one(model)
    baseline = float(stream_accuracy(model, task, n, stream).mean())
    found = []
    for first in range(0, len(damages), AT_ONCE):
        some = damages[first : first + AT_ONCE]
        copies = model.select([0] * len(some)).requires_grad_(False)
        for k, damage in enumerate(some):
            damage(copies, k)
        found.append(stream_accuracy(copies, task, n, stream))
    return torch.cat(found), baseline


def relative(accuracy: Tensor, baseline: float) -> Tensor:
    """(accuracy − 0.5) / (baseline − 0.5): 1 is unharmed, 0 is chance. NaN if the baseline is at chance."""
    return (accuracy - 0.5) / (baseline - 0.5 if baseline > 0.5 else float("nan"))


def ablate(units: Sequence[int]) -> Callable[[RecurrentNetwork, int], None]:
    """Cut units off: their weights to and from all others, from the input, and to all heads, are 0.

    Those to a gated unit are those to all its gates.
    """

    def damage(copies: RecurrentNetwork, k: int) -> None:
        H = copies.shape[1]
        gates = [unit + first for first in range(0, len(copies.W[k]), H) for unit in units]
        for weight in (copies.W[k], copies.w_in[k]):
            weight[gates] = 0
        for weight in (copies.W[k].T, copies.head_weight[k].movedim(-1, 0)):
            weight[list(units)] = 0

    return damage


@check_kinds
def fastest_and_slowest(model: RecurrentNetwork, count: int = 20) -> dict[str, list[int]]:
    """The `count` units of the smallest and of the largest τ, of one network.

    By τ as trained, not max(τ, 1), as published: it ranks the many units that are used as 1. Raises
    InputError if they are not leaky, or if `count` is more than half of them.
    """
    model = leaky(model, "ablation by tau (give groups of units)")
    if model.shape[1] < 2:
        raise InputError("one unit is neither fastest nor slowest: give groups, or choose a larger network")
    count = integer("count", count, 1, model.shape[1] // 2)
    order = model.tau[0].argsort(stable=True).tolist()
    return {"fastest": order[:count], "slowest": order[-count:]}


@check_kinds
def ablation(
    model: RecurrentNetwork,
    task: str,
    n: int,
    groups: dict[str, list[int]] | None = None,
    together: bool = False,
    stream: Stream | None = None,
) -> pd.DataFrame:
    """Accuracy after the removal of units, one at a time, or each group at once (Figure 7).

    All heads lose the unit. (The published code clears its weight in head 0 only, so that the head which is
    read in a multi-head network keeps it.)

    Args:
        model: one network. task: a key of `tasks.TASKS`. n: which N is asked for.
        groups: units by the name of their group; default the 20 fastest and the 20 slowest, as published.
        together: remove all units of a group at once.
        stream: the test bits.

    Returns:
        Columns group, unit (−1: the whole group), tau (max(τ, 1), in steps; mean of the group; NaN of gated
        units), repetition, accuracy, relative_accuracy, baseline.

    Raises:
        InputError: as the module says; a unit that there is not; no groups, of units without τ.
    """
    stream, [n] = stream or Stream(), check_heads(model, [n])
    H = model.shape[1]
    groups = fastest_and_slowest(model) if groups is None else groups
    lists = [isinstance(x, Sequence | np.ndarray) and getattr(x, "ndim", 1) for x in groups.values()]
    # nothing is removed of a group without a unit at once, but one at a time there is nothing to do
    if not all(lists) or not (groups if together else any(map(len, groups.values()))):
        raise InputError(f"groups = {reprlib.repr(groups)}: name one or more, each with a list of its units")
    groups = {name: [integer("unit", unit, 0, H - 1) for unit in units] for name, units in groups.items()}
    sets = [(g, s) for g, units in groups.items() for s in ([units] if together else [[u] for u in units])]
    accuracy, baseline = damaged_accuracy(model, task, n, stream, [ablate(units) for _, units in sets])
    tau = (
        model.effective_tau[0].detach().cpu() if isinstance(model, LeakyRNN) else torch.full((H,), torch.nan)
    )
    about = [
        {"group": g, "unit": -1 if together else units[0], "tau": tau[units].mean().item()}
        for g, units in sets
    ]
    return tidy(about, "repetition", accuracy, baseline, stream, task, n)


def perturb_weights(epsilon: float, direction: Tensor) -> Callable[[RecurrentNetwork, int], None]:
    """W + ε (‖W‖ / ‖D‖) D, norms of Frobenius; no self-connections in either, where they are not used."""

    def damage(copies: RecurrentNetwork, k: int) -> None:
        copies = leaky(copies, "perturbation of W")
        W, D = copies.W[k], direction.clone().to(copies.W)
        if not copies.own_past:
            W.fill_diagonal_(0)
            D.fill_diagonal_(0)
        W += epsilon * W.norm() / D.norm() * D

    return damage


def perturb_tau(epsilon: float, direction: Tensor) -> Callable[[RecurrentNetwork, int], None]:
    """max(τ, 1) + ε (‖τ‖ / ‖D‖) D; D ≥ 0, so no unit gets faster."""

    def damage(copies: RecurrentNetwork, k: int) -> None:
        copies = leaky(copies, "perturbation of tau")
        tau, D = copies.effective_tau[k], direction.to(copies.tau)
        copies.tau[k] = tau + epsilon * tau.norm() / D.norm() * D

    return damage


@check_kinds
def perturbation(
    model: RecurrentNetwork,
    task: str,
    n: int,
    parameter: str,
    epsilons: Sequence[float] | None = None,
    directions: int = 10,
    stream: Stream | None = None,
) -> pd.DataFrame:
    """Accuracy after a step of relative size ε in a random direction D (Figure 8a, b).

    Args:
        model, task, n, stream: as for `ablation`.
        parameter: "W", with D ~ N(0, 1), or "tau", with D ~ `|N(0, 1)|`.
        epsilons: default the published ones, 0.01 to 10 for W and 0.001 to 10 for τ.
        directions: how many D; the same for every ε. Each is tested on the whole stream.

    Returns:
        Columns epsilon, direction, accuracy, relative_accuracy, baseline.

    Raises:
        InputError: as the module says; ε < 0 or not finite; an unknown parameter; units that are not leaky;
            W of one unit, which has no connections.
    """
    stream, [n] = stream or Stream(), check_heads(model, [n])
    choice("parameter", parameter, ("W", "tau"))
    model = leaky(model, f"perturbation of {parameter}")
    if parameter == "W" and model.shape[1] == 1 and not model.own_past:
        raise InputError("perturbation of W: one unit has no connections; choose tau")
    chosen = epsilons if epsilons is not None else WEIGHT_EPSILONS if parameter == "W" else TAU_EPSILONS
    chosen = numbers("epsilon", chosen, 0, 1e9)
    directions = integer("directions", directions, 2, 10**6)
    generator, H = torch.Generator().manual_seed(stream.seed + 1), model.shape[1]
    if parameter == "W":
        D = [torch.randn(H, H, generator=generator) for _ in range(directions)]
        damages = [perturb_weights(epsilon, d) for epsilon in chosen for d in D]
    else:
        D = [torch.randn(H, generator=generator).abs() for _ in range(directions)]
        damages = [perturb_tau(epsilon, d) for epsilon in chosen for d in D]
    accuracy, baseline = damaged_accuracy(model, task, n, stream, damages)
    by_direction = accuracy.mean(1).view(len(chosen), directions)
    about = [{"epsilon": epsilon} for epsilon in chosen]
    table = tidy(about, "direction", by_direction, baseline, stream, task, n)
    table.attrs |= {"parameter": parameter}
    return table


def tidy(
    about: Sequence[Mapping[str, object]],
    repeated: str,
    accuracy: Tensor,
    baseline: float,
    stream: Stream,
    task: str,
    n: int,
) -> pd.DataFrame:
    """A row per condition and repetition: `accuracy` (conditions, repetitions)."""
    shares = relative(accuracy, baseline)
    table = pd.DataFrame(
        [
            {**row, repeated: i, "accuracy": accuracy[c, i].item(), "relative_accuracy": shares[c, i].item()}
            for c, row in enumerate(about)
            for i in range(accuracy.shape[1])
        ]
    )
    table["baseline"] = baseline
    table.attrs = {"stream": asdict(stream), "task": task, "N": n}
    return table


def epsilon_half(curve: pd.Series) -> float:
    """ε½, the size of a perturbation that costs half of what a network has above chance.

    Args:
        curve: relative accuracy by ε, from the smallest ε on. (ε = 0 does not count.)

    Returns:
        Where it first falls below one half, between two points linear in log ε; NaN if it does not. The
        smallest ε if it is below one half there.
    """
    curve = curve[curve.index > 0]
    below = np.flatnonzero(curve < 0.5)
    if not len(below):
        return float("nan")
    last = below[0]
    epsilons = curve.index.to_numpy(float)
    if not last:
        return float(epsilons[0])
    around = [last, last - 1]
    return float(np.exp(np.interp(0.5, curve.to_numpy(float)[around], np.log(epsilons[around]))))
