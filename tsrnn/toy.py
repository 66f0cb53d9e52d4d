"""Networks that train in seconds, for where the zoo has none: 100 units, short epochs, not the paper's."""

import tempfile
from pathlib import Path

from tsrnn.config import TrainConfig
from tsrnn.training import train


def train_pair(task: str, seed: int = 0, max_n: int = 6) -> Path:
    """Train a multi-head and a single-head toy network to N = `max_n`; returns a folder like the zoo's.

    Each takes some ten seconds. Everything but the size follows the paper's protocol.
    """
    base = Path(tempfile.mkdtemp(prefix="tsrnn-toy-"))
    for curriculum in ("cumulative", "single"):
        config = TrainConfig(
            curriculum,
            task,
            seed,
            neurons=100,
            batch_size=128,
            steps=200,
            test_batches=10,
            max_n=max_n,
            max_epochs=40,
        )
        train(config, base_path=base)
    return base
