"""What the copies of chapters say that papermill made, for other tasks, seeds and zoos."""

from ast import literal_eval
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import nbformat
import pandas as pd


def glued(copy: str | Path) -> dict[str, str]:
    """What a chapter computed for its text, by name."""
    found = {}
    for cell in nbformat.read(copy, as_version=4).cells:  # type: ignore[no-untyped-call]
        for out in cell.get("outputs", []):
            if "scrapbook" in out.get("metadata", {}):
                [text] = out.data.values()
                found[out.metadata.scrapbook.name] = str(literal_eval(text))
    return found


def results(copies: Mapping[Path, Mapping[str, Any]]) -> pd.DataFrame:
    """Of copies and what each was run with: what they glued, a row for each name.

    Returns:
        Columns copy, those that it was run with, name, value (as in the text).
    """
    rows = [
        {"copy": copy.stem, **about, "name": name, "value": value}
        for copy, about in copies.items()
        for name, value in glued(copy).items()
    ]
    return pd.DataFrame(rows)
