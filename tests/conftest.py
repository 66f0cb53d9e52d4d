"""Small networks that train in a second."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pandas as pd
import pytest
import torch

from tsrnn import files
from tsrnn.config import TrainConfig
from tsrnn.files import read

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


@pytest.fixture
def small() -> TrainConfig:
    return small_config()


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
