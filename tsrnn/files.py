"""Files that are whole or not there, and that are what was written or an error of one line.

What `write` leaves has its SHA-256 in the folder's `SHA256SUMS` (`sha256sum -c SHA256SUMS` checks all, too).
"""

import hashlib
import io
import json
import os
import tempfile
from collections.abc import Collection
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from pandas.api.types import is_numeric_dtype
from safetensors import safe_open
from torch import Tensor

from tsrnn import InputError

CHECKSUMS = "SHA256SUMS"
UNFINISHED = ".tsrnn-unfinished"  # how the names of files end that are being written
WORDS = ("measure", "device", "precision")  # columns that hold no numbers


def write_atomically(path: Path, content: bytes) -> None:
    """All of `content` under `path` or, whenever the process dies, what was there before."""
    prefix = f".{path.name}."
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=prefix, suffix=UNFINISHED, delete=False) as file:
        try:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
            Path(file.name).chmod(0o644)
            Path(file.name).replace(path)
        except BaseException:
            Path(file.name).unlink(missing_ok=True)
            raise


def remove_unfinished(folder: Path) -> None:
    """Remove what a killed process was writing in this folder: regular files of ours, and nothing else."""
    for path in folder.glob(f".*{UNFINISHED}"):
        if path.is_file() and not path.is_symlink():
            path.unlink(missing_ok=True)


def write(path: Path, content: bytes) -> None:
    """Atomically, with its checksum. In between it has none, so that no kill leaves a wrong one."""
    checksums = read_checksums(path.parent)
    if checksums.pop(path.name, None):
        write_checksums(path.parent, checksums)
    write_atomically(path, content)
    write_checksums(path.parent, checksums | {path.name: hashlib.sha256(content).hexdigest()})


def read(path: Path) -> bytes:
    """The content of a file; of one with a checksum, only if it is the same as was written.

    Raises:
        InputError: no such file; it was changed, or SHA256SUMS was.
    """
    if not path.exists():
        raise InputError(f"no file {path}")
    while True:
        expected = read_checksums(path.parent).get(path.name)
        content = path.read_bytes()
        if read_checksums(path.parent).get(path.name) == expected:  # or else it was just being written
            break
    if expected not in (None, hashlib.sha256(content).hexdigest()):
        raise InputError(
            f"{path} was changed or cut short since it was saved (its SHA-256 is not the one in {CHECKSUMS})"
        )
    return content


def read_checksums(folder: Path) -> dict[str, str]:
    """File name -> SHA-256, as hexadecimal digits, of what the folder says it holds."""
    path = folder / CHECKSUMS
    try:
        lines = path.read_text().splitlines() if path.exists() else []
        return {name: digest for digest, name in (line.split("  ", 1) for line in lines)}
    except ValueError as error:  # not text, or a line that is not "digest  name"
        raise InputError(f"{path} is damaged: {first_line(error)}") from error


def write_checksums(folder: Path, checksums: dict[str, str]) -> None:
    lines = [f"{digest}  {name}\n" for name, digest in sorted(checksums.items())]
    write_atomically(folder / CHECKSUMS, "".join(lines).encode())


def write_table(path: Path, table: pd.DataFrame) -> None:
    """As CSV or Parquet, by the path's suffix."""
    if path.suffix == ".csv":
        write(path, table.to_csv(index=False).encode())
    else:
        write(path, table.to_parquet(index=False))


def read_table(path: Path, columns: Collection[str], dtype: Any = None) -> pd.DataFrame:
    """A table that `write_table` wrote.

    Raises:
        InputError: no such file; it was changed, cannot be read, or one of `columns` is not there.
    """
    content = read(path)
    try:
        if path.suffix == ".csv":
            table = pd.read_csv(io.BytesIO(content), dtype=dtype)
        else:
            table = pq.read_table(pa.BufferReader(content)).to_pandas()
    except Exception as error:  # pandas and pyarrow raise many kinds for a damaged or hostile file
        raise InputError(f"{path} is damaged: {first_line(error)}") from error
    missing = [name for name in columns if name not in table]
    if missing:
        raise InputError(f"{path} is damaged: it has no column {', '.join(missing)}")
    numbers = [name for name in columns if name not in WORDS and dtype is None]
    if wrong := [name for name in numbers if not is_numeric_dtype(table[name])]:
        raise InputError(f"{path} is damaged: there is something else than numbers in {', '.join(wrong)}")
    # as str: a category of all measures slows every selection
    return table.astype({name: str for name in WORDS if name in table})


def read_json(path: Path) -> dict[str, Any]:
    """Raises InputError if the file is missing, was changed, or is not a JSON object."""
    content = read(path)
    try:
        found = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} is damaged: {first_line(error)}") from error
    if not isinstance(found, dict):
        raise InputError(f"{path} is damaged: it is no JSON object")
    return found


def read_tensors(path: Path, key: str) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """What is noted under `key` in the metadata of a safetensors file, and its tensors.

    Raises InputError if it was changed, cannot be read, or nothing is noted there.
    """
    read(path)
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
