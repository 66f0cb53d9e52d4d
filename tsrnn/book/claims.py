"""The paper's claims, the rule by which each is judged, and the scorecard that judges them.

Every claim is turned into one effect with the sign that the paper says: a difference between the kinds of
network, or a change within one kind. The unit of replication is the network.

The rule is the same for all, and was fixed before the scorecard was first computed (the effect of 8c later,
when the first network of each kind was being retrained):

- not tested at this scale: no network has reached the N that the claim speaks of (`needs`);
- reproduced: the effect has the sign claimed, and its 95 % interval over networks leaves out 0;
- partly: the sign is as claimed, but the interval holds 0, or one network is too few for an interval;
- not reproduced: the sign is not as claimed.

It is judged at the N (of at least `needs`) that most networks have reached, of both kinds where two are
compared, and of several such N at the largest. Intervals are not corrected for the number of claims.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from tsrnn.book.effects import (
    Effect,
    Networks,
    at_promotions,
    beyond,
    epochs_to,
    fast_or_slow,
    forgotten,
    grows,
    pace,
    perturbed,
    retrained,
    slowing,
)

REPRODUCED, PARTLY, NOT, UNTESTED = "reproduced", "partly", "not reproduced", "not tested at this scale"


@dataclass(frozen=True)
class Claim:
    """What the paper says, and the effect that it is judged by."""

    figure: str
    says: str
    effect: str  # in words, with its unit
    sign: int  # that the paper says: +1 or −1
    needs: int  # the N that networks must have reached
    chapter: str  # the notebook
    measure: (
        Callable[[Networks, int], Effect] | None
    )  # of networks and `needs`; None: we have no network for it


def verdict(claim: Claim, effect: Effect) -> str:
    """By the rule above."""
    if not effect.a or effect.b == []:
        return UNTESTED
    low, high = effect.bounds()
    if effect.value * claim.sign <= 0:
        return NOT
    return REPRODUCED if low > 0 or high < 0 else PARTLY


CLAIMS = (
    Claim("3a", "Without a curriculum, N > 10 is not learned.", "–", 1, 11, "02_curricula", None),
    Claim(
        "3b",
        "Multi-head training is faster.",
        "epochs to N, multi-head − single-head",
        -1,
        5,
        "02_curricula",
        epochs_to,
    ),
    Claim(
        "3b",
        "Multi-head training takes about one epoch per N.",
        "epochs per N − 1.5, multi-head",
        -1,
        5,
        "02_curricula",
        pace,
    ),
    Claim(
        "3b",
        "Single-head training slows down as N grows.",
        "epochs per N, second − first half of the way, single-head",
        1,
        8,
        "02_curricula",
        slowing,
    ),
    Claim(
        "3b",
        "Single-head training stalls near N = 35, multi-head goes on to 100.",
        "–",
        1,
        35,
        "02_curricula",
        None,
    ),
    Claim(
        "3c",
        "Single-head networks forget smaller N, multi-head ones keep them.",
        "accuracy on n < N, multi-head − single-head",
        1,
        5,
        "02_curricula",
        forgotten,
    ),
    Claim(
        "3c",
        "Multi-head networks generalise further beyond N.",
        "accuracy of new readouts for N + 1 to N + 5, multi-head − single-head",
        1,
        5,
        "02_curricula",
        beyond,
    ),
    Claim(
        "4a",
        "Single-head networks need trainable τ to get far, multi-head ones do as well with τ = 1.",
        "–",
        1,
        25,
        "04_time_constants",
        None,
    ),
    Claim(
        "4b",
        "Single-head τ grows beyond N ≈ 15.",
        "mean τ at N − at 15 (steps), single-head",
        1,
        18,
        "04_time_constants",
        grows("single", "tau", 15),
    ),
    Claim(
        "4b",
        "The spread of single-head τ grows beyond N ≈ 15.",
        "SD of τ at N − at 15 (steps), single-head",
        1,
        18,
        "04_time_constants",
        grows("single", "tau", 15, "std"),
    ),
    Claim(
        "4b",
        "Multi-head τ falls towards 1.",
        "mean τ at N − at 2 (steps), multi-head",
        -1,
        20,
        "04_time_constants",
        grows("cumulative", "tau", 2),
    ),
    Claim(
        "5c",
        "The timescale of single-head activity grows with N.",
        "mean τ_net at N − at 5 (steps), single-head",
        1,
        10,
        "05_network_timescales",
        grows("single", "tau_net", 5),
    ),
    Claim(
        "5c",
        "The timescale of multi-head activity grows with N, though τ falls.",
        "mean τ_net at N − at 5 (steps), multi-head",
        1,
        20,
        "05_network_timescales",
        grows("cumulative", "tau_net", 5),
    ),
    Claim(
        "5c", "In multi-head networks it saturates near N = 30.", "–", 1, 50, "05_network_timescales", None
    ),
    Claim(
        "6a",
        "Single-head networks become more inhibitory than multi-head ones.",
        "mean recurrent weight, multi-head − single-head",
        1,
        5,
        "06_connectivity_and_dimensionality",
        at_promotions("weight_mean"),
    ),
    Claim(
        "6a",
        "Single-head networks get stronger negative weights as N grows.",
        "sum of incoming negative weights at N − at 5, single-head",
        -1,
        10,
        "06_connectivity_and_dimensionality",
        grows("single", "negative", 5),
    ),
    Claim(
        "6b",
        "The dimensionality of activity grows faster in multi-head networks.",
        "components to 90 % of variance at N, multi-head − single-head",
        1,
        5,
        "06_connectivity_and_dimensionality",
        at_promotions("components"),
    ),
    Claim(
        "7",
        "Multi-head networks rely on their fast units, not on their slow ones.",
        "relative accuracy without one of the 20 slowest − fastest, multi-head",
        1,
        5,
        "07_ablation",
        fast_or_slow("cumulative"),
    ),
    Claim(
        "7",
        "At large N, single-head networks rely on their slow units.",
        "relative accuracy without one of the 20 slowest − fastest, single-head",
        -1,
        30,
        "07_ablation",
        fast_or_slow("single"),
    ),
    Claim(
        "8a",
        "Multi-head networks stand up better to perturbed weights.",
        "relative accuracy at ε = 0.215, multi-head − single-head",
        1,
        5,
        "08_perturbation_and_retraining",
        perturbed("W", 0.2154),
    ),
    Claim(
        "8b",
        "Multi-head networks stand up better to perturbed τ.",
        "relative accuracy at ε = 0.046, multi-head − single-head",
        1,
        5,
        "08_perturbation_and_retraining",
        perturbed("tau", 0.0464),
    ),
    Claim(
        "8c",
        "Multi-head networks are retrained more easily.",
        "relative accuracy on larger N after retraining, multi-head − single-head",
        1,
        5,
        "08_perturbation_and_retraining",
        retrained,
    ),
)


def scorecard(nets: Networks) -> pd.DataFrame:
    """A row per claim.

    Returns:
        Columns claim (a `Claim`), effect, low, high (95 %), networks (their number, of either kind where two
        are compared), N, published, verdict.
    """
    rows = []
    for claim in CLAIMS:
        effect = claim.measure(nets, claim.needs) if claim.measure else Effect()
        found = verdict(claim, effect)
        tested = found != UNTESTED
        low, high = effect.bounds() if tested else (np.nan, np.nan)
        rows.append(
            {
                "claim": claim,
                "effect": effect.value if tested else np.nan,
                "low": low,
                "high": high,
                "networks": (len(effect.a), *([] if effect.b is None else [len(effect.b)])) if tested else (),
                "N": effect.n if tested else None,
                "published": effect.published,
                "verdict": found,
            }
        )
    return pd.DataFrame(rows)
