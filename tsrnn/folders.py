"""The folder of a run: whether it may be trained in, which number a new one gets, and who holds it."""

import os
import secrets
import warnings
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import fields, replace
from errno import EACCES
from pathlib import Path

from filelock import FileLock, Timeout

from tsrnn import InputError, WorkError, zoo
from tsrnn.config import MOST_RUNS, TrainConfig
from tsrnn.files import remove_unfinished
from tsrnn.inputs import integer
from tsrnn.runs import (
    check_listed,
    is_over,
    last_kept,
    recorded_config,
    saved_history,
    states_on_disk,
)

# A run may go on with other values of these; all others must be what it was begun with.
MAY_CHANGE = ("max_n", "max_epochs", "patience", "measure_steps", "precision")
PATIENCE = 60  # seconds to wait for others that choose, which takes them a moment
MOMENT = 0.5  # seconds: `is_held` holds a folder for less
NUMBERS = ".tsrnn-numbers"  # in a folder of networks: held while numbers are chosen


class OtherRun(InputError):
    """A folder holds a run of other settings."""


def check_folder(config: TrainConfig, folder: Path, but: Collection[str] = ()) -> None:
    """Raise InputError unless the folder is new, or holds this very run, at its end or with its state.

    `OtherRun`, if it is whole, but of other settings. Files `but` need not be listed in its SHA256SUMS.
    """
    if is_new(folder):
        return
    recorded = recorded_config(folder)
    if recorded is None:
        raise InputError(f"{folder} holds files but no config.json: it is not a run of tsrnn")
    for f in fields(config):
        ours, theirs = getattr(config, f.name), getattr(recorded, f.name)
        if f.name not in MAY_CHANGE and theirs != ours:
            raise OtherRun(
                f"{folder} holds a different run, with {f.name} = {theirs}, not {ours}; "
                "choose another network number (-n) or base path (-b)"
            )
    check_files(folder)
    zoo.check_task(folder, config.task)
    check_listed(folder, but)
    without_state, history = not states_on_disk(folder), saved_history(folder)
    results = [path.name for path in folder.iterdir() if path.suffix in (".parquet", ".safetensors")]
    if without_state and not history and results:
        raise InputError(f"{folder} holds {results[0]} and no history.csv: it was lost, and with it the run")
    if without_state and history and not is_over(config, history) and last_kept(folder) is None:
        raise InputError(
            f"{folder} holds a trained network without its training state and without a checkpoint: it "
            "cannot go on; choose another network number (-n) or base path (-b)"
        )


def check_files(folder: Path) -> None:
    """Raise InputError if there is a folder, or anything but a file, where a run has to write one."""
    for path in (folder, folder / "state"):
        for each in path.iterdir() if path.is_dir() else ():
            if each.suffix in (".json", ".csv", ".parquet", ".safetensors") and not each.is_file():
                raise InputError(f"{each} is no ordinary file, and a run may need this name: move it away")


def is_new(folder: Path) -> bool:
    """Whether there is no such folder, or nothing in it but what `hold` leaves before the first file."""
    try:
        if not folder.exists():
            return True
        states = (folder / "state").glob("*.safetensors")
        return not any(states) and all(p.name == "state" or p.name[0] == "." for p in folder.iterdir())
    except OSError as error:
        raise InputError(f"cannot read {folder}: {error.strerror}") from error


def check_count(runs: int) -> int:
    """How many networks are trained side by side. Raises InputError if that is out of range."""
    return integer("runs", runs, 1, MOST_RUNS)


def number_and_seed(config: TrainConfig, seed: int | None, runs: int, base: Path) -> tuple[int, int]:
    """Network number and seed for `runs` networks of these settings: of runs that can go on, or else free.

    Numbers are tried from 1 on. Without a seed, runs of any seed can go on if they are not at their end and
    nobody trains them now, and new ones draw theirs. From asking this to `hold`, nobody else should be
    `choosing`. Runs that cannot be read are passed over, with a warning. Raises InputError for an impossible
    number of runs, and if the run of this seed is there but cannot go on.
    """
    runs, number = check_count(runs), 0
    while True:
        number += 1
        configs = [replace(config, network_number=number + i) for i in range(runs)]
        folders = [base / c.folder() for c in configs]
        if all(is_new(folder) and not is_held(folder) for folder in folders):
            return number, secrets.randbelow(2**32) if seed is None else seed
        recorded = None
        try:
            recorded = recorded_config(folders[0])
            if recorded is None or seed not in (None, recorded.seed):
                continue
            at_their_end = (is_over(c, saved_history(f)) for c, f in zip(configs, folders, strict=True))
            if seed is None and (any(map(is_held, folders)) or all(at_their_end)):
                continue
            for i, folder in enumerate(folders):
                check_folder(replace(configs[i], seed=recorded.seed + i), folder)
        except OtherRun:
            continue
        except InputError as error:
            if recorded is not None and seed is not None:
                raise
            warnings.warn(f"passed over: {error}", stacklevel=2)
            continue
        return number, recorded.seed


@contextmanager
def choosing(base: Path) -> Iterator[None]:
    """While numbers are chosen in this folder of networks and their folders taken, nobody else does."""
    try:
        base.mkdir(parents=True, exist_ok=True)
        lock = FileLock(base / NUMBERS, timeout=PATIENCE, fallback_to_soft=False)
        lock.acquire()
    except Timeout as error:
        raise InputError(
            f"another process has been choosing numbers in {base} for {PATIENCE} s: if it hangs, end it"
        ) from error
    except OSError as error:
        raise InputError(f"cannot write to {base}: {error.strerror}") from error
    try:
        yield
    finally:
        lock.release()


@contextmanager
def hold(folder: Path) -> Iterator[Callable[[], None]]:
    """Make the folder and hold it against other processes. Raises InputError if that is not possible.

    Yields:
        To be called before anything is written: raises WorkError if the lock is not there any more, since
        another process may then have taken the folder.
    """
    path, made = folder / "state" / "lock", not folder.exists()
    lock = FileLock(path, timeout=MOMENT, fallback_to_soft=False)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire(poll_interval=0.05)
        if not os.access(folder, os.W_OK):
            raise PermissionError(EACCES, os.strerror(EACCES))
    except Timeout as error:
        raise InputError(f"{folder} is being trained by another process") from error
    except OSError as error:
        with suppress(OSError):  # not empty: then it is no longer only ours
            for each in (path.parent, folder) if made else ():
                each.rmdir()
        raise InputError(f"cannot write to {folder}: {error.strerror}") from error
    ours = path.stat()

    def check() -> None:
        if not path.exists() or not os.path.samestat(path.stat(), ours):
            raise WorkError(
                f"{path} was removed while {folder.name} was being trained: another process may have it now; "
                "all that was saved before is whole, the same command goes on from there"
            )

    try:
        remove_unfinished(folder)
        remove_unfinished(folder / "state")
        yield check
    finally:
        lock.release()


def is_held(folder: Path) -> bool:
    """Whether a process trains, measures or retrains the network in this folder now."""
    path = folder / "state" / "lock"
    if not path.exists():
        return False
    try:
        with FileLock(path, timeout=0, fallback_to_soft=False):
            return False
    except Timeout:
        return True
    except OSError:  # it cannot be locked here: `hold` says why
        return False


def is_done(config: TrainConfig, folder: Path) -> bool:
    """Whether the folder holds a run that has come to its end, and no state to go on from."""
    return not states_on_disk(folder) and is_over(config, saved_history(folder))
