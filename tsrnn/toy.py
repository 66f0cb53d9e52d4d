"""The networks that a chapter shows: the zoo's or, where it has none, toys that train in seconds."""

import atexit
import shutil
import tempfile
from pathlib import Path

import pandas as pd

from tsrnn import InputError, tasks, zoo
from tsrnn.analysis.probes import QUICK, add_missing
from tsrnn.config import TrainConfig
from tsrnn.plotting import NAMES
from tsrnn.training import train

KINDS = ("cumulative", "single")


def networks(
    task: str, seed: int = 0, zoo_path: str = "", quick: bool = False
) -> tuple[pd.DataFrame, Path, str]:
    """Multi-head and single-head networks for a task.

    Args:
        task: a key of `tasks.TASKS`.
        seed: of the toys, if the zoo has no standard network of one of the two kinds.
        zoo_path: the folder of networks; "" is the book's own.
        quick: smaller toys.

    Returns:
        Their index (as `zoo.index`, with the variant), their folder, and what they are in words.

    Raises:
        InputError: unknown task, or no such folder.
    """
    tasks.get_task(task)
    base = Path(zoo_path) if zoo_path else zoo.default_base_path()
    if zoo_path and not base.is_dir():
        raise InputError(
            f"no folder {base}: zoo_path is a folder of trained networks, or empty for the book's"
        )
    found, what = standard(base, task, ""), "from the zoo, 500 units, trained to the paper's protocol"
    if set(found.get("curriculum", [])) != set(KINDS):
        base = train_pair(task, seed, max_n=4 if quick else 6)
        found = standard(base, task, "neurons100")
        what = "trained just now, since the zoo has none for this task: toys of 100 units, on short epochs"
    counts = []
    for kind in KINDS:
        rows = found[found["curriculum"] == kind]
        counts.append(f"{len(rows)} {NAMES[kind]} (up to N = {rows['solved N'].max()})")
    return found, base, f"Networks shown here, for {task}: {' and '.join(counts)}, {what}."


def standard(base: Path, task: str, variant: str) -> pd.DataFrame:
    """The rows of `zoo.index` of multi-head and single-head networks for a task, of this variant only."""
    index = zoo.index(base)
    if index.empty:
        return index
    rows = index["curriculum"].isin(KINDS) & (index["task"] == task) & (index["variant"] == variant)
    return index[rows].reset_index(drop=True)


def train_pair(task: str, seed: int = 0, max_n: int = 6) -> Path:
    """Train a multi-head and a single-head toy network to N = `max_n`; returns a folder like the zoo's.

    Each takes some ten seconds. Units, batches, epochs and what is measured are smaller than the paper's, all
    else is its protocol. The folder is removed when the process ends.
    """
    base = Path(tempfile.mkdtemp(prefix="tsrnn-toy-"))
    atexit.register(shutil.rmtree, base, ignore_errors=True)
    for kind in KINDS:
        config = TrainConfig(
            kind,
            task,
            seed,
            neurons=100,
            batch_size=128,
            steps=200,
            test_batches=10,
            max_n=max_n,
            max_epochs=40,
            measure_steps=QUICK.steps,
        )
        [folder] = train(config, base_path=base, progress=False)
        add_missing(folder, progress=False, scale=QUICK)
    return base
