"""Check every chapter as it is stored, then execute it in quick mode with papermill, for both tasks.

The copies go to _build/quick.

Usage: python tools/run_notebooks.py [--stored: check only, execute nothing]
"""

import re
import sys
import time
from pathlib import Path
from typing import Any

import nbformat
import papermill

TOP = Path(__file__).parents[1]
OUT = TOP / "_build" / "quick"
TASKS = ("parity", "dms")

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
    if any(cell.get("outputs") or cell.get("execution_count") for cell in notebook.cells):
        faults.append(f"{path.name}: outputs are stored")
    typed = [
        f"{path.name}: a number typed by hand, not glued: {sentence}" for sentence in typed_results(notebook)
    ]
    return faults + typed


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


def run(path: Path, task: str) -> list[str]:
    """Execute one notebook; what went wrong."""
    began = time.perf_counter()
    try:
        papermill.execute_notebook(
            path,
            OUT / f"{path.stem}_{task}.ipynb",
            parameters={"quick": True, "task": task},
            cwd=TOP,
            progress_bar=False,
        )
    except papermill.PapermillExecutionError as error:
        return [f"{path.name}, {task}: {error.ename}: {error.evalue}"]
    print(f"{path.name}, {task}: {time.perf_counter() - began:.0f} s")
    return []


def main(stored_only: bool) -> None:
    OUT.mkdir(parents=True, exist_ok=True)
    faults = []
    for path in sorted((TOP / "notebooks").glob("*.ipynb")):
        here = faults_as_stored(path)
        faults += here if here or stored_only else [fault for task in TASKS for fault in run(path, task)]
    if faults:
        sys.exit("\n".join(faults))


if __name__ == "__main__":
    main(stored_only="--stored" in sys.argv)
