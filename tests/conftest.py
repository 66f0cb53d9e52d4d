"""Small networks that train in a second."""

import resource
import shutil
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import pandas as pd
import pytest
import torch

from tsrnn import cli, config, files, probes
from tsrnn.config import TrainConfig
from tsrnn.files import read
from tsrnn.training import train

REFERENCE = Path(__file__).parents[2] / "shared" / "reference"


def small_config() -> TrainConfig:
    """20 units, 12 steps an epoch, promoted after every epoch."""
    return TrainConfig(
        neurons=20,
        steps=12,
        test_batches=3,
        batch_size=16,
        promotion=0.0,
        seed=5,
        max_n=6,
        measure_steps=100,
    )


@pytest.fixture(autouse=True)
def a_seed_for_what_has_none() -> None:
    """A test draws the same, whichever ran before it."""
    torch.manual_seed(0)


@pytest.fixture(autouse=True)
def no_waiting_for_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is written is lost in a power failure, which no test makes; waiting took a third of their time."""
    monkeypatch.setattr(files.os, "fsync", lambda handle: None)


@pytest.fixture
def small() -> TrainConfig:
    return small_config()


@pytest.fixture(scope="session")
def trained_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    [folder] = train(small_config(), base_path=tmp_path_factory.mktemp("trained"), progress=False)
    return folder


@pytest.fixture
def trained(trained_once: Path, tmp_path: Path) -> Path:
    """The folder of a small network, trained to its end."""
    return Path(shutil.copytree(trained_once, tmp_path / trained_once.name))


# What the command line has no option for: a protocol that takes a second
SHORT = {"steps": 12, "test_batches": 3, "batch_size": 16, "measure_steps": 100, "promotion": 0.0}
FIRST_LOOK = replace(probes.QUICK, steps=SHORT["measure_steps"])

# Processes of their own that need not import everything anew: forks of one that has
FORKS = get_context("forkserver")
FORKS.set_forkserver_preload(["tsrnn.training", "torch._dynamo"])


def run_in_fork(arguments: list[str], said: Path, prepare: Callable[[], object] | None) -> None:
    torch.set_num_threads(1)
    sys.argv, sys.stdout, sys.stderr = ["tsrnn", *arguments], *2 * [said.open("w")]
    if prepare:
        prepare()
    config.TrainConfig = partial(TrainConfig, **SHORT)
    cli.main()


def at_once(*commands: str, said: Path, prepare: Callable[[], object] | None = None) -> list[tuple[int, str]]:
    """Commands of tsrnn with the short protocol, a process each at the same time.

    Args:
        commands: without "tsrnn".
        said: a folder for what they say.
        prepare: what each process does before.

    Returns:
        Of each its exit code, and what it said.
    """
    paths = [said / f"said_{i}.txt" for i in range(len(commands))]
    started = [
        FORKS.Process(target=run_in_fork, args=(command.split(), path, prepare))
        for command, path in zip(commands, paths, strict=True)
    ]
    for process in started:
        process.start()
    for process in started:
        process.join()
    return [(process.exitcode, path.read_text()) for process, path in zip(started, paths, strict=True)]


@pytest.fixture
def command(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., tuple[int, str, str]]:
    """A command of tsrnn with the short protocol: exit code, stdout, stderr."""
    monkeypatch.setattr(config, "TrainConfig", partial(TrainConfig, **SHORT))
    monkeypatch.setattr(probes, "add_missing", partial(probes.add_missing, scale=FIRST_LOOK))

    def run(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["tsrnn", *map(str, arguments)])
        with warnings.catch_warnings(), pytest.raises(SystemExit) as stopped:
            warnings.simplefilter("default")
            cli.main()
        said = capsys.readouterr()
        return stopped.value.code, said.out, said.err

    return run


@pytest.fixture
def ended(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., tuple[int, str, str]]:
    """How a program of ours ends that is called with these arguments: exit code, stdout, stderr."""

    def call(program: Callable[[], object], *arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["program.py", *map(str, arguments)])
        with warnings.catch_warnings(), pytest.raises(SystemExit) as stopped:
            program()
        said = capsys.readouterr()
        return stopped.value.code, said.out, said.err

    return call


def everything(folder: Path) -> tuple:
    """All that a run leaves behind, each file as its checksum says, but for the clock."""
    history = pd.read_csv(folder / "history.csv").drop(columns="seconds")
    names = [path.name for path in folder.glob("*.*") if path.name != "history.csv"]
    return history.to_csv(), {name: read(folder / name) for name in names}


@contextmanager
def killed_before_write(writes: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Within, the process dies when so many writes have been made and the next is about to begin."""
    original, left = files.write_atomically, writes

    def write_or_die(path: Path, content: bytes) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            raise KeyboardInterrupt
        original(path, content)

    with monkeypatch.context() as patch:
        patch.setattr(files, "write_atomically", write_or_die)
        yield


def memory_now() -> int:
    """KiB of the process, which is from now on the most that it has had (Linux forgets what was before)."""
    if Path("/proc/self/clear_refs").exists():
        Path("/proc/self/clear_refs").write_text("5")
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def published_state(neurons: int = 6, heads: int = 100) -> dict[str, torch.Tensor]:
    """A network as the authors' code saves it."""
    state = {
        "parameterlist.0": 1 + torch.rand(neurons),
        "modulelist.0.weight": torch.randn(neurons, 1),
        "modulelist.0.bias": torch.randn(neurons),
        "modulelist.1.weight": torch.randn(neurons, neurons),
        "modulelist.1.bias": torch.randn(neurons),
    }
    for i in range(heads):
        state[f"modulelist.{2 + i}.weight"] = torch.randn(2, neurons)
        state[f"modulelist.{2 + i}.bias"] = torch.randn(2)
    return state
