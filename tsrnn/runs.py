"""One network in training, and how it is kept on disk: begun, saved after every epoch, taken up again.

A run's folder holds config.json, history.csv, promotions.parquet, checkpoints, and in `state/` all that
training needs to go on. `state/` is written last: what the other files say of a later epoch does not count.
"""

import fcntl
import json
import platform
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from safetensors.torch import save as to_safetensors
from torch import Tensor

import tsrnn
from tsrnn import InputError, zoo
from tsrnn import curriculum as curricula
from tsrnn.config import TrainConfig
from tsrnn.files import read_json, read_table, read_tensors, write, write_table
from tsrnn.model import initial_parameters

PROMOTION_COLUMNS = ["epoch", "N_min", "N_max", "measure", "index", "value"]
# A run may go on with other values of these; all others must be what it was begun with.
MAY_CHANGE = ("max_n", "max_epochs", "patience", "measure_steps")


@dataclass
class Run:
    """One network in training, as it stands between two epochs."""

    config: TrainConfig
    folder: Path
    generator: torch.Generator
    parameters: dict[str, Tensor]
    momentum: dict[str, Tensor]
    now: curricula.Curriculum
    epoch: int = 0
    ensemble: list[int] = field(default_factory=list)  # network numbers trained together in the last epoch
    history: list[dict[str, Any]] = field(default_factory=list)
    promotions: pd.DataFrame = field(default_factory=pd.DataFrame)

    @property
    def finished(self) -> bool:
        return is_over(self.config, self.history)


def is_over(config: TrainConfig, history: list[dict[str, Any]]) -> bool:
    """Whether a run with these rows of history.csv has come to its end."""
    if not history:
        return False
    solved = [row for row in history if str(row["promoted"]) == "True"]
    epoch, last = int(history[-1]["epoch"]), int(solved[-1]["epoch"]) if solved else 0
    if epoch >= config.max_epochs or epoch - last >= config.patience:
        return True
    if not solved:
        return False
    newest = replace(config.start(), n_min=int(solved[-1]["N_min"]), n_max=int(solved[-1]["N_max"]))
    after = newest.next()
    return after is None or (config.max_n is not None and after.n_max > config.max_n)


def is_kept_only(config: TrainConfig, folder: Path) -> bool:
    """Whether the folder holds a run that has come to its end, and no state to go on from."""
    return not states_on_disk(folder) and is_over(config, saved_history(folder))


def saved_history(folder: Path) -> list[dict[str, Any]]:
    """The rows of history.csv, as text: they go back as they came."""
    path = folder / "history.csv"
    if not path.exists():
        return []
    columns = ("epoch", "N_min", "N_max", "promoted")
    read_table(path, columns)  # numbers, or an error
    return list(read_table(path, columns, str).T.to_dict().values())


def recorded_config(folder: Path) -> dict[str, Any] | None:
    """The `train` part of the folder's config.json, or None if there is none."""
    if not (folder / "config.json").exists():
        return None
    recorded: dict[str, Any] = zoo.read_config(folder)["train"]
    return recorded


def records(folder: Path) -> tuple[dict[str, Any], pd.DataFrame]:
    """A trained network's settings (`train` in config.json) and promotions. InputError if it is none."""
    config, path = recorded_config(folder), folder / "promotions.parquet"
    if config is None or not path.exists():
        raise InputError(f"{folder} is not a trained network of tsrnn: no config.json or no promotions")
    return config, read_table(path, PROMOTION_COLUMNS)


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
    if without_state and not is_over(config, saved_history(folder)):
        raise InputError(
            f"{folder} holds a trained network without its training state: it cannot go on; "
            "choose another network number (-n) or base path (-b)"
        )


def check_count(runs: int) -> None:
    """Raise InputError unless this many networks can be trained side by side."""
    if not 1 <= runs <= 1000:
        raise InputError(f"runs = {runs}: choose 1 to 1000")


def place(config: TrainConfig, seed: int | None, runs: int, base: Path) -> tuple[int, int]:
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
def claim(folder: Path) -> Iterator[None]:
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
        for unfinished in folder.rglob(".*"):  # files that a killed process was writing
            unfinished.unlink()
        yield


def seeded(seed: int, purpose: int) -> torch.Generator:
    """A generator of its own for each purpose of a run: 0 initial weights, 1 data."""
    drawn = np.random.SeedSequence([seed, purpose]).generate_state(1, np.uint64)[0]
    return torch.Generator().manual_seed(int(drawn) % 2**63)


def begin(
    config: TrainConfig, folder: Path | None = None, parameters: dict[str, Tensor] | None = None
) -> Run:
    """A run before its first epoch, of a network as the seed gives it or of other parameters.

    Without a folder it cannot be saved.
    """
    if parameters is None:
        parameters = initial_parameters(config.architecture(), seeded(config.seed, 0))
    trained = [name for name in parameters if name != "tau" or config.tau is None]
    momentum = {name: torch.zeros_like(parameters[name]) for name in trained}
    return Run(config, folder or Path(), seeded(config.seed, 1), parameters, momentum, config.start())


def open_run(config: TrainConfig, folder: Path) -> Run:
    """The run as last saved, or fresh."""
    saved = states_on_disk(folder)
    if not saved:
        run = begin(config, folder)
        save_config(run)
        save_state(run)
    else:
        run = load_state(config, folder, max(saved.items())[1])
        save_config(run)
    return run


def save_config(run: Run) -> None:
    path = run.folder / "config.json"
    about = {
        "train": asdict(run.config),
        "tsrnn": tsrnn.__version__,
        "torch": torch.__version__,
        "python": platform.python_version(),
        "machine": platform.machine(),
        "threads": torch.get_num_threads(),
    }
    if path.exists():  # where the run was begun stays on record
        about = read_json(path) | {"train": about["train"]}
    write(path, (json.dumps(about, indent=2) + "\n").encode())


def save_promotions(folder: Path, promotions: pd.DataFrame) -> None:
    table = promotions.astype({"measure": "category", "value": "float32"})
    write_table(folder / "promotions.parquet", table)


def save_state(run: Run) -> None:
    """Two files take turns, so that a run can also step back one epoch (see `resume`).

    Of the heads, those up to the newest: the others are as the seed gives them.
    """
    tensors = {"generator": run.generator.get_state()}
    for part in ("parameters", "momentum"):
        for name, p in getattr(run, part).items():
            tensors[f"{part}.{name}"] = p[: run.now.heads.stop] if name.startswith("head_") else p
    about = {
        "epoch": run.epoch,
        "n": [run.now.n_min, run.now.n_max],
        "ensemble": run.ensemble,
    }
    content = to_safetensors(tensors, metadata={"run": json.dumps(about)})
    write(run.folder / "state" / f"{run.epoch % 2}.safetensors", content)


def states_on_disk(folder: Path) -> dict[int, Path]:
    """Epoch -> saved state, of the last two epochs."""
    found = {}
    for path in (folder / "state").glob("[01].safetensors"):
        about, _ = read_tensors(path, "run")
        found[int(about["epoch"])] = path
    return found


def load_state(config: TrainConfig, folder: Path, path: Path) -> Run:
    """The run at a saved state; what history and promotions hold of later epochs is dropped."""
    about, tensors = read_tensors(path, "run")
    run = begin(config, folder)
    run.generator.set_state(tensors.pop("generator"))
    for name, saved in tensors.items():
        part, parameter = name.split(".")
        getattr(run, part)[parameter][: len(saved)] = saved
    n_min, n_max = about["n"]
    run.now = replace(run.now, n_min=n_min, n_max=n_max)
    run.epoch, run.ensemble = about["epoch"], about["ensemble"]
    run.history = [row for row in saved_history(folder) if int(row["epoch"]) <= run.epoch]
    if (folder / "promotions.parquet").exists():
        promotions = read_table(folder / "promotions.parquet", PROMOTION_COLUMNS)
        run.promotions = promotions[promotions["epoch"] <= run.epoch]
    return run


def resume(runs: list[Run]) -> list[Run]:
    """The same runs, in step again if an ensemble was killed while it saved, one network after the other.

    Those that had already saved the epoch go back to the one before: it is repeated by all together, so that
    the arithmetic is what it would have been.
    """
    behind = min(runs, key=lambda run: run.epoch)
    together = []
    for run in runs:
        ahead = run.epoch == behind.epoch + 1 and behind.config.network_number in run.ensemble
        before = states_on_disk(run.folder).get(behind.epoch) if ahead else None
        together.append(load_state(run.config, run.folder, before) if before else run)
    return together
