"""Ladder or delay line: what every network of a zoo makes its answers of (see `analysis.decoding`)."""

from collections.abc import Iterable
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from matplotlib.axes import Axes
from torch import Tensor

from tsrnn import tasks, zoo
from tsrnn.analysis.decoding import shifts
from tsrnn.analysis.dimensionality import Covariance, dimensionality_table
from tsrnn.analysis.simulate import Protocol
from tsrnn.book import paper
from tsrnn.book.plotting import INK, NAMES, task_name
from tsrnn.inputs import integer

SHARES = ("ladder", "ladder_elsewhere", "delay_line", "delay_line_elsewhere", "running_sum")
CONTROLS = ("delay_line_random", "delay_line_states")
SEVERAL = ("cumulative", "sliding")  # curricula with several heads at a time
# An answer that is lost altogether is still right half of the time, so more than a quarter counts as yes. (It
# was one half until the published single-head network of N = 10 came out just below it.)
LIMIT = 0.25
# And a bit that is moved has to change so many times the answers that the difference from another sequence's
# state changes, for that holds other bits, too. (Set when networks without a curriculum had been seen.)
CONTROL = 1.5
KINDS = {
    (True, False): "a ladder",
    (False, True): "a delay line",
    (True, True): "both",
    (False, False): "neither",
}


def measured(base: Path) -> pd.DataFrame:
    """The shares of all networks of a zoo, a row for each network and N at which they were measured.

    Returns:
        Columns curriculum, task, variant, number, condition (in words), N, those of
        `decoding.mechanism`, and is: a ladder, a delay line, both, neither.
    """
    index = zoo.index(base)
    index = index[index["solved N"] > 0]
    columns = ["curriculum", "task", "variant", "number", "N"]
    if index.empty:
        return pd.DataFrame(columns=[*columns, "condition", *SHARES, *CONTROLS, "is"])
    rows = zoo.gather(index, base, "promotions").rename(columns={"N_max": "N"})
    rows = rows[rows["measure"].isin([*SHARES, *CONTROLS])]
    table = rows.pivot(index=columns, columns="measure", values="value").reset_index()
    table = table.reindex(columns=[*columns, *SHARES, *CONTROLS]).rename_axis(columns=None)
    table["condition"] = [
        paper.condition(kind, variant)
        for kind, variant in zip(table["curriculum"], table["variant"], strict=True)
    ]
    return table.assign(**{"is": kind_of(table)})


def kind_of(table: pd.DataFrame) -> list[str]:
    """What each row is: a ladder or a delay line if more than a quarter of the expected answers change.

    For a delay line they have to be more than `CONTROL` times those that another state changes, as well.
    """
    bits = (table["delay_line"] > LIMIT) & ~(table["delay_line"] < CONTROL * table["delay_line_states"])
    both = zip(table["ladder"] > LIMIT, bits, strict=True)
    return [KINDS[bool(rungs), bool(bits)] for rungs, bits in both]


def at_last(table: pd.DataFrame) -> pd.DataFrame:
    """Of each network, the row of its largest N."""
    return table.sort_values("N").groupby(["curriculum", "task", "variant", "number"], as_index=False).last()


def published(share: str) -> pd.DataFrame:
    """A share of the authors' own networks (parity, number 1), measured on their checkpoints.

    Once, before `decoding.mechanism` had its form: from rung 3 and from the bit two steps back on, over all
    cells at once. "ladder as ours" and so on are by our measure, at N = 10.
    """
    table = paper.TABLE
    return table[table["quantity"] == share]


def as_ours() -> str:
    """What our measure says of the authors' networks at N = 10, of which we have both checkpoints."""

    def share(quantity: str, kind: str) -> float:
        rows = published(quantity)
        return float(rows.loc[(rows["curriculum"] == kind) & (rows["N"] == 10), "value"].iloc[0])

    ladder, before = share("ladder as ours", "cumulative"), share("ladder", "cumulative")
    bits, states = share("delay_line as ours", "single"), share("delay_line_states as ours", "single")
    return (
        f"By ours, at N = 10, a move of a sum changes {span([ladder])} in their multi-head network instead "
        f"of {span([before])}. A move of a bit changes {span([bits])} in their single-head one and a move "
        f"towards another state {span([states])}, so that it "
        f"{'passes' if bits >= CONTROL * states else 'does not pass'} the second limit"
    )


def span(values: Iterable[float]) -> str:
    """Shares in words, from the least to the largest: '93 % to 97 %'.

    >>> span([0.931, 0.97]), span([0.5]), span([])
    ('93 % to 97 %', '50 %', 'not measured')
    """
    return paper.span((100 * value for value in values), "{:.0f} %")


def finding(last: pd.DataFrame, kind: str, task: str, variant: str | None = "") -> str:
    """What the networks of a curriculum are, as a sentence that is true of them; variant None: of any."""
    rows = last[(last["curriculum"] == kind) & (last["task"] == task)]
    rows = rows if variant is None else rows[rows["variant"] == variant]
    if rows.empty:
        return f"No {NAMES[kind]} network was measured"
    one = len(rows) == 1
    at = f"(N = {paper.span(rows['N'])})"
    those = f"The {NAMES[kind]} network {at}" if one else f"All {len(rows)} {NAMES[kind]} networks {at}"
    keep, behave = ("keeps", "behaves") if one else ("keep", "behave")
    changes = "of the answers that should change"
    if set(rows["is"]) == {"a ladder"}:
        shares = f"{span(rows['ladder'])} {changes}, and {span(rows['ladder_elsewhere'])} of the others"
        return f"{those} {keep} a ladder: moving one of its sums changes {shares}"
    if set(rows["is"]) == {"a delay line"}:
        sure = rows["delay_line"].min() > 2 * rows["delay_line_states"].max()
        what = f"{keep} a delay line" if sure else f"{keep} no ladder, and {behave} in part like a delay line"
        return (
            f"{those} {what}: moving one of its bits changes {span(rows['delay_line'])} of the answers "
            "that a delay line would change; as a control, a move of the same length towards the state of "
            f"another sequence changes {span(rows['delay_line_states'])}"
        )
    counts = rows["is"].value_counts()
    told = (f"{n} {'keeps' if n == 1 else 'keep'} {what}" for what, n in counts.items())
    return f"Of {len(rows)} {NAMES[kind]} networks {at} {' and '.join(told)}"


def findings(shares: pd.DataFrame, task: str) -> dict[str, str]:
    """The sentences of the chapter, each as it is true of these networks (rows of `measured`)."""
    last = at_last(shares)
    here, other = last[last["task"] == task], "dms" if task == "parity" else "parity"
    standard = here[here["variant"] == ""]
    multi, single = (standard[standard["curriculum"] == kind] for kind in ("cumulative", "single"))
    split = set(multi["is"]) == {"a ladder"} and bool(len(single)) and not single["ladder"].gt(LIMIT).any()
    far = multi.sort_values("N").iloc[-1] if set(multi["is"]) == {"a ladder"} else None
    theirs = published("ladder").query("curriculum == 'cumulative'").sort_values("N")
    least, most = theirs.iloc[0], theirs.iloc[-1]
    clear = finding(last, "cumulative", other)
    without = without_ladder(here)
    return {
        "found_multi": finding(last, "cumulative", task),
        "found_single": finding(last, "single", task),
        "found_other": f"For {task_name(other)}, {clear[0].lower() + clear[1:]}"
        if other in set(last["task"])
        else f"For {task_name(other)}, no network was measured here",
        "found_curriculum": decides(here)
        if split
        else "Here the curriculum does not decide how a network remembers"
        if len(multi) and len(single)
        else "So what the curriculum does is open",
        "single_weak": "in single-head networks such a move changes "
        f"{span(single['delay_line'])} of the answers that should change, a random direction of the same "
        f"length {span(single['delay_line_random'])}, and one towards the state of another sequence "
        f"{span(single['delay_line_states'])}",
        "exceptions": "They are not always enough: in these models networks with several heads keep none: "
        + without
        if without
        else "All networks with several heads keep one",
        "half": above_half(here[here["curriculum"] == "single"], task),
        "running": "In no network here does a move of the answer for N last: it changes "
        f"{100 * last['running_sum'].max():.0f} % of later answers at most"
        ". So the running sum is a way that none of them takes"
        if last["running_sum"].max() < LIMIT
        else "In some networks a move of the answer for N lasts, as in a running sum"
        if last["running_sum"].notna().any()
        else "Whether a network keeps a running sum was not measured here",
        "grows": "In the authors' multi-head network (one, for parity) the share grows from "
        f"{100 * least['value']:.0f} % at N = {least['N']:.0f} to {100 * most['value']:.0f} % at "
        f"N = {most['N']:.0f}",
        "lacking": f"{lacking(least['value'], least['N']):.1f} rungs at N = {least['N']:.0f} and "
        f"{lacking(most['value'], most['N']):.1f} at N = {most['N']:.0f}",
        "stays": "Here, multi-head networks have none"
        if far is None
        else f"In ours it is {100 * far['ladder']:.0f} % at N = {far['N']}, the largest that one has solved",
        "why": "For N + 1 a ladder takes one more rung, made like all the others, and the readouts for "
        "smaller N hold the rungs below in place. A delay line has to make its answer of all bits at once, "
        "and of N + 1 bits parity is quite another function than of N. So multi-head training should "
        "go on where single-head training slows down (how sure that is, the scorecard says)"
        if split
        else "Where both curricula lead to the same means, this is not what sets them apart",
        "forgets": "A ladder has every smaller sum, as its rungs, and a readout for each; a delay line has "
        "bits, of which the one readout makes one answer. That is why new readouts find the smaller n in "
        "multi-head networks, and less well in single-head ones"
        if split
        else "What is forgotten has then to be explained otherwise",
        "theirs": as_ours(),
    }


def lacking(share: float, n: float) -> float:
    """How many rungs of a ladder do not do their part, what is missing of each added up.

    Of the authors' network those from 3 to n − 1 were moved.

    >>> lacking(0.5, 7)
    2.0
    """
    return (1 - share) * (n - 3)


def rungs(kept: pd.DataFrame, task: str, sequences: int) -> pd.DataFrame:
    """Of each rung of a ladder, what share of the answers that it would change do change when it is moved.

    Args:
        kept: the checkpoints to ask, rows of `zoo.kept`.
        sequences: as for `decoding.shifts`.

    Returns:
        Columns curriculum, number, N, m (2 ... N − 1: the rung), changed.
    """
    columns, tables = ["curriculum", "number", "N", "m", "changed"], []
    for row in kept.to_dict("records"):
        table = shifts(zoo.load_checkpoint(row["path"]), task, row["N"], sequences)
        moved = table[table["expected"] & (table["what"] == "answer")].rename(columns={"index": "m"})
        tables.append(moved.assign(**{name: row[name] for name in columns[:3]}))
    return pd.concat(tables, ignore_index=True)[columns] if tables else pd.DataFrame(columns=columns)


def rungs_in_words(table: pd.DataFrame) -> str:
    """How the two lowest rungs (m = 2 and 3) and all above them do, by N (rows of `rungs`).

    >>> rungs_in_words(pd.DataFrame({"N": 6, "m": [2, 3, 4, 5], "changed": [0.2, 0.4, 0.9, 1.0]}))
    'rungs 2 and 3 change 20 % to 40 % of these answers (N = 6), those above them 90 % to 100 % (N = 6)'
    >>> rungs_in_words(pd.DataFrame({"N": 4, "m": [2, 3], "changed": [0.2, 0.4]}))
    'rungs 2 and 3 change 20 % to 40 % of these answers (N = 4)'
    """
    if table.empty:
        return "no multi-head network was kept at these N"
    mean = table.groupby(["N", "m"])["changed"].mean()
    low = mean.index.get_level_values("m") <= 3
    of_low, above = (
        ", ".join(f"{span(rows)} (N = {n})" for n, rows in mean[which].groupby("N")) for which in (low, ~low)
    )
    said = f"rungs 2 and 3 change {of_low.replace(' (', ' of these answers (', 1)}"
    return f"{said}, those above them {above}" if above else said


def without_ladder(last: pd.DataFrame) -> str:
    """The models of which a network with several heads keeps no ladder (rows of `at_last`), each once.

    >>> rows = {"curriculum": ["cumulative", "sliding", "single"], "variant": ["mod_tanh", "", "tau2"]}
    >>> without_ladder(pd.DataFrame(rows | {"is": ["neither", "a ladder", "a delay line"], "N": 9}))
    'tanh, τ outside, to N = 9'
    """
    without = last[last["curriculum"].isin(SEVERAL) & (last["is"] != "a ladder")]
    return "; ".join(
        f"{paper.variant_in_words(str(variant)) or 'standard'}, to N = {paper.span(rows['N'])}"
        for variant, rows in without.groupby("variant", sort=False)
    )


def above_half(single: pd.DataFrame, task: str) -> str:
    """How many single-head networks for a task that keep a delay line would, were the limit one half."""
    keep = single[single["is"] == "a delay line"]
    over = keep["delay_line"] > 0.5
    standard = keep["variant"] == ""
    return (
        f"Of {len(keep)} single-head networks for {task_name(task)} that we say keep a delay line, "
        f"{over.sum()} would pass a half; of the {standard.sum()} standard ones, "
        f"{over[standard].sum() or 'none'}"
    )


def decides(here: pd.DataFrame) -> str:
    """What the curriculum decides, where standard networks of the two kinds differ; and what τ does."""
    name = task_name(here["task"].iloc[0])
    said = f"So, in the paper's model and for {name}, the number of heads decides whether there is a ladder"
    fixed = here[here["variant"].str.fullmatch(r"tau\d") & here["curriculum"].isin(["cumulative", "single"])]
    if fixed.empty:
        return said
    if agrees(fixed):
        return (
            f"{said}, and τ does not: of {len(fixed)} networks whose τ was fixed, those with many heads keep "
            "one, those with a single head none"
        )
    return f"{said}; but not all of {len(fixed)} networks whose τ was fixed do as their heads say"


def agrees(fixed: pd.DataFrame) -> bool:
    """Whether the multi-head ones of these rows keep a ladder, and no others."""
    return bool(((fixed["is"] == "a ladder") == (fixed["curriculum"] == "cumulative")).all())


def as_table(last: pd.DataFrame) -> pd.DataFrame:
    """A row for each network, for a reader."""
    names = {
        "condition": "",
        "task": "task",
        "number": "network",
        "N": "N",
        "is": "it keeps",
        "ladder": "ladder",
    }
    names |= {"ladder_elsewhere": "ladder, else", "delay_line": "delay line"}
    names |= {"delay_line_elsewhere": "delay line, else"}
    names |= dict(zip(CONTROLS, ("random direction", "another state"), strict=True))
    return last[list(names)].rename(columns=names)


def step_by_step(bits: list[int], n: int, flip: tuple[int, int] | None = None) -> dict[str, np.ndarray]:
    """What a ladder and a delay line for the parity of n bits hold at every step, 0 before the first bit.

    Args:
        flip: a step and a place, both counted from 1: the rung or the cell that is flipped once it is made.

    Returns:
        `ladder`, (T, n): its rungs, the last of which is the answer; `delay line`, (T, n + 1): its cells, the
        newest bit first, and the answer.
    """
    rungs, cells = np.zeros(n, int), np.zeros(n, int)
    held: dict[str, list[np.ndarray]] = {"ladder": [], "delay line": []}
    for step, bit in enumerate(bits, 1):
        rungs = np.append(0, rungs[:-1]) ^ bit
        cells = np.append(bit, cells[:-1])
        if flip and flip[0] == step:
            rungs[flip[1] - 1] ^= 1
            cells[flip[1] - 1] ^= 1
        held["ladder"].append(rungs.copy())
        held["delay line"].append(np.append(cells, cells.sum() % 2))
    return {name: np.array(rows) for name, rows in held.items()}


def draw_steps(ax: Axes, bits: list[int], held: np.ndarray, right: np.ndarray, places: int) -> None:
    """A column of numbers for each step, circled where not `right`; arrows from place to place."""
    for (t, place), value in np.ndenumerate(held):
        box = {"boxstyle": "circle", "fc": "none", "ec": INK, "lw": 1.5} if value != right[t, place] else None
        ax.text(t, place, str(value), ha="center", va="center", bbox=box)
    n, arrow = len(bits), {"arrowstyle": "->", "color": INK, "lw": 0.7, "shrinkA": 11, "shrinkB": 11}
    for t, place in product(range(n - 1), range(places - 1)):
        ax.annotate("", (t + 1, place + 1), (t, place), arrowprops=arrow)
    ax.set(
        xlim=(-0.5, n - 0.5), ylim=(-0.6, held.shape[1] - 0.4), xlabel="step; below it, the bit that comes"
    )
    ax.set_xticks(range(n), [f"{step}\n{bit}" for step, bit in enumerate(bits, 1)])


def memories(task: str, n: int, protocol: Protocol) -> dict[str, float]:
    """Components to 90 % of two memories that do nothing else, under the bits of a simulation.

    Returns:
        `delay line`, of n bits, and `ladder`, with n rungs, each beside the one a step before that it is made
        of; means over trials. Raises InputError if the burn-in is shorter than n.
    """
    integer("n", n, 2, protocol.burn_in)
    generator = torch.Generator().manual_seed(protocol.seed)
    bits = tasks.draw_biased(protocol.burn_in + protocol.steps, protocol.trials, generator)
    label = tasks.get_task(task).label

    def ago(k: int, x: Tensor) -> Tensor:
        return x[len(x) - k - protocol.steps : len(x) - k].double()

    def answers(m: int) -> Tensor:
        windows = bits.unfold(0, m, 1)  # (T, B, m): the last m bits at each step
        return label(windows.flatten(0, 1).T, m).view(-1, protocol.trials)

    def components(signals: list[Tensor]) -> float:
        covariance = Covariance()
        covariance.add(torch.stack(signals, -1)[:, None])
        return float(dimensionality_table(covariance, protocol)["components"].mean())

    rungs = [ago(0, answers(m)) for m in range(2, n + 1)] + [ago(1, answers(m)) for m in range(1, n)]
    return {
        "delay line": components([ago(k, bits) for k in range(n)]),
        "ladder": components([ago(0, bits), *rungs]),
    }
