"""Where trained networks live: names, checkpoints, the published format.

A network is a folder `{curriculum}_{task}[_{variant}]_network_{number}` with a checkpoint
`rnn_N{min}_N{max}.safetensors` for every milestone of its training. A checkpoint is loaded only if it has a
checksum (see `files`) and is what that says.

Checkpoints of the authors' code have the same names without a suffix and load the same way. They are read
with `weights_only=True`: nothing in a file is ever run as code.
"""

import io
import json
import re
import reprlib
import warnings
import zipfile
from collections.abc import Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from safetensors.torch import save as to_safetensors
from torch import Tensor

from tsrnn import InputError, tasks
from tsrnn import curriculum as curricula
from tsrnn.config import LATER, TrainConfig
from tsrnn.files import (
    CHECKSUMS,
    first_line,
    is_listed,
    is_plain,
    is_saved,
    is_there,
    make_folder,
    read,
    read_checksums,
    read_json,
    read_table,
    read_tensors,
    write,
)
from tsrnn.gated import network_class
from tsrnn.inputs import LARGEST_N, choice, integer, integers, text
from tsrnn.kinds import check_columns, check_kinds
from tsrnn.model import HEADS, Architecture, RecurrentNetwork, check_device, heads_of
from tsrnn.names import CHECKPOINT, checkpoint_name, folder_name, largest_n, those_like, trained_on
from tsrnn.names import base_of as base_of  # these are as much the zoo's
from tsrnn.names import default_base_path as default_base_path
from tsrnn.names import network_folders as network_folders
from tsrnn.schemas import HISTORY, TABLES, no_rows

# ---------------------------------------------------------------- save


# Kept in half precision: their rounding (2e-4 of their norm) is fifty times below the smallest perturbation
# of Figure 8, and they are all but 1 % of a network.
HALVES = ("W", "head_weight", "head_bias")


@check_kinds
def save_checkpoint(
    model: RecurrentNetwork,
    folder: str | Path,
    task: str,
    name: str | None = None,
    replace: bool = False,
    **notes: int,
) -> Path:
    """Write one network (K = 1), with the heads in `model.heads` only, and note its checksum.

    Args:
        model, task: the network, and what it was trained for.
        folder: where to put it; made if it is not there.
        name: of the file; default by the N that it was trained on.
        replace: whether it may take the place of a checkpoint of a run.
        notes: what else to write of it (see `checkpoint_epoch`).

    Returns:
        The path of the checkpoint.

    Raises:
        InputError: not one network, without heads, of another task; a value that is not finite in half
            precision; a name that leads elsewhere; a run's own checkpoint is there.
    """
    heads, _ = heads_of(model), choice("task", task, [model.task] if model.task else tasks.TASKS)
    ns, kept = [int(n) for n in heads], [int(head) for head in heads.values()]
    if model.shape[0] != 1:
        raise InputError(f"{model.shape[0]} networks: save one, as model.select([0])")
    if ns != list(range(ns[0], ns[-1] + 1)):
        raise InputError(
            f"heads for N = {reprlib.repr(ns)}: give one for each N from the smallest on, in order"
        )
    good = isinstance(name, str) and is_plain(name) and name.endswith(".safetensors") and len(name) < 100
    if name is not None and not good:
        raise InputError(
            f"name = {reprlib.repr(name)}: choose the name of a file, NAME.safetensors, without its folder"
        )
    named = CHECKPOINT.fullmatch(name or "")
    if named and (int(named[1]), int(named[2])) != (ns[0], ns[-1]):
        raise InputError(f"name = {name}: its heads are for N = {ns[0]} to {ns[-1]}; give another, or none")
    tensors = {name: p.detach()[0].cpu() for name, p in model.named_parameters()}
    tensors |= {name: tensors[name][kept].contiguous() for name in ("head_weight", "head_bias")}
    tensors |= {name: tensors[name].half() for name in HALVES}
    if wrong := [name for name, tensor in tensors.items() if not tensor.isfinite().all()]:
        raise InputError(f"{', '.join(wrong)}: values that are not finite, or too large for half precision")
    about: dict[str, Any] = {"architecture": asdict(model.architecture), "ns": ns, "task": task}
    if taken := sorted(about.keys() & notes.keys()):
        raise InputError(f"note {taken[0]} = {notes[taken[0]]}: that is noted in any case; rename yours")
    about |= {note: integer(note, value, 0, 2**63 - 1) for note, value in notes.items()}
    # one entry: safetensors writes several in random order, and a seed should give the same file
    content = to_safetensors(
        {k: v.contiguous() for k, v in tensors.items()}, metadata={"tsrnn": json.dumps(about)}
    )
    path = make_folder(Path(folder)) / (name or checkpoint_name(min(ns), max(ns)) + ".safetensors")
    if not replace and is_saved(path) and is_there(path.with_name("config.json")):
        raise InputError(f"{path} is a run's own checkpoint: choose another folder, or give replace=True")
    write(path, content)
    return path


def as_kept(model: RecurrentNetwork) -> RecurrentNetwork:
    """A network (K = 1) as its checkpoint keeps it: what is measured on it holds for the checkpoint too."""
    rounded = model.select([0])
    with torch.no_grad():
        for name in HALVES:
            parameter = getattr(rounded, name)
            parameter.copy_(parameter.half())
    return rounded


# ---------------------------------------------------------------- load


@check_kinds
def load_model(
    curriculum_type: str,
    task: str,
    network_number: int,
    N_min: int,
    N_max: int,
    base_path: str | Path | None = None,
    variant: str = "",
    device: str = "cpu",
) -> RecurrentNetwork:
    """A trained network, ours or the authors': `load_model("cumulative", "parity", 1, 2, 50)`.

    Args:
        curriculum_type: "cumulative", "single", "sliding_{heads}_{forget}" or "single_nocurr".
        task: "parity" or "dms".
        network_number: 1, 2, ...
        N_min, N_max: the N that it was trained on at this point, from smallest to largest; both the same
            for "single".
        base_path: the folder of networks; default `default_base_path()`.
        variant: the part of the folder name between task and "network", e.g. "mod_tanh"; usually none.
        device: where to put it.

    Returns:
        A LeakyRNN or GatedRNN with K = 1; its `heads` say which head reads which N.

    Raises:
        InputError: there is no such network (the message lists what there is) or device, or the file is
            damaged.
    """
    check_device(device)
    base = base_of(base_path)
    curriculum_type, task = text("curriculum type", curriculum_type), text("task", task)
    network_number, variant = integer("network number", network_number, 1, 10**6), text("variant", variant)
    N_min, N_max = (integer(name, n, 1, 10**5) for name, n in (("N_min", N_min), ("N_max", N_max)))
    if N_min > N_max:
        raise InputError(f"N_min = {N_min} is larger than N_max = {N_max}: the smaller comes first")
    folder = base / folder_name(curriculum_type, task, network_number, variant)
    path = folder / checkpoint_name(N_min, N_max)
    ours = path.with_name(path.name + ".safetensors")
    if ours.exists():
        model = load_checkpoint(ours)
    elif path.exists():
        model = load_published(path)
    elif folder.is_dir():
        there = ", ".join(p.name for p in checkpoints(folder)) or "no checkpoint"
        raise InputError(f"no {path.name} in {folder}: there is {there}")
    else:
        raise InputError(f"no network {folder.name[:100]} in {base}; {those_like(folder.name, base)}")
    return model.to(device)


@check_kinds
def load_any(path: str | Path) -> RecurrentNetwork:
    """A network from a checkpoint, ours or the authors'. Raises InputError if it is not one."""
    path = Path(path)
    return load_checkpoint(path) if path.suffix == ".safetensors" else load_published(path)


def checkpoint_epoch(path: Path) -> int:
    """The epoch that one of our checkpoints notes. Raises InputError if it notes none."""
    about, _ = read_checkpoint(path)
    return integer(f"{path}: epoch", about.get("epoch"), 0, 10**6)


def read_checkpoint(path: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Notes and tensors of one of our checkpoints. InputError if it is missing or not what was saved."""
    about, tensors = read_tensors(path, "tsrnn")
    if path.name not in read_checksums(path.parent):
        raise InputError(f"{path} is not listed in {CHECKSUMS} beside it: it cannot be checked")
    return about, tensors


@check_kinds
def load_checkpoint(path: str | Path, run: TrainConfig | None = None) -> RecurrentNetwork:
    """A network from one of our checkpoints.

    Raises InputError if it is missing or not what was saved, or of another task or architecture than the run
    that it should be of.
    """
    path = Path(path)
    about, tensors = read_checkpoint(path)
    try:
        architecture = Architecture(**about["architecture"])
        ns, _ = integers("N", about["ns"], 1, LARGEST_N), choice("task", about["task"], tasks.TASKS)
        named = CHECKPOINT.fullmatch(path.name)
        if ns != list(range(ns[0], ns[-1] + 1)) or (named and (ns[0], ns[-1]) != trained_on(path)):
            raise InputError(f"it has heads for N = {ns}, which is not what its name says")
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path} is not a tsrnn checkpoint: {first_line(error)}") from error
    if run is not None:
        check_same(path, {"task": about["task"], **vars(architecture)}, vars(run))
    check_task(path.parent, about["task"])
    model = assemble(architecture, tensors, ns, path)
    model.task = about["task"]
    return model


def check_task(folder: Path, name: str) -> None:
    """Raise InputError if the run in a folder was begun with another task of this name."""
    if name in tasks.BUILT_IN or not is_there(folder / "config.json"):
        return
    if read_json(folder / "config.json").get("task") not in (None, tasks.fingerprint(name)):
        raise InputError(
            f"{folder} was begun with another task {name}: give that, or choose another network number (-n)"
        )


def check_same(path: Path, found: dict[str, Any], wanted: dict[str, Any]) -> None:
    """Raise InputError unless what a checkpoint was found to be is what is wanted of it."""
    unlike = [
        f"{name} = {value}, not {wanted[name]}" for name, value in found.items() if value != wanted[name]
    ]
    if unlike:
        raise InputError(f"{path} is of another run: it has {', '.join(unlike)}")


PUBLISHED_NAMES = {
    "parameterlist.0": "tau",
    "modulelist.0.weight": "w_in",
    "modulelist.0.bias": "b_in",
    "modulelist.1.weight": "W",
    "modulelist.1.bias": "b",
}


@check_kinds
def load_published(path: str | Path) -> RecurrentNetwork:
    """A network saved by the authors' code; head i answers for N_min + i. Raises InputError if not one."""
    path = Path(path)
    name = CHECKPOINT.fullmatch(path.name)
    if name is None or name[3]:
        raise InputError(f"{path}: a published checkpoint is called rnn_N<min>_N<max>")
    ns, content = range(int(name[1]), int(name[2]) + 1), read(path)
    if not 1 <= len(ns) <= HEADS:
        raise InputError(f"{path}: N = {name[1]} to {name[2]} are {len(ns)} heads; there are 1 to {HEADS}")
    mod = re.search(r"_mod_([a-z]+)_network_", path.parent.name)
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            parts = archive.infolist()
        if any(p.compress_type != zipfile.ZIP_STORED for p in parts) or sum(p.file_size for p in parts) > len(
            content
        ):
            raise ValueError("it unpacks to more than it is")
        state = torch.load(io.BytesIO(content), weights_only=True, map_location="cpu")["state_dict"]
        H = len(state["parameterlist.0"])
        architecture = Architecture(H, "mod" if mod else "default", mod[1] if mod else "leakyrelu")
        tensors = {ours: state[theirs] for theirs, ours in PUBLISHED_NAMES.items()}
        for i in range(len(ns)):
            for part, shape in {"weight": (2, H), "bias": (2,)}.items():
                head = f"modulelist.{2 + i}.{part}"
                tensors[head] = checked(state[head], shape, head)
        shapes = {ours: (H, 1) for ours in ("tau", "w_in") if tensors[ours].dim() == 2}
        tensors |= {ours: checked(tensors[ours], shape, ours)[:, 0] for ours, shape in shapes.items()}
        for part in ("weight", "bias"):
            tensors[f"head_{part}"] = torch.stack(
                [tensors[f"modulelist.{2 + i}.{part}"] for i in range(len(ns))]
            )
    except Exception as error:  # torch raises many kinds for a damaged or hostile file
        raise InputError(
            f"{path} is not a checkpoint in the published format: {type(error).__name__} {first_line(error)}"
        ) from error
    model = assemble(architecture, tensors, list(ns), path)
    named = re.search(f"_({'|'.join(tasks.TASKS)})_", path.parent.name)
    model.task = named[1] if named else ""
    return model


def assemble(
    architecture: Architecture, tensors: dict[str, Tensor], ns: list[int], path: Path
) -> RecurrentNetwork:
    """A K = 1 model from the tensors of one network, after checking every one of them."""
    kind = network_class(architecture)
    shapes = kind.shapes(architecture, len(ns))
    try:
        parameters = {name: checked(tensors.get(name), shape, name)[None] for name, shape in shapes.items()}
    except ValueError as error:
        raise InputError(f"{path}: {error}") from error
    model = kind(architecture, parameters)
    model.heads = {n: i for i, n in enumerate(ns)}
    return model


def checked(tensor: Any, shape: tuple[int, ...], name: str) -> Tensor:
    """The tensor in float32. Raises ValueError unless it is an ordinary one of finite numbers, of this shape.

    Its shape is looked at first: a file of a kilobyte can hold a tensor that only claims to be large.
    """
    found = tuple(tensor.shape) if isinstance(tensor, Tensor) else "nothing"
    if not isinstance(tensor, Tensor) or found != shape:
        raise ValueError(f"{name} should be {shape}, found {found}")
    ordinary = tensor.layout == torch.strided and tensor.device.type == "cpu" and not tensor.is_quantized
    if not ordinary or tensor.dtype not in (torch.float16, torch.float32, torch.float64):
        raise ValueError(f"{name} should be floats, found {tensor.dtype}, {tensor.layout}, {tensor.device}")
    floats: Tensor = tensor.detach().float()
    if not floats.isfinite().all():
        raise ValueError(f"{name} holds values that are not finite")
    return floats


# ---------------------------------------------------------------- what there is


@check_kinds
def checkpoints(folder: str | Path) -> list[Path]:
    """The checkpoints in a network's folder, by N: ours that were saved as a whole, or published ones.

    In a folder with a config.json, only ours: others that lie there are left alone. Raises InputError if it
    is no folder.
    """
    folder = Path(folder)
    try:
        names = [CHECKPOINT.fullmatch(path.name) for path in folder.iterdir()]
    except (OSError, ValueError) as error:  # ValueError: a name that no folder can have
        raise InputError(f"cannot read {folder}: {getattr(error, 'strerror', error)}") from error
    found, run = [folder / name[0] for name in names if name], is_there(folder / "config.json")
    saved = [path for path in found if (is_saved(path) if path.suffix else not run)]
    return sorted(saved, key=lambda path: trained_on(path)[::-1])


def read_config(folder: Path) -> TrainConfig:
    """The settings of the run in this folder, as its config.json records them.

    Raises InputError if it is missing, lacks a setting, holds one that is none, or is of another folder.
    """
    path = folder / "config.json"
    train = read_json(path).get("train")
    names = [field.name for field in fields(TrainConfig)]
    if not isinstance(train, dict):
        raise InputError(f"{path} is damaged: it has no 'train' with the settings of a run")
    if missing := [name for name in names if name not in train and name not in LATER]:
        raise InputError(f"{path} is damaged: it has no {', '.join(missing[:3])} in 'train'")
    if unknown := [name for name in train if name not in names]:
        raise InputError(f"{path} is damaged: {', '.join(unknown)[:100]} in 'train' is no setting of tsrnn")
    try:
        config = TrainConfig(**train)
    except InputError as error:
        raise InputError(f"{path} cannot be used: {error}") from error
    if config.folder() != folder.name:
        raise InputError(
            f"{path} is of {config.folder()}, its folder is called {folder.name}: rename it to "
            f"{config.folder()}"
        )
    return config


@check_kinds
def index(base_path: str | Path | None = None) -> pd.DataFrame:
    """What the zoo holds: a row per network, with what it was trained on, how far and in how many epochs.

    `variant` is the part of the name between task and number, "" for the paper's standard. `profile` is
    "paper" if the network was trained until no head was left or until it was stuck, "laptop" if we stopped
    it, "in training" with its N where none is solved. `solved N` is 0 where none was, and so is `epochs` of
    a run in its first epoch. Folders that are named as a network's but hold none are left out, with a
    warning.
    """
    return rows_of(network_folders(base_of(base_path)))


INDEX_COLUMNS = "network curriculum task variant number seed".split()
INDEX_COLUMNS += ["solved N", *"epochs minutes device precision from profile checkpoints".split()]


def rows_of(folders: Sequence[Path]) -> pd.DataFrame:
    """The rows of `index` of those folders that hold a network; those that cannot be read are left out."""
    rows: list[dict[str, Any]] = []
    for folder in folders:
        try:
            if is_there(folder / "config.json"):  # or else of the authors, or just being made
                rows.append(row_of(folder))
        except (InputError, OSError) as error:
            warnings.warn(f"left out: {error}", stacklevel=3)
    return pd.DataFrame(rows, columns=INDEX_COLUMNS)


def row_of(folder: Path) -> dict[str, Any]:
    """The row of one network in `index`."""
    config = read_config(folder)
    history = read_history(folder)
    solved = history.loc[history["promoted"], "N_max"]
    profile = "paper" if is_at_its_limit(config, history) else "laptop"
    if solved.empty and profile == "laptop":
        profile = f"in training, N = {config.start().n_max}"
    return {
        "network": folder.name,
        "curriculum": config.curriculum,
        "task": config.task,
        "variant": config.variant(),
        "number": config.network_number,
        "seed": config.seed,
        "solved N": solved.max() if len(solved) else 0,
        "epochs": len(history),
        "minutes": history["seconds"].sum() / 60,
        "device": ", ".join(sorted(set(history["device"]))),
        "precision": ", ".join(history["precision"].unique()),
        "from": origin(config, history),
        "profile": profile,
        "checkpoints": len(checkpoints(folder)),
    }


def read_history(folder: Path) -> pd.DataFrame:
    """history.csv; no rows of a run in its first epoch. Raises InputError if it is damaged."""
    path = folder / "history.csv"
    if not is_there(path):
        return no_rows(HISTORY)
    return read_table(path, HISTORY)


def is_at_its_limit(config: TrainConfig, history: pd.DataFrame) -> bool:
    """Whether a run would have ended where it did without a largest N."""
    rows = history.to_dict("records")
    return curricula.is_over(config.start(), rows, None, config.max_epochs, config.patience)


def origin(config: TrainConfig, history: pd.DataFrame) -> str:
    """Where a network comes from: its seed, or the checkpoint of another; and what training went on from."""
    places = [config.start_from or "seed"]
    for epoch in sorted(set(history["from_epoch"]) - {0}):
        reached = history.loc[history["epoch"] == epoch, "N_max"]
        places.append(f"N = {reached.max()} (epoch {epoch})")
    return ", ".join(places)


ABOUT = ("curriculum", "task", "variant", "number", "seed")


@check_kinds
def gather(networks: pd.DataFrame, base: str | Path, name: str) -> pd.DataFrame:
    """The tables `{name}.parquet` or `{name}.csv` of some networks as one.

    Args:
        networks: rows of `index`.
        base: their folder.
        name: history, promotions, robustness, readouts or retraining.

    Returns:
        What the files hold, with the network's curriculum, task, variant, number and seed before it.

    Raises:
        InputError: no network, or one without that file; another name.
    """
    check_columns("networks", networks, ("network", *ABOUT))
    files = {Path(file).stem: file for file in TABLES}
    base, file = Path(base), files[choice("table", name, files)]
    names = [text("network", name) for name in networks["network"]]
    lacking = [folder for folder in names if not is_listed(base / folder / file)]
    if lacking or networks.empty:
        which = f": {', '.join(lacking)}" if lacking else ""
        raise InputError(
            f"{len(lacking)} of {len(networks)} networks in {base} have no {file}{which}. Leave them out, or "
            f"measure it with `tsrnn {'retrain' if name == 'retraining' else 'analyse'}`"
        )
    tables = []
    for _, row in networks.iterrows():
        table = read_table(base / row["network"] / file, TABLES[file])
        tables.append(table.assign(**{column: row[column] for column in ABOUT}))
    table = pd.concat(tables, ignore_index=True)
    return table[[*ABOUT, *(column for column in table if column not in ABOUT)]]


@check_kinds
def kept(networks: pd.DataFrame, base: str | Path) -> pd.DataFrame:
    """The checkpoints of some networks (rows of `index`, in the folder `base`).

    Returns:
        Columns curriculum, number, N (the largest that it was trained on), path.
    """
    check_columns("networks", networks, ("network", "curriculum", "number"))
    rows = [
        (row["curriculum"], row["number"], largest_n(path), path)
        for _, row in networks.iterrows()
        for path in checkpoints(Path(base) / row["network"])
    ]
    return pd.DataFrame(rows, columns=["curriculum", "number", "N", "path"])
