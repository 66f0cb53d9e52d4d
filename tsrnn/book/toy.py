"""The networks that a chapter shows: the zoo's or, where it has none, toys that train in seconds."""

import atexit
import shutil
import tempfile
from collections.abc import Sequence
from itertools import product
from pathlib import Path

import pandas as pd

from tsrnn import InputError, tasks, zoo
from tsrnn.book.effects import KINDS, Networks, standard
from tsrnn.book.plotting import NAMES
from tsrnn.config import TrainConfig
from tsrnn.probes import QUICK, add_missing
from tsrnn.training import train


def get_networks(
    task: str, seeds: int | Sequence[int] = (), zoo_path: str = "", quick: bool = False
) -> tuple[pd.DataFrame, Path, str]:
    """Multi-head and single-head networks for a task.

    Args:
        task: a key of `tasks.TASKS`.
        seeds: of the networks to show; empty: all that there are. One number is taken as a list of it.
        zoo_path: the folder of networks; "" is the book's own.
        quick: smaller toys.

    Returns:
        Their index (as `zoo.index`), their folder, and in words what was asked for and what they are.

    Raises:
        InputError: a value of the wrong kind, unknown task, no such folder, no network with one of the seeds.
    """
    chosen = checked(task, seeds, zoo_path, quick)
    base = Path(zoo_path) if zoo_path else zoo.default_base_path()
    if zoo_path and not base.is_dir():
        raise InputError(
            f"no folder {base}: zoo_path is a folder of trained networks, or empty for the book's"
        )
    found, what = standard(base, task), "from the zoo, 500 units, trained to the paper's protocol"
    kinds = [NAMES[kind] for kind in KINDS if kind in set(found["curriculum"])]
    variant = "" if len(kinds) == len(KINDS) else most_pairs(base, task)
    if variant:
        found = standard(base, task, variant)
        what = f"from the zoo, not the paper's standard but {variant.replace('_', ', ')}"
    elif variant is None:
        lack = f"only {kinds[0]} ones" if kinds else "none"
        base = train_pairs(task, chosen or [0], max_n=4 if quick else 6)
        found = standard(base, task, "neurons100")
        what = f"trained just now, since the zoo has {lack} for this task: toys of 100 units, on short epochs"
    for kind in KINDS:
        there = set(found[found["curriculum"] == kind]["seed"])
        if not there >= set(chosen):
            raise InputError(
                f"seeds = {chosen}: {NAMES[kind]} networks for {task} in {base} have seeds {sorted(there)}"
            )
    found = found[found["seed"].isin(chosen)].reset_index(drop=True) if chosen else found
    counts = []
    for kind in KINDS:
        rows = found[found["curriculum"] == kind]
        counts.append(f"{len(rows)} {NAMES[kind]} (up to N = {rows['solved N'].max()})")
    asked = f"Run with task = {task}, seeds = {chosen or 'all'}, zoo_path = {zoo_path or 'the book’s'}"
    asked += ", quick. " if quick else ". "
    return found, base, f"{asked}Networks: {' and '.join(counts)}, {what}."


def by_task(
    task: str, seeds: int | Sequence[int] = (), zoo_path: str = "", quick: bool = False
) -> tuple[dict[str, Networks], str]:
    """As `get_networks`, and unless seeds are asked for, those for each other task with both kinds there.

    Returns:
        The networks by task, the one asked for first, and what `get_networks` says of them.
    """
    index, base, what = get_networks(task, seeds, zoo_path, quick)
    networks = {task: Networks(index, base, task)}
    for other in sorted(set(tasks.TASKS) - {task}) if seeds in ((), []) else ():
        found = standard(base, other)
        if set(found["curriculum"]) == set(KINDS):
            networks[other] = Networks(found, base, other)
    return networks, what


def checked(task: object, seeds: object, zoo_path: object, quick: object) -> list[int]:
    """The seeds as a list. Raises InputError for a value of the wrong kind: papermill passes on any."""
    if not isinstance(task, str):
        raise InputError(f"task = {task!r}: choose one of {', '.join(tasks.TASKS)}")
    tasks.get_task(task)
    chosen = list(seeds) if isinstance(seeds, Sequence) and not isinstance(seeds, str) else [seeds]
    whole = [seed for seed in chosen if isinstance(seed, int) and not isinstance(seed, bool) and seed >= 0]
    if whole != chosen:
        raise InputError(
            f"seeds = {seeds!r}: give whole numbers, in a notebook [1, 2], to papermill -y 'seeds: [1, 2]'"
        )
    if not isinstance(zoo_path, str):
        raise InputError(f"zoo_path = {zoo_path!r}: give a folder of trained networks, or '' for the book's")
    if not isinstance(quick, bool):
        raise InputError(f"quick = {quick!r}: choose True or False")
    return whole


def most_pairs(base: Path, task: str) -> str | None:
    """The variant that most networks of both curricula are of, for a task. None if there is no such one."""
    index = zoo.index(base)
    index = index[(index["task"] == task) & (index["solved N"] > 0)]
    counts = index.groupby(["variant", "curriculum"]).size().unstack(fill_value=0).reindex(columns=KINDS)
    pairs = counts.dropna().min(axis=1)
    return str(pairs.idxmax()) if len(pairs) and pairs.max() > 0 else None


def train_pairs(task: str, seeds: Sequence[int], max_n: int = 6) -> Path:
    """Train a multi-head and a single-head toy of each seed to N = `max_n`; returns a folder like the zoo's.

    Each takes some ten seconds. Units, batches, epochs and what is measured are smaller than the paper's, all
    else is its protocol. The folder is removed when the process ends.
    """
    base = Path(tempfile.mkdtemp(prefix="tsrnn-toy-"))
    atexit.register(shutil.rmtree, base, ignore_errors=True)
    for number, (kind, seed) in enumerate(product(KINDS, seeds)):
        config = TrainConfig(
            kind,
            task,
            seed,
            network_number=1 + number % len(seeds),
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
