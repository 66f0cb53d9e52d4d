"""tools/gpu.py from end to end, on the CPU: what it checks, trains, packs and puts into the zoo."""

import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from conftest import everything
from typer.testing import CliRunner

sys.path.insert(0, str(Path(__file__).parents[1] / "tools"))

import gpu

from tsrnn import recurrence, zoo
from tsrnn.evaluation import verify
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
