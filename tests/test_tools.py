"""Each check of notebooks and site finds what it is for, and only that."""

import json
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import papermill
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from tsrnn import InputError
from tsrnn.book import copies
from tsrnn.command import run_one

TOOLS = Path(__file__).parents[1] / "tools"
sys.path.insert(0, str(TOOLS))

import check_site  # noqa: E402
import run_notebooks  # noqa: E402
import sweep  # noqa: E402

# ---------------------------------------------------------------- numbers typed by hand


def chapter(text: str):
    """A chapter with a figure, and `text` after it."""
    figure = new_code_cell("plot()", metadata={"mystnb": {"figure": {"caption": "", "name": "fig"}}})
    return new_notebook(cells=[new_markdown_cell("The rate is 0.05."), figure, new_markdown_cell(text)])


TYPED = [
    "The mean is 1.43 steps.",
    "It is {glue:text}`mean` here, and 1.43 in the paper.",
    "Accuracy fell by 12 %.",
    "Half: 50 per cent of all.",
    "This holds in 3 of the 4 networks.",
    "| single-head | 1.43 |",
    "Cited {cite}`khajehabdollahi2024`. But this is not: 1.43.",
]
NOT_TYPED = [
    "It is {glue:text}`mean` steps.",
    "It starts at $\\tau = 1.5$ and ends\n\n$$x = 2.5$$ (eq-x)\n",
    "The function `f(0.5)` of {mod}`tsrnn.analysis`.",
    "```python\nx = 0.5\n```",
    "They report 0.35 {cite}`khajehabdollahi2024`.",
    "The mean with its 95 % interval, over networks 1 to 4; promoted at 98 %.",
    "See [the preprint](https://arxiv.org/abs/2309.12927) or https://arxiv.org/abs/2309.12927.",
    ":::{admonition} Answer\n:class: dropdown\nTwo thirds, or 66.7 %.\n:::",
]


@pytest.mark.parametrize("text", TYPED)
def test_a_result_typed_by_hand_is_found(text):
    [sentence] = run_notebooks.typed_results(chapter(text))
    assert sentence in text or "…" in sentence


@pytest.mark.parametrize("text", NOT_TYPED)
def test_what_is_glued_cited_or_no_result_is_not(text):
    assert run_notebooks.typed_results(chapter(text)) == []


def test_before_the_first_figure_all_numbers_are_of_the_protocol():
    text = new_markdown_cell("Batches of 256, a rate of 0.05, 12 % of all.")
    assert run_notebooks.typed_results(new_notebook(cells=[text])) == []


# ---------------------------------------------------------------- the site

FINE = '<a href="b.html#here">b</a><img src="x.svg" alt="A line."><script src="own.js"></script>'
SVG = '<svg xmlns="http://www.w3.org/2000/svg"><text style="{}">N</text></svg>'


def site(folder: Path, a: str = FINE, b: str = '<p id="here">', svg: str = SVG.format("fill: #777777")):
    for name, content in {"a.html": a, "b.html": b, "x.svg": svg}.items():
        (folder / name).write_text(content)
    return {path: check_site.Page(path) for path in sorted(folder.glob("*.html"))}


CHECKS = [check_site.check_links, check_site.check_images, check_site.check_figures, check_site.check_sources]
BROKEN = [
    ({"a": '<a href="gone.html">'}, "a.html: broken link gone.html"),
    ({"b": "<p>"}, "a.html: no such anchor: b.html#here"),
    ({"a": '<img src="x.svg" alt=" ">'}, "a.html: no alt text: x.svg"),
    ({"a": '<img src="x.svg" alt="x.svg">'}, "a.html: no alt text: x.svg"),
    ({"svg": SVG.format("")}, "a.html: #000000 is hard to read in a figure: N"),
    ({"svg": SVG.format("fill: #eeeeee")}, "a.html: #eeeeee is hard to read in a figure: N"),
    ({"a": '<script src="https://cdn.org/x.js">'}, "a.html: <script> from https://cdn.org/x.js"),
    ({"a": "<style>@import '//cdn.org/x.css'</style>"}, "a.html: style with @import '//cdn.org/x.css"),
]


def failures(pages, folder):
    return [failure for check in CHECKS for failure in check(pages, folder.resolve())]


def test_a_site_that_is_fine_passes(tmp_path):
    assert failures(site(tmp_path), tmp_path) == []


@pytest.mark.parametrize(("change", "failure"), BROKEN)
def test_what_is_broken_is_named(change, failure, tmp_path):
    assert failures(site(tmp_path, **change), tmp_path) == [failure]


def test_pages_are_those_of_the_table_of_contents(tmp_path, monkeypatch):
    (tmp_path / "_toc.yml").write_text("{root: a, chapters: [{file: c}]}")
    monkeypatch.setattr(check_site, "TOP", tmp_path)
    pages = site(tmp_path) | {tmp_path / name: None for name in check_site.EXTRA}
    assert check_site.check_pages(pages, tmp_path) == [
        "c.html: in _toc.yml, not in the site",
        "b.html: in the site, not in _toc.yml",
    ]


# ---------------------------------------------------------------- chapters that an editor saved, and copies


def test_what_an_editor_stored_is_taken_away_and_nothing_else(tmp_path):
    """Each chapter as JupyterLab saves it is, without its outputs, the same file to the byte."""
    chapters = sorted((TOOLS.parent / "notebooks").glob("*.ipynb"))
    for path in chapters:
        notebook = nbformat.read(path, as_version=4)
        cell = next(cell for cell in notebook.cells if cell.cell_type == "code")
        cell["execution_count"] = 3
        cell["outputs"] = [new_output("stream", text="said"), new_output("execute_result", execution_count=3)]
        notebook.metadata["kernelspec"]["display_name"] = "Python 3 (ipykernel)"
        notebook.metadata["language_info"] |= {"file_extension": ".py", "version": "3.13.1"}
        nbformat.write(notebook, tmp_path / path.name)
    assert run_notebooks.strip(sorted(tmp_path.glob("*.ipynb"))) == sorted(tmp_path.glob("*.ipynb"))
    for path in chapters:
        assert (tmp_path / path.name).read_bytes() == path.read_bytes()


def test_a_chapter_without_outputs_is_not_written(tmp_path):
    path = tmp_path / "a.ipynb"
    path.write_text(json.dumps(new_notebook(cells=[new_code_cell("1 + 1", id="mine")]), indent=4))
    before = path.read_bytes()
    assert run_notebooks.strip([path]) == [] and path.read_bytes() == before


GLUED = """
from IPython.display import HTML, Markdown
from myst_nb import glue
glue("n", "3 of 4", display=False)
glue("rows", Markdown("| a |\\n|---|\\n| 1 |"), display=False)
glue("card", HTML("<p>card</p>"), display=False)
"""


def test_a_copy_says_what_it_computed(tmp_path):
    """Glued by the library, run by papermill. A name that is not there, and other roles, stay."""
    drawing = "```{figure} ../book/_static/unit.svg\n```"
    text = "{glue:text}`n`, {glue:text}`gone`, {doc}`n`\n\n```{glue} rows\n```\n\n```{glue} card\n```"
    chapter, copy = tmp_path / "chapter.ipynb", tmp_path / "copy.ipynb"
    cells = [new_markdown_cell(text), new_code_cell(GLUED), new_markdown_cell(drawing)]
    nbformat.write(new_notebook(cells=cells), chapter)
    papermill.execute_notebook(chapter, copy, kernel_name="python3", progress_bar=False)
    copies.fill(copy)
    filled = nbformat.read(copy, as_version=4)
    said = "3 of 4, {glue:text}`gone`, {doc}`n`\n\n| a |\n|---|\n| 1 |\n\n<p>card</p>"
    assert [cell.source for cell in filled.cells[:2]] == [said, GLUED]
    assert (tmp_path / filled.cells[2].source.split()[1]).samefile(TOOLS.parent / "book/_static/unit.svg")
    assert copies.glued(copy) == {"n": "3 of 4"}
    with pytest.raises(InputError, match="no copy that papermill made"):
        copies.fill(chapter)


# ---------------------------------------------------------------- kernels that are forks


def test_a_run_that_fails_or_dies_is_named_and_the_others_end_as_anywhere(tmp_path):
    """They have imported torch before they begin, run in the repository with one thread, and clean up."""
    cells = {
        "good": "import atexit, os, sys\n"
        f"atexit.register(open('{tmp_path}/ended', 'w').close)\n"
        "print('torch' in sys.modules, os.getcwd(), os.environ['OMP_NUM_THREADS'])",
        "wrong": "raise ValueError('no such thing')",
        "dead": "import os; os._exit(3)",
    }
    for name, cell in cells.items():
        notebook = new_notebook(cells=[new_code_cell(cell)], metadata=run_notebooks.KERNEL)
        nbformat.write(notebook, tmp_path / f"{name}.ipynb")
    paths = [str(tmp_path / f"{name}.ipynb") for name in cells]
    options = ["-t", "parity", "-j", "1", "-o", str(tmp_path / "copies")]
    ended = subprocess.run(
        [sys.executable, TOOLS / "sweep.py", *paths, *options], capture_output=True, text=True
    )
    assert ended.returncode == 1 and "1 of 3 notebooks ran" in ended.stdout
    for name, error in {"wrong": "ValueError: no such thing", "dead": "Kernel died"}.items():
        assert f"failed: {tmp_path / 'copies' / name}_parity.ipynb: {error}" in ended.stdout
    [said] = nbformat.read(tmp_path / "copies" / "good_parity.ipynb", as_version=4).cells[-1].outputs
    imported, where, threads = said["text"].split()
    assert (imported, Path(where), threads) == (str(sys.platform == "linux"), TOOLS.parent, "1")
    assert (tmp_path / "ended").exists()


# ---------------------------------------------------------------- what is refused, in a line, before any work


def a_notebook(path: Path, **metadata: object) -> Path:
    notebook = new_notebook(cells=[new_code_cell("1")], metadata=run_notebooks.KERNEL | metadata)
    path.write_text(nbformat.writes(notebook))
    return path


def files_in(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


NOT_NOTEBOOKS = {
    "text.ipynb": "hello",
    "empty.ipynb": "{}",
    "list.ipynb": "[]",
    "old.ipynb": '{"nbformat": 4}',
}


@pytest.mark.parametrize(
    ("program", "arguments", "said"),
    [
        ("sweep", "HERE/gone.ipynb", "no file HERE/gone.ipynb"),
        ("sweep", "HERE", "cannot read HERE: Is a directory"),
        *[("sweep", f"HERE/a.ipynb HERE/{name}", f"HERE/{name} is no notebook: ") for name in NOT_NOTEBOOKS],
        *[
            ("copies", f"HERE/copy.ipynb HERE/{name}", f"HERE/{name} is no notebook")
            for name in NOT_NOTEBOOKS
        ],
        ("copies", "HERE/copy.ipynb HERE/a.ipynb", "HERE/a.ipynb is no copy that papermill made"),
        ("copies", "", "Missing argument"),
        ("sweep", "HERE/a.ipynb -j 0", "jobs = 0: choose 1 to 1000"),
        ("sweep", "HERE/a.ipynb -t nosuch", "unknown task 'nosuch': choose one of parity, dms"),
        ("sweep", "HERE/a.ipynb -t a/b", "unknown task 'a/b'"),
        ("sweep", "HERE/a.ipynb -s -3", "seed = -3: choose 0 to"),
        ("sweep", "HERE/a.ipynb -t dms -t dms", "two runs would write HERE/out/a_dms.ipynb"),
        ("sweep", "HERE/a.ipynb HERE/b/a.ipynb", "two runs would write HERE/out/a_parity.ipynb"),
        ("sweep", "HERE/a.ipynb --zoo-path HERE/gone", "zoo path = HERE/gone: there is no such folder"),
        ("sweep", "HERE/a.ipynb -o HERE/a.ipynb", "HERE/a.ipynb: "),
        ("sweep", "HERE/a.ipynb -o HERE/a.ipynb/b", "cannot make the folder HERE/a.ipynb/b: Not a directory"),
        ("sweep", "HERE/a.ipynb -o HERE/b -t dms", "HERE/b/results.csv is not from a sweep: move it away"),
        ("sweep", "HERE/a.ipynb -o HERE", "HERE/a_parity.ipynb is not from a sweep"),
        ("sweep", "", "Missing argument"),
        ("check_site", "HERE/gone", "there is no folder HERE/gone"),
        ("check_site", "HERE/a.ipynb", "there is no folder HERE/a.ipynb"),
        ("check_site", "HERE HERE", "unexpected extra argument"),
        ("run_notebooks", "--quick", "No such option"),
        ("run_notebooks", "notebooks/scale.ipynb", "unexpected extra argument"),
    ],
)
def test_what_a_tool_cannot_do_is_said_in_a_line(program, arguments, said, tmp_path, ended, monkeypatch):
    monkeypatch.setattr(sweep, "sweep", lambda *_: pytest.fail("it began"))
    (tmp_path / "b").mkdir()
    for name in ("a.ipynb", "b/a.ipynb", "a_parity.ipynb"):
        a_notebook(tmp_path / name)
    a_notebook(tmp_path / "copy.ipynb", papermill={})
    (tmp_path / "b" / "results.csv").write_text("mine,name,value\n")
    for name, text in NOT_NOTEBOOKS.items():
        (tmp_path / name).write_text(text)
    before, main = files_in(tmp_path), {"copies": copies}.get(program) or sys.modules[program]
    words = arguments.replace("HERE", str(tmp_path)).split()
    if program == "sweep" and "-o" not in words:
        words += ["-o", str(tmp_path / "out")]
    code, _, errors = ended(lambda: run_one(main.main), *words)
    assert code == 2 and errors.count("\n") == 1 and said.replace("HERE", str(tmp_path)) in errors, errors
    assert files_in(tmp_path) == before and not (tmp_path / "out").exists()


def test_every_tool_answers_help_and_does_nothing_else():
    """Each ends with a program of `tsrnn.command`, which reads the arguments first."""
    for path in TOOLS.glob("*.py"):
        begins, guard, ends = path.read_text().partition('if __name__ == "__main__":\n')
        if path.name != "kernels.py":
            assert guard and re.fullmatch(r"    run(_one)?\(.*\)\n", ends), path.name
            assert not re.search(r"^(main|app|run|run_one)\(", begins, re.MULTILINE), path.name


def test_a_sweep_writes_over_what_a_sweep_wrote(tmp_path, ended, monkeypatch):
    """Also where nothing was glued."""

    def run(runs, jobs):
        for _, copy, _ in runs:
            a_notebook(copy, papermill={})
        return {}

    monkeypatch.setattr(sweep, "sweep", run)
    path = a_notebook(tmp_path / "a.ipynb")
    for _ in range(2):
        assert ended(lambda: run_one(sweep.main), path, "-t", "dms", "-o", tmp_path / "out")[0] == 0
    assert sorted(files_in(tmp_path / "out")) == ["a_dms.ipynb", "results.csv"]
    table = copies.results({tmp_path / "out" / "a_dms.ipynb": {"task": "dms"}})
    assert list(table) == ["copy", "name", "value"] and table.empty
    table = table.assign(task="dms")[["copy", "task", "name", "value"]]
    table.to_csv(tmp_path / "out" / "results.csv", index=False)
    assert copies.is_results(tmp_path / "out" / "results.csv")
