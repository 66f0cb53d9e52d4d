"""Arrows run one way: no module imports one that stands above it. Examples are true, and cells are short."""

import ast
import doctest
import importlib
import json
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "tsrnn"
# From the ground up. A module may import what stands on a line before its own, or beside it.
FLOORS = """
tsrnn
tsrnn.inputs tsrnn.kinds tsrnn.command tsrnn.progress tsrnn.kernels tsrnn.optimisers
tsrnn.recurrence
tsrnn.model tsrnn.tasks
tsrnn.names tsrnn.gated
tsrnn.files tsrnn.curriculum
tsrnn.schemas tsrnn.config
tsrnn.zoo
tsrnn.runs tsrnn.catalogue
tsrnn.batches tsrnn.folders tsrnn.evaluation
tsrnn.analysis tsrnn.analysis.noise tsrnn.analysis.statistics tsrnn.analysis.simulate
tsrnn.analysis.connectivity
tsrnn.analysis.fits tsrnn.analysis.timescales tsrnn.analysis.dimensionality
tsrnn.analysis.recordings tsrnn.card
tsrnn.analysis.measure tsrnn.analysis.interventions tsrnn.analysis.decoding
tsrnn.training
tsrnn.probes tsrnn.retraining tsrnn.replay
tsrnn.book tsrnn.book.copies
tsrnn.book.plotting tsrnn.book.paper tsrnn.book.effects tsrnn.book.claims tsrnn.book.toy
tsrnn.book.page tsrnn.book.sentences
tsrnn.book.live tsrnn.book.mechanisms tsrnn.book.grid
tsrnn.book.explore tsrnn.book.start tsrnn.book.synthesis
tsrnn.book.others tsrnn.book.draws
tsrnn.cli
tsrnn.__main__
"""


def imports(path: Path) -> set[str]:
    """The modules of the package that a file imports when it runs, by their full names."""
    found, tree = set(), ast.parse(path.read_text())
    branches = [node for node in ast.walk(tree) if isinstance(node, ast.If)]
    for_types = [node for node in branches if ast.unparse(node.test) == "TYPE_CHECKING"]
    not_run = {id(node) for branch in for_types for node in ast.walk(branch)}
    for node in ast.walk(tree):
        if id(node) in not_run:
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            within = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= within & MODULES.keys() or {node.module}
    return found & MODULES.keys()


def name_of(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {name_of(path): path for path in PACKAGE.rglob("*.py")}


def test_every_module_has_its_floor_and_none_imports_from_above():
    floor = {name: level for level, line in enumerate(FLOORS.split("\n")) for name in line.split()}
    assert floor.keys() == MODULES.keys()
    upwards = [
        f"{name} imports {other}"
        for name, path in MODULES.items()
        for other in imports(path)
        if floor[other] > floor[name]
    ]
    assert upwards == []


def test_no_two_modules_import_each_other_in_a_circle():
    """Nor do those on one floor."""
    above: dict[str, set[str]] = {name: imports(path) - {name} for name, path in MODULES.items()}
    while free := [name for name, others in above.items() if not others]:
        above = {name: others - set(free) for name, others in above.items() if name not in free}
    assert above == {}


def test_it_would_see_an_import(tmp_path):
    """Also one inside a function, and both ways to write it."""
    path = tmp_path / "module.py"
    lines = [
        "from tsrnn import zoo",
        "if TYPE_CHECKING:",
        "    from tsrnn.runs import Run",
        "def f():",
        "    import tsrnn.cli",
        "    from tsrnn.book.paper import row",
    ]
    path.write_text("\n".join(lines))
    assert imports(path) == {"tsrnn.zoo", "tsrnn.cli", "tsrnn.book.paper"}


@pytest.mark.parametrize("name", [name for name, path in MODULES.items() if ">>> " in path.read_text()])
def test_what_docstrings_show_is_true(name):
    assert doctest.testmod(importlib.import_module(name)).failed == 0


CHAPTERS = sorted((PACKAGE.parent / "notebooks").glob("*.ipynb"))
LONGEST = 25


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_a_cell_can_be_read_aloud(path):
    """It is a call and a plot: what takes more lines is a function of the package, with a test."""
    cells = [c for c in json.loads(path.read_text())["cells"] if c["cell_type"] == "code"]
    lines = {c["id"]: sum(bool(line.strip()) for line in c["source"]) for c in cells}
    assert {name: count for name, count in lines.items() if count > LONGEST} == {}
