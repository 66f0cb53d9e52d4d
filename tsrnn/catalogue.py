"""The trained networks by name: list them, find one, load it."""

import warnings
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from tsrnn import InputError, tasks, zoo
from tsrnn.curriculum import CURRICULA
from tsrnn.files import is_listed
from tsrnn.inputs import LARGEST_N, choice, integer
from tsrnn.kinds import check_kinds
from tsrnn.model import RecurrentNetwork, check_device
from tsrnn.names import CHECKPOINT, base_of, largest_n, network_folders, those_like
from tsrnn.schemas import TABLES


@check_kinds
def list_models(
    task: str | None = None,
    curriculum: str | None = None,
    min_n: int = 0,
    base_path: str | Path | None = None,
) -> pd.DataFrame:
    """The trained networks: `list_models(task="parity", min_n=20)`.

    Args:
        task, curriculum: only those of this one (cumulative is multi-head, single is single-head).
        min_n: only those that solved this N or a larger one.
        base_path: the folder of networks; default: those that come with the repository.

    Returns:
        A row per network, as `zoo.index`: the column `network` is its name, for `load`.

    Raises:
        InputError: no such task or curriculum, or no such folder.
    """
    if base_path is not None and not base_of(base_path).is_dir():
        raise InputError(f"base path = {str(base_path)[:100]}: there is no such folder")
    min_n, table = integer("min n", min_n, 0, LARGEST_N), zoo.index(base_path)
    for column, wanted, known in (("task", task, tasks.TASKS), ("curriculum", curriculum, CURRICULA)):
        if wanted is not None:
            choice(column, wanted, list(dict.fromkeys([*known, *table[column]])))
            table = table[table[column] == wanted]
    return table[table["solved N"] >= min_n].reset_index(drop=True)


@check_kinds
def find(network: str | Path, base_path: str | Path | None = None) -> Path:
    """The folder of a network, by its name in `base_path` or by its path.

    Raises InputError if there is none; the message says what there is.
    """
    path = Path(network)
    base = base_of(base_path)
    there = {folder.name: folder for folder in network_folders(base)}
    if str(network) in there:
        return there[str(network)]
    try:
        if str(network) and path.is_dir():
            return path.absolute()
    except (OSError, ValueError):  # a name too long, or that no file can have
        pass
    raise InputError(f"no network {str(network)[:100]} in {base}; {those_like(path.name, base)}")


@check_kinds
def find_checkpoint(network: str | Path, n: int | None = None, base_path: str | Path | None = None) -> Path:
    """The checkpoint of a network at its largest N, or where `n` was its largest.

    `network` is a name or a path, as in `find`, or the path of a checkpoint. InputError if there is none.
    """
    path = Path(network)
    if n is None and CHECKPOINT.fullmatch(path.name) and path.is_file():
        return path
    folder = find(network, base_path)
    kept = {largest_n(path): path for path in zoo.checkpoints(folder)}
    if not kept:
        raise InputError(f"no checkpoint in {folder}")
    n = max(kept) if n is None else integer("N", n, 1, LARGEST_N)
    if n not in kept:
        raise InputError(
            f"no checkpoint of {folder.name} at N = {n}: choose one of {', '.join(map(str, kept))}"
        )
    return kept[n]


@check_kinds
def load(
    network: str | Path, n: int | None = None, base_path: str | Path | None = None, device: str = "cpu"
) -> RecurrentNetwork:
    """A trained network, ours or the authors': `load("cumulative_parity_network_1", n=10)`.

    Args:
        network: its name, as in `list_models`, or the path of its folder or of a checkpoint.
        n: as it was when this was the largest N that it had learned; default: the largest that was kept.
        base_path: the folder of networks; default: those that come with the repository.
        device: where to put it.

    Returns:
        A LeakyRNN or GatedRNN with K = 1; its `heads` say which head reads which N, `task` its task.

    Raises:
        InputError: there is no such network or checkpoint (the message lists what there is) or device, or
            the file is damaged.
    """
    check_device(device)
    return zoo.load_any(find_checkpoint(network, n, base_path)).to(device)


def gathered(table: str, folders: Sequence[Path], were_named: bool = True) -> pd.DataFrame:
    """A table of these networks as one: "networks" itself (as `list_models`), or one that `zoo.gather` knows.

    Networks without it are left out, with a warning, and damaged ones unless they were named. Raises
    InputError if none has it, or there is no such table, or one that was named is damaged.
    """
    choice("table", table, ["networks", *(Path(file).stem for file in TABLES)])
    if were_named:
        rows = pd.DataFrame([zoo.row_of(folder) for folder in folders], columns=zoo.INDEX_COLUMNS)
    else:
        rows = zoo.rows_of(folders)
        folders = [folder for folder in folders if folder.name in set(rows["network"])]
    if table == "networks":
        return rows
    [file] = [file for file in TABLES if Path(file).stem == table]
    has = [is_listed(folder / file) for folder in folders]
    for folder, found in zip(folders, has, strict=True):
        if not found and any(has):
            warnings.warn(f"left out: {folder.name} has no {file}", stacklevel=2)
    each = [rows.iloc[[i]] for i in range(len(rows)) if has[i] or not any(has)]
    bases = [folder.parent for i, folder in enumerate(folders) if has[i] or not any(has)]
    tables = [zoo.gather(row, base, table) for row, base in zip(each, bases, strict=True)]
    return pd.concat(tables, ignore_index=True)
