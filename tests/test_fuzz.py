"""Damaged and hostile files, 400 of each: each is refused in one line.

With a checksum that was made to fit, a file is refused, or gives what has the right shape.
"""

import hashlib
import io
import pickle
import resource
import time
import zipfile
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from conftest import memory_now

from tsrnn import InputError, zoo
from tsrnn.files import CHECKSUMS, read_checksums, read_table, write_checksums
from tsrnn.model import Architecture, LeakyRNN
from tsrnn.probes import QUICK, add_missing
from tsrnn.runs import load_state, saved_history
from tsrnn.schemas import PROMOTIONS, READOUTS, ROBUSTNESS
from tsrnn.training import train

INPUTS = 400


def damaged(content: bytes, rng: np.random.Generator) -> bytes:
    """Cut short, bits flipped, a stretch zeroed, repeated or made up, or a length that is not true."""
    kind, b = rng.integers(6), bytearray(content)
    at = int(rng.integers(len(b)))
    if kind == 0:
        return bytes(b[:at])
    if kind == 1:
        for i in rng.integers(len(b), size=rng.integers(1, 9)):
            b[i] ^= 1 << int(rng.integers(8))
    elif kind == 2:
        b[at : at + 64] = bytes(len(b[at : at + 64]))
    elif kind == 3:
        b[at:at] = b[at : at + int(rng.integers(1, 2000))]
    elif kind == 4:
        b[at : at + 64] = rng.bytes(len(b[at : at + 64]))
    else:
        at = int(rng.choice([0, max(0, len(b) - 8)]))
        b[at : at + 8] = int(rng.integers(2**62)).to_bytes(8, "little")
    return bytes(b)


class Hostile:
    """Unpickled by a careless reader, it leaves a file behind."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return Path.write_text, (self.path, "ran")


def hostile_archives(path: Path) -> list[bytes]:
    """What a reader of published checkpoints must not run: in torch's old, its zip and the bare format."""
    found = [pickle.dumps(Hostile(path)), pickle.dumps({"state_dict": Hostile(path)}, protocol=0)]
    for new in (True, False):
        buffer = io.BytesIO()
        torch.save(
            {"state_dict": {"modulelist.0.weight": Hostile(path)}}, buffer, _use_new_zipfile_serialization=new
        )
        found.append(buffer.getvalue())
    buffer = io.BytesIO()  # a zip that unpacks to 2 GiB
    with (
        zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("archive/data.pkl", "w", force_zip64=True) as file,
    ):
        for _ in range(2048):
            file.write(bytes(2**20))
    return [*found, buffer.getvalue()]


def checked(read, path: Path, content: bytes) -> object:
    """What `read` makes of the content; None if it refuses it as it should."""
    path.write_bytes(content)
    began = time.process_time()
    try:
        return read()
    except InputError as error:
        assert "\n" not in str(error) and str(path.parent) in str(error)
        return None
    finally:
        assert time.process_time() - began < 10


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    from conftest import small_config

    [folder] = train(small_config(), base_path=tmp_path_factory.mktemp("zoo"), progress=False)
    add_missing(folder, progress=False, scale=QUICK)
    return folder


@pytest.fixture
def little_memory():
    before = memory_now()
    yield
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 2**20  # KiB


def state(folder: Path) -> Path:
    return max((folder / "state").glob("*.safetensors"))


# File -> how it is read, and whether what was read has the right shape
READERS = {
    "promotions.parquet": (
        lambda path: read_table(path, PROMOTIONS),
        lambda table: list(table) == list(PROMOTIONS.columns),
    ),
    "robustness.parquet": (lambda path: read_table(path, ROBUSTNESS), lambda table: "N" in table),
    "readouts.parquet": (lambda path: read_table(path, READOUTS), lambda table: "N" in table),
    "history.csv": (lambda path: saved_history(path.parent), lambda rows: isinstance(rows, list)),
    "config.json": (lambda path: zoo.read_config(path.parent), lambda config: config.neurons == 20),
    "rnn_N2_N6.safetensors": (zoo.load_checkpoint, lambda model: model.W.shape == (1, 20, 20)),
    "state": (
        lambda path: load_state(zoo.read_config(path.parents[1]), path.parents[1], path),
        lambda run: run.parameters["W"].shape == (20, 20) and len(run.history) == run.epoch,
    ),
}


@pytest.fixture(params=READERS)
def victim(request, folder, little_memory):
    """A file, how it is read, what it gives; undone afterwards."""
    path = state(folder) if request.param == "state" else folder / request.param
    content, checksums = path.read_bytes(), (path.parent / CHECKSUMS).read_bytes()
    yield path, *READERS[request.param]
    path.write_bytes(content)
    (path.parent / CHECKSUMS).write_bytes(checksums)


def test_any_change_is_noticed(victim):
    path, read, fits = victim
    content, rng = path.read_bytes(), np.random.default_rng(0)
    assert fits(read(path))
    for _ in range(INPUTS):
        wrong = damaged(content, rng)
        assert wrong == content or checked(partial(read, path), path, wrong) is None


def test_a_checksum_that_was_made_to_fit(victim):
    path, read, fits = victim
    content, rng, checksums = path.read_bytes(), np.random.default_rng(0), read_checksums(path.parent)
    for _ in range(INPUTS):
        wrong = damaged(content, rng)
        write_checksums(path.parent, checksums | {path.name: (hashlib.sha256(wrong).hexdigest(),)})
        found = checked(partial(read, path), path, wrong)
        assert found is None or fits(found)


def test_checksums_that_were_damaged(folder, little_memory):
    path, saved = folder / CHECKSUMS, zoo.load_checkpoint(folder / "rnn_N2_N6.safetensors")
    content, rng = path.read_bytes(), np.random.default_rng(0)
    for _ in range(INPUTS):
        found = checked(
            partial(zoo.load_checkpoint, folder / "rnn_N2_N6.safetensors"), path, damaged(content, rng)
        )
        assert found is None or torch.equal(found.W, saved.W)
    path.write_bytes(content)


def test_published_archives(tmp_path, little_memory):
    folder, ran = tmp_path / "single_parity_network_1", tmp_path / "ran.txt"
    folder.mkdir()
    path = folder / "rnn_N3_N3"
    model = LeakyRNN.initialise(Architecture(neurons=6), [torch.Generator().manual_seed(0)])
    state = {theirs: getattr(model, ours)[0].detach() for theirs, ours in zoo.PUBLISHED_NAMES.items()}
    state["modulelist.0.weight"] = state["modulelist.0.weight"][:, None]
    state |= {"modulelist.2.weight": torch.randn(2, 6), "modulelist.2.bias": torch.randn(2)}
    torch.save({"state_dict": state}, path)
    content, rng = path.read_bytes(), np.random.default_rng(0)
    assert zoo.load_published(path).heads == {3: 0}
    for _ in range(INPUTS):
        found = checked(partial(zoo.load_published, path), path, damaged(content, rng))
        assert found is None or found.W.shape == (1, 6, 6)
    for wrong in hostile_archives(ran):
        assert checked(partial(zoo.load_published, path), path, wrong) is None
        assert not ran.exists()
    with pytest.raises(AttributeError):  # it would have run: the test is a test
        pd.read_pickle(io.BytesIO(pickle.dumps(Hostile(ran)))).no_such_thing  # noqa: B018
    assert ran.exists()
