"""The scorecard's HTML: every claim and verdict is there, links lead somewhere, drawings tell the truth."""

import json
import re
import sys
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest

from tsrnn.book import claims, grid
from tsrnn.book.paper import Published
from tsrnn.book.plotting import task_name

TOP = Path(__file__).parents[1]
sys.path.insert(0, str(TOP / "tools"))
from check_site import contrast  # noqa: E402


def card(shift: int = 0) -> pd.DataFrame:
    """As `claims.scorecard` makes it, each claim with the next verdict."""
    rows = []
    for i, claim in enumerate(claims.CLAIMS, shift):
        tested = claims.VERDICTS[i % 7] != claims.UNTESTED and i % 14 != 13  # nor all that are not claimed
        x = float(i + 1) * (-1) ** i if tested else np.nan
        rows.append(
            {
                "claim": claim,
                "effect": x,
                "means": (1.0, 1.0 - x) if i % 2 else (x,),
                "low": x - 0.5,
                "high": x + 0.5,
                "p": 0.0001 * (i + 1) if tested else np.nan,
                "paired": i % 2 == 0,
                "networks": (4, 3) if tested else (),
                "N": 20 if tested else None,
                "simulations": (1.0, -2.0, 4.0) if i % 4 == 0 else (),
                "published": Published(1.75, 0.25, "plot") if i % 3 == 0 or 0 < i % 7 < 3 else None,
                "verdict": claims.VERDICTS[i % 7],
                "reduced": i % 5 == 0,
            }
        )
    return pd.DataFrame(rows)


CARDS = {"parity": card(), "dms": card(2)}


def text(element: ElementTree.Element) -> str:
    return "".join(element.itertext())


def of_class(element: ElementTree.Element, name: str) -> list[ElementTree.Element]:
    return [e for e in element.iter() if name in e.get("class", "").split()]


@pytest.fixture(scope="module")
def rows() -> list[ElementTree.Element]:
    """Of the grid, which is well formed."""
    page = ElementTree.fromstring(grid.grid(CARDS))
    return [row for row in of_class(page, "claim-row") if "claim-head" not in row.get("class", "")]


def test_every_claim_has_a_cell_for_every_task_with_its_verdict(rows):
    assert [text(of_class(row, "says")[0]) for row in rows] == [claim.says for claim in claims.CLAIMS]
    for i, row in enumerate(rows):
        cells = of_class(row, "cell")
        assert len(cells) == len(CARDS)
        for cell, (task, card) in zip(cells, CARDS.items(), strict=True):
            data = card.iloc[i]
            assert text(of_class(cell, "verdict")[0]) == data["verdict"]
            assert text(of_class(cell, "chip")[0]) == claims.MARKS[data["verdict"]]
            assert text(cell).startswith(f"{task_name(task)}: ")
            small = "reduced scale" in claims.in_words(data)
            assert ("reduced" in cell.get("class").split(), "reduced scale" in text(cell)) == (small, small)
            shown = [text(e) for e in of_class(cell, "effect")]
            assert shown == ([claims.with_unit(data)] if data["networks"] else [])


def test_a_row_opens_to_all_that_its_verdict_was_made_of(rows):
    for i, row in enumerate(rows):
        more = text(of_class(row, "more")[0])
        assert claims.CLAIMS[i].effect in more and claims.CLAIMS[i].contradicted in more
        for card in CARDS.values():
            data = card.iloc[i]
            assert claims.in_words(data) in more
            if data["networks"]:
                assert claims.measured(data) in more
                assert ("4 pairs" if data["paired"] else "4 and 3 networks") in more
            if data["simulations"] and data["networks"]:
                assert "By each set of draws of the bits alone: +1.00, −2.00, +4.00;" in more
            if data["published"] and data["networks"]:
                assert "Published: +1.75 ± 0.25, read off a plot" in more


def test_every_link_leads_to_a_figure_of_a_chapter(rows):
    links = {link.get("href") for row in rows for link in row.iter("a")}
    assert links == {f"{claim.chapter}.html#{claim.shown}" for claim in claims.CLAIMS}
    for link in links:
        chapter, figure = link.split(".html#")
        cells = json.loads((TOP / "notebooks" / f"{chapter}.ipynb").read_text())["cells"]
        assert figure in [c["metadata"].get("mystnb", {}).get("figure", {}).get("name") for c in cells], link


@pytest.mark.parametrize("sign", [1, -1])
def test_what_the_paper_says_lies_to_the_right_and_all_within_the_drawing(sign):
    rng = np.random.default_rng(0)
    claim = next(c for c in claims.CLAIMS if c.sign == sign)
    for effect, width, theirs in rng.normal(size=(50, 3)) * [1, 1, 3]:
        data = {"claim": claim, "effect": effect, "low": effect - abs(width), "high": effect + abs(width)}
        row = pd.Series(data | {"published": Published(theirs, 0, "data")})
        svg = grid.thumbnail(row)
        [dot] = re.findall(r'cx="([-.\d]+)"', svg)
        [diamond] = re.findall(r'"published" d="M([-.\d]+) ', svg)
        [(low, high)] = re.findall(r'"interval" d="M([-.\d]+) \d+H([-.\d]+)"', svg)
        xs = np.array([low, dot, high, diamond], dtype=float)
        assert (xs >= grid.MARGIN - 0.06).all() and (xs <= grid.WIDTH - grid.MARGIN + 0.06).all()
        effect *= sign  # a positive one is as claimed
        values = np.array([effect - abs(width), effect, effect + abs(width), sign * theirs])
        apart, largest = xs - grid.ZERO, np.abs(values).argmax()
        scale = apart[largest] / values[largest]
        assert scale > 0 and np.allclose(apart, scale * values, atol=0.15)  # px


def test_words_in_cells_can_be_read_in_light_and_dark():
    """AA: 4.5 to 1, on both stripes of a hatch, for the sign of a chip as well."""
    css = (TOP / "book" / "_static" / "scorecard.css").read_text()
    themes = [
        dict(re.findall(r"--([\w-]+): (#\w{6});", block))
        for block in re.findall(r"\.claims \{(.*?)\}", css, re.S)[:2]
    ]
    kinds = {grid.of_verdict(verdict) for verdict in claims.VERDICTS} - {"not-tested", "not-claimed"}
    for colours, page in zip(themes, ("#ffffff", "#121212"), strict=True):
        assert contrast(colours["muted"], page) >= 4.5
        for kind in kinds:
            grounds = [colours[kind], colours[f"{kind}-hatch"]]
            assert min(contrast(colours[ink], g) for ink in ("says", "muted") for g in grounds) >= 4.5, kind
            assert contrast(colours[f"{kind}-chip"], colours["chip-sign"]) >= 4.5
