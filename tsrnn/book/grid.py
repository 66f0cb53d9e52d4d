"""The scorecard as a page shows it: a row of HTML for each claim, a coloured cell in it for each task.

Colours and layout are in `book/_static/scorecard.css`. Each row opens (it is a `<details>`, so a keyboard
will do, and no script is needed) and says what the verdict was made of.
"""

from collections.abc import Mapping
from html import escape

import numpy as np
import pandas as pd

from tsrnn.analysis.statistics import p_text
from tsrnn.book import claims
from tsrnn.book.claims import CONTRADICTED, INCONCLUSIVE, MARKS, REPRODUCED, UNTESTED, Claim
from tsrnn.book.plotting import task_name

# Of a thumbnail, in px; 0 stands at the same place in all.
WIDTH, HEIGHT, ZERO, MARGIN = 52, 12, 17, 5
KEY = (
    (REPRODUCED, " (smaller, larger: than published)"),
    (INCONCLUSIVE, " (after correction)"),
    (CONTRADICTED, ""),
    (UNTESTED, ""),
)


def grid(cards: Mapping[str, pd.DataFrame]) -> str:
    """All claims against all tasks.

    Args:
        cards: of each task the rows of `claims.scorecard`, which are the same claims.

    Returns:
        HTML; links lead to the figure of the chapter, from a page beside the chapters.
    """
    heads = "".join(f'<span class="claim-task">{summary(task, card)}</span>' for task, card in cards.items())
    rows, before = [], ""
    for i, claim in enumerate(next(iter(cards.values()))["claim"]):
        here = {task: card.iloc[i] for task, card in cards.items()}
        address, first = f"{claim.chapter}.html#{claim.shown}", "" if claim.figure == before else " first"
        before = claim.figure
        cells = "".join(cell(task, row) for task, row in here.items())
        more = rule(claim, address) + "".join(f"<p>{statistics(*about)}</p>" for about in here.items())
        rows.append(
            f'<div class="claim-row{first}"><a href="{address}" aria-label="Figure {claim.figure}, and ours">'
            f'{claim.figure}</a><details class="claim"><summary>'
            f'<span class="says">{escape(claim.says)}</span>{cells}</summary>'
            f'<div class="more">{more}</div></details></div>'
        )
    return (
        f'<div class="claims" style="--tasks: {len(cards)}">{key()}'
        f'<div class="claim-row claim-head"><span>Fig.<span class="unseen"> of the paper</span></span>'
        f"<span>The claim</span>{heads}</div>"
        f"{''.join(rows)}</div>"
    )


def summary(task: str, card: pd.DataFrame) -> str:
    """The head of a column: the task, and how many verdicts of each kind it has."""
    kinds = [verdict.split(",")[0] for verdict in card["verdict"]]
    words = (REPRODUCED, INCONCLUSIVE, CONTRADICTED)
    counts = " ".join(
        f'<span title="{word}">{kinds.count(word)} {MARKS[word]}<span class="unseen"> {word}</span></span>'
        for word in words
    )
    return f"<b>{task_name(task)}</b> {counts}"


def key() -> str:
    """What signs and drawings mean."""
    chips = "".join(
        f'<span class="cell {of_verdict(verdict)}">'
        f'<b class="chip">{MARKS[verdict]}</b> {verdict}{more}</span>'
        for verdict, more in KEY
    )
    return (
        f'<p class="claim-key">{chips}'
        f'<span class="cell {REPRODUCED} reduced">hatched: at reduced scale</span>'
        f'<span class="drawn">{drawing(1.0, 0.4, 1.6, 2.1, 0)} effect with 95 % interval, right of the line '
        "(0) as claimed, whatever its sign; ◇ published</span><span>n: networks, or pairs of them</span></p>"
    )


def of_verdict(verdict: str) -> str:
    """The class of a cell: its verdict, whatever is said of the size.

    >>> of_verdict(claims.SMALLER), of_verdict(claims.UNTESTED)
    ('reproduced', 'not-tested')
    """
    return verdict.split(",")[0].replace(" ", "-")


def cell(task: str, row: pd.Series) -> str:
    """The verdict of one claim for one task, with its effect, drawn and as a number, and n."""
    words, measured = row["verdict"], bool(row["networks"])
    if (
        ", " in words
    ):  # of "reproduced, smaller than published" the middle is to be seen; the sign says the first
        first, size = words.split(", ")
        words = f'<span class="unseen">{first}, </span>{size.replace(" than published", "")}'
        words += '<span class="unseen"> than published</span>'
    small = claims.is_small(row)
    kind = of_verdict(row["verdict"]) + (" reduced" if small else "")
    effect = f'{thumbnail(row)}<span class="effect">{claims.with_unit(row)}</span>' if measured else ""
    n = f'<span class="n">n {count(row)}</span>' if measured else ""
    scale = '<span class="unseen">, reduced scale</span>' if small else ""
    return (
        f'<span class="cell {kind}"><span class="unseen">{task_name(task)}: </span>'
        f'<b class="chip" aria-hidden="true">{MARKS[row["verdict"]]}</b>'
        f'<span class="verdict">{words}</span>{scale}{effect}{n}</span>'
    )


def count(row: pd.Series) -> str:
    """How many networks: one number of pairs or of one kind, two of two kinds."""
    return str(row["networks"][0]) if row["paired"] else ", ".join(map(str, row["networks"]))


def thumbnail(row: pd.Series) -> str:
    """The effect, its interval, 0 and the published value on one line, to the right what the paper says."""
    claim, theirs = row["claim"], row["published"]
    sign, known = claim.sign or 1, np.nan if theirs is None else theirs.value
    return drawing(sign * row["effect"], sign * row["low"], sign * row["high"], sign * known, claim.margin)


def drawing(effect: float, low: float, high: float, published: float, margin: float) -> str:
    """An SVG of these numbers, as wide as they need; a band for a margin around 0. NaN is left out."""
    known = [x for x in (effect, low, high, published, margin, -margin) if not np.isnan(x)]
    right, left = max(0.0, *known), -min(0.0, *known)
    scale = min(
        (WIDTH - MARGIN - ZERO) / right if right else np.inf, (ZERO - MARGIN) / left if left else np.inf
    )
    scale = scale if np.isfinite(scale) else 0.0
    middle = HEIGHT / 2

    def x(value: float) -> str:
        return f"{ZERO + scale * value:.1f}"

    parts = []
    if margin:
        width = f"{2 * scale * margin:.1f}"
        parts.append(f'<rect class="margin" x="{x(-margin)}" y="1" width="{width}" height="{HEIGHT - 2}"/>')
    parts.append(f'<path d="M{ZERO} 0V{HEIGHT}"/>')
    if not np.isnan(low):
        parts.append(f'<path class="interval" d="M{x(min(low, high))} {middle:g}H{x(max(low, high))}"/>')
    parts.append(f'<circle cx="{x(effect)}" cy="{middle:g}" r="2.2"/>')
    if not np.isnan(published):
        side = "l3.5 3.5-3.5 3.5-3.5-3.5z"
        parts.append(f'<path class="published" d="M{x(published)} {middle - 3.5:g}{side}"/>')
    size = f'width="{WIDTH}" height="{HEIGHT}" viewBox="0 0 {WIDTH} {HEIGHT}"'
    return f'<svg {size} aria-hidden="true">{"".join(parts)}</svg>'


def rule(claim: Claim, address: str) -> str:
    """What a claim is judged by."""
    return (
        f"<p>Judged by: {escape(claim.effect)}. Against it: {escape(claim.contradicted)}. "
        f'<a href="{address}">Our figure</a></p>'
    )


def statistics(task: str, row: pd.Series) -> str:
    """What a verdict was made of."""
    claim, theirs = row["claim"], row["published"]
    said = f"<b>{task_name(task)}</b>: {claims.in_words(row)}"
    if not row["networks"]:
        return f"{said}. There are no networks here that could tell, at N = {claim.needs} or more."
    n = row["networks"]
    networks = f"{n[0]} pairs" if row["paired"] else " and ".join(map(str, n)) + " networks"
    p = "" if np.isnan(row["p"]) else f", {escape(p_text(row['p']))} (Holm)"
    scale = f"; {escape(claim.reduced)}" if claim.reduced else ""
    text = f"{said}. N = {row['N']:.0f} (the paper speaks of {claim.scale}{scale}), {networks}: "
    text += f"{claims.measured(row)}{p}."
    if theirs is not None:
        error = f" ± {theirs.error:.2g}" if theirs.error else ""
        plot = {"plot": ", read off a plot", "between": ", between points of a plot"}.get(theirs.mark, "")
        text += f" Published: {claims.number(theirs.value)}{error}{plot}."
    if row["simulations"]:
        text += " By each set of draws of the bits alone: "
        text += ", ".join(claims.number(x, claims.digits(row)) for x in row["simulations"])
        text += "; the interval is of their mean, and p the largest of theirs."
    caution = f" Mind: {escape(claim.caution)}." if claim.caution else ""
    return text + caution
