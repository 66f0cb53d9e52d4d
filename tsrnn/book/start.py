"""What the first page shows of the results, and each chapter before its figures: what held, what did not.

The sentences are chosen from the verdicts, by rule, and their numbers are those of the scorecard. So another
zoo gives other sentences, which are true there.
"""

from collections.abc import Mapping

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from tsrnn.book import claims, mechanisms, paper, plotting
from tsrnn.book.effects import KINDS, Networks
from tsrnn.book.plotting import task_name

# Claims that the ten sentences of the first page tell of, by how they begin
IN_SHORT = {
    "forget": "Single-head networks forget smaller N",
    "scratch": "Without a curriculum",
    "pace": "Multi-head training takes about one epoch per N",
    "fast": "Multi-head τ falls",
    "slow": "The spread of single-head τ grows",
    "units": "Multi-head networks rely on fast units",
    "noise": "Multi-head networks stand up better to perturbed weights",
}


def figure(nets: Networks, shares: pd.DataFrame) -> Figure:
    """Mean τ, and the share of a ladder's answers that change, against N: ours as lines, published as marks.

    Args:
        nets: the standard networks for one task.
        shares: of all networks, the rows of `mechanisms.measured`.
    """
    p, by = nets.promotions, ["curriculum", "number", "N"]
    tau = p[p["measure"] == "tau"].groupby(["curriculum", "number", "N_max"])["value"].mean().rename_axis(by)
    rows = shares[(shares["task"] == nets.task) & (shares["variant"] == "")]
    ladder = 100 * rows.groupby(["curriculum", "number", "N"])["ladder"].mean().dropna().rename_axis(by)
    means = paper.PUBLISHED[paper.PUBLISHED["task"] == nets.task]
    theirs = mechanisms.published("ladder")
    theirs = theirs[theirs["task"] == nets.task].assign(value=100 * theirs["value"])
    fig, axes = plt.subplots(1, 2, figsize=(5.6, 3.4))
    draw(axes[0], nets.task, tau, means[means["quantity"] == "mean tau"])
    draw(axes[1], nets.task, ladder, theirs)
    axes[0].set(title="How slow are the units?", xlabel="N solved", ylabel="mean τ (steps)")
    axes[1].set(title="Do they keep a ladder?", xlabel="N solved", ylabel="answers changed (%)")
    axes[1].set_ylim(-4, 104)
    handles, labels = axes[0].get_legend_handles_labels()
    fig.legend(handles, labels, loc="outside upper left", ncols=3)
    return fig


def draw(ax: Axes, task: str, ours: pd.Series, theirs: pd.DataFrame) -> None:
    """A line per network (`ours` by curriculum, number and N), open marks for the published values."""
    plotting.lines(ax, ours[ours.index.isin(KINDS, level="curriculum")], task, ms=3, lw=1)
    plotting.marks(ax, theirs[theirs["curriculum"].isin(KINDS)])
    if len(ours):
        ax.set_xlim(0, 1.05 * ours.index.get_level_values("N").max())
    ax.xaxis.set_major_locator(MaxNLocator(5, integer=True))  # or they run together on a phone


def sentences(cards: Mapping[str, pd.DataFrame], shares: pd.DataFrame) -> dict[str, str]:
    """What held, failed and is open, of the other tasks, and what is new.

    Args:
        cards: of each task the rows of `claims.scorecard`; the first is the page's own.
        shares: as for `figure`.

    Returns:
        Text by name: held, clearest, failed, open, other, new.
    """
    (task, card), *others = ((name, claims.of_the_paper(card)) for name, card in cards.items())
    found = mechanisms.findings(shares, task)
    new = f"{found['found_multi']}. {found['found_single']}. {found['found_curriculum']}"
    return {
        "held": held(task, card),
        "clearest": clearest(card),
        "failed": failed(card),
        "open": undecided(card),
        "other": " ".join(beside(name, other) for name, other in others)
        or "There are networks for this task only.",
        "new": f"{new}.",
    }


def in_short(task: str, card: pd.DataFrame, shares: pd.DataFrame) -> dict[str, str]:
    """Ten short sentences: claims, as they came out (`IN_SHORT`), and how networks remember.

    Args:
        task, card: the page's own task, and its rows of `claims.scorecard`.
        shares: as for `figure`.

    Returns:
        Text by name: those of `IN_SHORT`, and ladder, line, heads.
    """
    says = card["claim"].map(lambda claim: claim.says)
    told = {
        name: as_it_came_out(card[says.str.startswith(start)].iloc[0]) for name, start in IN_SHORT.items()
    }
    here = mechanisms.at_last(shares[shares["task"] == task])
    standard, several = here["variant"] == "", here["curriculum"].isin(mechanisms.SEVERAL)
    ladder = here["is"] == "a ladder"
    multi, single = (standard & (here["curriculum"] == kind) for kind in KINDS)
    without = mechanisms.without_ladder(here)
    return told | {
        "ladder": f"{how_many(ladder[multi])} multi-head networks keep a ladder of sums, each made of the "
        "one below it, a step before",
        "line": f"{how_many(ladder[single])} single-head networks keep one. Move one past bit in them, and "
        f"{mechanisms.span(here.loc[single, 'delay_line'])} of the answers change that would in a delay "
        "line, which keeps the bits one by one",
        "heads": f"{how_many(ladder[several])} networks that train several heads at a time keep a ladder"
        f"{f' (not: {without})' if without else ''}, and {how_many(ladder[~several]).lower()} with one head",
    }


def how_many(yes: pd.Series) -> str:
    """
    >>> [how_many(pd.Series(yes, dtype=bool)) for yes in ([True, True], [True, False], [False, False])]
    ['All 2', '1 of 2', 'None of 2']
    """
    return f"All {len(yes)}" if len(yes) > 1 and yes.all() else f"{yes.sum() or 'None'} of {len(yes)}"


def as_it_came_out(row: pd.Series) -> str:
    """A claim in a sentence that is true here."""
    scale = ", at reduced scale" if row["reduced"] else ""
    says = str(row["claim"].says).removesuffix(".")
    if row["verdict"].startswith(claims.REPRODUCED):
        return says + scale + mind(row)
    if row["verdict"] == claims.CONTRADICTED:
        return f"{says}? Not here{scale}: {row['claim'].contradicted}"
    return f"{row['verdict'].capitalize()}: {clause(row)}"


def held(task: str, card: pd.DataFrame) -> str:
    """How many claims there are, can be judged, and are reproduced."""
    n = claims.tally(card)
    said = (
        f"Of {n['claims']} claims that the paper makes about {task_name(task)}, {n['tested']} can be judged "
    )
    said += "with the networks here, and "
    reduced = f"{n['reproduced']} are reproduced, {n['small']} of them at reduced scale."
    return said + (reduced if n["reproduced"] else "none is reproduced.")


def clearest(card: pd.DataFrame) -> str:
    """Of each main figure the reproduced claim with the least p (else the first)."""
    rows = card[card["verdict"].str.startswith(claims.REPRODUCED)]
    first = rows.sort_values("p", kind="stable", na_position="last").groupby(figures_of(rows)).head(1)
    return f"{listed(first.sort_index())}." if len(rows) else "None."


def in_chapter(card: pd.DataFrame, chapter: str, task: str) -> str:
    """What came of a chapter's claims (those that are made for this task), as a list in Markdown.

    Args:
        card: the rows of `claims.scorecard` for this task.
        chapter: the name of its notebook.
    """
    card = card[[claim.chapter == chapter and task in claim.tasks for claim in card["claim"]]]
    verdict = card["verdict"]
    said = {
        "Held": listed(card[verdict.str.startswith(claims.REPRODUCED)]),
        "Did not hold": against(card[verdict == claims.CONTRADICTED]),
        "Inconclusive": listed(card[verdict == claims.INCONCLUSIVE]),
        "Not tested": "; ".join(clause(row) for _, row in card[verdict == claims.UNTESTED].iterrows()),
    }
    here = f"chapter {int(chapter[:2])}"
    found = [f"- *{what}:* {rows}.".replace(here, "below") for what, rows in said.items() if rows]
    return "**What we found.**\n\n" + "\n".join(found or ["- The paper makes no claim for this task here."])


def figures_of(rows: pd.DataFrame) -> pd.Series:
    """The number of each claim's main figure."""
    return rows["claim"].map(lambda claim: claim.figure.rstrip("abcd"))


def failed(card: pd.DataFrame) -> str:
    """Every claim that is contradicted, and every one of another size."""
    rows = card[card["verdict"] == claims.CONTRADICTED]
    apart = card[card["verdict"].isin([claims.SMALLER, claims.LARGER])]
    said = f"Contradicted: {against(rows)}." if len(rows) else "No claim is contradicted."
    sizes = "; ".join(
        f"{clause(row)} ({claims.with_unit(row)}, published {claims.number(row['published'].value)})"
        for _, row in apart.iterrows()
    )
    return said + (f" Reproduced, but of another size: {sizes}." if sizes else "")


def undecided(card: pd.DataFrame) -> str:
    """How many claims are inconclusive, how many of these have the sign claimed, and how many wait."""
    n = claims.tally(card)
    rows = card[card["verdict"] == claims.INCONCLUSIVE]
    signs = pd.Series([claim.sign for claim in rows["claim"]], rows.index, dtype=float)
    as_said, signed = int((rows["effect"] * signs > 0).sum()), int((signs != 0).sum())
    said = f"{n['contradicted'] or 'None'} {'are' if n['contradicted'] > 1 else 'is'} contradicted, "
    said += f"{n['inconclusive']} are inconclusive"
    said += (
        f"; of the {signed} of these that claim a sign, {as_said} point the way the paper says"
        if signed
        else ""
    )
    waiting = f" {n['untested']} cannot be tested with the networks here." if n["untested"] else ""
    return f"{said}.{waiting}"


def beside(task: str, card: pd.DataFrame) -> str:
    """The other task in a sentence."""
    n, rows = claims.tally(card), card[card["verdict"] == claims.CONTRADICTED]
    said = f"For {task_name(task)}, {n['reproduced']} of {n['tested']} are reproduced"
    return f"{said}; contradicted: {against(rows)}." if len(rows) else f"{said}, and none is contradicted."


def against(rows: pd.DataFrame) -> str:
    """Contradicted claims in a sentence, with what speaks against each."""
    return "; ".join(
        f"{clause(row)}: here {row['claim'].contradicted} ({effect(row)})" + mind(row)
        for _, row in rows.iterrows()
    )


def listed(rows: pd.DataFrame) -> str:
    """Claims in a sentence, each with its effect."""
    return "; ".join(f"{clause(row)} ({effect(row)}){mind(row)}" for _, row in rows.iterrows())


def mind(row: pd.Series) -> str:
    """What a verdict leaves open, to follow it."""
    return f", but {row['claim'].caution}" if row["claim"].caution else ""


def effect(row: pd.Series) -> str:
    """A row's effect, at which N, and how it is to be taken."""
    said = [claims.in_numbers(row), f"N = {row['N']:.0f}"]
    said += [f"mean of {len(row['simulations'])} simulations"] if row["simulations"] else []
    said += [row["verdict"].partition(", ")[2]] if row["verdict"] in (claims.SMALLER, claims.LARGER) else []
    said += ["reduced scale"] if row["reduced"] else []
    judged = not row["simulations"]  # by this interval: otherwise by that of each of them
    judged = judged and row["claim"].kind in ("sign", "differ")  # what others have is not corrected
    if row["verdict"] == claims.INCONCLUSIVE and judged and row["low"] * row["high"] > 0:
        said += ["clear before the correction only"]
    if row["verdict"] == claims.INCONCLUSIVE and row["effect"] * row["claim"].sign < 0:
        said += ["and pointing the other way"]
    return ", ".join(said)


def clause(row: pd.Series) -> str:
    """A claim within a sentence."""
    says = str(row["claim"].says)
    return says[0].lower() + says[1:].removesuffix(".")
