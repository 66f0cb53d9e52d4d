"""Files that are whole or not there, and tables that are what was written or an error of one line."""

import json
import os
import tempfile
from collections.abc import Collection
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
from pandas.api.types import is_numeric_dtype
from safetensors import safe_open
from torch import Tensor

from tsrnn import InputError


def write_atomically(path: Path, content: bytes) -> None:
    """All of `content` under `path` or, whenever the process dies, what was there before."""
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
        try:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
            Path(file.name).chmod(0o644)
            Path(file.name).replace(path)
        except BaseException:
            Path(file.name).unlink(missing_ok=True)
            raise


def write_table(path: Path, table: pd.DataFrame) -> None:
    """As CSV or Parquet, by the path's suffix; Parquet with a checksum for every page."""
    if path.suffix == ".csv":
        write_atomically(path, table.to_csv(index=False).encode())
    else:
        write_atomically(path, table.to_parquet(index=False, write_page_checksum=True))


def read_table(path: Path, columns: Collection[str], dtype: Any = None) -> pd.DataFrame:
    """A table that `write_table` wrote.

    Raises:
        InputError: no such file; it cannot be read, a checksum is wrong, or one of `columns` is not there.
    """
    try:
        if path.suffix == ".csv":
            table = pd.read_csv(path, dtype=dtype)
        else:
            table = pq.read_table(path, page_checksum_verification=True).to_pandas()
    except FileNotFoundError as error:
        raise InputError(f"no file {path}") from error
    except Exception as error:  # pandas and pyarrow raise many kinds for a damaged or hostile file
        raise InputError(f"{path} is damaged: {first_line(error)}") from error
    missing = [name for name in columns if name not in table]
    if missing:
        raise InputError(f"{path} is damaged: it has no column {', '.join(missing)}")
    numbers = [name for name in columns if name != "measure" and dtype is None]
    if wrong := [name for name in numbers if not is_numeric_dtype(table[name])]:
        raise InputError(f"{path} is damaged: there is something else than numbers in {', '.join(wrong)}")
    if "measure" in table:
        table = table.astype({"measure": str})  # a category of all measures slows every selection
    return table


def read_json(path: Path) -> dict[str, Any]:
    """Raises InputError if the file is missing, or is not a JSON object."""
    try:
        found = json.loads(path.read_text())
    except FileNotFoundError as error:
        raise InputError(f"no file {path}") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} is damaged: {first_line(error)}") from error
    if not isinstance(found, dict):
        raise InputError(f"{path} is damaged: it is no JSON object")
    return found


def read_tensors(path: Path, key: str) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """What is noted under `key` in the metadata of a safetensors file, and its tensors.

    Raises InputError if it cannot be read, or nothing is noted there.
    """
    try:
        with safe_open(path, framework="pt") as file:
            about = json.loads(file.metadata()[key])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except Exception as error:  # safetensors raises its own, and others for what the header promises
        raise InputError(f"{path} is damaged, or no file of tsrnn: {first_line(error)}") from error
    if not isinstance(about, dict):
        raise InputError(f"{path} is damaged: what it notes of itself is no JSON object")
    return about, tensors


def first_line(error: BaseException) -> str:
    """Of an error's message, 200 characters at most."""
    return (str(error).splitlines() or [type(error).__name__])[0][:200]
