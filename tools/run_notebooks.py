"""Check every chapter as it is stored, then execute it as the book does not: for DMS, on toys, in quick mode.

The book itself runs all of them for parity, on the zoo. The copies go to _build/quick.
"""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import nbformat
import papermill
import typer
from nbstripout import strip_output
from sweep import TOP, sweep

from tsrnn.command import run_one
from tsrnn.files import write_atomically

OUT = TOP / "_build" / "quick"

# After a chapter's first figure numbers are results, and a result is computed and glued, never typed. What is
# none, a constant of the protocol say, is set as mathematics, $0.5$, or as code. So these are not looked at:
NO_PROSE = re.compile(
    r"""
      ^:::\{admonition\}\ (?:Exercise|Answer).*?^:::$   # what is asked, and can be derived
    | ^```.*?^```$ | \$\$.*?\$\$ | \$[^$]+\$             # code and mathematics
    | (?:\{[\w:]+\})?`[^`]*`                            # roles and names
    | \]\([^)]*\) | <?https?://\S+                      # addresses
    """,
    re.DOTALL | re.MULTILINE | re.VERBOSE,
)
# The share of variance that components explain, the width of intervals, the accuracy for a promotion
CONSTANTS = re.compile(r"\b(?:90|95|98) %")
# A decimal, a percentage, so many of so many. A sentence that cites a source may have them.
RESULT = re.compile(r"\d\.\d|\d\s*(?:%|per\s+cent|percentage)|\d\s+of\s+(?:the\s+)?\d")
SENTENCE_ENDS = re.compile(r"(?<=[.?!:])\s+|\n\n|\|")


def faults_as_stored(path: Path) -> list[str]:
    """What the rules for notebooks forbid in the file itself."""
    notebook = nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]
    parameters = papermill.inspect_notebook(path)
    faults = [
        f"{path.name}: no parameter '{name}'"
        for name in ("task", "seeds", "zoo_path", "quick")
        if name not in parameters
    ]
    if has_outputs(notebook):
        faults.append(f"{path.name}: outputs are stored; `make book` takes them away")
    typed = [
        f"{path.name}: a number typed by hand, not glued: {sentence}" for sentence in typed_results(notebook)
    ]
    return faults + typed


# What all chapters say of their kernel: an editor adds its own name for it, and the version of Python.
KERNEL = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


def has_outputs(notebook: Any) -> bool:
    """An editor saved what its cells gave, or that they were run."""
    return any(cell.get("outputs") or cell.get("execution_count") for cell in notebook.cells)


def strip(paths: list[Path]) -> list[Path]:
    """Take outputs away from the chapters that have some, and what else an editor stored by running them.

    Their cells stay as they were saved, and other chapters altogether. Returns which had some.
    """
    had = []
    for path in paths:
        notebook = nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]
        if has_outputs(notebook):
            strip_output(notebook, keep_output=False, keep_count=False, keep_id=True)
            notebook.metadata |= KERNEL
            write_atomically(path, nbformat.writes(notebook).encode() + b"\n")  # type: ignore[no-untyped-call]
            had.append(path)
    return had


def typed_results(notebook: Any) -> list[str]:
    """Sentences after the first figure with what looks like a result typed by hand (see `NO_PROSE`)."""
    figures = [i for i, cell in enumerate(notebook.cells) if "figure" in cell.metadata.get("mystnb", {})]
    after = notebook.cells[figures[0] :] if figures else []
    prose = [
        CONSTANTS.sub("…", NO_PROSE.sub(lambda m: "{cite}" if m[0].startswith("{cite") else "…", cell.source))
        for cell in after
        if cell.cell_type == "markdown"
    ]
    sentences = [" ".join(sentence.split()) for text in prose for sentence in SENTENCE_ENDS.split(text)]
    return [sentence for sentence in sentences if RESULT.search(sentence) and "{cite}" not in sentence]


# What the repository does not have: environment, what pip leaves beside the package, what is built
NOT_OURS = (".venv", "tsrnn.egg-info", "_build", ".git")
# Runs first in every kernel, and notes each file of the repository that anything in it opens.
TRACE = """
import sys
_names = open({names!r}, "a", buffering=1)
def _note(event, arguments):
    if event == "open" and str(arguments[0]).startswith({top!r}):
        _names.write(str(arguments[0]) + "\\n")
sys.addaudithook(_note)
"""


def trace(folder: Path) -> Path:
    """Have all kernels from now on note the files that they open; returns where."""
    startup, names = folder / "profile_default" / "startup" / "trace.py", folder / "opened.txt"
    startup.parent.mkdir(parents=True, exist_ok=True)
    startup.write_text(TRACE.format(names=str(names), top=f"{TOP}/"))
    names.write_text("")
    os.environ["IPYTHONDIR"] = str(folder)
    return names


def unlisted(names: Path) -> list[str]:
    """The files of the repository that notebooks opened, though `make inputs` does not list them."""
    listed = subprocess.run(["make", "-s", "inputs"], cwd=TOP, capture_output=True, text=True, check=True)
    opened = {Path(line).relative_to(TOP) for line in names.read_text().splitlines()}
    ours = {str(path) for path in opened if path.parts[0] not in NOT_OURS}
    read = {name for name in ours if (TOP / name).is_file() and not name.endswith(".pyc")}
    return [
        f"a notebook reads {name}: add it to INPUTS in Makefile"
        for name in sorted(read - set(listed.stdout.splitlines()))
    ]


def for_dms_on_toys(paths: list[Path]) -> Iterator[tuple[Path, Path, dict[str, object]]]:
    """The runs, as `sweep` takes them.

    The first trains toys of its own, as every chapter does that finds none. The others share toys, which are
    trained while it runs; of them the last take longest, so that no core waits for another at the end.
    """
    from tsrnn.book.toy import train_pairs  # here: `make book` only looks at what is stored

    empty = OUT / "empty"
    empty.mkdir(parents=True, exist_ok=True)
    parameters: dict[str, object] = {"task": "dms", "quick": True}
    yield paths[0], OUT / paths[0].name, parameters | {"zoo_path": str(empty)}
    toys = train_pairs("dms", [0], max_n=4)
    for path in paths[:0:-1]:
        yield path, OUT / path.name, parameters | {"zoo_path": str(toys)}


def main(
    only_strip: Annotated[
        bool, typer.Option("--strip", help="Take outputs away where an editor stored some, execute nothing.")
    ] = False,
) -> None:
    paths = sorted((TOP / "notebooks").glob("*.ipynb"))
    if only_strip and (had := strip(paths)):
        names = ", ".join(str(path.relative_to(TOP)) for path in had)
        print(f"Outputs were stored in {names}: taken away. The cells are as they were saved.")
    faults = [fault for path in paths for fault in faults_as_stored(path)]
    if not faults and not only_strip:
        opened = trace(OUT / "ipython")
        failed = sweep(for_dms_on_toys(paths), os.cpu_count() or 1)
        faults = [f"{copy.name}: {error}" for copy, error in failed.items()] + unlisted(opened)
        faults = faults or [
            f"{path.name}: nothing was glued under {role}"
            for path in paths
            for role in re.findall(r"\{glue\S*", (OUT / path.name).read_text(encoding="utf8"))
        ]
    if faults:
        sys.exit("\n".join(faults))


if __name__ == "__main__":
    run_one(main, __doc__)
