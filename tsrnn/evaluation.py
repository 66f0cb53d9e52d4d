"""How well a trained network does: accuracy, forgetting, generalisation (Figure 3c)."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from tsrnn import InputError, tasks, zoo
from tsrnn.files import CHECKSUMS, read, read_checksums, read_table
from tsrnn.folders import is_held
from tsrnn.inputs import LARGEST_N, LARGEST_SEED, integer, integers
from tsrnn.kinds import check_kinds
from tsrnn.model import (
    LARGEST_K,
    Network,
    RecurrentNetwork,
    as_plain,
    check_activity,
    check_finite,
    check_heads,
    check_one,
    heads_of,
    largest_head,
)
from tsrnn.names import is_own_checkpoint
from tsrnn.runs import UNSOLVED, check_listed, records, saved_promotions, states_on_disk
from tsrnn.schemas import TABLES

BATCH = 256
LARGEST_ACTIVITY = 1e15
OURS = ("config.json", CHECKSUMS, UNSOLVED, *TABLES)
MEASURED = ("robustness.parquet", "readouts.parquet", "retraining.parquet")  # later, not by training


@check_kinds
@torch.no_grad()
def accuracy(
    model: RecurrentNetwork,
    task: str,
    ns: Sequence[int] | None = None,
    batches: int = 50,
    batch_size: int = BATCH,
    seed: int = 0,
) -> pd.DataFrame:
    """Accuracy per N on fresh sequences of the training distribution, all heads on the same ones.

    Args:
        model: K networks with the same heads.
        task: a key of `tasks.TASKS`.
        ns: which N to ask for; default all in `model.heads`.
        batches, batch_size: how many sequences, 50 × 256 as in training.
        seed: of the sequences and initial states.

    Returns:
        Columns network (index in the ensemble), N, accuracy (0 to 1), sequences.

    Raises:
        InputError: unknown task, an N without a head, fewer than one batch.
    """
    ns = list(heads_of(model)) if ns is None else integers("N", ns, 1, LARGEST_N)
    check_heads(model, ns)
    check_finite(model)
    batches, batch_size = integer("batches", batches, 1, 10**5), integer("batch size", batch_size, 1, 10**5)
    seed = integer("seed", seed, 0, LARGEST_SEED)
    chosen, generator = as_trained(model, task), torch.Generator().manual_seed(seed)
    K, device = model.shape[0], model.b.device
    correct = torch.zeros(K, len(ns), dtype=torch.float64)
    for _ in range(batches):
        bits, last = last_states(model, chosen, max(ns), batch_size, generator)
        answers = model.logits(last)[:, [model.heads[n] for n in ns]].argmax(-1)
        correct += (answers == tasks.labels(chosen, bits, ns).to(device)).sum(-1).cpu()
    total = batches * batch_size
    return pd.DataFrame(
        [
            {"network": k, "N": n, "accuracy": float(correct[k, i]) / total, "sequences": total}
            for k in range(K)
            for i, n in enumerate(ns)
        ]
    )


@torch.no_grad()
def last_states(
    model: Network, task: tasks.Task, n_max: int, batch_size: int, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """A fresh batch as in training for `n_max`: bits (T, B), and the states that they end in, (K, B, S)."""
    bits = tasks.drawn(task, tasks.draw_length(n_max, generator), batch_size, generator)
    if not isinstance(model, RecurrentNetwork):
        return bits, activity_of(model, bits)[-1:]
    initial = model.start_state(batch_size, generator)
    last = model(bits.expand(len(initial), -1, -1).to(model.b), initial)
    check_activity(last)
    return bits, last


def activity_of(network: Network, bits: Tensor) -> Tensor:
    """What a reader's own network does after each of bits (T, B): (T, B, H), float32 or float64.

    Raises InputError if it gives anything else, or numbers that are not finite.
    """
    name, give = f"states(bits) of {type(network).__name__}", "(T, B, H), what each unit does after each bit"
    if not callable(network.states):
        raise InputError(f"{name} cannot be called: make it a function that gives {give}")
    found = as_plain(network.states(bits.clone()), name, give)  # whatever it does to them
    if found.dim() != 3 or found.shape[:2] != bits.shape or not found.shape[2]:
        raise InputError(f"{name} is {tuple(found.shape)} for bits {tuple(bits.shape)}: return {give}")
    if found.dtype not in (torch.float32, torch.float64):  # such as counts of spikes
        found = found.float()
    usable = torch.cat([is_bounded(some).flatten(1).all(1) for some in torch.split(found, 1000)])
    if not usable.all():
        first = int(usable.long().argmin())
        raise InputError(f"{name} holds NaN, or grows beyond all bounds, at step {first}")
    return found


def is_bounded(activity: Tensor) -> Tensor:
    """Where activity is a number whose square, summed over units and steps, float32 can hold."""
    return activity.abs() < LARGEST_ACTIVITY


def units(model: Network, state: Tensor) -> Tensor:
    """The activity of a state (K, B, S), (K, B, H): all of it, but not an LSTM's c."""
    return state[..., : model.shape[1]] if isinstance(model, RecurrentNetwork) else state


def as_trained(model: Network, task: str) -> tasks.Task:
    """The task on bits such as the network was trained on. Raises InputError if there is no such task."""
    return tasks.get_task(task, fair=isinstance(model, RecurrentNetwork) and model.architecture.signed)


@check_kinds
def accuracy_by_k(
    model: RecurrentNetwork,
    task: str,
    ks: Sequence[int] = range(1, 201),
    ns: Sequence[int] | None = None,
    batches: int = 1,
    seed: int = 0,
) -> pd.DataFrame:
    """Accuracy of a continuous network at other Δt = 1/k than it was trained at (appendix), on the same bits.

    Args:
        model: one continuous network.
        task, ns, seed: as `accuracy`.
        ks: steps that every bit is held; default the published 1 ... 200.
        batches: of 256 sequences, for each k.

    Returns:
        Columns k, n, accuracy (0 to 1).

    Raises:
        InputError: as `accuracy`; not one continuous network; a k out of range.
    """
    if model.architecture.model != "continuous":
        raise InputError(
            f"accuracy by k needs a network in continuous time: {model.architecture.model} holds no bit; "
            "choose one of -m continuous"
        )
    check_one(model)
    tables = []
    for k in integers("k", ks, 1, LARGEST_K):
        held = model.select([0])
        held.k = k
        table = accuracy(held, task, ns, batches, seed=seed).rename(columns={"N": "n"})
        tables.append(table.assign(k=k)[["k", "n", "accuracy"]])
    return pd.concat(tables, ignore_index=True)


@check_kinds
def verify(folder: str | Path, batches: int = 50) -> pd.DataFrame:
    """Re-measure the checkpoints of a trained network on fresh data, beside what was recorded.

    Args:
        folder: of the network.
        batches: of 256 sequences; as many as at a promotion by default.

    Returns:
        Columns checkpoint, N, recorded, measured (accuracies, 0 to 1) and z: their difference in standard
        errors of a binomial share, NaN where nothing was recorded. Chance alone takes z beyond 5 about once
        in two million. No rows where no checkpoint was kept.

    Raises:
        InputError: not a run of tsrnn; any of its files is missing, not what its checksum says, or not
            what such a file holds.
    """
    folder = Path(folder)
    config, promotions = records(folder)
    check_listed(folder)
    check_promotions(folder)
    there = {path.name for path in folder.iterdir() if is_ours(path.name)} - {CHECKSUMS}
    unlisted = sorted(there - read_checksums(folder).keys())
    if states_on_disk(folder):  # then a training may not yet have listed what it just wrote
        unlisted = [name for name in unlisted if name in MEASURED and not is_held(folder)]
    if unlisted:
        raise InputError(f"{folder / unlisted[0]} is not in {CHECKSUMS}: it cannot be checked")
    for name in read_checksums(folder):
        try:
            read_table(folder / name, TABLES[name]) if name in TABLES else read(folder / name)
        except InputError:
            if name in read_checksums(folder):  # or else a training has just put another in its place
                raise
    at_promotion = promotions[promotions["measure"] == "accuracy"].set_index(["N_max", "index"])["value"]
    tables = []
    for path in zoo.checkpoints(folder):
        try:
            model = zoo.load_checkpoint(path, config)
        except InputError:
            if path.name in read_checksums(folder):
                raise
            continue
        table = accuracy(model, config.task, batches=batches, seed=config.seed)
        wanted = pd.MultiIndex.from_product([[table["N"].max()], table["N"]])
        recorded = at_promotion.reindex(wanted).to_numpy(float)
        counts = np.array([config.test_batches * config.batch_size, batches * BATCH])
        pooled = (recorded * counts[0] + table["accuracy"] * counts[1]) / counts.sum()
        # one wrong answer at least, since a share of 1 would have no error
        variance = np.maximum(pooled * (1 - pooled), 1 / counts.sum()) * (1 / counts).sum()
        about = {"checkpoint": path.stem, "N": table["N"], "recorded": recorded}
        measured = {"measured": table["accuracy"], "z": (table["accuracy"] - recorded) / np.sqrt(variance)}
        tables.append(pd.DataFrame(about | measured))
    if not tables:
        return pd.DataFrame(columns=["checkpoint", "N", "recorded", "measured", "z"])
    return pd.concat(tables, ignore_index=True)


def check_promotions(folder: Path) -> None:
    """Raise InputError unless each success in history.csv was measured, and nothing else was."""
    history = zoo.read_history(folder)  # first: a training writes it last
    told = set(history.loc[history["promoted"], ["epoch", "N_max"]].itertuples(index=False, name=None))
    table = saved_promotions(folder)
    measured = set(table[["epoch", "N_max"]].itertuples(index=False, name=None))
    if apart := sorted(told ^ {one for one in measured if one[0] <= len(history)}):
        raise InputError(
            f"{folder}: history.csv and promotions.parquet are not of one run: one tells of a success at "
            f"N = {apart[0][1]} in epoch {apart[0][0]}, the other does not"
        )


def is_ours(name: str) -> bool:
    """Whether `tsrnn` gives a file in a network's folder this name."""
    return name in OURS or is_own_checkpoint(name)


# ---------------------------------------------------------------- what else is in the activity


@check_kinds
def forgetting(
    model: RecurrentNetwork, task: str, ns: Sequence[int] | None = None, batches: int = 50, seed: int = 0
) -> pd.DataFrame:
    """What is left of smaller n (Figure 3c), by the readouts that there are and by new ones.

    Args:
        model: one network, trained to N.
        task: a key of `tasks.TASKS`.
        ns: which n to ask for; default 2 ... N.
        batches: of 256 sequences, to train the new readouts, twice that many, and to test.
        seed: of the sequences.

    Returns:
        Columns N, readout, accuracy, sequences. `readout` is "own" (a multi-head network's for this n),
        "newest" (it has none for this n: the one of its largest N, as a single-head network's only one) or
        "new" (see `new_readouts`). The paper does not say which it asks for in single-head networks; here
        are both.

    Raises:
        InputError: as `accuracy` and `new_readouts`.
    """
    largest = largest_head(model)
    ns = list(range(min(2, largest), largest + 1)) if ns is None else integers("n", ns, 1, LARGEST_N)
    asked = model.select([0])
    asked.heads = {n: model.heads.get(n, model.heads[largest]) for n in ns}
    present = accuracy(asked, task, ns, batches, seed=seed)
    present["readout"] = ["own" if n in model.heads else "newest" for n in present["N"]]
    new = new_readouts(model, task, ns, batches, seed)
    table = pd.concat([present, new], ignore_index=True)[["N", "readout", "accuracy", "sequences"]]
    table.attrs = {"task": task, "batches": batches, "seed": seed}
    return table


@check_kinds
def generalisation(
    model: RecurrentNetwork, task: str, ns: Sequence[int] | None = None, batches: int = 50, seed: int = 0
) -> pd.DataFrame:
    """How far beyond its largest N a network's activity reaches: new readouts for n = N + 1 ... N + 10.

    Arguments, columns and errors as `new_readouts`.
    """
    largest = largest_head(model)
    return new_readouts(model, task, range(largest + 1, largest + 11) if ns is None else ns, batches, seed)


@check_kinds
def new_readouts(
    model: Network, task: str, ns: Sequence[int], batches: int = 50, seed: int = 0
) -> pd.DataFrame:
    """Accuracy of a new linear readout for each n, all else frozen: forgetting, or generalisation to n > N.

    The paper does not say how its new readouts are trained. Here each is a logistic regression
    (scikit-learn, L2 with C = 1 on standardised activity) on the last state of `2 batches` × 256 sequences
    of the training distribution for the largest of `ns`, tested on `batches` × 256 others. Where all answers
    to learn from are the same, it always gives that one.

    Returns:
        Columns N, readout ("new"), accuracy, sequences.

    Raises:
        InputError: unknown task, an n < 1, fewer than one batch, more than one network.
    """
    # here, not above: a second at the start of every command
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    check_one(model)
    ns, batches = integers("N", ns, 1, LARGEST_N), integer("batches", batches, 1, 10**5)
    seed = integer("seed", seed, 0, LARGEST_SEED)
    chosen, generator = as_trained(model, task), torch.Generator().manual_seed(seed)
    states, right = [], []
    for _ in range(3 * batches):
        bits, last = last_states(model, chosen, max(ns), BATCH, generator)
        states.append(units(model, last)[0].cpu().numpy())
        right.append(tasks.labels(chosen, bits, ns).numpy())
    x, y, test = np.concatenate(states), np.concatenate(right, 1), batches * BATCH
    rows = []
    for n, answers in zip(ns, y, strict=True):
        if (answers[test:] == answers[-1]).all():  # as DMS for N = 1: what saw one answer only gives that
            accuracy = float((answers[:test] == answers[-1]).mean())
        else:
            readout = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
            readout.fit(x[test:], answers[test:])
            accuracy = float(readout.score(x[:test], answers[:test]))
        rows.append({"N": n, "readout": "new", "accuracy": accuracy})
    table = pd.DataFrame(rows).assign(sequences=test)
    table.attrs = {"task": task, "batches": batches, "seed": seed}
    return table
