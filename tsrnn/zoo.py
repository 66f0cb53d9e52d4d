"""Where trained networks live: names, checkpoints, the published format.

A network is a folder `{curriculum}_{task}[_{variant}]_network_{number}` with a checkpoint
`rnn_N{min}_N{max}.safetensors` for every milestone of its training. A checkpoint is loaded only if it has a
checksum (see `files`) and is what that says.

Checkpoints of the authors' code have the same names without a suffix and load the same way. They are read
with `weights_only=True`: nothing in a file is ever run as code.
"""

import json
import os
import re
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from safetensors.torch import save as to_safetensors
from torch import Tensor

from tsrnn import InputError
from tsrnn import curriculum as curricula
from tsrnn.files import (
    CHECKSUMS,
    first_line,
    read_checksums,
    read_json,
    read_table,
    read_tensors,
    write,
    write_checksums,
)
from tsrnn.model import Architecture, LeakyRNN


def default_base_path() -> Path:
    """`$TSRNN_ZOO` if set, else `trained_models` in the checkout this package runs from, else here."""
    if "TSRNN_ZOO" in os.environ:
        return Path(os.environ["TSRNN_ZOO"])
    checkout = Path(__file__).parents[1] / "trained_models"
    return checkout if checkout.is_dir() else Path("trained_models")


def variant_name(architecture: Architecture, start: str = "") -> str:
    """What sets a network apart from the paper's standard, for its folder name: `mod_tanh`, `tau2`, ...

    `start` is the part that describes the curriculum, e.g. `first10` (see `TrainConfig.folder`).
    """
    a = architecture
    parts = [
        f"mod_{a.activation}" if a.model == "mod" else (a.activation if a.activation != "leakyrelu" else ""),
        f"tau{a.tau:g}" if a.tau is not None else "",
        f"neurons{a.neurons}" if a.neurons != Architecture.neurons else "",
        start,
    ]
    return "_".join(p for p in parts if p)


def folder_name(curriculum_type: str, task: str, network_number: int, variant: str = "") -> str:
    """`cumulative_parity_network_1`, `single_dms_mod_tanh_network_2`, ..."""
    return "_".join([curriculum_type, task, *([variant] if variant else []), "network", str(network_number)])


def checkpoint_name(n_min: int, n_max: int) -> str:
    return f"rnn_N{n_min}_N{n_max}"


# ---------------------------------------------------------------- save


# Kept in half precision: their rounding (2e-4 of their norm) is fifty times below the smallest perturbation
# of Figure 8, and they are all but 1 % of a network.
HALVES = ("W", "head_weight", "head_bias")


def save_checkpoint(model: LeakyRNN, folder: Path, task: str, name: str | None = None, **notes: int) -> Path:
    """Write one network (K = 1), with the heads in `model.heads` only, and note its checksum.

    Args:
        model, task: the network, and what it was trained for.
        folder: where to put it.
        name: of the file; default by the N that it was trained on.
        notes: what else to write of it (see `checkpoint_notes`).

    Returns:
        The path of the checkpoint.
    """
    ns = list(model.heads)
    tensors = {name: p.detach()[0].cpu() for name, p in model.named_parameters()}
    kept = list(model.heads.values())
    tensors |= {name: tensors[name][kept].contiguous() for name in ("head_weight", "head_bias")}
    tensors |= {name: tensors[name].half() for name in HALVES}
    about = {"architecture": asdict(model.architecture), "ns": ns, "task": task} | notes
    # one entry: safetensors writes several in random order, and a seed should give the same file
    content = to_safetensors(
        {k: v.contiguous() for k, v in tensors.items()}, metadata={"tsrnn": json.dumps(about)}
    )
    path = folder / (name or checkpoint_name(min(ns), max(ns)) + ".safetensors")
    write(path, content)
    return path


def as_kept(model: LeakyRNN) -> LeakyRNN:
    """A network (K = 1) as its checkpoint keeps it: what is measured on it holds for the checkpoint too."""
    rounded = model.select([0])
    with torch.no_grad():
        for name in HALVES:
            parameter = getattr(rounded, name)
            parameter.copy_(parameter.half())
    return rounded


def remove_checkpoint(path: Path) -> None:
    """Delete a checkpoint and its checksum."""
    write_checksums(path.parent, {k: v for k, v in read_checksums(path.parent).items() if k != path.name})
    path.unlink(missing_ok=True)


# ---------------------------------------------------------------- load


def load_model(
    curriculum_type: str,
    task: str,
    network_number: int,
    N_min: int,
    N_max: int,
    base_path: str | Path | None = None,
    variant: str = "",
    device: str = "cpu",
) -> LeakyRNN:
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
        A LeakyRNN with K = 1; its `heads` say which head reads which N.

    Raises:
        InputError: there is no such network (the message lists what there is), or the file is damaged.
    """
    base = Path(base_path) if base_path is not None else default_base_path()
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
        there = ", ".join(f.name for f in network_folders(base)) or "none"
        raise InputError(f"no network {folder.name} in {base}; networks there: {there}")
    return model.to(device)


def load_any(path: Path) -> LeakyRNN:
    """A network from a checkpoint, ours or the authors'. Raises InputError if it is not one."""
    return load_checkpoint(path) if path.suffix == ".safetensors" else load_published(path)


def checkpoint_notes(path: Path) -> dict[str, Any]:
    """What one of our checkpoints says of itself. Raises InputError as `load_checkpoint`."""
    return read_checkpoint(path)[0]


def read_checkpoint(path: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Notes and tensors of one of our checkpoints. InputError if it is missing or not what was saved."""
    if not path.exists():
        raise InputError(f"no checkpoint {path}")
    if path.name not in read_checksums(path.parent):
        raise InputError(f"{path} is not listed in {CHECKSUMS} beside it: it cannot be checked")
    return read_tensors(path, "tsrnn")


def load_checkpoint(path: Path) -> LeakyRNN:
    """A network from one of our checkpoints. Raises InputError if it is missing or not what was saved."""
    about, tensors = read_checkpoint(path)
    tensors |= {name: tensors[name].float() for name in HALVES if name in tensors}
    try:
        architecture, ns = Architecture(**about["architecture"]), list(about["ns"])
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path} is not a tsrnn checkpoint: {error}") from error
    return assemble(architecture, tensors, ns, path)


PUBLISHED_NAMES = {
    "parameterlist.0": "tau",
    "modulelist.0.weight": "w_in",
    "modulelist.0.bias": "b_in",
    "modulelist.1.weight": "W",
    "modulelist.1.bias": "b",
}


def load_published(path: Path) -> LeakyRNN:
    """A network saved by the authors' code; head i answers for N_min + i. Raises InputError if not one."""
    name = re.fullmatch(r"rnn_N(\d+)_N(\d+)", path.name)
    if name is None:
        raise InputError(f"{path.name}: a published checkpoint is called rnn_N<min>_N<max>")
    ns = range(int(name[1]), int(name[2]) + 1)
    try:
        state = torch.load(path, weights_only=True, map_location="cpu")["state_dict"]
        tensors = {ours: state[theirs].float() for theirs, ours in PUBLISHED_NAMES.items()}
        heads = [f"modulelist.{2 + i}" for i in range(len(ns))]
        tensors["head_weight"] = torch.stack([state[f"{head}.weight"].float() for head in heads])
        tensors["head_bias"] = torch.stack([state[f"{head}.bias"].float() for head in heads])
    except Exception as error:  # torch raises many kinds for a damaged or hostile file
        raise InputError(
            f"{path} is not a checkpoint in the published format: {type(error).__name__} {first_line(error)}"
        ) from error
    tensors["w_in"] = tensors["w_in"].flatten()
    mod = re.search(r"_mod_([a-z]+)_network_", path.parent.name)
    architecture = Architecture(
        neurons=len(tensors["tau"]),
        model="mod" if mod else "default",
        activation=mod[1] if mod else "leakyrelu",
    )
    return assemble(architecture, tensors, list(ns), path)


def assemble(architecture: Architecture, tensors: dict[str, Tensor], ns: list[int], path: Path) -> LeakyRNN:
    """A K = 1 model from the tensors of one network, after checking every shape and value."""
    H, C = architecture.neurons, len(ns)
    shapes: dict[str, tuple[int, ...]] = dict.fromkeys(("tau", "w_in", "b_in", "b"), (H,))
    shapes |= {"W": (H, H), "head_weight": (C, 2, H), "head_bias": (C, 2)}
    for name, shape in shapes.items():
        if name not in tensors or tensors[name].shape != shape:
            found = tuple(tensors[name].shape) if name in tensors else "nothing"
            raise InputError(f"{path}: {name} should be {shape}, found {found}")
        if not tensors[name].isfinite().all():
            raise InputError(f"{path}: {name} holds values that are not finite")
    model = LeakyRNN(architecture, {name: tensors[name][None] for name in shapes})
    model.heads = {n: i for i, n in enumerate(ns)}
    return model


# ---------------------------------------------------------------- what there is

HISTORY_COLUMNS = ("epoch", "N_min", "N_max", "promoted", "seconds", "device", "precision", "from_epoch")


def network_folders(base: Path) -> list[Path]:
    """The folders of networks, in natural order of their names."""
    found = base.glob("*_network_*") if base.is_dir() else []
    return sorted(found, key=lambda p: [int(x) if x.isdigit() else x for x in re.split(r"(\d+)", p.name)])


def checkpoints(folder: Path) -> list[Path]:
    """The checkpoints in a network's folder, ours and published, by N."""
    found = [p for p in folder.iterdir() if re.fullmatch(r"rnn_N\d+_N\d+(\.safetensors)?", p.name)]
    return sorted(found, key=lambda path: trained_on(path)[::-1])


def trained_on(checkpoint: Path) -> tuple[int, int]:
    """The smallest and the largest N that a checkpoint was trained on, from its name."""
    n_min, n_max = re.findall(r"_N(\d+)", checkpoint.name)
    return int(n_min), int(n_max)


def largest_n(checkpoint: Path) -> int:
    return trained_on(checkpoint)[1]


def read_config(folder: Path) -> dict[str, Any]:
    """The folder's config.json. Raises InputError if it is missing or lacks what `tsrnn train` writes."""
    config = read_json(folder / "config.json")
    train = config.get("train")
    needed = (
        *("curriculum", "first_n", "init_heads", "add_heads", "forget_heads", "max_n", "max_epochs"),
        *("patience", "task", "network_number", "seed", "batch_size", "test_batches"),
    )
    missing = needed if not isinstance(train, dict) else [name for name in needed if name not in train]
    if missing:
        raise InputError(f"{folder / 'config.json'} is damaged: it has no {', '.join(missing)} in 'train'")
    return config


def index(base_path: str | Path | None = None) -> pd.DataFrame:
    """What the zoo holds: a row per network, with what it was trained on, how far and in how many epochs.

    `variant` is the part of the name between task and number, "" for the paper's standard. `profile` is
    "paper" if the network was trained until no head was left or until it was stuck, "laptop" if we stopped
    it. `solved N` is 0 where none was, and so is `epochs` of a run in its first epoch.
    """
    base = Path(base_path) if base_path is not None else default_base_path()
    rows: list[dict[str, Any]] = []
    for folder in network_folders(base):
        if not (folder / "config.json").exists():
            continue
        config = read_config(folder)
        path = folder / "history.csv"
        young = pd.DataFrame({name: [] for name in HISTORY_COLUMNS})  # in its first epoch
        history = read_table(path, HISTORY_COLUMNS) if path.exists() else young
        solved = history.loc[history["promoted"].astype(str) == "True", "N_max"]
        rows.append(
            {
                "network": folder.name,
                "curriculum": config["train"]["curriculum"],
                "task": config["train"]["task"],
                "variant": re.sub(rf"^.*_{config['train']['task']}_?|_?network_\d+$", "", folder.name),
                "number": config["train"]["network_number"],
                "seed": config["train"]["seed"],
                "solved N": solved.max() if len(solved) else 0,
                "epochs": history["epoch"].max() if len(history) else 0,
                "minutes": history["seconds"].sum() / 60,
                "device": ", ".join(sorted(set(history["device"]))),
                "precision": ", ".join(history["precision"].unique()),
                "from": origin(config["train"], history),
                "profile": "paper" if is_at_its_limit(config["train"], history) else "laptop",
                "checkpoints": len(checkpoints(folder)),
            }
        )
    return pd.DataFrame(rows)


def is_at_its_limit(train: dict[str, Any], history: pd.DataFrame) -> bool:
    """Whether a run, by `train` of its config.json, would have ended where it did without a largest N."""
    heads = (train["first_n"], train["init_heads"], train["add_heads"], train["forget_heads"])
    first = curricula.start(train["curriculum"], *heads)
    return curricula.is_over(first, history.to_dict("records"), None, train["max_epochs"], train["patience"])


def origin(train: dict[str, Any], history: pd.DataFrame) -> str:
    """Where a network comes from: its seed, or the checkpoint of another; and what training went on from."""
    places = [train.get("start_from") or "seed"]
    for epoch in sorted(set(history["from_epoch"]) - {0}):
        row = history[history["epoch"] == epoch].iloc[0]
        places.append(f"N = {row['N_max']} (epoch {epoch})")
    return ", ".join(places)


def gather(networks: pd.DataFrame, base: Path, name: str) -> pd.DataFrame:
    """The tables `{name}.parquet` or `{name}.csv` of some networks as one.

    Args:
        networks: rows of `index`.
        base: their folder.
        name: history, promotions, robustness or readouts.

    Returns:
        What the files hold, with the network's curriculum and number before it.

    Raises:
        InputError: a network without that file.
    """
    tables = []
    for _, row in networks.iterrows():
        csv, parquet = (base / row["network"] / f"{name}.{end}" for end in ("csv", "parquet"))
        if not csv.exists() and not parquet.exists():
            raise InputError(f"{row['network']} has no {name}: `tsrnn analyse -b {base}` measures it")
        table = read_table(csv if csv.exists() else parquet, ())
        tables.append(table.assign(curriculum=row["curriculum"], number=row["number"]))
    table = pd.concat(tables, ignore_index=True)
    return table[["curriculum", "number", *(c for c in table if c not in ("curriculum", "number"))]]


def kept(networks: pd.DataFrame, base: Path) -> pd.DataFrame:
    """The checkpoints of some networks (rows of `index`, in the folder `base`).

    Returns:
        Columns curriculum, number, N (the largest that it was trained on), path.
    """
    rows = [
        (row["curriculum"], row["number"], largest_n(path), path)
        for _, row in networks.iterrows()
        for path in checkpoints(base / row["network"])
    ]
    return pd.DataFrame(rows, columns=["curriculum", "number", "N", "path"])


def last_checkpoint(folder: Path) -> tuple[int, int]:
    """N_min and N_max of the checkpoint with the largest N. Raises InputError if there is none."""
    there = checkpoints(folder) if folder.is_dir() else []
    if not there:
        raise InputError(f"no checkpoint in {folder}")
    return trained_on(there[-1])
