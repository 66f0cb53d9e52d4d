"""Small networks that train in a second."""

from pathlib import Path

import pandas as pd
import pytest

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
