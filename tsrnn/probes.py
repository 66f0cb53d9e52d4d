"""What `tsrnn analyse` measures at every checkpoint: damage, and what readouts find in the activity.

Kept beside the checkpoints for the chapters to read, in `robustness.parquet` (not of gated networks: it goes
by τ and W) and `readouts.parquet`. What a promotion lacks of `measure` is added too. `tsrnn retrain` leaves
`retraining.parquet` there.
"""

import reprlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import pandas as pd

from tsrnn import InputError, evaluation, zoo
from tsrnn.analysis.interventions import (
    TAU_EPSILONS,
    WEIGHT_EPSILONS,
    Stream,
    ablation,
    fastest_and_slowest,
    perturbation,
)
from tsrnn.analysis.measure import cheap, checks, costly, mechanism
from tsrnn.analysis.simulate import Protocol
from tsrnn.files import is_listed, read_table, write_table
from tsrnn.folders import hold
from tsrnn.inputs import LARGEST_N, check_fields
from tsrnn.kinds import check_kinds
from tsrnn.model import RecurrentNetwork, largest_head
from tsrnn.progress import progress_bar
from tsrnn.runs import PROMOTION_COLUMNS, records, save_promotions, saved_promotions
from tsrnn.schemas import TABLES


@dataclass(frozen=True)
class Scale:
    """How much is measured: the published protocols, or a small part of them for a first look."""

    steps: int = Protocol.steps
    stream: Stream = field(default_factory=Stream)
    batches: int = 20  # of 256 sequences, to test readouts; twice that many to train new ones
    beyond: int = 5  # new readouts up to this many N beyond the largest

    def __post_init__(self) -> None:
        if not isinstance(self.stream, Stream):
            raise InputError(f"stream = {reprlib.repr(self.stream)}: give a Stream")
        check_fields(self, {"steps": (2, 10**9), "batches": (1, 10**5), "beyond": (1, LARGEST_N)})


QUICK = Scale(2000, Stream(steps=100, repetitions=2), batches=2, beyond=2)


@check_kinds
def robustness(model: RecurrentNetwork, task: str, scale: Scale) -> pd.DataFrame:
    """What damage does to the answers for the largest N of one network (Figures 7 and 8).

    Returns:
        Columns N, damage, epsilon, unit, repeat, tau, accuracy, relative_accuracy, baseline. `damage` is
        "fastest" or "slowest" (one of these 20 units removed; `repeat` counts repetitions of the stream),
        "all fastest" or "all slowest" (20 removed at once), "W" or "tau" (perturbed by `epsilon` up to 2.2,
        the published values without the two largest; `repeat` counts directions). The published warm-up of
        the stream, 100 bits, is as long as N where that is longer.
    """
    n = largest_head(model)
    stream = replace(scale.stream, warm_up=max(n, scale.stream.warm_up))
    groups = fastest_and_slowest(model, min(20, model.shape[1] // 2))
    tables = []
    for together, prefix in ((False, ""), (True, "all ")):
        table = ablation(model, task, n, groups, together, stream)
        table = table.rename(columns={"group": "damage", "repetition": "repeat"})
        tables.append(table.assign(damage=prefix + table["damage"]))
    for parameter, epsilons in (("W", WEIGHT_EPSILONS), ("tau", TAU_EPSILONS)):
        small = [e for e in epsilons if e < 3]
        table = perturbation(model, task, n, parameter, small, stream=stream)
        tables.append(table.rename(columns={"direction": "repeat"}).assign(damage=parameter))
    columns = "N damage epsilon unit repeat tau accuracy relative_accuracy baseline".split()
    return pd.concat(tables, ignore_index=True).assign(N=n)[columns]


@check_kinds
def readouts(model: RecurrentNetwork, task: str, scale: Scale) -> pd.DataFrame:
    """What is left of smaller n, and what there is already of larger ones (Figure 3c).

    Returns:
        Columns N (the largest trained), n (asked for), readout, accuracy, sequences: see
        `evaluation.forgetting` and `evaluation.generalisation`.
    """
    largest = largest_head(model)
    beyond = range(largest + 1, largest + 1 + scale.beyond)
    tables = [
        evaluation.forgetting(model, task, batches=scale.batches),
        evaluation.generalisation(model, task, beyond, batches=scale.batches),
    ]
    return pd.concat(tables, ignore_index=True).rename(columns={"N": "n"}).assign(N=largest)


# The files besides promotions.parquet, and what fills them
PROBES: dict[str, Callable[[RecurrentNetwork, str, Scale], pd.DataFrame]] = {
    "robustness": robustness,
    "readouts": readouts,
}


@check_kinds
def add_missing(folder: str | Path, progress: bool = True, scale: Scale | None = None) -> list[int]:
    """Measure what is not yet known of a trained network, wherever it kept a checkpoint.

    Args:
        folder: of the network.
        progress: show a progress bar.
        scale: how much to measure; default the published protocols, with simulations as long as the run's
            configuration says. Each file is written as soon as there is something new for it.

    Returns:
        The N that something was added for.

    Raises:
        InputError: not a run of tsrnn, in use by another process, a damaged checkpoint.
    """
    folder = Path(folder)
    config, _ = records(folder)  # before `hold`, which makes the folder
    added = []
    with hold(folder) as still_held:
        scale = scale or replace(Scale(), steps=config.measure_steps or Scale.steps)
        kept = zoo.checkpoints(folder)
        for checkpoint in progress_bar(progress, iterable=kept, desc=folder.name, unit="checkpoint"):
            model = zoo.load_checkpoint(checkpoint, config)
            found = [add_promotion(folder, model, config.task, scale.steps, still_held)]
            probes = [name for name in PROBES if name != "robustness" or not model.architecture.gated]
            found += [add_probe(folder, name, model, config.task, scale, still_held) for name in probes]
            if any(found):
                added.append(largest_head(model))
    return added


def add_promotion(
    folder: Path, model: RecurrentNetwork, task: str, steps: int, still_held: Callable[[], None]
) -> bool:
    """Add to the promotions what `measure` gives and they lack; whether they lacked anything."""
    promotions = saved_promotions(folder)
    solved = promotions[promotions["N_max"] == largest_head(model)]
    if solved.empty:
        raise InputError(
            f"{folder}: promotions.parquet has nothing of N = {largest_head(model)}, a checkpoint has"
        )
    there, protocol = set(solved["measure"]), Protocol(steps)
    new = [cheap(model)]
    new += [costly(model, protocol)] if "tau_net" not in there else []
    new += [mechanism(model, task)] if "ladder" not in there else []
    new += [checks(model, protocol)] if "tau_net_median" not in there else []
    measured = pd.concat(new, ignore_index=True)
    keys = [
        pd.MultiIndex.from_frame(t[["measure", "index"]].astype({"measure": str})) for t in (measured, solved)
    ]
    measured = measured[~keys[0].isin(keys[1])]
    if measured.empty:
        return False
    about = {name: solved[name].iloc[0] for name in ("epoch", "N_min", "N_max")}
    promotions = pd.concat([promotions, measured.assign(**about)], ignore_index=True)
    promotions = promotions.sort_values("epoch", kind="stable", ignore_index=True)
    still_held()
    save_promotions(folder, promotions[PROMOTION_COLUMNS])
    return True


def add_probe(
    folder: Path, name: str, model: RecurrentNetwork, task: str, scale: Scale, still_held: Callable[[], None]
) -> bool:
    """Add a checkpoint to the file of a probe; whether it was not yet in it."""
    path = folder / f"{name}.parquet"
    # one that is not listed is of another network, or was being written when it was killed
    known = read_table(path, TABLES[path.name]) if is_listed(path) else None
    if known is not None and largest_head(model) in set(known["N"]):
        return False
    new = PROBES[name](model, task, scale).astype({"accuracy": "float32"})
    table = new if known is None else pd.concat([known, new], ignore_index=True)
    still_held()
    write_table(path, table)
    return True
