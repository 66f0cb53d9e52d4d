"""Execute every chapter in quick mode with papermill, for both tasks; the copies go to _build/quick."""

import sys
import time
from pathlib import Path

import nbformat
import papermill

TOP = Path(__file__).parents[1]
OUT = TOP / "_build" / "quick"
TASKS = ("parity", "dms")


def faults_as_stored(path: Path) -> list[str]:
    """What the rules for notebooks forbid in the file itself."""
    notebook = nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]
    parameters = papermill.inspect_notebook(path)
    faults = [f"{path.name}: no parameter '{name}'" for name in ("task", "seeds", "zoo_path", "quick") if name not in parameters]
    if any(cell.get("outputs") or cell.get("execution_count") for cell in notebook.cells):
        faults.append(f"{path.name}: outputs are stored")
    return faults


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


def main() -> None:
    OUT.mkdir(parents=True, exist_ok=True)
    faults = []
    for path in sorted((TOP / "notebooks").glob("*.ipynb")):
        here = faults_as_stored(path)
        faults += here or [fault for task in TASKS for fault in run(path, task)]
    if faults:
        sys.exit("\n".join(faults))


if __name__ == "__main__":
    main()
