"""The first epochs of a network, trained anew: is it what its config.json says?

All follows from config.json and the seed, but for rounding: another processor sums in another order, and what
that changes grows from step to step. The largest differences, relative to what was recorded:

================  =======  =======  ===========  ==============  ==============
same seed, in     epoch 1  epoch 2  epochs 3-12  other seed,     other seed,
                                                 epoch 1         epoch 2
================  =======  =======  ===========  ==============  ==============
loss              2.8e-4   5.3e-2   1.1          1e-3 to 0.26    1e-2 to 0.39
tau_mean          4.8e-7   2.0e-4   1.5e-3       4e-4 to 7e-3    2e-5 to 8e-3
tau_sd            3.7e-6   4.4e-4   5.8e-3       3e-5 to 3e-2    7e-4 to 3e-2
accuracies        0        1.8e-3   4.2e-2       0               0 to 6e-2
================  =======  =======  ===========  ==============  ==============

Same seed: networks of 500 units on two kernels or more, of MKL with AVX2, MKL with AVX-512, and oneDNN. All
28 that are recorded were replayed; ten had been recorded on two; four were trained with bfloat16 products, by
the processor's instruction for them and without (in float32, the loss differed by up to 7e-5 in epoch 1).
Other seed: the 30 pairs of recorded networks that differ in nothing else.

Each tolerance is at least 3 times the largest of the same seed. In epoch 1 another seed is further off in
every pair: in something by 6 times the tolerance where tau is fixed at 3, by 30 times where it is fixed at 2
or 1, by 96 times where it is trained. In epoch 2 that is so where tau is trained, by 4 times; the loss alone
no longer tells seeds apart. From epoch 3 on only what is broken is found.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from tsrnn import InputError
from tsrnn.config import TrainConfig
from tsrnn.inputs import integer
from tsrnn.kinds import check_kinds
from tsrnn.progress import progress_bar
from tsrnn.runs import begin, records
from tsrnn.training import move_on, result, train_and_test
from tsrnn.zoo import read_history

# How far apart two processors may be, relative to what was recorded: in epoch 1, in epoch 2, later
TOLERANCES = {
    "loss": (1e-3, 0.2, 4.0),
    "accuracy": (1e-3, 1e-2, 0.2),
    "newest_accuracy": (1e-3, 1e-2, 0.2),
    "tau_mean": (1e-4, 1e-3, 6e-3),
    "tau_sd": (1e-4, 2e-3, 2e-2),
}
QUANTITIES = ("N_min", "N_max", *TOLERANCES, "promoted")
SMALLEST = 0.01  # what is smaller is compared as if it were this: the sd of equal tau is 0, or rounding


@check_kinds
def replay(folder: str | Path, epochs: int = 2, progress: bool = True) -> pd.DataFrame:
    """Train the first epochs of a network once more, in memory, beside what was recorded of them.

    Args:
        folder: of the network; nothing in it changes.
        epochs: how many, from the first on; fewer if fewer were trained from the seed.
        progress: show a progress bar.

    Returns:
        A row for each epoch and quantity of history.csv (tau only where there is one): epoch, quantity,
        recorded, replayed, difference, tolerance, far (whether the difference is more than the tolerance).
        An accuracy on the other side of the threshold of promotion, but within its tolerance of it, is not
        far; there the replay ends.

    Raises:
        InputError: not a run of tsrnn, or one that began from a checkpoint; nothing recorded; epochs < 1; a
            file is missing or not what its checksum says.
    """
    epochs = integer("epochs", epochs, 1, 10**6)
    folder = Path(folder)
    config = begun_from_seed(folder)
    history = read_history(folder)
    history = history[history["from_epoch"] == 0].head(epochs)
    if history.empty:
        raise InputError(f"{folder}: history.csv has no epoch that was trained from the seed")
    run, tables = begin(config), []
    with progress_bar(progress, unit="step", leave=False) as bar:
        for recorded in history.to_dict("records"):
            run.config = replace(config, precision=recorded["precision"])
            [loss], [accuracy] = train_and_test([run], "cpu", bar)
            replayed = result(run, loss, accuracy)
            tables.append(compared(recorded, replayed, config.promotion))
            if replayed["promoted"] != recorded["promoted"]:
                break
            if replayed["promoted"]:
                move_on(run)
    return pd.concat(tables, ignore_index=True)


def begun_from_seed(folder: Path) -> TrainConfig:
    """The settings of the network in this folder. Raises InputError if it did not begin from its seed."""
    config, _ = records(folder)
    if config.start_from is not None:
        raise InputError(f"{folder} began from {config.start_from}: only what began from a seed is replayed")
    return config


def compared(recorded: Mapping[Any, Any], replayed: Mapping[Any, Any], promotion: float) -> pd.DataFrame:
    """An epoch as recorded and as replayed, a row for each quantity; columns as `replay`."""
    epoch = int(recorded["epoch"])
    table = pd.DataFrame({"epoch": epoch, "quantity": QUANTITIES})
    table["recorded"] = [float(recorded[name]) for name in QUANTITIES]
    table["replayed"] = [float(replayed[name]) for name in QUANTITIES]
    table["difference"] = table["replayed"] - table["recorded"]
    shares = [TOLERANCES[name][min(epoch, 3) - 1] if name in TOLERANCES else 0 for name in QUANTITIES]
    table["tolerance"] = table["recorded"].abs().clip(lower=SMALLEST) * shares
    accuracies = table["quantity"].isin(["accuracy", "newest_accuracy"])
    on_the_edge = (table["recorded"] - promotion).abs() <= table["tolerance"]
    if (accuracies & on_the_edge).any():
        table.loc[table["quantity"] == "promoted", "tolerance"] = 1.0
    table["far"] = ~(table["difference"].abs() <= table["tolerance"])  # what is not a number is far
    no_tau = table["quantity"].isin(["tau_mean", "tau_sd"]) & table[["recorded", "replayed"]].isna().all(
        axis=1
    )
    return table[~no_tau]  # of a gated network
