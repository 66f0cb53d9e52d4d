"""Retraining on other N, from where a network stands (Figure 8c); the results are kept beside the network."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd

from tsrnn import InputError, WorkError, zoo
from tsrnn.batches import draw_batches
from tsrnn.config import TrainConfig
from tsrnn.files import is_listed, read_table, write_table
from tsrnn.folders import hold
from tsrnn.inputs import LARGEST_N, choice, integer, integers
from tsrnn.kinds import check_columns, check_kinds
from tsrnn.model import RecurrentNetwork, check_device, check_one, largest_head
from tsrnn.names import largest_n
from tsrnn.progress import progress_bar
from tsrnn.runs import Run, begin, records
from tsrnn.schemas import RETRAINING
from tsrnn.training import assemble, diverged, test_accuracy, train_step

FILE = "retraining.parquet"
SETTINGS = ("optimiser", "learning_rate", "momentum", "clip", "batch_size", "steps", "test_batches")


@check_kinds
def retrain(
    model: RecurrentNetwork,
    task: str,
    ns: Sequence[int],
    epochs: int = 20,
    seed: int = 0,
    progress: bool = True,
    device: str = "cpu",
    **protocol: Any,
) -> pd.DataFrame:
    """How well a network learns other N, from where it stands, with a single head (Figure 8c).

    The network, all of it, is trained further on one n, as the single-head curriculum would, for each of `ns`
    anew. The paper starts from N = 16, takes n = 16 ... 46 and 20 epochs; it does not say which readout is
    taken over. Here it is that of the largest N, in both curricula.

    Args:
        model: one network.
        task, ns: what to learn.
        epochs: of 600 steps.
        seed: of the sequences, which are the same for every network of the same seed.
        progress: show a progress bar.
        device: cpu, cuda or mps.
        protocol: other values for `SETTINGS` of `TrainConfig`, e.g. steps=100 for a reduced scale.

    Returns:
        Columns N, epoch (0: before any), accuracy, relative_accuracy: (accuracy − 0.5) over that of the
        first n after the last epoch.

    Raises:
        InputError: unknown task, n out of range, epochs < 1, more than one network.
        WorkError: it diverges.
    """
    check_one(model)
    check_device(device)
    for name in protocol:
        choice("setting", name, SETTINGS)
    ns, epochs = integers("N", ns, 2, LARGEST_N), integer("epochs", epochs, 1, 10**6)
    architecture = asdict(model.architecture)
    configs = [TrainConfig("single", task, seed, first_n=n, **architecture, **protocol) for n in ns]
    rows = []
    batches = epochs * configs[0].steps + (epochs + 1) * configs[0].test_batches
    bar = progress_bar(progress, total=len(configs) * batches, unit="step")
    for config in configs:
        bar.set_description(f"retraining on N = {config.first_n}")
        run = taken_over(model, config)
        network, optimiser = assemble([run], device)
        for epoch in range(epochs + 1):
            for batch in draw_batches([run], config.steps if epoch else 0, device):
                train_step(network, optimiser, batch, config.clip)
                bar.update()
            if diverged(network.parameters()):
                raise WorkError(
                    f"retraining on N = {config.first_n} diverged in epoch {epoch}: lower the rate"
                )
            [found] = test_accuracy(network, [run], device, bar)
            rows.append({"N": config.first_n, "epoch": epoch, "accuracy": found[config.first_n]})
    bar.close()
    table = relative_to_first(pd.DataFrame(rows))
    table.attrs = {"task": task, "epochs": epochs, "seed": seed}
    table.attrs.update(protocol)
    return table


@check_kinds
def relative_to_first(table: pd.DataFrame) -> pd.DataFrame:
    """With relative_accuracy: (accuracy − 0.5) over that of the first N in the table after its last epoch.

    NaN if that is at chance.
    """
    check_columns("table", table, ("N", "epoch", "accuracy"))
    first = table[(table["N"] == table["N"].iloc[0]) & (table["epoch"] == table["epoch"].max())]
    above = first["accuracy"].iloc[0] - 0.5
    return table.assign(relative_accuracy=(table["accuracy"] - 0.5) / (above if above > 0 else float("nan")))


def taken_over(model: RecurrentNetwork, config: TrainConfig) -> Run:
    """A single-head run that begins with this network and the readout of its largest N."""
    parameters = {name: p.detach()[0].clone() for name, p in model.named_parameters()}
    newest = model.heads[largest_head(model)]
    parameters |= {name: parameters[name][[newest]] for name in ("head_weight", "head_bias")}
    return begin(config, parameters=parameters)


def check_retraining(folder: Path, start: int, ns: Sequence[int], epochs: int) -> list[int]:
    """Which of `ns` a network is still to be retrained on from its checkpoint at N = `start`.

    Raises InputError if it is not a run of tsrnn, has no such checkpoint, an n is out of range or given
    twice, or its retraining.parquet holds another start or number of epochs.
    """
    records(folder)
    start, epochs = integer("start", start, 1, LARGEST_N), integer("epochs", epochs, 1, 10**6)
    ns = integers("N", ns, 2, LARGEST_N)
    known = retrained(folder)
    if known is not None and (set(known["start"]) != {start} or known["epoch"].max() != epochs):
        there = f"from N = {known['start'].iloc[0]:.0f}, {known['epoch'].max():.0f} epochs each"
        raise InputError(
            f"{folder / FILE} holds what was measured {there}; to measure from N = {start} for "
            f"{epochs}, move it away first"
        )
    missing = [n for n in ns if known is None or n not in set(known["N"])]
    kept = [largest_n(path) for path in zoo.checkpoints(folder)]
    if missing and start not in kept:
        there = ", ".join(map(str, kept)) or "none: it keeps no checkpoint"
        raise InputError(f"no checkpoint of {folder.name} at N = {start}: choose one of {there}")
    return missing


def retrained(folder: Path) -> pd.DataFrame | None:
    """What was measured by retraining so far."""
    path = folder / FILE
    return read_table(path, RETRAINING) if is_listed(path) else None


@check_kinds
def add_retraining(
    folder: str | Path, start: int, ns: Sequence[int], epochs: int, progress: bool = True, device: str = "cpu"
) -> bool:
    """Retrain a network from its checkpoint at N = `start` (`retrain`, Figure 8c).

    Kept in `retraining.parquet` in its folder, with `start` as a column, as soon as an N is done. What was
    measured is not measured again, even if its checkpoint is gone.

    Returns:
        Whether there was anything to do.

    Raises:
        InputError: as `check_retraining`; in use by another process; no such device.
    """
    folder = Path(folder)
    check_device(device)
    check_retraining(folder, start, ns, epochs)  # before `hold`, which makes the folder
    with hold(folder) as still_held:
        missing, known = check_retraining(folder, start, ns, epochs), retrained(folder)
        if not missing:
            return False
        [checkpoint] = [path for path in zoo.checkpoints(folder) if largest_n(path) == start]
        config, _ = records(folder)
        model = zoo.load_checkpoint(checkpoint, config)
        for n in missing:
            new = retrain(model, config.task, [n], epochs, 0, progress, device)
            known = pd.concat([known, new.assign(start=start)], ignore_index=True)
            still_held()
            write_table(folder / FILE, relative_to_first(known))
    return True
