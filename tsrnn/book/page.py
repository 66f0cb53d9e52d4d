"""What every page does: say something in its prose, show a table, split networks by kind."""

from collections.abc import Mapping, Sequence

import pandas as pd
from IPython.display import Markdown

from tsrnn.book.effects import KINDS


def say(texts: Mapping[str, object] | None = None, /, **more: object) -> None:
    """Give the prose its texts, each under the name by which the page glues it."""
    from myst_nb import glue  # here, not above: it takes a second

    for name, text in (dict(texts or {}) | more).items():
        glue(name, str(text), display=False)


def table(rows: pd.DataFrame | Sequence[Mapping[str, object]], empty: str = "*None.*") -> Markdown:
    """Rows of texts as a table, with a column for each of their keys; without rows, what is said instead."""
    shown = pd.DataFrame(rows)
    text = empty if shown.empty else shown.to_markdown(index=False, disable_numparse=True)
    return Markdown(text)  # type: ignore[no-untyped-call]


def by_kind(values: pd.Series, n: int | None = None) -> list[list[float]]:
    """A value for each multi-head network, and for each single-head one.

    Args:
        values: by curriculum and number, and where n is given by N, the last level of the index.
        n: only those at this N. NaN are left out.
    """
    values = values.dropna()
    here = values if n is None else values[values.index.get_level_values(-1) == n]
    return [here[here.index.get_level_values("curriculum") == kind].tolist() for kind in KINDS]
