"""The command line: published flags, and bad input refused in one line before any work."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from functools import partial

import numpy as np
import pandas as pd
import pytest
import typer

import tsrnn
from tsrnn import recurrence, retraining, training, zoo
from tsrnn.cli import app, main
from tsrnn.files import remove, write, write_table
from tsrnn.training import train


def refused(capsys, monkeypatch, *arguments: str) -> str:
    """The error line of a command that must fail with exit code 2."""
    monkeypatch.setattr(sys, "argv", ["tsrnn", *arguments])
    with pytest.raises(SystemExit) as stopped:
        main()
    assert stopped.value.code == 2
    return capsys.readouterr().err


BAD = {
    ("-t", "copy"): "unknown task 'copy': choose one of parity, dms",
    ("-c", "multi"): "unknown curriculum 'multi'",
    ("-a", "gelu"): "unknown activation 'gelu'",
    ("-m", "elman"): "unknown model 'elman': choose one of default, mod, continuous, lstm, gru",
    ("-m", "lstm", "-T", "2"): "tau = 2: no unit of lstm has a tau; choose None",
    ("-m", "gru", "-a", "relu"): "activation = relu: gru has its own, tanh; choose none",
    ("-m", "lstm", "--precision", "bfloat16"): "precision = bfloat16: ",
    ("-m", "mod", "--protocol", "matched"): "protocol = matched: only lstm and gru are matched",
    ("-k", "7"): "k = (7,): no bit is held in a default network; choose model continuous",
    ("-m", "continuous", "-k", "7,x"): "k = '7,x': choose whole numbers and commas, as 7,8,9,10",
    ("-m", "continuous", "-k", "0"): "k = 0: choose 1 to 1000",
    ("-ni", "1"): "first N = 1: choose 2",
    ("-ni", "-4"): "first N = -4: choose 2",
    ("--max-n", "1"): "max N = 1",
    ("--max-n", "102"): "choose 2 to 101",
    ("-c", "sliding", "-ih", "3", "-fh", "4"): "forget heads = 4",
    ("-c", "cumulative", "-fh", "50"): "forget heads = 50: only a sliding curriculum has that; choose 1",
    ("-c", "single", "-dh", "5"): "add heads = 5: only a cumulative curriculum has that",
    ("-T", "2.0000001"): "tau = 2.0000001: choose one of 6 digits at the most, as 2",
    ("-T", "0.5"): "tau = 0.5: choose a number, 1 to 1000000",
    ("-nn", "-3"): "neurons = -3: choose 2",
    ("-nn", "99999999"): "neurons = 99999999: choose 2 to 10000",
    ("-r", "0"): "runs = 0: choose 1",
    ("-n", "0"): "network number = 0: choose 1",
    ("-s", "-1"): "seed = -1: choose 0",
    ("--max-epochs", "0"): "max epochs = 0",
    ("--device", "tpu"): "unknown device 'tpu': choose cpu, cuda or mps",
    ("--precision", "float16"): "unknown precision 'float16': choose one of float32, bfloat16",
    ("--from", "there/rnn_N2_N9.safetensors"): "no file there/rnn_N2_N9.safetensors",
    ("--from", "there/rnn_N2_N9"): "no file there/rnn_N2_N9",
    ("--from", ""): "'--from': it is empty: give a path",
    ("--from", "there/mine"): "mine: a published checkpoint is called rnn_N<min>_N<max>",
}


@pytest.mark.parametrize("arguments", BAD, ids=" ".join)
def test_bad_input_is_one_line_and_touches_nothing(arguments, capsys, monkeypatch, tmp_path):
    seed = [] if "-s" in arguments else ["-s", "1"]
    error = refused(capsys, monkeypatch, "train", *seed, *arguments, "-b", str(tmp_path / "new"))
    assert error.startswith("tsrnn: ") and BAD[arguments] in error
    assert error.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_cuda_without_cuda_is_refused(capsys, monkeypatch, tmp_path):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    error = refused(capsys, monkeypatch, "train", "-s", "1", "--device", "cuda", "-b", str(tmp_path / "new"))
    assert "no CUDA device is available" in error and not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("flags", "warned"), [({"avx2"}, True), ({"avx2", "avx512_bf16"}, False), (set(), False)]
)
def test_bfloat16_that_gains_nothing_is_said_in_one_line(flags, warned, capsys, monkeypatch, tmp_path):
    monkeypatch.setattr(recurrence, "processor_flags", lambda: frozenset(flags))
    options = "train --precision bfloat16 -nn 4 -s 1 --max-epochs 1".split()
    monkeypatch.setattr(sys, "argv", ["tsrnn", *options, "-b", str(tmp_path)])
    monkeypatch.setattr("tsrnn.training.train_together", lambda *arguments, **more: [])
    with pytest.raises(SystemExit) as stopped:
        main()
    assert stopped.value.code == 0
    assert (capsys.readouterr().err.count("no instructions for bfloat16") == 1) == warned


def test_a_path_that_cannot_be_written_is_refused(capsys, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    error = refused(capsys, monkeypatch, "train", "-s", "1", "-b", str(tmp_path / "file" / "zoo"))
    assert "cannot write to" in error and error.count("\n") == 1


def test_a_missing_checkpoint_is_refused(capsys, monkeypatch, tmp_path):
    error = refused(capsys, monkeypatch, "evaluate", "-n", "3", "-b", str(tmp_path))
    assert "no network" in error and "networks there: none" in error and error.count("\n") == 1


def test_published_flags_arrive_and_a_drawn_seed_is_recorded(tmp_path, command):
    flags = "train -c sliding -t dms -r 2 -ih 3 -dh 1 -fh 2 -n 7 -T 2 -m mod -a tanh -nn 8 -ni 3".split()
    base = ["-b", str(tmp_path), "--max-epochs", "1"]
    code, said, errors = command(*flags, *base)
    assert code == 0, errors
    names = sorted(p.name for p in tmp_path.glob("[!.]*"))
    start = "sliding_3_2_dms_mod_tanh_tau2_neurons8_first3_network"
    assert names == [f"{start}_7", f"{start}_8"]
    configs = [json.loads((tmp_path / name / "config.json").read_text())["train"] for name in names]
    assert configs[1]["seed"] == configs[0]["seed"] + 1
    assert f"network 7, seed {configs[0]['seed']}" in said
    code, said, _ = command(*flags, *base)  # no seed again: the recorded one, and nothing left to do
    assert code == 0 and f"seed {configs[0]['seed']}" in said
    code, _, errors = command(*flags, *base, "-s", configs[0]["seed"] + 1)
    assert code == 2 and "different run, with seed" in errors


def test_without_a_number_a_run_goes_on_or_takes_the_first_free(tmp_path, command):
    train = "train -c single -nn 8 --max-epochs 1".split()
    base = ["-b", str(tmp_path)]
    assert "network 1, seed 5" in command(*train, "-s", "5", *base)[1]
    assert "network 2, seed 6" in command(*train, "-s", "6", *base)[1]
    before = {p: p.stat().st_mtime_ns for p in tmp_path.rglob("history.csv")}
    assert "network 2, seed 6" in command(*train, "-s", "6", *base)[1]
    assert "network 3, seed 6" in command(*train, "-s", "6", "-T", "2", "-n", "3", *base)[1]
    assert before.items() <= {p: p.stat().st_mtime_ns for p in tmp_path.rglob("history.csv")}.items()
    # no seed: the first that can go on, or else a new one
    assert "network 1, seed 5" in command(*train[:-1], "2", *base)[1]
    assert "network 3, seed" in command(*train, *base)[1]


@pytest.mark.parametrize("begun", [False, True])
def test_ctrl_c_says_how_to_go_on(begun, tmp_path, command, monkeypatch):
    def interrupted(chosen, *_, **__):
        if begun:
            chosen()
        raise KeyboardInterrupt

    monkeypatch.setattr(training, "train_together", interrupted)
    code, _, errors = command(*"train -c single -nn 8 -s 3".split(), "-b", tmp_path)
    told = "the same command with -s 3 goes on from there" if begun else "nothing was trained yet"
    assert code == 130 and told in errors and errors.count("\n") == 1


def test_a_network_begins_from_a_checkpoint_and_is_retrained(trained, command, tmp_path, monkeypatch):
    words = "train -nn 20 -s 5 --max-n 4".split()
    start = trained / "rnn_N2_N5.safetensors"
    code, _, errors = command(*words[:-1], 6, "--from", start, "-b", tmp_path / "new")
    assert code == 0, errors
    assert zoo.index(tmp_path / "new")["from"].tolist() == [f"{trained.name}/{start.name}"]
    monkeypatch.setattr(retraining, "retrain", partial(retraining.retrain, steps=2, batch_size=16))
    words = ("retrain", trained, "--start", 5, "--on", 5, "--epochs", 1)
    assert f"{trained.name}: retrained" in command(*words)[1]
    assert f"{trained.name}: complete" in command(*words)[1]


def test_a_checkpoint_by_both_of_its_n(trained, command):
    words = ("evaluate", "--variant", "neurons20", "-b", trained.parent, "--batches", 1, "--n-min")
    code, said, errors = command(*words, 2, "--n-max", 5)
    assert code == 0 and said.split()[-3] == "5", errors
    code, _, errors = command(*words, 2)
    assert code == 2 and "n-min = 2: give --n-max as well" in errors
    code, _, errors = command(*words, 3, "--n-max", 5)
    assert code == 2 and "no rnn_N3_N5 in" in errors


def test_networks_are_listed_measured_and_verified(tmp_path, command):
    base = ["-b", tmp_path]
    code, _, errors = command(*"train -c single -s 1 -nn 40 --max-n 2".split(), *base)
    assert code == 0, errors
    name = "single_parity_neurons40_network_1"
    assert name in command("zoo", *base)[1]
    for network in ([name], [tmp_path / name], [f"{tmp_path / name}/", "--n-max", 2]):
        code, said, errors = command("evaluate", *network, *base, "--batches", 2)
        assert code == 0 and said.split()[-3] == "2", errors
    assert command("evaluate", tmp_path / name / "rnn_N2_N2.safetensors", "--batches", 2)[1] == said
    code, said, _ = command("zoo", "verify", tmp_path / name)
    assert code == 0 and said.startswith(f"ok  {name} rnn_N2_N2: mean")
    assert f"{name}: added N = 2" in command("analyse", *base)[1]
    assert f"{name}: complete" in command("analyse", *base)[1]
    code, _, errors = command("zoo", "verify", "single_dms_network_1", *base)
    assert code == 2 and f"networks there: {name}" in errors


def test_a_checkpoint_of_any_curriculum_is_found_by_its_largest_n(small, tmp_path, command):
    sliding = replace(small, curriculum="sliding", init_heads=3, forget_heads=2)
    train(sliding, base_path=tmp_path, progress=False)
    for n_max in ((), ("--n-max", 6)):
        words = ("evaluate", "-c", "sliding_3_2", "--variant", "neurons20", *n_max, "--batches", 1)
        code, said, errors = command(*words, "-b", tmp_path)
        assert code == 0 and said.split()[3::3] == ["4", "5", "6"], errors


def test_the_list_is_narrow_and_all_is_in_json(trained, command):
    base = ["-b", trained.parent]
    said = command("zoo", *base)[1]
    assert said.split()[-1] == "6" and f"{trained.name} " in said and "5, 6" in said
    assert max(map(len, said.splitlines())) <= 100
    [row] = json.loads(command("zoo", "--json", *base)[1])
    assert (row["network"], row["solved N"], row["device"][:3]) == (trained.name, 6, "cpu")


def test_a_model_card_says_what_the_files_hold(trained, command, small):
    code, said, errors = command("zoo", "show", trained)
    assert code == 0 and max(map(len, said.splitlines())) <= 100, errors
    for part in (
        "multi-head, parity, 20 leaky units; solved N = 6",
        "seed = 5",
        "2 (1), 3 (2)",
        "BSD-3-Clause",
    ):
        assert part in said
    assert "ICLR 2024" in said and "learning_rate" not in said
    found = json.loads(command("zoo", "-b", trained.parent, "show", trained.name, "--json")[1])
    assert found["settings"]["promotion"] == small.promotion
    assert [row["epoch"] for row in found["history"]] == [1, 2, 3, 4, 5]
    promotions = pd.read_parquet(trained / "promotions.parquet")
    last = promotions[promotions["N_max"] == 6].groupby("measure", observed=True)["value"]
    row = found["checkpoints"][-1]
    assert row["file"] == "rnn_N2_N6.safetensors"
    assert row["mean accuracy"] == pytest.approx(last.mean()["accuracy"])
    assert row["lowest accuracy"] == pytest.approx(last.min()["accuracy"])
    tau_net = last.get_group("tau_net")
    assert row["median tau_net > 1"] == pytest.approx(tau_net[tau_net > 1].median()) != tau_net.median()


def test_tables_of_many_networks_are_written_as_csv(trained, command, tmp_path):
    path = tmp_path / "history.csv"
    code, said, errors = command("export", "history", trained, "--csv", path)
    assert code == 0 and f"5 rows in {path}" in said, errors
    table = pd.read_csv(path, keep_default_na=False)
    assert list(table["N_max"]) == [2, 3, 4, 5, 6] and set(table["variant"]) == {"neurons20"}
    other = shutil.copytree(trained, trained.parent / trained.name.replace("_1", "_2"))
    config = json.loads((other / "config.json").read_text())
    config["train"]["network_number"] = 2
    write(other / "config.json", json.dumps(config).encode())
    write_table(trained / "readouts.parquet", READOUTS)
    code, said, errors = command("export", "readouts", "-b", trained.parent)
    assert code == 0 and len(said.splitlines()) == 2
    assert f"left out: {other.name} has no readouts.parquet" in errors
    assert len(command("export", "networks", "-b", trained.parent)[1].splitlines()) == 3
    code, _, errors = command("export", "histories", "-b", trained.parent)
    assert code == 2 and "unknown table 'histories': choose one of networks, history, promotions" in errors
    code, _, errors = command("export", "robustness", "-b", trained.parent)
    assert code == 2 and "measure it with `tsrnn analyse`" in errors


NAME = "cumulative_parity_neurons20_network_1"
USELESS = {
    f"evaluate {NAME} -n 10": "network_number = 10: leave it out",
    f"evaluate {NAME} -c single": "curriculum_type = single: leave it out",
    f"evaluate {NAME} -t dms": "unknown task 'dms': choose one of parity",
    f"evaluate {NAME}/rnn_N2_N6.safetensors --n-max 6": "n-max = 6: leave it out",
    "evaluate -n -1": "network number = -1: choose 1",
    "zoo --json verify": "--json: `tsrnn zoo verify` has no such form",
    f"export history --csv {NAME}/history.csv": "it is the network's own; give another name",
    f"export history --csv {NAME}/rnn_N2_N9.safetensors": "it is the network's own; give another name",
    f"export history --csv {NAME}/SHA256SUMS": "it is the network's own; give another name",
    f"export history --csv {NAME}/unsolved.safetensors": "it is the network's own; give another name",
    f"export history --csv {NAME}/state/0.safetensors": "it is the network's own; give another name",
    "export history --csv SHA256SUMS": "it is the network's own; give another name",
    "export history --csv .tsrnn-numbers": "it is the network's own; give another name",
    f"export history --csv {NAME}": "it is no ordinary file",
    "export history --csv pipe": "it is no ordinary file",
    "export history --csv nowhere/a.csv": "there is no folder",
}


@pytest.mark.parametrize("line", USELESS)
def test_what_would_be_ignored_or_lost_is_refused(line, trained, command, monkeypatch):
    monkeypatch.chdir(trained.parent)
    os.mkfifo("pipe")
    before = {path: path.stat().st_mtime_ns for path in trained.parent.rglob("*")}
    code, said, errors = command(*line.split(), "-b", ".")
    assert (code, said, errors.count("\n")) == (2, "", 1) and USELESS[line] in errors
    assert {path: path.stat().st_mtime_ns for path in trained.parent.rglob("*")} == before


def test_of_all_networks_those_that_are_damaged_are_named_and_left_out(trained, command):
    base = ["-b", trained.parent]
    other = shutil.copytree(trained, trained.parent / trained.name.replace("_1", "_2"))
    code, said, errors = command("export", "networks", *base)
    assert code == 0 and trained.name in said and f"left out: {other / 'config.json'} is of" in errors
    for path in zoo.checkpoints(trained):  # measuring takes long
        remove(path)
    checkpoint = other / "rnn_N2_N6.safetensors"
    config = (other / "config.json").read_text()
    write(other / "config.json", config.replace('"network_number": 1', '"network_number": 2').encode())
    checkpoint.write_bytes(checkpoint.read_bytes()[:-1])
    code, said, errors = command("analyse", *base)
    assert (
        code == 1
        and f"{trained.name}: it keeps no checkpoint" in said
        and f"left out: {checkpoint} was changed" in errors
    )
    (trained / "promotions.parquet").write_bytes(b"")
    code, _, errors = command("analyse", *base)
    assert (code, errors.count("left out: ")) == (1, 2)  # all of them, and each is told


def test_a_network_that_is_named_twice_is_written_once_and_through_a_link(trained, command, tmp_path):
    (tmp_path / "link.csv").symlink_to(tmp_path / "behind.csv")
    names = [trained.name, trained, f"{trained.parent}/../{trained.parent.name}/{trained.name}"]
    code, said, _ = command("export", "history", *names, "-b", trained.parent, "--csv", tmp_path / "link.csv")
    assert code == 0 and "5 rows" in said and (tmp_path / "link.csv").is_symlink()
    assert len(pd.read_csv(tmp_path / "behind.csv")) == 5


READOUTS = pd.DataFrame(
    {"n": [2], "readout": "own", "accuracy": np.float32([1.0]), "sequences": [256], "N": [6]}
)

# Prints what of these was loaded, when it ends in whatever way
LIGHT = """
import atexit, sys
atexit.register(lambda: print({"torch", "pandas", "numpy"} & sys.modules.keys()))
import tsrnn
from tsrnn.cli import main
main()
"""


@pytest.mark.parametrize(
    ("arguments", "completed", "expected"),
    [
        (["--version"], None, f"tsrnn {tsrnn.__version__}\n"),
        (["train", "--max-m", "3"], None, ""),
        ([], "tsrnn analyse single_dms", "single_dms_network_1\nsingle_dms_network_2"),
        ([], "tsrnn evaluate --cu", "--curriculum_type\n--curriculum"),
    ],
)
def test_the_shell_does_not_wait_for_torch(arguments, completed, expected, tmp_path):
    (tmp_path / "single_dms_network_1").mkdir()
    (tmp_path / "single_dms_network_2").mkdir()
    environment = os.environ | {"TSRNN_ZOO": str(tmp_path)}
    if completed:
        last = str(len(completed.split()) - 1)
        environment |= {"_TSRNN_COMPLETE": "complete_bash", "COMP_WORDS": completed, "COMP_CWORD": last}
    done = subprocess.run(
        [sys.executable, "-c", LIGHT, *arguments], env=environment, capture_output=True, text=True
    )
    assert done.stdout.startswith(expected) and done.stdout.endswith("set()\n"), done


def test_every_published_flag_is_there():
    train = typer.main.get_command(app).commands["train"]
    flags = {flag for parameter in train.params for flag in parameter.opts}
    assert flags >= set("-c -t -r -ih -dh -fh -s -n -T -m -a -nn -ni -b".split())
