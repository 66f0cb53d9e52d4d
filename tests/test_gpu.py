"""tools/gpu.py from end to end, on the CPU: what it checks, trains, packs and puts into the zoo."""

import io
import shutil
import sys
import tarfile
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
import torch
from conftest import everything
from typer.testing import CliRunner

sys.path.insert(0, str(Path(__file__).parents[1] / "tools"))

import gpu

from tsrnn import recurrence, zoo
from tsrnn.command import run
from tsrnn.evaluation import verify
from tsrnn.files import write, write_table
from tsrnn.folders import hold
from tsrnn.runs import saved_history
from tsrnn.training import train


def call(*arguments: object) -> str:
    result = CliRunner().invoke(gpu.app, [str(each) for each in arguments])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return f"{result.output}exit {result.exit_code}"


def test_check_passes_and_finds_a_wrong_gradient(tmp_path, monkeypatch):
    monkeypatch.setattr(gpu, "OUT", tmp_path)
    found = call("check", "--device", "cpu", "--neurons", 20, "--largest", 1)
    assert "32 of 32 variants agree with float64" in found and found.endswith("exit 0")
    assert "N = 100,  1 networks" in found and (tmp_path / "check.csv").exists()

    right = recurrence.ACTIVATIONS["tanh"]
    wrong = recurrence.Activation(right.apply_, recurrence.ACTIVATIONS["relu"].backward)
    original = gpu.errors

    def errors(*arguments):
        """As if float32 and bfloat16 had another derivative than float64."""
        forward = gpu.LeakyRNN.forward

        def other(self, s, *more):
            chosen = right if s.dtype == torch.float64 else wrong
            monkeypatch.setitem(recurrence.ACTIVATIONS, "tanh", chosen)
            return forward(self, s, *more)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(gpu.LeakyRNN, "forward", other)
            return original(*arguments)

    monkeypatch.setattr(gpu, "errors", errors)
    found = call("check", "--device", "cpu", "--neurons", 20, "--largest", 0)
    assert "24 of 32 variants" in found and "WRONG mod tanh K=70 bfloat16" in found
    assert found.endswith("exit 1")


def test_networks_go_on_from_the_zoo_and_come_back_to_it(tmp_path, monkeypatch):
    """The profile `toy` with fewer units for one epoch: an ensemble for each curriculum."""
    monkeypatch.setattr(gpu, "OUT", tmp_path / "out")
    for name in ("tools/gpu.py", "workflow/config.yaml"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_text((gpu.TOP / name).read_text().replace("neurons: 60", "neurons: 12"))
    monkeypatch.setattr(gpu, "__file__", str(tmp_path / "tools" / "gpu.py"))
    monkeypatch.setattr(gpu, "TOP", tmp_path)
    folders = (tmp_path / "zoo", tmp_path / "work")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    options = ["--device", "cpu", "--profile", "toy", "--base", folders[0], "--work", folders[1]]
    found = call("train", "--minutes", gpu.PACKING, *options)  # none left: one epoch all the same
    assert found.count("stopped") == 2 and found.endswith("exit 0"), found
    archives = sorted((tmp_path / "out").glob("*.tar"))
    call("unpack", *archives, "--base", folders[0])
    networks = zoo.index(folders[0])
    assert (
        len(networks) == 6 and set(networks["epochs"]) == {1} and set(networks["precision"]) == {"bfloat16"}
    )
    for name in networks["network"]:
        kept = [folder / name for folder in folders]
        assert everything(kept[0]) == everything(kept[1])


def test_only_what_is_new_is_packed_and_what_was_replaced_goes(small, tmp_path):
    config = replace(small, max_n=4)
    [mine] = train(config, base_path=tmp_path / "zoo", progress=False)
    other = replace(config, network_number=2, seed=6)
    train(other, base_path=tmp_path / "zoo", progress=False)
    for folder in (mine, mine.with_name(other.folder())):
        gpu.shutil.copytree(folder, tmp_path / "work" / folder.name)
    [further] = train(small, base_path=tmp_path / "work", progress=False)
    [archive] = gpu.pack(tmp_path / "work", tmp_path / "zoo", tmp_path)
    with gpu.tarfile.open(archive) as content:
        names = content.getnames()
    assert {Path(name).parts[0] for name in names} == {mine.name}
    assert f"{mine.name}/rnn_N2_N6.safetensors" in names and len(names) == 6
    call("unpack", archive, "--base", tmp_path / "zoo")
    assert [p.name for p in zoo.checkpoints(mine)] == ["rnn_N2_N5.safetensors", "rnn_N2_N6.safetensors"]
    assert everything(mine) == everything(further) and saved_history(mine)[-1]["N_max"] == "6"
    assert not (mine / "state").exists() and verify(mine, batches=1)["N"].max() == 6


def test_what_does_not_fit_is_left_out_and_named(small, tmp_path, monkeypatch, capsys):
    for number in (1, 2, 3):
        train(replace(small, network_number=number, max_n=2), base_path=tmp_path, progress=False)
    size = gpu.bytes_of(gpu.new_files(tmp_path / small.folder(), tmp_path / "none"))
    for name, value in (("ARCHIVES", 2), ("ARCHIVE_BYTES", int(1.9 * size)), ("ALL_BYTES", 100 * size)):
        monkeypatch.setattr(gpu, name, value)
    written = gpu.pack(tmp_path, tmp_path / "none", tmp_path / "out")
    assert len(written) == 2 and all(path.stat().st_size < 4 * size for path in written)
    assert capsys.readouterr().out.count("does not fit in and is left out") == 1


# ---------------------------------------------------------------- what is refused, in a line, before any work


def refused(ended, *arguments: object) -> str:
    code, _, said = ended(lambda: run(gpu.app, "gpu.py", sys.argv[1:]), *arguments)
    assert code == 2 and said.count("\n") == 1 and said.startswith("gpu.py: "), said
    return said


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("train --device cpu --profile nosuch", "unknown profile 'nosuch': choose one of evening, laptop"),
        ("train --device cpu --minutes nan", "minutes = nan: choose a number, 0 to"),
        ("train --device tpu", "unknown device 'tpu': choose cpu, cuda or mps"),
        ("check --device cudafoo", "unknown device 'cudafoo'"),
        ("check --device cpu --neurons -4", "neurons = -4: choose 2 to 10000"),
        ("check --device cpu --largest -1", "largest = -1: choose 0 to 32"),
        ("group 999 WORK 1 --device cpu", "group = 999: choose 0 to"),
        ("group 0 WORK 1 --device tpu", "unknown device 'tpu'"),
        ("all --minutes -1 --device cpu", "minutes = -1.0"),
        ("all --device tpu", "unknown device 'tpu'"),
        ("unpack nosuch.tar", "no file nosuch.tar"),
        ("unpack WORK", "Is a directory"),
        ("nosuch", "No such command"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_line(arguments, said, ended, tmp_path, monkeypatch):
    monkeypatch.setattr(gpu, "OUT", tmp_path / "out")
    assert said in refused(ended, *arguments.replace("WORK", str(tmp_path)).split())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
@pytest.mark.parametrize("command", ["check", "train", "all"])
def test_a_gpu_that_is_not_there_is_said_in_a_line(command, ended, tmp_path, monkeypatch):
    monkeypatch.setattr(gpu, "OUT", tmp_path / "out")
    assert "no CUDA device is available here" in refused(ended, command)


def packed(path: Path, files: dict[str, bytes | str]) -> Path:
    """An archive of files and, where there is text, of links to it."""
    with tarfile.open(path, "w") as archive:
        for name, content in files.items():
            about = tarfile.TarInfo(name)
            if isinstance(content, str):
                about.type, about.linkname = tarfile.SYMTYPE, content
            else:
                about.size = len(content)
            archive.addfile(about, io.BytesIO(content) if isinstance(content, bytes) else None)
    return path


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_archives_that_are_none_are_refused_and_nothing_is_written(trained, tmp_path, ended):
    """Each alone, and after one that is good."""
    name, whole = trained.name, {f.name: f.read_bytes() for f in trained.iterdir() if f.is_file()}
    good = {f"{name}/{file}": content for file, content in whole.items()}
    base, kept = tmp_path / "zoo", b"a user's"
    mine = base / name.replace("_1", "_2")
    mine.mkdir(parents=True)
    (mine / "mine.safetensors").write_bytes(kept)
    other = {f"{mine.name}/{file}": content for file, content in whole.items()}
    ends = ("SUMS", "json", "6.safetensors")
    lacking = {end: {k: v for k, v in good.items() if not k.endswith(end)} for end in ends}
    tables = {
        "which is no file of a network": [
            {"config.json": b"{}"},
            {name: b""},
            {f"{name}/notes.txt": b"x"},
            good | {f"{name}/mine.safetensors": b"x"},
            good | {f"{name}/state/0.safetensors": b"x"},
            good | {f"{name}/../config.json": b"x"},
            good | {f"/{name}/config.json": b"x"},
            good | {"mine/config.json": b"x"},
        ],
        "which is not a regular file": [good | {f"{name}/readouts.parquet": "/etc/passwd"}],
        "does not list it": [good | {f"{name}/rnn_N2_N7.safetensors": b"x"}],
        "no history.csv, or no SHA256SUMS": [lacking["SUMS"]],
        "is not in the archive, and not in": [lacking["json"], lacking["6.safetensors"]],
        "was changed or cut short": [good | {f"{name}/history.csv": b"x"}],
        "in the archive, ": [other],  # whose config.json is of another
        "no network": [{}],
    }
    bad, first = tmp_path / "bad.tar", packed(tmp_path / "good.tar", good)
    for said, files in [(said, files) for said, each in tables.items() for files in each]:
        packed(bad, files)
        assert said in refused(ended, "unpack", bad, "--base", base)
        refused(ended, "unpack", first, bad, "--base", base)
        assert contents(base) == {f"{mine.name}/mine.safetensors": kept} and len([*base.iterdir()]) == 1
    for content in (b"", b"no tar" * 1000, first.read_bytes()[:700]):
        bad.write_bytes(content)
        assert "is no archive of" in refused(ended, "unpack", bad, "--base", base)
    assert "as another archive does" in refused(ended, "unpack", first, first, "--base", base)


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("held", "is being trained by another process"),
        ("further", "has solved N = 6 after 5 epochs, in the archive 4 after 3: move it away first"),
        ("seed", "holds a different run, with seed = 5, not 6"),
        ("no network", "holds files but no config.json"),
    ],
)
def test_a_network_here_that_would_be_lost_stays(what, said, trained, tmp_path, ended):
    came = Path(shutil.copytree(trained, tmp_path / "work" / trained.name))
    if what == "further":
        write_table(came / "history.csv", pd.read_csv(came / "history.csv")[:3])
    if what == "seed":
        write(came / "config.json", (came / "config.json").read_bytes().replace(b'"seed": 5', b'"seed": 6'))
    if what == "no network":
        shutil.rmtree(trained)
        trained.mkdir()
        (trained / "mine.safetensors").write_bytes(b"x")
    [archive] = gpu.pack(came.parent, tmp_path / "none", tmp_path / "out")
    with hold(trained) if what == "held" else nullcontext():
        before = contents(trained)
        assert said in refused(ended, "unpack", archive, "--base", trained.parent)
        assert contents(trained) == before


def test_files_that_are_not_ours_and_what_was_measured_meanwhile_stay(small, tmp_path):
    [here] = train(replace(small, max_n=4), base_path=tmp_path / "zoo", progress=False)
    shutil.copytree(here, tmp_path / "work" / here.name)
    train(small, base_path=tmp_path / "work", progress=False)
    [archive] = gpu.pack(tmp_path / "work", tmp_path / "zoo", tmp_path)
    users = ["mine.safetensors", "rnn_N2_N9.safetensors", "notes.txt", "state/mine.txt"]
    for name in users:
        (here / name).write_bytes(b"x")
    write(here / "retraining.parquet", b"measured meanwhile")
    for _ in range(2):  # the second time there is nothing new
        assert call("unpack", archive, "--base", tmp_path / "zoo").endswith("exit 0")
        assert all((here / name).read_bytes() == b"x" for name in users)
        assert [path.name for path in (here / "state").iterdir()] == ["mine.txt"]
        assert zoo.read_checksums(here).keys() == {
            *("config.json", "history.csv", "promotions.parquet", "retraining.parquet"),
            *("rnn_N2_N5.safetensors", "rnn_N2_N6.safetensors"),
        }
