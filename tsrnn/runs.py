"""One network in training, and how it is kept on disk: begun, saved after every epoch, taken up again.

A run's folder holds config.json, history.csv, promotions.parquet, checkpoints, and in `state/` all that
training needs to go on to the same result. `state/` is written last: what the other files say of a later
epoch does not count.

Where there is no state (it is not kept with a finished network), a run goes on from the newest checkpoint, or
from `unsolved.safetensors`, which is the network after an epoch without success: with an optimiser that
remembers nothing, and data from a new stream, of the seed and that epoch. `config.json` lists each time that
it did, and in history.csv `from_epoch` is the epoch of that checkpoint.
"""

import hashlib
import json
import platform
import warnings
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from safetensors.torch import save as to_safetensors
from torch import Tensor

import tsrnn
from tsrnn import InputError, tasks, zoo
from tsrnn import curriculum as curricula
from tsrnn.config import TrainConfig
from tsrnn.files import (
    CHECKSUMS,
    first_line,
    is_saved,
    is_there,
    read_bytes,
    read_checksums,
    read_json,
    read_table,
    read_tensors,
    write,
    write_table,
)
from tsrnn.gated import network_class
from tsrnn.inputs import choice, integer
from tsrnn.model import leaky
from tsrnn.names import is_own_checkpoint, largest_n
from tsrnn.optimisers import memory
from tsrnn.schemas import HISTORY, PROMOTIONS, no_rows

# The network after an epoch without success, for training to go on from where there is no state
UNSOLVED = "unsolved.safetensors"
PROMOTION_COLUMNS = list(PROMOTIONS.columns)


@dataclass
class Run:
    """One network in training, as it stands between two epochs."""

    config: TrainConfig
    folder: Path
    generator: torch.Generator
    parameters: dict[str, Tensor]
    memory: dict[str, dict[str, Tensor]]  # of its optimiser: what -> parameter -> value
    now: curricula.Curriculum
    epoch: int = 0
    from_epoch: int = 0  # of the checkpoint that training went on from; 0: of none, or of another run's
    # Folder -> epoch of all networks, itself too, that were trained together in the last epoch
    ensemble: dict[str, int] = field(default_factory=dict)
    history: list[dict[str, Any]] = field(default_factory=list)
    promotions: pd.DataFrame = field(default_factory=pd.DataFrame)

    @property
    def finished(self) -> bool:
        return is_over(self.config, self.history)


def is_over(config: TrainConfig, history: list[dict[str, Any]]) -> bool:
    """Whether a run with these rows of history.csv has come to its end."""
    limits = (config.max_n, config.max_epochs, config.patience)
    return curricula.is_over(config.start(), history, *limits)


def saved_history(folder: Path) -> list[dict[str, Any]]:
    """The rows of history.csv, as text: they go back as they came."""
    path = folder / "history.csv"
    if not is_there(path):
        return []
    table = read_table(path, HISTORY, as_text=True)
    table["promoted"] = table["promoted"].str.capitalize()  # a spreadsheet writes TRUE
    rows: list[dict[str, Any]] = table.to_dict("records")  # type: ignore[assignment]
    return rows


def check_listed(folder: Path, but: Collection[str] = ()) -> None:
    """Raise InputError if a file that a run has saved long since is not in its SHA256SUMS, or one of `but`.

    Up to the epoch of its state, that is: what a training that goes on, or was killed, wrote after it may not
    be listed yet, and a checkpoint that is being removed no more.
    """
    states, listed = states_on_disk(folder), read_checksums(folder)
    rows = saved_history(folder)
    rows = rows[: max(states)] if states else rows
    ns = [int(row["N_max"]) for row in rows if row["promoted"] == "True"]
    there = {largest_n(path): path.name for path in folder.iterdir() if is_own_checkpoint(path.name)}
    to_stay = {n for earlier, n in pairwise([0, *ns]) if curricula.is_milestone(earlier, n)}
    if ns and not any(name in listed for n, name in there.items() if n >= ns[-1]):
        to_stay.add(ns[-1])
    saved = ["config.json", "history.csv"] if rows else []
    saved += ["promotions.parquet"] if ns else []
    saved += [there[n] for n in sorted(to_stay & there.keys())]
    if lost := [name for name in saved if name not in {*listed, *but} and (folder / name).exists()]:
        raise InputError(
            f"{folder / lost[0]} is not in {CHECKSUMS}, so it cannot be checked: put that back as it was"
        )


def recorded_config(folder: Path) -> TrainConfig | None:
    """The settings of the run in this folder, or None if there is no config.json."""
    return zoo.read_config(folder) if is_there(folder / "config.json") else None


def records(folder: Path) -> tuple[TrainConfig, pd.DataFrame]:
    """A network's settings and promotions, none if it has solved nothing yet.

    Raises InputError if it is no network of tsrnn.
    """
    config = recorded_config(folder)
    if config is None:
        raise InputError(f"{folder} is not a network of tsrnn: no config.json")
    return config, saved_promotions(folder)


def saved_promotions(folder: Path) -> pd.DataFrame:
    """promotions.parquet; no rows if nothing has been solved yet."""
    path = folder / "promotions.parquet"
    return read_table(path, PROMOTIONS) if is_there(path) else no_rows(PROMOTIONS)


def seeded(seed: int, *purpose: int) -> torch.Generator:
    """A generator for each purpose of a run: (0) initial weights, (1) data, (1, e) data from epoch e on."""
    drawn = np.random.SeedSequence([seed, *purpose]).generate_state(1, np.uint64)[0]
    return torch.Generator().manual_seed(int(drawn) % 2**63)


def begin(
    config: TrainConfig, folder: Path | None = None, parameters: dict[str, Tensor] | None = None
) -> Run:
    """A run before its first epoch, of a network as the seed gives it or of other parameters.

    Without a folder it cannot be saved.
    """
    if parameters is None:
        architecture = config.architecture()
        parameters = network_class(architecture).initial_parameters(architecture, seeded(config.seed, 0))
    trained = {name: p for name, p in parameters.items() if name != "tau" or config.tau is None}
    remembered = memory(config.optimiser, trained)
    return Run(config, folder or Path(), seeded(config.seed, 1), parameters, remembered, config.start())


def open_run(config: TrainConfig, folder: Path, start: Path | None = None) -> Run:
    """The run as last saved, or from its newest checkpoint, or fresh: of its seed, or from `start`."""
    saved = states_on_disk(folder)
    if saved:
        run = load_state(config, folder, max(saved.items())[1])
        save_config(run)
        return run
    kept = last_kept(folder) if is_there(folder / "history.csv") else None
    if kept is not None:
        run = go_on(begin(config, folder), *kept)
        drop_after(run)
        save_config(run, {"epoch": run.epoch, "checkpoint": kept[1].name})
    else:
        run = begin(config, folder)
        if start is not None:
            run = go_on(run, 0, start)
        save_config(run, begun_from=start)
    save_state(run)
    return run


def last_kept(folder: Path) -> tuple[int, Path] | None:
    """The newest network that is kept in a run's folder, and the epoch that it is of."""
    unsolved, kept = folder / UNSOLVED, zoo.checkpoints(folder)
    if is_saved(unsolved):
        return zoo.checkpoint_epoch(unsolved), unsolved
    if not kept:
        return None
    promotions = saved_promotions(folder)
    epochs = promotions["epoch"][promotions["N_max"] == largest_n(kept[-1])]
    if epochs.empty:
        raise InputError(
            f"{folder}: promotions.parquet does not say at which epoch {kept[-1].name} was saved"
        )
    return int(epochs.iloc[0]), kept[-1]


def go_on(run: Run, epoch: int, checkpoint: Path) -> Run:
    """The run as it goes on from a network that was saved after this epoch, ours or the authors'.

    Raises InputError unless the checkpoint is of the run's architecture and curriculum.
    """
    # a run that was not opened, to see whether it can be, has no folder
    config, own = run.config, checkpoint.parent == run.folder != Path()
    model = zoo.load_checkpoint(checkpoint, config) if own else zoo.load_any(checkpoint)
    ns, found = list(model.heads), dict(vars(model.architecture))
    # published ones do not tell whether it is fixed
    if config.tau is None or bool((leaky(model, "a fixed tau").tau == config.tau).all()):
        found["tau"] = config.tau
    found |= {"task": model.task} if model.task else {}  # of the authors' it may not be known
    zoo.check_same(checkpoint, found, vars(config))
    try:
        now = curriculum_at(run.now, ns[0], ns[-1])
    except InputError as error:
        raise InputError(f"{checkpoint} was trained on {error}") from error
    for name, p in model.named_parameters():
        part = slice(now.heads.start, now.heads.stop) if name.startswith("head_") else slice(None)
        run.parameters[name][part] = p.detach()[0]
    if checkpoint.name != UNSOLVED:
        after = now.next(config.max_n)
        if after is None:
            raise InputError(
                f"{checkpoint} has solved all that this run is to be trained on: nothing is left to do"
            )
        now = after
    return replace(run, now=now, epoch=epoch, from_epoch=epoch, generator=seeded(config.seed, 1, epoch))


def drop_after(run: Run) -> None:
    """Read what the files hold up to the run's epoch; what they hold of later ones does not count.

    Raises InputError if they do not reach it, or an epoch was promoted that nothing was measured at.
    """
    run.history, promotions = saved_history(run.folder)[: run.epoch], saved_promotions(run.folder)
    if len(run.history) < run.epoch:
        raise InputError(
            f"{run.folder}: the network to go on with is of epoch {run.epoch}, history.csv ends with "
            f"{len(run.history)}: put that back as it was saved"
        )
    run.promotions = promotions[promotions["epoch"] <= run.epoch]
    promoted = {int(row["epoch"]) for row in run.history if row["promoted"] == "True"}
    if lacking := sorted(promoted - set(run.promotions["epoch"])):
        raise InputError(f"{run.folder}: promotions.parquet lacks epoch {lacking[0]}, which was promoted")


def check_begun(folder: Path, start: Path | None) -> None:
    """Raise InputError if the run in a folder began from another checkpoint, perhaps of the same name."""
    if start is not None and is_there(folder / "config.json"):
        known = read_json(folder / "config.json").get("begun_from")
        if known not in (None, checksum(start)):
            raise InputError(
                f"{folder} began from another checkpoint than {start}: choose another number (-n)"
            )


def checksum(path: Path) -> str:
    return hashlib.sha256(read_bytes(path)).hexdigest()


def save_config(run: Run, gone_on: dict[str, Any] | None = None, begun_from: Path | None = None) -> None:
    """Write config.json.

    `gone_on` is noted as one more time that the run went on from a checkpoint, `begun_from` by its checksum.
    """
    path = run.folder / "config.json"
    about: dict[str, Any] = {
        "train": asdict(run.config),
        "tsrnn": tsrnn.__version__,
        "torch": torch.__version__,
        "python": platform.python_version(),
        "machine": platform.machine(),
        "threads": torch.get_num_threads(),
    }
    if begun_from is not None:
        about["begun_from"] = checksum(begun_from)
    if run.config.task not in tasks.BUILT_IN:
        about["task"] = tasks.fingerprint(run.config.task)
    if path.exists():  # where the run was begun stays on record
        about = read_json(path) | {"train": about["train"]}
    if gone_on:
        earlier = about.get("gone_on", [])
        try:
            earlier = [each for each in earlier if each["epoch"] < gone_on["epoch"]]
        except (TypeError, KeyError) as error:
            raise InputError(f"{path} is damaged: gone_on is no list of epochs") from error
        about["gone_on"] = [*earlier, gone_on | {"torch": torch.__version__}]
    write(path, (json.dumps(about, indent=2) + "\n").encode())


def save_promotions(folder: Path, promotions: pd.DataFrame) -> None:
    table = promotions.astype({"measure": "category", "value": "float32"})
    write_table(folder / "promotions.parquet", table)


def save_state(run: Run) -> None:
    """Two files take turns, so that a run can also step back one epoch (see `resume`).

    Of the heads, those up to the newest: the others are as the seed gives them.
    """
    tensors = {"generator": run.generator.get_state()}
    for part, of_each in {"parameters": run.parameters, **run.memory}.items():
        for name, p in of_each.items():
            tensors[f"{part}.{name}"] = p[: run.now.heads.stop] if name.startswith("head_") else p
    about = {
        "run": run.config.folder(),
        "seed": run.config.seed,
        "epoch": run.epoch,
        "from_epoch": run.from_epoch,
        "n": [run.now.n_min, run.now.n_max],
        "ensemble": run.ensemble,
    }
    content = to_safetensors(tensors, metadata={"run": json.dumps(about)})
    write(run.folder / "state" / f"{run.epoch % 2}.safetensors", content)


def states_on_disk(folder: Path) -> dict[int, Path]:
    """Epoch -> saved state, of the last two epochs.

    A damaged one is left out, with a warning, if there is another: training goes on from that, to the same
    result. Raises InputError if there are none but damaged ones.
    """
    found, damaged, both = {}, [], [folder / "state" / f"{i}.safetensors" for i in (0, 1)]
    for path in both:
        try:
            if is_saved(path):
                about, _ = read_tensors(path, "run")
                found[integer(f"{path}: epoch", about.get("epoch"), 0, 10**6)] = path
        except InputError as error:
            damaged.append(error)
    if damaged and not found:
        raise damaged[0]
    unlisted = [path for path in both if path.exists()] if not found else []
    if unlisted and saved_history(folder) and not is_of_checkpoint(unlisted, folder):
        raise InputError(
            f"{both[0].parent} holds states that its {CHECKSUMS} does not list, so they cannot be checked: "
            "put that back as it was saved, or remove this folder, to go on from the last checkpoint"
        )
    for each in damaged:
        warnings.warn(f"{each}; the state of epoch {max(found)} is whole", stacklevel=2)
    return found


def is_of_checkpoint(states: Sequence[Path], folder: Path) -> bool:
    """Whether a run was killed when it had just gone on from its newest checkpoint: nothing is lost then."""
    kept = last_kept(folder)
    epochs = [read_tensors(path, "run")[0].get("epoch") for path in states]
    return kept is not None and set(epochs) == {kept[0]}


def load_state(config: TrainConfig, folder: Path, path: Path) -> Run:
    """The run at a saved state; what history and promotions hold of later epochs is dropped."""
    about, tensors = read_tensors(path, "run")
    run = begin(config, folder)
    if (about.get("run"), about.get("seed")) != (config.folder(), config.seed):
        raise InputError(
            f"{path} is the state of {about.get('run')}, seed {about.get('seed')}, not of {config.folder()}, "
            f"seed {config.seed}"
        )
    try:
        n_min, n_max = about["n"]
        run.now = curriculum_at(run.now, n_min, n_max)
        run.epoch = integer("epoch", about["epoch"], 0, 10**6)
        run.from_epoch = integer("from epoch", about["from_epoch"], 0, run.epoch)
        run.ensemble = {
            choice("network", name, about["ensemble"]): integer(f"epoch of {name}", epoch, 0, 10**6)
            for name, epoch in about["ensemble"].items()
        }
        run.generator.set_state(tensors["generator"])
        for part, of_each in {"parameters": run.parameters, **run.memory}.items():
            for name, p in of_each.items():
                mine = p[: run.now.heads.stop] if name.startswith("head_") else p
                mine.copy_(zoo.checked(tensors[f"{part}.{name}"], tuple(mine.shape), f"{part}.{name}"))
    except (KeyError, TypeError, ValueError, RuntimeError, AttributeError) as error:
        raise InputError(f"{path} is not the state of a run: {first_line(error)}") from error
    drop_after(run)
    if run.history and run.now != after(run.history[-1], config.start()):
        raise InputError(
            f"{path} trains N = {run.now.n_min} to {run.now.n_max}, which does not follow from the last row "
            f"of history.csv, N = {run.history[-1]['N_min']} to {run.history[-1]['N_max']}"
        )
    return run


def after(row: dict[str, Any], first: curricula.Curriculum) -> curricula.Curriculum:
    """What is trained after the epoch of a row of history.csv, in a curriculum that begins with `first`."""
    trained = curriculum_at(first, int(row["N_min"]), int(row["N_max"]))
    return (trained.next() or trained) if row["promoted"] == "True" else trained


def curriculum_at(first: curricula.Curriculum, n_min: int, n_max: int) -> curricula.Curriculum:
    """Where a curriculum that begins with `first` trains these N. Raises InputError if it never does."""
    now: curricula.Curriculum | None = first
    while now is not None and now.n_max < n_max:
        now = now.next()
    if now is None or (now.n_min, now.n_max) != (n_min, n_max):
        raise InputError(
            f"N = {n_min} to {n_max}, which this {first.kind} curriculum, from N = {first.n_min} to "
            f"{first.n_max} on, does not come to"
        )
    return now


def resume(runs: list[Run]) -> list[Run]:
    """The same runs, in step again if an ensemble was killed while it saved, one network after the other.

    Those that had already saved an epoch which another has not go back to the one before: it is repeated by
    all together, so that the arithmetic is what it would have been. Some may have begun later, or be at their
    end.
    """
    reached = {run.config.folder(): run.epoch for run in runs}

    def is_ahead(run: Run) -> bool:
        return any(reached.get(name, epoch) < epoch for name, epoch in run.ensemble.items())

    together = []
    for run in runs:
        before = states_on_disk(run.folder).get(run.epoch - 1) if is_ahead(run) else None
        together.append(load_state(run.config, run.folder, before) if before else run)
    return together
