"""Sentences of the chapters that hang on what was measured, each chosen by rule, so that it is true there.

Numbers of networks are values one each; `order` says when two kinds of network are apart.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np
import pandas as pd

from tsrnn.analysis.statistics import signed
from tsrnn.book import claims, paper
from tsrnn.book.effects import KINDS, Networks, at_promotions
from tsrnn.book.plotting import NAMES, task_name


def order(multi: Sequence[float], single: Sequence[float]) -> int:
    """1 if every multi-head network has more than any single-head one, −1 if less, 0 if they overlap.

    >>> order([3, 4], [1, 2]), order([1, 2], [3]), order([1, 3], [2]), order([1], [])
    (1, -1, 0, 0)
    """
    if not (len(multi) and len(single)):
        return 0
    return int(min(multi) > max(single)) - int(max(multi) < min(single))


def reach(accuracy: pd.Series) -> int:
    """Up to which lag (the index) all is found in more than 98 % of sequences; −1: at none.

    >>> reach(pd.Series([1.0, 0.99, 0.9, 0.99])), reach(pd.Series([0.5, 1.0]))
    (1, -1)
    """
    found = (accuracy > 0.98).cumprod().astype(bool)
    return int(accuracy.index[found].max()) if found.iloc[0] else -1


def untrained(leaky: int, fast: int) -> dict[str, str]:
    """How far back untrained networks hold bits (`reach`), with τ from 1 to 2 and with τ = 1.

    >>> untrained(3, 5)["leak_helps"], untrained(4, -1)["untrained_one"]
    ('So at the start of training the leak is no help: it mixes each bit with the one before', 'at no lag')
    """
    back = [f"up to k = {lag}" if lag >= 0 else "at no lag" for lag in (leaky, fast)]
    helps = {
        1: "So the leak does help, a little",
        0: "So they do no worse than the others",
        -1: "So at the start of training the leak is no help: it mixes each bit with the one before",
    }
    return {
        "untrained_tau": back[0],
        "untrained_one": back[1],
        "leak_helps": helps[int(np.sign(leaky - fast))],
    }


def whole(task: str, most: float) -> str:
    """Whether readouts find the answer for all bits since the start: `most`, their best share of sequences.

    >>> whole("parity", 0.52).split(". ")[1]
    'In no network do readouts find it (the most is 52%).'
    """
    if task != "parity":
        return "DMS has no running sum."
    where = "no network do" if most < 0.6 else "some networks"
    return (
        "A sum from which nothing is ever taken would show as the parity of all bits since the start. "
        f"In {where} readouts find it (the most is {most:.0%})."
    )


def farthest(kind: str, n: int, answers: str, answer: float, bit: float) -> str:
    """What readouts find in the network that got furthest: shares of the worst answer and the worst bit."""
    line = answer > 0.95 > bit + 0.15
    return (
        f"In the {NAMES[kind]} network that got furthest, N = {n}, the least found of the {answers} is found "
        f"in {answer:.1%} of sequences, and the least found of the bits in {bit:.1%}"
        + (": no delay line, or none that a linear readout could see." if line else ".")
    )


def lesson(n: int, bit: float, is_ladder: bool) -> str:
    """What to be found is worth: the share of the worst bit in multi-head networks that may keep a ladder.

    >>> lesson(12, 0.5, True)
    'What readouts find and what answers depend on need not be the same.'
    """
    if bit > 0.9 and is_ladder:
        return (
            f"At N = {n} readouts of multi-head networks find every bit of the window in {bit:.0%} of "
            "sequences or more, yet their answers do not depend on old bits. To be there is not to be used."
        )
    return "What readouts find and what answers depend on need not be the same."


def criteria(shares: Sequence[float]) -> str:
    """How criteria fare on noise with one exponential: the share of series in which each finds two.

    >>> criteria([0.2, 0.3]), criteria([0.01, 0.04])
    ('The criteria agree with each other, and none is safe', 'The criteria agree, and all are safe here')
    >>> criteria([0.01, 0.3])
    'The criteria differ'
    """
    if max(shares) - min(shares) < 0.2 and min(shares) > 0.05:
        return "The criteria agree with each other, and none is safe"
    return "The criteria agree, and all are safe here" if max(shares) <= 0.05 else "The criteria differ"


def above(multi: Mapping[str, Sequence[float]], single: Mapping[str, Sequence[float]]) -> str:
    """In which measures every multi-head network is above any single-head one.

    >>> above({"W": [2], "τ": [2, 4]}, {"W": [1], "τ": [3]})
    'every multi-head network does better than any single-head one, for W'
    >>> above({"W": [1], "τ": [3]}, {"W": [2], "τ": [2, 4]})
    'every single-head network does better than any multi-head one, for W'
    """
    found = {name: order(multi[name], single[name]) for name in multi}
    said = [
        f"every {one} network does better than any {other} one, for {' and '.join(names)}"
        for way, one, other in ((1, "multi-head", "single-head"), (-1, "single-head", "multi-head"))
        if (names := [name for name, which in found.items() if which == way])
    ]
    return "; ".join(said) or "the two kinds of network overlap"


def fixed_tau(best: int, gain: Mapping[str, float], multi: Sequence[float]) -> dict[str, str]:
    """How far networks get whose τ is fixed.

    Args:
        best: the τ with which single-head ones get furthest.
        gain: by how much over τ = 1, as `statistics.compare` has it.
        multi: the largest N of multi-head ones, from τ = 1 on.
    """
    falls = all(less > more for less, more in pairwise(multi))
    return {
        "best": f"τ = {best} gets furthest of the fixed ones",
        "gain": f"by {gain['difference']:.1f} N over τ = 1 (95 % CI {signed(gain['low'], '{:.1f}')} to "
        f"{signed(gain['high'], '{:.1f}')}, permutation p = {gain['p_permutation']:.2f}, "
        f"n = {gain['n_a']} and {gain['n_b']})",
        "multi_falls": "In multi-head networks every step up from τ = 1 costs some N: the optimum is the "
        "least τ"
        if falls
        else "In multi-head networks it goes up and down",
    }


def ours_fixed(networks: int) -> str:
    """Where our networks with a fixed τ are, if there are any."""
    if not networks:
        return "Our zoo has no networks with fixed τ, so this is not tested here"
    return f"Our own {networks} networks with fixed τ are in the same figure"


def nearest(components: float, memories: Mapping[str, float]) -> str:
    """Which memory (`mechanisms.memories`) a number of components is nearest to.

    >>> nearest(9, {"delay line": 8, "ladder": 12}), nearest(15, {"delay line": 8, "ladder": 12})
    ('It is nearer to the delay line', 'That is more than either takes')
    """
    if components > 1.15 * max(memories.values()):
        return "That is more than either takes"
    return f"It is nearer to the {min(memories, key=lambda name: abs(components - memories[name]))}"


def kinds_nearer(n: int, kinds: Sequence[Sequence[float]], memories: Mapping[str, float]) -> str:
    """Whether the mean numbers of components of the kinds of network are near to one memory, or to two.

    >>> kinds_nearer(5, [[9, 10], [8]], {"delay line": 8, "ladder": 12})[:40]
    'But at N = 5 both kinds are nearer to th'
    >>> kinds_nearer(5, [[8], [11]], {"delay line": 8, "ladder": 12})
    'At N = 5 the two kinds are nearer to different ones'
    >>> kinds_nearer(5, [[9]], {"delay line": 8, "ladder": 12})
    'The kinds cannot be compared in this'
    """
    if len(kinds) < 2:
        return "The kinds cannot be compared in this"
    means = [sum(values) / len(values) for values in kinds]
    nearer = {min(memories, key=lambda name: abs(mean - memories[name])) for mean in means}
    if len(nearer) > 1:
        return f"At N = {n} the two kinds are nearer to different ones"
    return (
        f"But at N = {n} both kinds are nearer to the {nearer.pop()}, so the number of components does not "
        "tell them apart"
    )


def shoulder(means: pd.DataFrame) -> str:
    """The published mean τ_net of multi-head networks (`paper.means`) about the N where it levels off."""
    by_n = means.drop_duplicates("N").set_index("N")["value"]
    if not {30, 50, 100} <= set(by_n.index):
        return "For this task no published values are known to us."
    values = ", ".join(f"{by_n[n]:.1f} at N = {n}" for n in (30, 50, 100))
    return f"The published means over units are {values} (read off a plot, to 5 %): a shoulder, not a peak."


def moves(by_n: pd.DataFrame, start: int, end: int) -> str:
    """How mean and median τ_net of a network (columns, by N) move from one N to another."""
    if start >= end or not {start, end} <= set(by_n.index):
        return f"No multi-head network here was measured at an N beyond {start}"
    top, level = by_n.loc[start:end, "mean"].idxmax(), by_n.loc[start:end, "mean"].round(1)
    tops = paper.span(level.index[level == level.max()])
    shown = by_n[by_n.index.isin([start, top, end])].itertuples()
    told = (
        f"at N = {at.Index} the mean is {at.mean:.1f} steps and the median {at.median:.1f}" for at in shown
    )
    highest = f"The mean is highest, {level.max():.1f}, at N = {tops}"
    return f"In the network that got furthest, {'; '.join(told)}. {highest}"


def tail(slow: pd.Series, n: int) -> str:
    """How much of a network's mean τ_net is made by those beyond the longest lag of the fit, of 30 steps."""
    if slow.empty:
        return "Its units were not measured there"
    return (
        f"At N = {n}, {(slow > 30).mean():.1%} of its units with τ_net > 1 are at more than 30 steps, the "
        f"longest lag of the fit; without them the mean would be {slow[slow <= 30].mean():.1f}"
    )


def fast(taus: pd.Series, n: int) -> str:
    """Whether the mean τ of networks that answer for n bits is short beside n.

    >>> fast(pd.Series([1.2, 7.0]), 12)
    'Mean τ of 1.20 to 7.00 steps is not short beside N = 12.'
    """
    tau = paper.span(taus, "{:.2f}")
    if taus.max() >= n / 2:
        return f"Mean τ of {tau} steps is not short beside N = {n}."
    return (
        f"With mean τ of {tau} steps these networks answer for N = {n} bits: most of what they remember must "
        "be in their connections. The paper says so of the multi-head ones."
    )


def verdicts(task: str, card: pd.DataFrame) -> str:
    """How many claims (rows of `claims.scorecard`) are reproduced and contradicted for a task."""
    n = claims.tally(card)
    said = f"{n['reproduced']} of those for {task_name(task)} are reproduced"
    return f"{said}, {n['contradicted']} contradicted"


def opposite(cards: Mapping[str, pd.DataFrame]) -> str:
    """Which claims are reproduced for one task and contradicted for another (rows of `claims.scorecard`)."""
    found = []
    for rows in zip(*(card.to_dict("records") for card in cards.values()), strict=True):
        if {row["verdict"].partition(",")[0] for row in rows} == {claims.REPRODUCED, claims.CONTRADICTED}:
            where = (
                f"{task_name(name)} at N = {row['N']:.0f}" for name, row in zip(cards, rows, strict=True)
            )
            found.append(f"“{rows[0]['claim'].says}” ({', '.join(where)})")
    if not found:
        return "none of them the opposite one"
    return f"{len(found)} of them the opposite one: {'; '.join(found)}"


def excites_more(nets: Networks) -> str:
    """`excites`, at the N that most networks of each kind have solved."""
    plus, minus = (at_promotions(nets, 2, sign) for sign in ("positive", "negative"))
    if plus.b is None or minus.b is None or plus.n is None:
        return "This was not measured for both kinds"
    ratios = (
        [-p / q for p, q in zip(a.values(), b.values(), strict=True)]
        for a, b in ((plus.a, minus.a), (plus.b, minus.b))
    )
    return excites(plus.n, list(plus.a.values()), list(plus.b.values()), *ratios)


def excites(
    n: int,
    multi: Sequence[float],
    single: Sequence[float],
    multi_ratios: Sequence[float],
    single_ratios: Sequence[float],
) -> str:
    """Whether multi-head networks excite more, by sums of positive weights and by positive over negative.

    >>> excites(5, [3, 4], [1, 2], [0.8], [0.9]).split(":")[0]
    'The paper says that multi-head networks excite more. So they do'
    """
    more = {1: "So they do", -1: "Here it is the other way round", 0: "Here the two kinds overlap"}
    sums, ratios = [np.mean(x) for x in (multi, single)], [np.mean(x) for x in (multi_ratios, single_ratios)]
    relative = "more" if ratios[0] > ratios[1] else "no more"
    return (
        f"The paper says that multi-head networks excite more. {more[order(multi, single)]}: at N = {n} the "
        f"positive weights sum to {sums[0]:.2f} in multi-head and to {sums[1]:.2f} in single-head networks, "
        f"mean over networks. Relative to the negative ones they are {relative} in multi-head networks "
        f"({ratios[0]:.2f} against {ratios[1]:.2f})"
    )


def strong(kind: str, strongest: Sequence[float], of_all: Sequence[float], slow: Sequence[float]) -> str:
    """Whether the units with strong weights are the fast ones (see `connectivity.by_speed`).

    >>> strong("single", [0.7], [0.4], [0.5]).split(" those")[0]
    'In single-head networks the units with strong weights are mostly'
    """
    if not strongest:
        return f"No {NAMES[kind]} network was kept"
    fast = "mostly" if min(strongest) > 0.5 and max(slow, default=0) < 1 else "not just"
    rest = (
        f"those with τ above 3 receive {np.mean(slow):.1f} times the mean (n = {len(slow)})"
        if slow
        else "none has τ above 3"
    )
    return (
        f"In {NAMES[kind]} networks the units with strong weights are {fast} those whose τ training pushed "
        "down to 1: of the tenth that receives the strongest weights (of both signs together) "
        f"{np.mean(strongest):.0%} have τ = 1, of all units {np.mean(of_all):.0%}; {rest}"
    )


def shares(both: Sequence[Sequence[float]]) -> str:
    """Mean shares of multi-head and of single-head networks, where there are some.

    >>> shares([[0.5, 0.7], [0.1]]), shares([[], []])
    ('60% in multi-head networks and 10% in single-head networks', 'not known')
    """
    known = zip(KINDS, both, strict=True)
    found = [f"{np.mean(values):.0%} in {NAMES[kind]} networks" for kind, values in known if values]
    return " and ".join(found) or "not known"


def missed(kind: str, n: int, left: pd.DataFrame) -> str:
    """What is left without groups of units, and how many networks miss the slowest more than others.

    Args:
        kind, n: of the networks.
        left: relative accuracy without all `slowest`, `fastest`, and as many at `random`; a row per network.

    >>> left = pd.DataFrame({"slowest": [0.1, 0.2], "fastest": [0.3, 0.1], "random": 0.9})
    >>> missed("single", 5, left).split(", and ")[1]
    'more than the fastest in 1 of 2'
    """
    if left.empty:
        return f"No {NAMES[kind]} network was kept at N = {n}"
    mean = {group: signed(x, "{:.2f}") for group, x in left.mean().items()}
    more = {other: int((left["slowest"] < left[other]).sum()) for other in ("random", "fastest")}
    return (
        f"At N = {n} {NAMES[kind]} networks are left with {mean['slowest']} without all 20 slowest, "
        f"{mean['random']} without 20 at random and {mean['fastest']} without all 20 fastest, mean over "
        f"networks; they miss the slowest more than random ones in {more['random']} of {len(left)} networks, "
        f"and more than the fastest in {more['fastest']} of {len(left)}"
    )


def sliding(epochs: pd.Series) -> str:
    """When networks with a sliding window get there, beside those that keep all readouts.

    Args:
        epochs: until an N was solved, by curriculum, number and N.

    >>> at = [("sliding", 1, 2), ("cumulative", 1, 2), ("sliding", 1, 3), ("cumulative", 1, 3)]
    >>> at = pd.MultiIndex.from_tuples(at, names=["curriculum", "number", "N"])
    >>> sliding(pd.Series([1, 2, 4, 3], at)).split(", ")[1]
    'it gets there later at N = 3; sooner at N = 2 (mean over networks)'
    """
    mean = epochs.groupby(["N", "curriculum"]).mean().unstack()
    mean = mean.reindex(columns=["sliding", "cumulative"]).dropna()
    if mean.empty:
        return "There are no sliding networks for this task here"
    apart = mean["sliding"] - mean["cumulative"]
    when = {"later": apart > 0, "as soon": apart == 0, "sooner": apart < 0}
    parts = [f"{name} at N = {', '.join(map(str, apart.index[c]))}" for name, c in when.items() if c.any()]
    which = "Not throughout: at" if (apart < 0).any() else "At"
    return f"{which} the N that both have solved, it gets there {'; '.join(parts)} (mean over networks)"


def log_to_ten(task: str, ours: Sequence[float]) -> str:
    """Epochs to N = 10 with a single head: of the published log, of the authors' code run by us, and ours.

    >>> log_to_ten("parity", [17, 19]).split(", and ")[1], log_to_ten("dms", [9])
    ('ours took 18 (n = 2, 17 to 19)', 'for this task no log is known to us')
    """
    theirs = paper.EPOCHS_PER_N.get(("single", task), [])[:9]
    if not theirs:
        return "for this task no log is known to us"
    return (
        f"to N = 10 their log has {sum(theirs)} epochs, the authors' own code, run by us with another seed, "
        f"took 18, and ours took {paper.summary(ours, '{:.0f}')}"
    )


def from_scratch(networks: pd.DataFrame) -> str:
    """How networks without a curriculum fared at the largest N given.

    Args:
        networks: rows of `zoo.index`, with the N that each was given.

    >>> from_scratch(pd.DataFrame({"N": [5, 12, 12], "solved N": [5, 12, 11], "epochs": [3, 20, 100]}))
    'Of our networks, 1 of 2 solved N = 12 from scratch, in 20 epochs. One is enough to contradict the claim'
    >>> from_scratch(pd.DataFrame({"N": [5, 12], "solved N": [5, 0], "epochs": [3, 100]}))
    'Of our networks, 1 of 1 solved N = 5 from scratch, in 3 epochs; none solved N = 12'
    """
    if networks.empty:
        return "There are no networks without a curriculum for this task here"
    every = networks[networks["solved N"] == networks["N"]]
    if every.empty:
        return "None of our networks solved its N from scratch"
    top, beyond = every["N"].max(), networks["N"].max()
    at_top, won = networks[networks["N"] == top], every[every["N"] == top]
    said = f"Of our networks, {len(won)} of {len(at_top)} solved N = {top} from scratch, in "
    said += f"{paper.span(won['epochs'])} epochs"
    said += f"; none solved N = {beyond}" if beyond > top else ""
    return said + (". One is enough to contradict the claim" if top > 10 else "")


def as_soon(networks: pd.DataFrame, single: pd.Series | None) -> str:
    """At which N networks without a curriculum were quicker than single-head ones, which pass all smaller N.

    Args:
        networks: rows of `zoo.index`, with the N that each was given.
        single: epochs until an N was solved with a single head, by number and N.

    >>> index = pd.MultiIndex.from_tuples([(1, 4), (1, 6)], names=["number", "N"])
    >>> both = pd.DataFrame({"N": [4, 6], "solved N": [4, 6], "epochs": [2, 9]})
    >>> as_soon(both, pd.Series([3, 5], index)).split("pass ")[1]
    'no smaller N, were quicker than any single-head one at N = 4, slower than any at N = 6'
    """
    won = networks[networks["solved N"] == networks["N"]] if len(networks) else networks
    if won.empty or single is None:
        return "So its pace cannot be set beside that of a single head"
    words = {-1: "quicker than any single-head one", 0: "neither quicker nor slower", 1: "slower than any"}
    found: dict[int, list[str]] = {way: [] for way in words}
    for n, mine in won.groupby("N"):
        theirs = single[single.index.get_level_values("N") == n]
        if len(theirs):
            found[order(mine["epochs"].tolist(), theirs.tolist())].append(f"{n}")
    if not any(found.values()):
        return "So its pace cannot be set beside that of a single head"
    told = ", ".join(f"{words[way]} at N = {', '.join(ns)}" for way, ns in found.items() if ns)
    return f"Networks without a curriculum, which pass no smaller N, were {told}"


def one_step_beyond(accuracy: pd.Series) -> str:
    """By how much multi-head networks are ahead at the first n beyond N, and at the last.

    Args:
        accuracy: of new readouts, in per cent, by curriculum, number and n.
    """
    mean = accuracy.groupby(["n", "curriculum"]).mean().unstack()
    ahead = mean["cumulative"] - mean["single"]
    first, last = (signed(x, "{:+.1f}") for x in (ahead.iloc[0], ahead.iloc[-1]))
    return (
        f"Multi-head networks are {first} percentage points from single-head ones one step beyond, at "
        f"n = {ahead.index[0]}, and {last} at n = {ahead.index[-1]}"
    )


def fair_bits(task: str, n: int) -> str:
    """What new readouts for smaller n owe to bits that are not fair, after N = n.

    Who knows a sequence's share p of ones, uniform from 0 to 1, and nothing else is right with probability
    1/2 + 1/(2 (m + 1)) for the parity of m bits: half of 1 and the m-th power of the size of 1 − 2p, on
    average over p.

    >>> fair_bits("parity", 3)[-59:]
    'is right in 67 % of these sequences, on average over n < 3.'
    """
    if task != "parity":
        return "The bits are fair, so it takes memory to find it."
    guess = np.mean([50 + 50 / (m + 1) for m in range(2, n)])
    return (
        "Not all of it need be memory: whoever knows how many of the bits of a sequence are 1, and nothing "
        f"else, is right in {guess:.0f} % of these sequences, on average over n < {n}."
    )


def head_start(accuracy: pd.Series, solved: pd.Series) -> str:
    """Whether what is there of N + 1 says how many epochs it takes.

    Args:
        accuracy: of new readouts for N + 1 (%), by curriculum, number and N.
        solved: epochs until an N was solved, by the same.

    >>> by = pd.MultiIndex.from_product([["single"], [1], [4, 5, 6]], names=["curriculum", "number", "N"])
    >>> head_start(pd.Series([99.0, 95], by[:2]), pd.Series([5, 6, 9], by)).split(": ")[1]
    'where they found it in 90 % or more, the next N took 1 to 3 epochs (single-head, 2 checkpoints).'
    """
    took = solved.groupby(["curriculum", "number"]).diff().groupby(["curriculum", "number"]).shift(-1)
    both = pd.DataFrame({"there": accuracy, "took": took}).dropna()
    told = []
    for kind in KINDS:
        rows = both[both.index.get_level_values("curriculum") == kind]
        rows = rows[rows["there"] >= 90]
        if len(rows):
            told.append(f"{paper.span(rows['took'])} epochs ({NAMES[kind]}, {len(rows)} checkpoints)")
    if not told:
        return "New readouts find it nowhere in 90 % or more."
    return (
        "But it does not say how long the next N takes: where they found it in 90 % or more, the next N took "
        f"{' and '.join(told)}."
    )


def did_not_come(networks: pd.DataFrame, columns: Sequence[tuple[str, int]]) -> str:
    """Which networks of a row did not come to an N that others of the row have solved.

    Args:
        networks: kind, tau (0: trained), N (the largest solved) and at_end (or else stopped by us).
        columns: kinds, and the N asked for.

    >>> of = pd.DataFrame({"kind": "single", "tau": [1, 1], "N": [12, 21], "at_end": [True, False]})
    >>> did_not_come(of, [("single", 20)]).split(": ")[1].split(". ")[0]
    '1 of the 2 single-head networks with τ = 1 did not come to N = 20 (0 stopped by us, 1 stuck)'
    """
    short = []
    for tau in sorted(set(networks["tau"])):
        which = f"τ = {tau}" if tau else "a trained τ"
        for kind, n in columns:
            mine = networks[(networks["kind"] == kind) & (networks["tau"] == tau)]
            less = mine[mine["N"] < n]
            if 0 < len(less) < len(mine):
                stuck = less["at_end"].sum()
                short.append(
                    f"{len(less)} of the {len(mine)} {NAMES[kind]} networks with {which} did not come to "
                    f"N = {n} ({len(less) - stuck} stopped by us, {stuck} stuck)"
                )
    if not short:
        return "All networks of a row came to each N that it has a number for."
    return (
        f"Where a cell has fewer networks than the first of its row: {'; '.join(short)}. Its mean is over "
        "those that came so far, and they may be the quicker ones."
    )


def passed(networks: pd.DataFrame, n: int) -> str:
    """How many single-head networks (as in `did_not_come`) came beyond an N with τ fixed.

    >>> passed(pd.DataFrame({"kind": "single", "tau": [1, 1, 0, 0], "N": [25, 31, 28, 36]}), 26)
    '1 of our 2 with τ fixed went beyond that, to N = 31; of our 2 with τ trained, 1 went further still'
    """
    single = networks[networks["kind"] == "single"]
    fixed, trained = single[single["tau"] > 0]["N"], single[single["tau"] == 0]["N"]
    if fixed.empty or fixed.max() <= n:
        return "None of ours with τ fixed went beyond that"
    return (
        f"{(fixed > n).sum()} of our {len(fixed)} with τ fixed went beyond that, to N = {fixed.max()}; of "
        f"our {len(trained)} with τ trained, {(trained > fixed.max()).sum()} went further still"
    )


def levels_off(n: int, mean: Sequence[float], median: Sequence[float]) -> str:
    """By how much mean and median τ_net of multi-head networks changed from N = 30 to n.

    >>> levels_off(50, [0.1, 0.3], [0])
    'From N = 30 to 50 the mean of multi-head networks changed by +0.20 (n = 2, +0.10 to +0.30) steps, their median by +0.00 (n = 1)'
    """  # noqa: E501
    if not (len(mean) and len(median)):
        return "No multi-head network here was measured at N = 30 and beyond"
    changes = [paper.summary(values, "{:+.2f}") for values in (mean, median)]
    return (
        f"From N = 30 to {n} the mean of multi-head networks changed by {changes[0]} steps, their median by "
        f"{changes[1]}"
    )


def rounded(history: pd.DataFrame, kind: str) -> str:
    """From which N on networks of a kind were trained with products in bfloat16 (rows of `history`).

    >>> of = {"curriculum": "single", "number": [1, 1, 2, 2], "N_max": [4, 5, 5, 6]}
    >>> table = pd.DataFrame(of | {"precision": ["float32", "bfloat16"] * 2})
    >>> rounded(table, "single"), rounded(table[::2], "single")
    ('Of 2 single-head networks, 2 were trained with products in bfloat16 from N = 5 to 6 on', 'All single-head networks were trained in float32')
    """  # noqa: E501
    mine = history[history["curriculum"] == kind]
    first = mine[mine["precision"] == "bfloat16"].groupby("number")["N_max"].min()
    if first.empty:
        return f"All {NAMES[kind]} networks were trained in float32"
    return (
        f"Of {mine['number'].nunique()} {NAMES[kind]} networks, {len(first)} were trained with products in "
        f"bfloat16 from N = {paper.span(first)} on"
    )


def further(solved: pd.Series, n: int) -> str:
    """How many epochs per N multi-head networks took, over their whole way, that went further than n.

    Args:
        solved: epochs until an N was solved, by curriculum, number and N.

    >>> by = pd.MultiIndex.from_product([["cumulative"], [1], [2, 3, 4]])
    >>> further(pd.Series([1, 2, 6], by), 3)
    'those that went further took 2.00 (n = 1) epochs per N over their whole way, to N = 4'
    >>> further(pd.Series([1, 2, 6], by), 4)
    'none went further'
    """
    last = solved.xs("cumulative").groupby(level=0).tail(1).reset_index()
    last.columns = ["number", "N", "epochs"]
    last = last[last["N"] > n]
    if last.empty:
        return "none went further"
    pace = list(last["epochs"] / (last["N"] - 1))
    per_n = f"{paper.summary(pace, '{:.2f}')} epochs per N over their whole way"
    return f"those that went further took {per_n}, to N = {paper.span(last['N'])}"


def one_side(differences: pd.Series) -> str:
    """Which quantities are always above, or always below, their published values.

    Args:
        differences: lists of them, one for each N, by the name of the quantity.

    >>> one_side(pd.Series({"τ": [1, 2, 3], "loss": [1, -2, 3], "epochs": [1]})).split(", ")[1]
    'ours are always on one side in 1: τ (above in all 3 rows)'
    """
    several = differences[differences.map(len) > 2]
    if several.empty:
        return "For this task too few values are known to see it"
    one = [
        f"{of} ({'above' if apart[0] > 0 else 'below'} in all {len(apart)} rows)"
        for of, apart in several.items()
        if min(apart) > 0 or max(apart) < 0
    ]
    said = f"ours are always on one side in {len(one)}: {'; '.join(one)}"
    return (
        f"Of {len(several)} quantities with three rows or more whose published value is known exactly, "
        + (said if one else "none are always on one side")
    )


def starts(sd: pd.DataFrame, median: pd.DataFrame) -> str:
    """What the start of a fit does to SD and median of τ_net over units, by network.

    Args:
        sd, median: columns tau_net (from our start) and tau_net_published (from the published one).

    >>> found = pd.DataFrame({"tau_net": [1.0, 2], "tau_net_published": [1.5, 1.9]})
    >>> starts(found, found).split("; ")
    ['Of 2 networks and N measured both ways, the spread over units is larger from the published start in 50%', 'the median differs by at most 0.50 steps']
    """  # noqa: E501
    if sd.empty:
        return "No network here was measured both ways"
    wider = (sd["tau_net_published"] > sd["tau_net"]).mean()
    apart = (median["tau_net_published"] - median["tau_net"]).abs().max()
    return (
        f"Of {len(sd)} networks and N measured both ways, the spread over units is larger from the "
        f"published start in {wider:.0%}; the median differs by at most {apart:.2f} steps"
    )


def growth(published: Sequence[Sequence[float]], ours: Sequence[Sequence[float]]) -> str:
    """Components per N of the published pair and of ours, multi-head first.

    >>> growth([[1.5], [2]], [[1, 2], []]).split("; ")[1]
    'ours, from 5 to 10, 1.50 (multi-head, n = 2)'
    >>> growth([[1.5], [2]], [[2, 3], [1]]).split(". ")[1]
    'Of ours every multi-head network gains more than any single-head one'
    """
    if not any(published):
        return "For this task no published values are known to us"
    theirs = [f"{v[0]:.2f} components per N ({NAMES[k]})" for k, v in zip(KINDS, published, strict=True) if v]
    own = [f"{np.mean(v):.2f} ({NAMES[k]}, n = {len(v)})" for k, v in zip(KINDS, ours, strict=True) if v]
    apart = {
        1: ". Of ours every multi-head network gains more than any single-head one",
        0: ". Ours overlap" if all(map(len, ours)) else "",
        -1: ". Of ours every single-head network gains more than any multi-head one",
    }
    return (
        f"From N = 5 to 11 the published pair gains {' and '.join(theirs)}; ours, from 5 to 10, "
        f"{' and '.join(own)}{apart[order(*ours)]}"
    )


def old_bits(multi: Sequence[float], single: Sequence[float]) -> str:
    """Whether networks hold bits that they were never asked for: shares found, one for each network.

    >>> old_bits([0.5], [0.5, 0.51]).split(". ")[1]
    'So what is left of older bits does not explain it'
    """
    if not (len(multi) and len(single)):
        return "There are no DMS networks here to ask"
    explains = np.mean(single) > np.mean(multi) + 0.02
    return (
        f"At lags N to N + 4 they are found in {np.mean(single):.0%} of sequences in single-head networks "
        f"(n = {len(single)}) and in {np.mean(multi):.0%} in multi-head ones (n = {len(multi)}); half is "
        "chance. "
        + (
            "So a single-head network does hold bits that it was never asked for, and a multi-head one less"
            if explains
            else "So what is left of older bits does not explain it"
        )
    )
