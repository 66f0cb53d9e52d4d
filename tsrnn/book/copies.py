"""What the copies of chapters say that papermill made, for other tasks, seeds and zoos.

`python -m tsrnn.book.copies COPY…` puts what was computed into the text of copies.
"""

import os
import re
from ast import literal_eval
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import nbformat
import pandas as pd
import typer

import tsrnn
from tsrnn import InputError
from tsrnn.command import run_one
from tsrnn.files import first_line, read_bytes, write_atomically

# Where prose has what the chapter glued: a text within a sentence, or a table by itself
ROLE = re.compile(r"\{glue:text\}`([^`]+)`|^```\{glue\} *(\S+)\n```$", re.MULTILINE)

# Where it has a drawing of the book; of a chapter's folder, the repository is the one above.
DRAWING = re.compile(r"^(```\{figure\} )\.\.(?=/book/)", re.MULTILINE)


def read_notebook(path: str | Path) -> Any:
    """A notebook, as nbformat has it. Raises InputError if the file is none."""
    content = read_bytes(Path(path))
    try:
        return nbformat.reads(content.decode(), as_version=4)  # type: ignore[no-untyped-call]
    except Exception as error:  # of many kinds, by what is there instead
        raise InputError(f"{path} is no notebook: {first_line(error)}") from error


def read_copy(path: str | Path) -> Any:
    """A copy that papermill made. Raises InputError if it is something else."""
    notebook = read_notebook(path)
    if "papermill" not in notebook.metadata:
        raise InputError(f"{path} is no copy that papermill made, and would lose its names: make one")
    return notebook


def bundles(copy: str | Path) -> dict[str, dict[str, str]]:
    """What a chapter glued, by name: the same thing as one or several kinds of data."""
    found = {}
    for cell in read_notebook(copy).cells:
        for out in cell.get("outputs", []):
            if about := out.get("metadata", {}).get("scrapbook"):
                found[about.name] = {k.removeprefix(about.mime_prefix): data for k, data in out.data.items()}
    return found


def as_markdown(bundle: Mapping[str, str]) -> str:
    """What was glued, as a cell of Markdown shows it."""
    for kind in ("text/markdown", "text/html"):
        if kind in bundle:
            return bundle[kind]
    return str(literal_eval(bundle["text/plain"]))


def glued(copy: str | Path) -> dict[str, str]:
    """The texts that a chapter computed for its prose, by name; tables are none."""
    return {
        name: as_markdown(found) for name, found in bundles(copy).items() if found.keys() == {"text/plain"}
    }


def fill(copy: str | Path) -> None:
    """Put what a copy computed into its text, in place of the names that only the book can read.

    Drawings are shown from where the copy lies.

    Raises:
        InputError: papermill did not make it. A chapter itself would lose its names.
    """
    notebook = read_copy(copy)
    texts = {name: as_markdown(found) for name, found in bundles(copy).items()}
    repository = Path(os.path.relpath(Path(tsrnn.__file__).parents[1], Path(copy).parent)).as_posix()
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = ROLE.sub(lambda role: texts.get(role[1] or role[2], role[0]), cell.source)
            cell.source = DRAWING.sub(lambda figure: figure[1] + repository, cell.source)
    write_atomically(Path(copy), nbformat.writes(notebook).encode())  # type: ignore[no-untyped-call]


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
    return pd.DataFrame(rows) if rows else pd.DataFrame(columns=["copy", "name", "value"])


def is_results(path: Path) -> bool:
    """Whether this is the file of a table such as `results` makes. Raises InputError if it cannot be read."""
    columns = read_bytes(path).split(b"\n", 1)[0].rstrip(b"\r").split(b",")
    return columns[0] == b"copy" and columns[-2:] == [b"name", b"value"]


def main(copies: Annotated[list[Path], typer.Argument(help="Copies of chapters.")]) -> None:
    """Put what copies of chapters computed into their text."""
    for copy in copies:
        read_copy(copy)  # before the first is changed
    for copy in copies:
        fill(copy)


if __name__ == "__main__":
    run_one(main)
