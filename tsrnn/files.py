"""Files that are whole or not there, and that are what was written or an error of one line.

What `write` leaves has its SHA-256 in the folder's `SHA256SUMS` (`sha256sum -c SHA256SUMS` checks all, too).
Nothing else in the package opens a file of a network.
"""

import hashlib
import io
import json
import os
import re
import stat
import tempfile
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import pandas as pd
import pandera.pandas as pandera
import pyarrow as pa
import pyarrow.parquet as pq
from safetensors.torch import load as from_safetensors
from torch import Tensor

from tsrnn import InputError

CHECKSUMS = "SHA256SUMS"
UNFINISHED = ".tsrnn-unfinished"  # how the names of files end that are being written
# More than anything of ours has, and little enough for any computer
MOST_BYTES = {".json": 2**20, ".csv": 2**24, ".parquet": 2**26, "": 2**30}
MOST_ROWS, MOST_COLUMNS, MOST_WORDS, LONGEST_WORD = 2_000_000, 100, 1000, 100
MOST_UNPACKED = 2**28
SMALL = 2**19  # bytes of a table that is kept in memory once it was read
NO_WAITING = getattr(os, "O_NONBLOCK", 0)  # Windows has none


# ---------------------------------------------------------------- write


def write_atomically(path: Path, content: bytes) -> None:
    """All of `content` under `path` or, whenever the process dies, what was there before."""
    prefix = f".{path.name}."
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=prefix, suffix=UNFINISHED, delete=False) as file:
        try:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
            Path(file.name).chmod(0o666 & ~UMASK)
            Path(file.name).replace(path)
            sync(path.parent)
        except BaseException:
            Path(file.name).unlink(missing_ok=True)
            raise


def make_folder(folder: Path) -> Path:
    """The folder, made if it is not there. Raises InputError if that cannot be."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (OSError, ValueError) as error:  # ValueError: a name that no folder can have
        why = getattr(error, "strerror", error)
        raise InputError(f"cannot make the folder {folder}: {why}; choose another") from error
    return folder


def sync(folder: Path) -> None:
    """Have the names in a folder, too, on the disk, in this order (a power cut keeps none else)."""
    if NO_WAITING:  # Windows cannot
        handle = os.open(folder, os.O_RDONLY)
        os.fsync(handle)
        os.close(handle)


def _umask() -> int:
    """What is withheld from new files; it can only be read by setting it."""
    mask = os.umask(0)
    os.umask(mask)
    return mask


UMASK = _umask()  # once, before there are threads


def remove_unfinished(folder: Path) -> None:
    """Remove what a killed process was writing in this folder: regular files of ours, and nothing else."""
    for path in folder.glob(f".*{UNFINISHED}"):
        if path.is_file() and not path.is_symlink():
            path.unlink(missing_ok=True)


def write(path: Path, content: bytes) -> None:
    """Atomically, with its checksum.

    While one content takes the place of another, both checksums are there: no reader, and no kill, finds a
    file without its own. A new file has none until it is whole.
    """
    digest, known = hashlib.sha256(content).hexdigest(), read_checksums(path.parent)
    if before := known.get(path.name, ()):
        if len(before) > 1:  # an earlier writer was killed: of the two, one is that of the file
            now = hashlib.sha256(read_bytes(path)).hexdigest()
            before = tuple(each for each in before if each == now) or before[:1]
        write_checksums(path.parent, known | {path.name: (*before, digest)})
    write_atomically(path, content)
    write_checksums(path.parent, known | {path.name: (digest,)})


def write_checksums(folder: Path, checksums: dict[str, tuple[str, ...]]) -> None:
    lines = [f"{digest}  {name}\n" for name in sorted(checksums) for digest in checksums[name]]
    write_atomically(folder / CHECKSUMS, "".join(lines).encode())


def write_table(path: Path, table: pd.DataFrame) -> None:
    """As CSV or Parquet, by the path's suffix."""
    if path.suffix == ".csv":
        write(path, table.to_csv(index=False).encode())
    else:
        write(path, table.to_parquet(index=False))


def remove(path: Path) -> None:
    """Delete a file and its checksum; after a kill in between it is there, but does not count any more."""
    write_checksums(path.parent, {k: v for k, v in read_checksums(path.parent).items() if k != path.name})
    path.unlink(missing_ok=True)


# ---------------------------------------------------------------- read


def read_bytes(path: Path) -> bytes:
    """The content of a regular file of bounded size.

    Raises InputError for anything else: nothing there, a folder, a pipe, a device, more than its kind has.
    """
    most = MOST_BYTES.get(path.suffix, MOST_BYTES[""])
    try:
        # a pipe without a writer would wait for ever
        with open(path, "rb", opener=lambda p, flags: os.open(p, flags | NO_WAITING)) as file:
            about = os.fstat(file.fileno())
            if not stat.S_ISREG(about.st_mode):
                raise InputError(f"{path} is not a regular file")
            if about.st_size > most:
                raise InputError(f"{path} has {about.st_size:,} bytes: {most:,} are the most for such a file")
            return file.read(most)
    except InputError:
        raise
    except FileNotFoundError as error:
        raise InputError(f"no file {path}") from error
    except (OSError, ValueError) as error:  # ValueError: a name that no file can have
        raise InputError(f"cannot read {path}: {getattr(error, 'strerror', error)}") from error


def read(path: Path) -> bytes:
    """The content of a file; of one with a checksum, only if it is the same as was written.

    Raises:
        InputError: as `read_bytes`; the file was changed, or SHA256SUMS was.
    """
    while True:
        expected = read_checksums(path.parent).get(path.name)
        content = read_bytes(path)
        if read_checksums(path.parent).get(path.name) == expected:  # or else it was just being written
            break
    if expected is not None and hashlib.sha256(content).hexdigest() not in expected:
        raise InputError(
            f"{path} was changed or cut short since it was saved (its SHA-256 is not the one in {CHECKSUMS})"
        )
    return content


def read_checksums(folder: Path) -> dict[str, tuple[str, ...]]:
    """File name -> SHA-256, as hexadecimal digits, of what the folder says it holds.

    There are two for a file that is just being replaced (or was, when its writer was killed).
    """
    path = folder / CHECKSUMS
    found: dict[str, tuple[str, ...]] = {}
    if not os.path.lexists(path):
        return found
    try:
        for line in read_bytes(path).decode().splitlines():
            digest, _, name = line.partition("  ")
            if not re.fullmatch(r"[0-9a-f]{64}", digest) or not is_plain(name):
                raise ValueError(f"{line[:80]!r} is no checksum of a file in this folder")
            found[name] = (*found.get(name, ()), digest)
            if len(found[name]) > 3:
                raise ValueError(f"{name[:80]!r} is listed more than three times")
    except ValueError as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path} is damaged: {first_line(error)}") from error
    return found


def is_there(path: Path) -> bool:
    """Whether there is such a file, or should be one: of a file that was lost, reading says so.

    Raises InputError if we may not look.
    """
    try:
        os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return is_listed(path)
    except (OSError, ValueError) as error:
        raise InputError(f"cannot read {path}: {getattr(error, 'strerror', error)}") from error
    return True


def is_plain(name: str) -> bool:
    """Whether this can be the name of a file in a folder, and leads nowhere else."""
    return name not in ("", ".", "..") and name.isprintable() and not set(name) & set("/\\")


def is_listed(path: Path) -> bool:
    """Whether its folder's SHA256SUMS lists a file: of one that was lost, reading says so."""
    return path.name in read_checksums(path.parent)


def is_saved(path: Path) -> bool:
    """Whether a file is there and its folder's SHA256SUMS lists it: until then, it is not yet whole."""
    return is_listed(path) and path.exists()


def read_table(path: Path, schema: pandera.DataFrameSchema, as_text: bool = False) -> pd.DataFrame:
    """A table that `write_table` wrote: the columns that its schema (see `schemas`) names.

    As text, the cells of a CSV file go back as they came.

    Raises:
        InputError: as `read`; it cannot be read, or does not hold what the schema says.
    """
    content = read(path)
    # Those of a zoo are read again and again, and checking them takes most of the time
    table_of = _table if len(content) < SMALL else _table.__wrapped__
    try:
        table = table_of(content, path.suffix, tuple(schema.columns), schema.validate)
        return pd.read_csv(io.BytesIO(content), dtype=str) if as_text else table.copy()
    except Exception as error:  # pandas, pyarrow and pandera raise many kinds for a damaged or hostile file
        raise InputError(f"{path} is damaged: {first_line(error)}") from error


@lru_cache(maxsize=256)
def _table(
    content: bytes, suffix: str, names: tuple[str, ...], validate: Callable[[pd.DataFrame], pd.DataFrame]
) -> pd.DataFrame:
    """A table's columns of these names, checked. It is kept, so that no one may change it."""
    table = _csv(content) if suffix == ".csv" else _parquet(content, list(names))
    return validate(table[[name for name in names if name in table]])


def _csv(content: bytes) -> pd.DataFrame:
    rows, columns = content.count(b"\n"), content.split(b"\n", 1)[0].count(b",") + 1
    if rows > MOST_ROWS // 10 or columns > MOST_COLUMNS:
        raise ValueError(f"{rows:,} rows, {columns:,} columns are more than any table of ours has")
    return pd.read_csv(io.BytesIO(content))


def _parquet(content: bytes, names: list[str]) -> pd.DataFrame:
    file = pq.ParquetFile(pa.BufferReader(content), read_dictionary=names)  # a word once, not in every row
    rows, columns = file.metadata.num_rows, file.metadata.num_columns
    size = sum(file.metadata.row_group(i).total_byte_size for i in range(file.num_row_groups))
    if rows > MOST_ROWS or columns > MOST_COLUMNS or size > MOST_UNPACKED:
        raise ValueError(
            f"{rows:,} rows, {columns} columns, {size:,} bytes are more than any table of ours has"
        )
    there = file.schema_arrow.names
    if twice := [name for name in names if there.count(name) > 1]:
        raise ValueError(f"it has column {twice[0]} twice")
    table = file.read(columns=[name for name in names if name in there])
    for name, column in zip(table.column_names, table.columns, strict=True):
        if pa.types.is_dictionary(column.type):
            if not pa.types.is_string(column.type.value_type):
                raise ValueError(f"column {name} holds {column.type.value_type}")
            if any(len(chunk.dictionary) > MOST_WORDS for chunk in column.chunks):
                raise ValueError(f"column {name} has more than {MOST_WORDS} different words")
            words = [word for chunk in column.chunks for word in chunk.dictionary.to_pylist()]
            if any(len(word) > LONGEST_WORD for word in words):
                raise ValueError(f"a word in {name} has more than {LONGEST_WORD} letters")
    found: pd.DataFrame = table.to_pandas(ignore_metadata=True)
    return found


def read_json(path: Path) -> dict[str, Any]:
    """Raises InputError as `read`, and if the file is not a JSON object."""
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

    Raises InputError as `read`, and if it is no such file, or nothing is noted there.
    """
    content = read(path)
    try:
        header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
        about, tensors = json.loads(header["__metadata__"][key]), from_safetensors(content)
    except Exception as error:  # safetensors raises its own, and others for what the header promises
        raise InputError(f"{path} is damaged, or no file of tsrnn: {first_line(error)}") from error
    if not isinstance(about, dict):
        raise InputError(f"{path} is damaged: what it notes of itself is no JSON object")
    return about, tensors


def first_line(error: BaseException) -> str:
    """Of an error's message, 200 characters at most."""
    return (str(error).splitlines() or [type(error).__name__])[0][:200]
