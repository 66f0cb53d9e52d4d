"""The paper's claims, the rule by which each is judged, and the scorecard that judges them.

The claims are data, in `claims.toml`, which says what each is judged by and what would contradict it. The
unit of replication is the network. The rule is the same for all:

- not claimed: the paper makes the claim for another task; the effect is shown where there is one, without a
  verdict;
- not tested: no network has reached the least N that the claim can be judged at, or there are none;
- inconclusive: there is one network of a kind, or the effect may be 0: corrected for the number of rows by
  Holm's method, p > 0.05, whichever its sign (the rows of the main figures together, and the appendix's);
- contradicted: it is not 0, and has the other sign;
- reproduced: it is not 0, and has the sign claimed. Where the published effect was read at that N (not
  taken from a straight line between two others, which a curve leaves by more than a reading's error), and the
  95 % interval over networks does not come within what it was read to: smaller, or larger than published.

Claims of another kind are judged by their interval alone, and are not among the rows of the correction.
*equal*: reproduced if it is within the margin, contradicted if it is wholly beyond. *differ*: as a sign, but
either way; contradicted if the interval is within the margin. *never*: contradicted by one network,
reproduced if two or more bear it out.

What depends on which shares p of ones were drawn is measured by several simulations, each with its own draws,
and shown as their mean. It is judged by each alone, with the largest of their p: if their verdicts differ it
is inconclusive, or, where they differ in size only, reproduced.

Where both kinds of network have the same seeds they are compared in pairs. A verdict is at reduced scale if
the effect was measured at a smaller N than the paper speaks of, or by a smaller protocol.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from tsrnn.analysis.statistics import holm, signed
from tsrnn.book.effects import MEASURES, Effect, Networks

REPRODUCED, INCONCLUSIVE, CONTRADICTED = "reproduced", "inconclusive", "contradicted"
SMALLER, LARGER = "reproduced, smaller than published", "reproduced, larger than published"
UNTESTED, UNCLAIMED = "not tested", "not claimed"
VERDICTS = (REPRODUCED, SMALLER, LARGER, INCONCLUSIVE, CONTRADICTED, UNTESTED, UNCLAIMED)
MARKS = dict(zip(VERDICTS, "✓✓✓≈✗––", strict=True))
ALPHA = 0.05
APPENDIX = "A"  # the figure of the appendix's claims


@dataclass(frozen=True)
class Claim:
    """What the paper says, and the effect that it is judged by; `claims.toml` explains the fields."""

    figure: str
    chapter: str
    shown: str
    says: str
    tasks: list[str]
    effect: str
    measure: str
    kind: Literal["sign", "equal", "differ", "never"]
    needs: int
    scale: int
    contradicted: str
    unit: str = ""
    sign: int = 0
    margin: float = 0.0
    above: float = 0.0
    reduced: str = ""
    caution: str = ""
    with_: dict[str, Any] = field(default_factory=dict)


def load() -> tuple[Claim, ...]:
    with Path(__file__).with_name("claims.toml").open("rb") as file:
        rows = tomllib.load(file)["claim"]
    return tuple(Claim(**{"with_" if name == "with" else name: v for name, v in r.items()}) for r in rows)


CLAIMS = load()


def verdict(claim: Claim, effect: Effect, p: float, task: str) -> str:
    """By the rule above; p is corrected for the number of rows."""
    if effect.simulations:
        alone = {verdict(claim, one, p, task) for one in effect.simulations}
        agreed = INCONCLUSIVE if not alone <= {REPRODUCED, SMALLER, LARGER} else REPRODUCED
        return alone.pop() if len(alone) == 1 else agreed
    if task not in claim.tasks:
        return UNCLAIMED
    if effect.is_empty:
        return UNTESTED
    if claim.kind == "never":
        return CONTRADICTED if any(effect.a.values()) else REPRODUCED if len(effect.a) > 1 else INCONCLUSIVE
    found = effect.test()
    low, high = found["low"], found["high"]
    if np.isnan(low):
        return INCONCLUSIVE
    within = -claim.margin < low and high < claim.margin
    if claim.kind == "equal":
        apart = low > claim.margin or high < -claim.margin
        return REPRODUCED if within else CONTRADICTED if apart else INCONCLUSIVE
    if p > ALPHA:
        return CONTRADICTED if claim.kind == "differ" and within else INCONCLUSIVE
    if claim.kind == "differ":
        return REPRODUCED
    if effect.value * claim.sign < 0:
        return CONTRADICTED
    if effect.published is None or effect.published.mark == "between":
        return REPRODUCED
    nearest, furthest = sorted((claim.sign * low, claim.sign * high))
    theirs, error = claim.sign * effect.published.value, effect.published.error
    return SMALLER if furthest < theirs - error else LARGER if nearest > theirs + error else REPRODUCED


def is_reduced(claim: Claim, effect: Effect) -> bool:
    """Whether the effect was measured at a smaller N, or by a smaller protocol, than the claim speaks of."""
    return bool(claim.reduced) or effect.n is None or effect.n < claim.scale


def scorecard(nets: Networks) -> pd.DataFrame:
    """A row per claim.

    Returns:
        Columns claim (a `Claim`), effect, means (of one kind, or of each of two), low, high (95 %), p
        (Holm's), paired, networks (their number, of either kind where two are compared), N, simulations (the
        effect by each, where it depends on the draws of p), published (a `Published` or None), verdict,
        reduced.
    """
    effects = [MEASURES[claim.measure](nets, claim.needs, **claim.with_) for claim in CLAIMS]
    if not nets.numbers_tell_seeds:
        effects = [effect.unpaired() for effect in effects]
    tests = [dict.fromkeys(("low", "high", "p"), np.nan) if e.is_empty else e.test() for e in effects]
    judged = np.array([c.kind in ("sign", "differ") and nets.task in c.tasks for c in CLAIMS])
    appendix, ps = np.array([c.figure == APPENDIX for c in CLAIMS]), [t["p"] for t in tests]
    main, other = (holm(np.where(judged & (appendix == x), ps, np.nan).tolist()) for x in (False, True))
    corrected = np.fmax(main, other).tolist()  # a row is NaN in the family that is not its own
    rows = []
    for claim, effect, test, p in zip(CLAIMS, effects, tests, corrected, strict=True):
        counts = () if effect.is_empty else (len(effect.a), *([] if effect.b is None else [len(effect.b)]))
        rows.append(
            {
                "claim": claim,
                "effect": np.nan if effect.is_empty else effect.value,
                "means": effect.means,
                "low": test["low"],
                "high": test["high"],
                "p": p,
                "paired": effect.is_paired,
                "networks": counts,
                "N": effect.n,
                "simulations": tuple(one.value for one in effect.simulations),
                "published": effect.published,
                "verdict": verdict(claim, effect, p, nets.task),
                "reduced": is_reduced(claim, effect),
            }
        )
    return pd.DataFrame(rows)


def of_the_paper(card: pd.DataFrame) -> pd.DataFrame:
    """The rows of a scorecard without the claims of our own."""
    return card[[not claim.says.endswith("(asked by us).") for claim in card["claim"]]]


def tally(card: pd.DataFrame) -> dict[str, int]:
    """How many of a scorecard's claims are made, tested, and came out in each way.

    Returns:
        claims (made for this task), tested, reproduced (whatever the size), apart (of these, of another size
        than published), small (of these, at reduced scale), inconclusive, contradicted, untested.
    """
    verdicts = card["verdict"]
    held, apart = verdicts.isin([REPRODUCED, SMALLER, LARGER]), verdicts.isin([SMALLER, LARGER])
    counts = {
        "claims": verdicts != UNCLAIMED,
        "tested": ~verdicts.isin([UNTESTED, UNCLAIMED]),
        "reproduced": held,
        "apart": apart,
        "small": held & card["reduced"],
        "inconclusive": verdicts == INCONCLUSIVE,
        "contradicted": verdicts == CONTRADICTED,
        "untested": verdicts == UNTESTED,
    }
    return {name: int(rows.sum()) for name, rows in counts.items()}


def judged(counts: Mapping[str, int]) -> str:
    """How many claims of a tally are judged, and what the others wait for.

    >>> judged({"claims": 3, "tested": 3})
    'All can be judged with the networks here'
    >>> judged({"claims": 3, "tested": 2})
    '2 can be judged; the others wait for networks of their kind, larger in N or trained until stuck'
    """
    if counts["tested"] == counts["claims"]:
        return "All can be judged with the networks here"
    waiting = "the others wait for networks of their kind, larger in N or trained until stuck"
    return f"{counts['tested']} can be judged; {waiting}"


def is_small(row: pd.Series) -> bool:
    """Whether a row has a verdict, and at reduced scale."""
    return bool(row["reduced"]) and row["verdict"] not in (UNTESTED, UNCLAIMED)


def in_words(row: pd.Series) -> str:
    """A row's verdict, marked, and at which scale.

    >>> in_words(pd.Series({"verdict": SMALLER, "reduced": True}))
    '✓ reproduced, smaller than published; reduced scale'
    """
    return f"{MARKS[row['verdict']]} {row['verdict']}" + ("; reduced scale" if is_small(row) else "")


def number(x: float, least: int = 0) -> str:
    """An effect, with as many digits as tell, and at least so many.

    >>> number(-0.0123), number(12.345), number(0.0004, 4), number(float("nan"))
    ('−0.012', '+12.3', '+0.0004', '–')
    """
    return "–" if np.isnan(x) else signed(x, f"{{:+.{places_of(x, least)}f}}")


def places_of(x: float, least: int = 0) -> int:
    """How many digits after the point tell of an effect, at least so many."""
    size = abs(x)
    return max(least, 3 if size < 0.1 else 2 if size < 10 else 1 if size < 100 else 0)


def digits(row: pd.Series) -> int:
    """How many an interval takes that is narrow."""
    half = (row["high"] - row["low"]) / 2
    return min(5, max(0, -int(np.floor(np.log10(half))))) if half > 0 else 0


def with_unit(row: pd.Series) -> str:
    """A row's effect, with its unit."""
    return f"{number(row['effect'], digits(row))} {row['claim'].unit}".rstrip()


def in_numbers(row: pd.Series) -> str:
    """A row's effect as a sentence tells it: both kinds where two are compared, not their difference.

    >>> claim = Claim(*[""] * 4, [], *[""] * 2, "sign", 0, 0, "", "epochs")
    >>> row = {"claim": claim, "effect": -80.0, "low": -95.0, "high": -65.0, "means": (20, 100)}
    >>> in_numbers(pd.Series(row))
    '20.0 against 100.0 epochs'
    """
    claim, found = row["claim"], row["effect"]
    if claim.kind == "never":
        return f"{round(found * row['networks'][0])} of {row['networks'][0]} networks"
    if claim.unit == "doublings":
        return f"{2**found:.2f} times as much"
    if claim.above:
        return f"{found + claim.above:.2f} {claim.unit}"
    if len(row["means"]) > 1:
        form = f"{{:.{places_of(found, digits(row))}f}}"
        return f"{' against '.join(signed(mean, form) for mean in row['means'])} {claim.unit}".rstrip()
    return with_unit(row)


def measured(row: pd.Series) -> str:
    """A row's effect with its 95 % interval, and its unit."""
    if np.isnan(row["low"]):
        return with_unit(row)
    effect, low, high = (number(row[name], digits(row)) for name in ("effect", "low", "high"))
    return f"{effect} [{low}, {high}] {row['claim'].unit}".rstrip()
