"""The folder of a run: whether it may be trained in, which number a new one gets, and who holds it."""

import fcntl
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import fields, replace
from pathlib import Path

from tsrnn import InputError
from tsrnn.config import TrainConfig
from tsrnn.files import remove_unfinished
from tsrnn.inputs import integer
from tsrnn.runs import is_over, last_kept, recorded_config, saved_history, states_on_disk

# A run may go on with other values of these; all others must be what it was begun with.
MAY_CHANGE = ("max_n", "max_epochs", "patience", "measure_steps", "precision")


def check_folder(config: TrainConfig, folder: Path) -> None:
    """Raise InputError unless the folder is new, or holds this very run, at its end or with its state."""
    recorded = recorded_config(folder)
    if recorded is None:
        if folder.exists() and any(p.name != "state" and p.name[0] != "." for p in folder.iterdir()):
            raise InputError(f"{folder} holds files but no config.json: it is not a run of tsrnn")
        return
    for f in fields(config):
        ours = getattr(config, f.name)
        if f.name not in MAY_CHANGE and recorded.get(f.name) != ours:
            raise InputError(
                f"{folder} holds a different run, with {f.name} = {recorded.get(f.name)}, not {ours}; "
                "choose another network number (-n) or base path (-b)"
            )
    without_state = not states_on_disk(folder) and (folder / "history.csv").exists()
    if without_state and not is_over(config, saved_history(folder)) and last_kept(folder) is None:
        raise InputError(
            f"{folder} holds a trained network without its training state and without a checkpoint: it "
            "cannot go on; choose another network number (-n) or base path (-b)"
        )


def check_count(runs: int) -> int:
    """How many networks are trained side by side. Raises InputError if that is out of range."""
    return integer("runs", runs, 1, 1000)


def number_and_seed(config: TrainConfig, seed: int | None, runs: int, base: Path) -> tuple[int, int]:
    """Network number and seed for `runs` networks of these settings: of runs that can go on, or else free.

    Numbers are tried from 1 on. Without a seed, runs of any seed can go on if they are not at their end, and
    new ones draw theirs.
    Raises InputError for an impossible number of runs.
    """
    check_count(runs)
    number = 0
    while True:
        number += 1
        configs = [replace(config, network_number=number + i) for i in range(runs)]
        folders = [base / c.folder() for c in configs]
        if not any(folder.exists() for folder in folders):
            return number, secrets.randbelow(2**32) if seed is None else seed
        first = (recorded_config(folders[0]) or {}).get("seed")
        if first is None or seed not in (None, first):
            continue
        with suppress(InputError):
            for i, folder in enumerate(folders):
                check_folder(replace(configs[i], seed=first + i), folder)
            if seed is None and all(
                is_over(c, saved_history(f)) for c, f in zip(configs, folders, strict=True)
            ):
                continue
            return number, first


@contextmanager
def hold(folder: Path) -> Iterator[None]:
    """Make the folder and hold it against other processes. Raises InputError if that is not possible."""
    try:
        (folder / "state").mkdir(parents=True, exist_ok=True)
        lock = (folder / "state" / "lock").open("w")
    except OSError as error:
        raise InputError(f"cannot write to {folder}: {error.strerror}") from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise InputError(f"{folder} is being trained by another process") from error
        remove_unfinished(folder)
        remove_unfinished(folder / "state")
        yield


def is_done(config: TrainConfig, folder: Path) -> bool:
    """Whether the folder holds a run that has come to its end, and no state to go on from."""
    return not states_on_disk(folder) and is_over(config, saved_history(folder))
