"""What takes the place of a file: refused in a line, in a moment, in little memory. By kind."""

import hashlib
import io
import json
import os
import resource
import socket
import time
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from conftest import killed_before_write, memory_now, published_state
from safetensors.torch import save

from tsrnn import InputError, files, zoo
from tsrnn.files import CHECKSUMS, MOST_BYTES, read_table, write
from tsrnn.runs import saved_history, states_on_disk
from tsrnn.schemas import PROMOTIONS, READOUTS, TABLES, no_rows

READERS = {
    "config.json": lambda path: zoo.read_config(path.parent),
    "history.csv": lambda path: saved_history(path.parent),
    "promotions.parquet": lambda path: read_table(path, PROMOTIONS),
    "rnn_N2_N3.safetensors": zoo.load_checkpoint,
    "rnn_N2_N3": zoo.load_published,
    "state/0.safetensors": lambda path: states_on_disk(path.parents[1]),
    CHECKSUMS: lambda path: files.read_checksums(path.parent),
}


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "x_network_1" / "state").mkdir(parents=True)
    return tmp_path / "x_network_1"


def refused(read, path: Path) -> str:
    """The line that says why, after less than two seconds of work and in less than 200 MiB."""
    before, began = memory_now(), time.process_time()
    with pytest.raises(InputError) as error:
        read(path)
    assert time.process_time() - began < 2  # not by the clock: other work may be waited for
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200 * 2**10
    assert "\n" not in str(error.value) and len(str(error.value)) < 600
    return str(error.value)


def pipe(path):
    os.mkfifo(path)


def link_to_zeros(path):
    path.symlink_to("/dev/zero")


def link_to_itself(path):
    path.symlink_to(path)


def link_to_nothing(path):
    path.symlink_to("nowhere")


def listening(path):
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(os.path.relpath(path))


def too_large(path):
    with path.open("wb") as file:
        file.truncate(MOST_BYTES.get(path.suffix, MOST_BYTES[""]) + 1)


@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize(
    "put", [pipe, link_to_zeros, link_to_itself, link_to_nothing, listening, too_large, Path.mkdir]
)
def test_what_is_no_file_of_a_bounded_size(folder, put, name, monkeypatch):
    path = folder / name
    monkeypatch.chdir(folder)
    if name != CHECKSUMS:
        (path.parent / CHECKSUMS).write_text(f"{'0' * 64}  {path.name}\n")
    put(path)
    if name.startswith("state") and not path.exists():
        return  # a state that is not there is none
    refused(READERS[name], path)


# ---------------------------------------------------------------- tables

GOOD = no_rows(PROMOTIONS).reindex(range(3)).fillna({"measure": "tau"}).fillna(1)
GOOD["index"] = range(3)
GOOD = GOOD.astype({name: str(column.dtype) for name, column in PROMOTIONS.columns.items()})


def arrow(**columns) -> pa.Table:
    table = pa.Table.from_pandas(GOOD)
    for name, values in columns.items():
        if name in table.column_names:
            table = table.drop_columns([name])
        table = table.append_column(name, values)
    return table


N_ROWS = 6_000_000
TABLES_THAT_ARE_NONE = {
    "many rows": lambda: arrow().take(pa.array(np.zeros(N_ROWS, int))),
    "many columns": lambda: pa.table({f"c{i}": [1] for i in range(3000)}),
    "binary": lambda: arrow(measure=pa.array([b"1", b"2", b"3"])),
    "half floats": lambda: arrow(value=pa.array(np.ones(3, np.float16))),
    "doubles": lambda: arrow(value=pa.array([1.0, 2.0, 3.0])),
    "whole numbers for floats": lambda: arrow(value=pa.array([1, 2, 3])),
    "floats for whole numbers": lambda: arrow(epoch=pa.array([1.0, 2.0, 3.0])),
    "short whole numbers": lambda: arrow(index=pa.array([1, 2, 3], pa.int8())),
    "nothing": lambda: arrow(epoch=pa.nulls(3)),
    "a missing number": lambda: arrow(epoch=pa.array([1, None, 3])),
    "a missing word": lambda: arrow(measure=pa.array(["a", None, "b"])),
    "lists": lambda: arrow(value=pa.array([[1.0], [2.0], [3.0]])),
    "structures": lambda: arrow(value=pa.array([{"a": 1.0}] * 3)),
    "times": lambda: arrow(epoch=pa.array([1, 2, 3], pa.timestamp("s"))),
    "decimals": lambda: arrow(epoch=pa.array([1, 2, 3], pa.decimal128(9, 2))),
    "below the range": lambda: arrow(N_min=pa.array([0, 1, 2])),
    "beyond the range": lambda: arrow(N_max=pa.array([2, 10**9, 2])),
    "a row twice": lambda: arrow(index=pa.array([1, 2, 1])),
    "no column": lambda: arrow().drop_columns(["index"]),
    "the column twice": lambda: arrow().append_column("epoch", pa.array([1, 2, 3])),
    "a long word": lambda: arrow(measure=pa.array(["x" * 10**6] * 3)),
}


@pytest.mark.parametrize("kind", TABLES_THAT_ARE_NONE)
def test_tables_that_are_none(folder, kind):
    path, buffer = folder / "promotions.parquet", io.BytesIO()
    pq.write_table(TABLES_THAT_ARE_NONE[kind](), buffer)
    write(path, buffer.getvalue())
    assert "promotions.parquet is damaged: " in refused(READERS[path.name], path)


def test_a_column_more_is_not_read(folder):
    path, buffer = folder / "promotions.parquet", io.BytesIO()
    pq.write_table(arrow(mine=pa.array([{"x": [1]}] * 3)), buffer)
    write(path, buffer.getvalue())
    pd.testing.assert_frame_equal(read_table(path, PROMOTIONS), GOOD, check_dtype=False)


@pytest.mark.parametrize("name", TABLES)
def test_every_table_comes_back_as_it_was(folder, name):
    schema = TABLES[name]
    one = {n: {"bool": True, "str": "a"}.get(str(c.dtype), 1) for n, c in schema.columns.items()}
    table = pd.DataFrame([one]).astype({n: str(c.dtype) for n, c in schema.columns.items()})
    files.write_table(folder / name, table)
    pd.testing.assert_frame_equal(read_table(folder / name, schema), table, check_dtype=False)


HEADER = ",".join(TABLES["history.csv"].columns)
ROW = "1,2,2,0.5,0.9,0.9,1.5,0.1,False,1.0,cpu,float32,0"
HISTORIES_THAT_ARE_NONE = {
    "empty": "",
    "no rows but a header of something else": "a,b\n1,2\n",
    "half an epoch": f"{HEADER}\n{ROW.replace('1,2,2', '1.5,2,2', 1)}\n",
    "an epoch that is no number": f"{HEADER}\n{ROW.replace('1,2,2', 'nan,2,2', 1)}\n",
    "an epoch twice": f"{HEADER}\n{ROW}\n{ROW}\n",
    "an epoch left out": f"{HEADER}\n{ROW.replace('1,2,2', '2,2,2', 1)}\n",
    "N that fall": f"{HEADER}\n{ROW.replace('1,2,2', '1,3,3')}\n{ROW.replace('1,2,2', '2,2,2')}\n",
    "N the wrong way round": f"{HEADER}\n{ROW.replace('1,2,2', '1,3,2')}\n",
    "an accuracy of 2": f"{HEADER}\n{ROW.replace('0.9', '2')}\n",
    "an infinite loss": f"{HEADER}\n{ROW.replace('0.5', '-inf')}\n",
    "no device": f"{HEADER}\n{ROW.replace('cpu', '')}\n",
    "perhaps": f"{HEADER}\n{ROW.replace('False', 'perhaps')}\n",
    "too many cells": f"{HEADER}\n{ROW},1,2,3\n{ROW}\n",
    "a quote that never ends": f'{HEADER}\n"{ROW}\n',
    "no text": b"\xff\xfe\x00\x01",
    "a number without end": f"{HEADER}\n{ROW.replace('1,2,2', '9' * 5000 + ',2,2', 1)}\n",
}


@pytest.mark.parametrize("kind", HISTORIES_THAT_ARE_NONE)
def test_histories_that_are_none(folder, kind):
    content = HISTORIES_THAT_ARE_NONE[kind]
    write(folder / "history.csv", content if isinstance(content, bytes) else content.encode())
    assert "history.csv is damaged: " in refused(READERS["history.csv"], folder / "history.csv")


# ---------------------------------------------------------------- checkpoints

ARCHITECTURE = {"neurons": 4, "model": "default", "activation": "leakyrelu", "tau": None}
SHAPES = dict.fromkeys(("tau", "w_in", "b_in", "b"), (4,))
SHAPES |= {"W": (4, 4), "head_weight": (2, 2, 4), "head_bias": (2, 2)}


def about(**change):
    return {"architecture": ARCHITECTURE, "ns": [2, 3], "task": "parity"} | change


CHECKPOINTS_THAT_ARE_NONE = {
    "no heads": about(ns=[]),
    "words for heads": about(ns=["2", "3"]),
    "heads below 1": about(ns=[-1, 0]),
    "heads with a gap": about(ns=[2, 4]),
    "other heads than in its name": about(ns=[3, 4]),
    "a million heads": about(ns=[2, 10**6]),
    "a number for heads": about(ns=3),
    "no task": {k: v for k, v in about().items() if k != "task"},
    "another task": about(task="(a+)+$"),
    "no architecture": about(architecture=None),
    "an architecture with more": about(architecture=ARCHITECTURE | {"colour": "red"}),
    "an architecture of words": about(architecture=ARCHITECTURE | {"neurons": "4"}),
    "other units": about(architecture=ARCHITECTURE | {"neurons": 5}),
    "a billion units": about(architecture=ARCHITECTURE | {"neurons": 10**9}),
    "a list": [1],
    "whole numbers": torch.int32,
    "complex numbers": torch.complex64,
    "truth values": torch.bool,
    "bytes of floats": torch.float8_e4m3fn,
    "one number": (),
    "more axes": (4, 4, 1),
    "none": (0, 4),
}


@pytest.mark.parametrize("kind", CHECKPOINTS_THAT_ARE_NONE)
def test_checkpoints_that_are_none(folder, kind):
    wrong, tensors = (
        CHECKPOINTS_THAT_ARE_NONE[kind],
        {name: torch.ones(shape) for name, shape in SHAPES.items()},
    )
    path, said = folder / "rnn_N2_N3.safetensors", about()
    write(path, save(tensors, metadata={"tsrnn": json.dumps(said)}))
    assert zoo.load_checkpoint(path).heads == {2: 0, 3: 1}
    if isinstance(wrong, torch.dtype):
        tensors["W"] = tensors["W"].to(wrong)
    elif isinstance(wrong, tuple):
        tensors["W"] = torch.ones(wrong)
    else:
        said = wrong
    write(path, save(tensors, metadata={"tsrnn": json.dumps(said)}))
    assert str(path) in refused(zoo.load_checkpoint, path)


def sparse(state):
    state["modulelist.1.weight"] = torch.eye(6).to_sparse()


def meta(state):
    state["modulelist.1.weight"] = torch.empty(6, 6, device="meta")


def one_that_claims(state):
    """One number that says it is 40 GB."""
    state["modulelist.1.weight"] = torch.ones(1).expand(10**5, 10**5)


def units_that_are_claimed(state):
    state["parameterlist.0"] = torch.ones(1).expand(10**9)


def heads_that_are_claimed(state):
    state["modulelist.2.weight"] = torch.ones(1, 1).expand(2, 10**9)


def whole(state):
    state["modulelist.0.bias"] = state["modulelist.0.bias"].int()


def no_tensor(state):
    state["parameterlist.0"] = "tau"


@pytest.mark.parametrize(
    "change",
    [sparse, meta, one_that_claims, units_that_are_claimed, heads_that_are_claimed, whole, no_tensor],
)
def test_published_checkpoints_that_are_none(folder, change):
    path, state = folder / "rnn_N2_N3", published_state()
    change(state)
    torch.save({"state_dict": state}, path)
    refused(zoo.load_published, path)


def test_archives_that_unpack_to_more_than_they_are(folder):
    path, plain = folder / "rnn_N2_N3", io.BytesIO()
    torch.save({"state_dict": published_state()}, plain)
    path.write_bytes(plain.getvalue())
    assert set(zoo.load_published(path).heads) == {2, 3}
    with zipfile.ZipFile(plain) as given, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        for part in given.infolist():
            packed.writestr(part.filename, given.read(part) + bytes(2**20))
    assert "it unpacks to more than it is" in refused(zoo.load_published, path)
    torch.save({"state_dict": published_state()}, path, _use_new_zipfile_serialization=False)
    assert "not a checkpoint in the published format" in refused(zoo.load_published, path)


@pytest.mark.parametrize(
    "name", ["rnn_N2_N30000", "rnn_N2_N30000000", "rnn_N9_N2", "rnn_N0_N2", "rnn_N²_N³", "rnn_N2_N3\n"]
)
def test_names_that_claim_too_much(folder, name):
    torch.save({"state_dict": published_state()}, folder / name)
    refused(zoo.load_published, folder / name)


# ---------------------------------------------------------------- checksums

DIGEST = hashlib.sha256(b"").hexdigest()


LINES = [f"{DIGEST}  {name}" for name in ("/etc/passwd", "../config.json", "state/0.safetensors", "..", "")]
LINES += [f"{DIGEST} a", f"{DIGEST[:-1]}  a", f"{DIGEST.upper()}  a", "\n".join([f"{DIGEST}  a"] * 20_000)]


@pytest.mark.parametrize("line", LINES, ids=range(len(LINES)))
def test_checksums_of_something_else(folder, line):
    (folder / CHECKSUMS).write_text(line + "\n")
    (folder / "a").touch()
    assert f"{folder / CHECKSUMS} is damaged: " in refused(files.read, folder / "a")


def test_new_files_are_as_readable_as_others(folder, monkeypatch):
    """As the umask says, not 0600 and not always 0644."""
    for mask in (0o022, 0o077, 0o002):
        monkeypatch.setattr(files, "UMASK", mask)
        write(folder / "a", b"1")
        assert (folder / "a").stat().st_mode & 0o777 == 0o666 & ~mask


def test_a_kill_while_one_file_takes_the_place_of_another_leaves_one_of_them(folder, monkeypatch):
    path = folder / "readouts.parquet"
    files.write_table(path, no_rows(READOUTS))
    before = files.read(path)
    for writes in range(3):
        with killed_before_write(writes, monkeypatch), pytest.raises(KeyboardInterrupt):
            write(path, b"another")
        assert files.read(path) == (b"another" if writes > 1 else before) and files.is_saved(path)
    for content in (b"a", b"b", b"c", b"d"):  # however often that happens, it can be read
        with killed_before_write(1, monkeypatch), pytest.raises(KeyboardInterrupt):
            write(path, content)
        assert files.read(path) == b"another" and len(files.read_checksums(folder)[path.name]) == 2
    write(path, b"d")
    assert files.read(path) == b"d" and len(files.read_checksums(folder)[path.name]) == 1
