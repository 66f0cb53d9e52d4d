"""Run chapters for tasks and seeds with papermill, several at a time.

The numbers of a copy stand in its text, and those of all are gathered in results.csv beside them. A run that
fails leaves its copy with the error in it, the others go on, and the exit code is 1.

Example: python tools/sweep.py notebooks/02_curricula.ipynb -t parity -t dms -s 1 -s 2
"""

import os
from collections.abc import Iterable
from concurrent.futures import as_completed
from itertools import product
from pathlib import Path
from typing import Annotated

import papermill
import typer
from kernels import workers
from tqdm import tqdm

from tsrnn import InputError
from tsrnn.book.copies import fill, is_results, read_copy, read_notebook, results
from tsrnn.command import path_of, run_one
from tsrnn.files import make_folder, write_atomically
from tsrnn.inputs import LARGEST_SEED, integer
from tsrnn.tasks import get_task

TOP = Path(__file__).parents[1]
# Of kernels that start at the same moment two may choose the same port: one dies, or is never heard of, and
# nothing has been run. https://github.com/jupyter/jupyter_client/issues/487
NOT_STARTED = ("Kernel died before replying to kernel_info", "Kernel didn't respond in")
TRIES = 3
RESULTS = "results.csv"


def run(notebook: Path, copy: Path, parameters: dict[str, object]) -> str | None:
    """Run one notebook; its error, if there was one. The folder of its copy is made."""
    copy.parent.mkdir(parents=True, exist_ok=True)
    # Whatever kernel an editor has saved, and from the repository, whose zoo and files it names
    options = {"kernel_name": "python3", "cwd": str(TOP), "progress_bar": False}
    for tries in range(TRIES):
        try:
            papermill.execute_notebook(notebook, copy, parameters, **options)
            break
        except Exception as error:  # of any kind: it is told, and the other runs go on
            said = str(error).strip() or type(error).__name__
            if tries + 1 == TRIES or not any(start in said for start in NOT_STARTED):
                return said.splitlines()[-1]
    fill(copy)
    return None


def sweep(runs: Iterable[tuple[Path, Path, dict[str, object]]], jobs: int) -> dict[Path, str]:
    """Run notebooks, `jobs` at a time, from when `runs` yields each; the errors by copy."""
    failed = {}
    with workers(jobs) as pool:
        futures = {pool.submit(run, *one): one[1] for one in runs}
        bar = tqdm(as_completed(futures), total=len(futures), unit="notebook")
        for future in bar:
            copy, error = futures[future], future.result()
            if error:
                failed[copy] = error
                bar.write(f"failed: {copy}: {error}")
    return failed


def check_out(out: Path, copies: list[Path]) -> None:
    """Raise InputError if something would be written twice, or over what no sweep has left there."""
    if twice := [copy for copy in copies if copies.count(copy) > 1]:
        raise InputError(
            f"two runs would write {twice[0]}: give each notebook, task and seed once, and rename notebooks "
            "of the same name"
        )
    for path in (*copies, out / RESULTS):
        try:
            ours = not os.path.lexists(path) or (is_results if path.suffix == ".csv" else read_copy)(path)
        except InputError:
            ours = False
        if not ours:
            raise InputError(f"{path} is not from a sweep: move it away, or choose another folder (-o)")


def main(
    notebooks: Annotated[list[Path], typer.Argument(help="Chapters.")],
    task: Annotated[list[str], typer.Option("-t", "--task")] = ["parity", "dms"],  # noqa: B006
    seeds: Annotated[
        list[int] | None,
        typer.Option(
            "-s", "--seeds", help="Run for the networks of each of these seeds. [default: all at once]"
        ),
    ] = None,
    jobs: Annotated[int, typer.Option("-j", "--jobs", help="Runs at a time.")] = os.cpu_count() or 1,
    out: Annotated[
        Path, typer.Option("-o", "--out", parser=path_of, metavar="PATH", help="Folder for the copies.")
    ] = Path("_build/sweep"),
    zoo_path: Annotated[str, typer.Option(help="Folder of networks. [default: the book's]")] = "",
    quick: Annotated[bool, typer.Option("--quick", help="Smaller toys, fewer sequences.")] = False,
) -> None:
    """Run chapters for every task and seed, several at a time."""
    for notebook in notebooks:
        read_notebook(notebook)
    for name in task:
        get_task(name)
    for seed in seeds or ():
        integer("seed", seed, 0, LARGEST_SEED)
    integer("jobs", jobs, 1, 1000)
    if zoo_path and not Path(zoo_path).is_dir():
        raise InputError(f"zoo path = {zoo_path}: there is no such folder")
    runs = []
    chosen: list[int | None] = [*seeds] if seeds else [None]
    for notebook, t, s in product(notebooks, task, chosen):
        parameters: dict[str, object] = {"task": t, "quick": quick}
        parameters |= {"seeds": s} if s is not None else {}
        parameters |= {"zoo_path": str(Path(zoo_path).resolve())} if zoo_path else {}
        name = "_".join(str(part) for part in (notebook.stem, t, s) if part is not None)
        runs.append((notebook, out / f"{name}.ipynb", parameters))
    check_out(out, [copy for _, copy, _ in runs])
    make_folder(out)
    failed = sweep(runs, jobs)
    ran = {copy: parameters for _, copy, parameters in runs if copy not in failed}
    write_atomically(out / RESULTS, results(ran).to_csv(index=False).encode())
    typer.echo(
        f"{len(ran)} of {len(runs)} notebooks ran; the copies are in {out}, their numbers in {RESULTS}"
    )
    raise typer.Exit(bool(failed))


if __name__ == "__main__":
    run_one(main, __doc__)
