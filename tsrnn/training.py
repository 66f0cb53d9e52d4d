"""Training to the published protocol (paper, section 2.3 and appendix A): epochs, promotion, resume.

An epoch is 600 steps of SGD on fresh batches (of gated networks as published, 300 of Adam), then 50 test
batches. When the mean accuracy over the heads and the accuracy of the newest head are both above 98 %, the
network is promoted: measured, saved, and given what its curriculum trains next.

Networks of an ensemble share only the arithmetic. Each draws its own data from its own generator, is clipped
by its own gradient norm and promoted by its own accuracy, exactly as alone.
"""

import math
import time
import warnings
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from itertools import repeat
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy
from tqdm import tqdm

from tsrnn import InputError, WorkError, zoo
from tsrnn.analysis import measure
from tsrnn.analysis.simulate import Protocol
from tsrnn.batches import Batch, draw_batches
from tsrnn.config import PRECISIONS, TrainConfig
from tsrnn.curriculum import is_milestone
from tsrnn.files import remove, write_table
from tsrnn.folders import check_count, check_folder, choosing, hold, is_done, is_new
from tsrnn.gated import network_class
from tsrnn.kinds import check_kinds
from tsrnn.model import LeakyRNN, RecurrentNetwork, check_device
from tsrnn.names import checkpoint_name, place_of
from tsrnn.optimisers import MEMORY, OPTIMISERS
from tsrnn.progress import Steps, progress_bar
from tsrnn.recurrence import onednn_is_exact
from tsrnn.runs import (
    PROMOTION_COLUMNS,
    UNSOLVED,
    Run,
    begin,
    check_begun,
    go_on,
    open_run,
    resume,
    save_promotions,
    save_state,
)


@check_kinds
def train(
    config: TrainConfig,
    runs: int = 1,
    base_path: str | Path | None = None,
    device: str = "cpu",
    progress: bool = True,
    start: str | Path | None = None,
) -> list[Path]:
    """Train `runs` networks side by side, with seeds and network numbers counting up from those in `config`.

    Whatever was trained before in these folders is continued from the last saved epoch, bit for bit, or,
    where its state was not kept, from the newest checkpoint (see `runs`). What has come to its end stays as
    it is. New ones begin from their seed, or from the checkpoint `start`, ours or the authors'.

    Returns:
        The folders: config.json, history.csv, promotions.parquet, checkpoints, state/.

    Raises:
        InputError: before any work, if a folder holds a different run, is in use or cannot be written,
            or there is no such device.
    """
    base, first = zoo.base_of(base_path), None if start is None else Path(start)
    if first is not None and config.start_from is None:
        config = replace(config, start_from=place_of(first))
    return train_together(counted_up(config, runs), base, device, progress, first)


def counted_up(config: TrainConfig, runs: int) -> list[TrainConfig]:
    """Settings for `runs` networks: seeds and numbers count up."""
    numbers = range(check_count(runs))
    return [replace(config, seed=config.seed + i, network_number=config.network_number + i) for i in numbers]


def train_together(
    configs: Sequence[TrainConfig] | Callable[[], Sequence[TrainConfig]],
    base: Path,
    device: str = "cpu",
    progress: bool = True,
    start: Path | None = None,
    minutes: float = math.inf,
) -> list[Path]:
    """Train networks side by side, which differ in task, curriculum, fixed τ, seed and number at the most.

    Given as a function, they are what that returns while nobody else can take a number in `base`.
    Stops before an epoch that would not end within so many minutes, if it takes as long as the last one; one
    is trained in any case. All else as `train`.
    """
    check_device(device)
    began = time.perf_counter()
    if not callable(configs):  # before `choosing`, which makes the folder
        for config, folder in zip(configs, check_folders(configs, base), strict=True):
            check_start(config, start, folder)
    with ExitStack() as stack:
        with choosing(base):
            configs = configs() if callable(configs) else configs
            folders = check_folders(configs, base)
            for folder in folders:
                check_begun(folder, start)
            to_train = [(c, f) for c, f in zip(configs, folders, strict=True) if not is_done(c, f)]
            held = [stack.enter_context(hold(folder)) for _, folder in to_train]
            check_folders(configs, base)  # as they are now that they are ours
            opened = [open_run(c, f, start) for c, f in to_train]
        ensemble = resume(opened)
        bar = stack.enter_context(progress_bar(progress, unit="step", leave=False))
        last = 0.0
        while active := [run for run in ensemble if not run.finished]:
            now = time.perf_counter()
            if last and now - began + last > 60 * minutes:
                break
            train_epoch(active, device, bar, held)
            last = time.perf_counter() - now
    return folders


def check_folders(configs: Sequence[TrainConfig], base: Path) -> list[Path]:
    """The folder of each network. Raises InputError if one cannot be trained there."""
    folders = [base / c.folder() for c in configs]
    for c, folder in zip(configs, folders, strict=True):
        check_folder(c, folder)
    return folders


def check_start(config: TrainConfig, start: Path | None, folder: Path | None = None) -> None:
    """Raise InputError if there is a checkpoint to begin from, and such a network cannot begin from it.

    And if a new network says that it began from one, and there is none, or the run there began from another.
    """
    if start is not None:
        go_on(begin(config), 0, start)
    elif config.start_from and folder is not None and is_new(folder):
        raise InputError(f"start from = {config.start_from}: give that checkpoint as start, too")


# ---------------------------------------------------------------- one epoch


def answer(model: RecurrentNetwork, batch: Batch, products: torch.dtype | None = None) -> Tensor:
    """The logits (K, C, B, 2) of the heads in training at the end of a batch."""
    model.k = batch.k
    return model.logits(model(batch.s, batch.initial, batch.lengths, products), batch.heads)


def batch_loss(model: RecurrentNetwork, batch: Batch, products: torch.dtype | None = None) -> Tensor:
    """Cross-entropy at the last step, mean over sequences, summed over the heads in training: (K,)."""
    logits = answer(model, batch, products)
    each = cross_entropy(logits.flatten(0, 2), batch.labels.flatten(), reduction="none")
    return (each.view(batch.labels.shape).mean(-1) * batch.trained).sum(1)


def clip_gradients(model: RecurrentNetwork, largest: float) -> None:
    """Scale each network's gradient to a norm of at most `largest`, as `clip_grad_norm_` does for one."""
    gradients = [p.grad for p in model.parameters() if p.grad is not None]
    norm = torch.stack([g.flatten(1).norm(dim=1) for g in gradients]).norm(dim=0)
    scale = (largest / (norm + 1e-6)).clamp(max=1)
    for g in gradients:
        g.mul_(scale.view(-1, *[1] * (g.dim() - 1)))


def assemble(runs: Sequence[Run], device: str) -> tuple[RecurrentNetwork, torch.optim.Optimizer]:
    """The runs as one model and its optimiser, in the state that they were left in.

    Where τ is fixed in some of them only, it is trained as a tensor, and their part of its gradient is 0.
    """
    stacked = {name: torch.stack([run.parameters[name] for run in runs]) for name in runs[0].parameters}
    c = next((run.config for run in runs if run.config.tau is None), runs[0].config)
    architecture = c.architecture()
    model = network_class(architecture)(architecture, stacked).to(device)
    if isinstance(model, LeakyRNN) and model.tau.requires_grad:
        free = torch.tensor([[run.config.tau is None] for run in runs], dtype=torch.float, device=device)
        if not free.all():
            model.tau.register_hook(lambda grad: grad * free)  # type: ignore[no-untyped-call]
    trained = {name: p for name, p in model.named_parameters() if p.requires_grad}
    optimiser = OPTIMISERS[c.optimiser](list(trained.values()), c.learning_rate, c.momentum)
    for what, torchs in MEMORY[c.optimiser].items():
        for name, p in trained.items():
            kept = [run.memory[what].get(name, torch.zeros_like(run.parameters[name])) for run in runs]
            optimiser.state[p][torchs] = torch.stack(kept).to(device)
    return model, optimiser


def change(
    model: RecurrentNetwork, optimiser: torch.optim.Optimizer, clip: float, in_place: bool = False
) -> None:
    """Change the parameters by their gradients, and forget these, or set them to 0 where they are."""
    clip_gradients(model, clip)
    optimiser.step()
    optimiser.zero_grad(set_to_none=not in_place)


def recorded_change(
    model: RecurrentNetwork, optimiser: torch.optim.Optimizer, clip: float
) -> Callable[[], None] | None:
    """On a GPU, `change` as one graph of its many small kernels, which take longer to launch than to run."""
    if model.head_weight.device.type != "cuda":
        return None
    for p in model.parameters():
        if p.requires_grad:
            p.grad = torch.zeros_like(p)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph, capture_error_mode="thread_local"):
        change(model, optimiser, clip, in_place=True)
    return graph.replay


def train_step(
    model: RecurrentNetwork,
    optimiser: torch.optim.Optimizer,
    batch: Batch,
    clip: float,
    products: torch.dtype | None = None,
    recorded: Callable[[], None] | None = None,
) -> Tensor:
    """One update of all networks, with matrix products in this precision; returns their losses (K,).

    With a `recorded_change`, that is what changes the parameters.
    """
    loss = batch_loss(model, batch, products)
    loss.sum().backward()  # type: ignore[no-untyped-call]
    recorded() if recorded else change(model, optimiser, clip)
    return loss.detach()


@torch.no_grad()
def test_accuracy(
    model: RecurrentNetwork, runs: Sequence[Run], device: str, bar: "tqdm[Any]"
) -> list[dict[int, float]]:
    """Accuracy of each network on each N that it trains, over `test_batches` fresh batches."""
    batches = runs[0].config.test_batches
    right = [np.zeros(len(run.now.ns)) for run in runs]
    for batch in draw_batches(runs, batches, device):
        answers = answer(model, batch).argmax(-1)
        correct = (answers == batch.labels).sum(-1).cpu().numpy()
        for k, trained in enumerate(batch.trained.bool().cpu().numpy()):
            right[k] += correct[k, trained]
        bar.update()
    total = batches * runs[0].config.batch_size
    return [dict(zip(run.now.ns, right[k] / total, strict=True)) for k, run in enumerate(runs)]


def train_epoch(
    runs: Sequence[Run], device: str, bar: "tqdm[Any]", held: Sequence[Callable[[], None]] = ()
) -> None:
    """Train all runs for an epoch, test, promote, and save each, if their folders are still `held`."""
    began = time.perf_counter()
    losses, accuracies = train_and_test(runs, device, bar)
    seconds = time.perf_counter() - began
    for still_held in held:
        still_held()
    for run in runs:
        run.ensemble = {each.config.folder(): each.epoch for each in runs}
    with ThreadPoolExecutor() as pool:
        # a GPU does not wait for one network after the other to be saved
        each = map if device == "cpu" else pool.map
        list(each(finish_epoch, runs, losses, accuracies, repeat(seconds), repeat(device), repeat(bar)))
    for run in runs:
        row = run.history[-1]
        newest = row["newest_accuracy"]
        bar.set_postfix_str(f"newest {newest:.1%}, {60 / seconds:.2f} epochs/min")
        if row["promoted"] and not bar.disable:
            tau = "" if run.config.architecture().gated else f", mean tau {row['tau_mean']:.3f}"
            bar.write(
                f"network {run.config.network_number} solved N = {row['N_max']} in epoch {run.epoch}: newest "
                f"{newest:.2%}, mean {row['accuracy']:.2%}{tau}"
            )


def train_and_test(
    runs: Sequence[Run], device: str, bar: "tqdm[Any]"
) -> tuple[list[float], list[dict[int, float]]]:
    """Train all runs for an epoch and test them, in memory only: neither promoted nor saved.

    Returns:
        Each network's mean loss over the steps, and its accuracy (0 to 1) on each N.
    """
    model, optimiser = assemble(runs, device)
    config, loss = runs[0].config, torch.zeros(len(runs), device=device)
    bar.reset(config.steps + config.test_batches)
    bar.set_description(", ".join(f"network {r.config.network_number}: N = {r.now.n_max}" for r in runs[:4]))
    recorded = recorded_change(model, optimiser, config.clip)
    for batch in draw_batches(runs, config.steps, device):
        loss += train_step(model, optimiser, batch, config.clip, PRECISIONS[config.precision], recorded)
        bar.update()
    accuracies = test_accuracy(model, runs, device, bar)
    for k, run in enumerate(runs):
        run.parameters = {name: p.detach()[k].cpu().clone() for name, p in model.named_parameters()}
        if diverged(run.parameters.values()):
            raise WorkError(
                f"{run.config.folder()} diverged in epoch {run.epoch + 1}, which is not saved: lower the "
                "learning rate, or the clip"
            )
        run.memory = {
            what: {
                name: optimiser.state[p][MEMORY[config.optimiser][what]][k].cpu().clone()
                for name, p in model.named_parameters()
                if name in remembered
            }
            for what, remembered in run.memory.items()
        }
        run.epoch += 1
    return [total / config.steps for total in loss.tolist()], accuracies


def diverged(parameters: Iterable[Tensor]) -> bool:
    """Whether training has left values that are not finite."""
    return not all(p.isfinite().all() for p in parameters)


def as_model(run: Run) -> RecurrentNetwork:
    """The run's network (K = 1) as it is now, with the heads in training."""
    architecture = run.config.architecture()
    parameters = {name: p[None] for name, p in run.parameters.items()}
    model = network_class(architecture)(architecture, parameters)
    model.heads = dict(zip(run.now.ns, run.now.heads, strict=True))
    return model


def result(run: Run, loss: float, accuracy: dict[int, float]) -> dict[str, Any]:
    """What an epoch came to, as in history.csv: loss, accuracies, tau, and whether the run is promoted.

    A gated network has no tau: NaN.
    """
    mean, newest = float(np.mean(list(accuracy.values()))), accuracy[run.now.n_max]
    model = as_model(run)
    tau = model.effective_tau.detach() if isinstance(model, LeakyRNN) else torch.full((2,), torch.nan)
    return {
        "epoch": run.epoch,
        "N_min": run.now.n_min,
        "N_max": run.now.n_max,
        "loss": loss,
        "accuracy": mean,
        "newest_accuracy": newest,
        "tau_mean": tau.mean().item(),
        "tau_sd": tau.std(correction=0).item(),
        "promoted": mean > run.config.promotion and newest > run.config.promotion,
    }


def finish_epoch(
    run: Run, loss: float, accuracy: dict[int, float], seconds: float, device: str, bar: "tqdm[Any]"
) -> None:
    """Record an epoch, promote the run if it earned it, and save. `state/` comes last: it makes it count."""
    model = as_model(run)
    run.history.append(
        result(run, loss, accuracy)
        | {
            "seconds": round(seconds, 2),
            "device": device_name(device),
            "precision": run.config.precision,
            "from_epoch": run.from_epoch,
        }
    )
    if run.history[-1]["promoted"]:
        promote(run, zoo.as_kept(model), accuracy, bar)
    else:
        zoo.save_checkpoint(model, run.folder, run.config.task, UNSOLVED, replace=True, epoch=run.epoch)
    # after what was measured, so that no reader finds an N that is solved and nothing about it
    write_table(run.folder / "history.csv", pd.DataFrame(run.history))
    if run.history[-1]["promoted"]:
        remove(run.folder / UNSOLVED)
    save_state(run)


def promote(run: Run, model: RecurrentNetwork, accuracy: dict[int, float], bar: "tqdm[Any]") -> None:
    """Measure and save a network that solved its N, and move it on."""
    by_head = pd.DataFrame({"measure": "accuracy", "index": accuracy.keys(), "value": accuracy.values()})
    tables = [by_head, measure.cheap(model)]
    if run.config.measure_steps and measure.is_costly_due(run.now.n_max):
        bar.reset(run.config.measure_steps)
        bar.set_description(f"network {run.config.network_number}: measuring N = {run.now.n_max}")
        try:
            tables.append(measure.costly(model, Protocol(run.config.measure_steps), Steps(bar)))
            tables.append(measure.mechanism(model, run.config.task))
        except InputError as error:  # activity without bounds has no timescales; training goes on
            warnings.warn(f"{run.folder.name}, N = {run.now.n_max}: {error}", stacklevel=2)
    rows = pd.concat(tables).assign(epoch=run.epoch, N_min=run.now.n_min, N_max=run.now.n_max)
    before = sorted(set(run.promotions["N_max"])) if len(run.promotions) else []
    run.promotions = pd.concat([run.promotions, rows[PROMOTION_COLUMNS]], ignore_index=True)
    save_promotions(run.folder, run.promotions)
    saved = zoo.save_checkpoint(model, run.folder, run.config.task, replace=True)
    if before:
        # the one before was the last until now: keep it only if it passed a milestone, or is to be measured
        earlier = before[-2] if len(before) > 1 else 0
        waits = not run.config.measure_steps and before[-1] % 10 == 0
        if not waits and not is_milestone(earlier, before[-1]):
            n_min = run.promotions.loc[run.promotions["N_max"] == before[-1], "N_min"].iloc[0]
            # by its name: a kill may have left it without its checksum, which `zoo.checkpoints` goes by
            path = run.folder / f"{checkpoint_name(n_min, before[-1])}{saved.suffix}"
            if path != saved and path.exists():
                remove(path)
    move_on(run)


def move_on(run: Run) -> None:
    """To what the curriculum trains after a success; the last N stays where there is nothing more."""
    run.now = run.now.next() or run.now


def device_name(device: str) -> str:
    """What computes: the GPU by name, or the CPU; there oneDNN where it can, which rounds differently."""
    if device.startswith("cuda"):
        return torch.cuda.get_device_name(device)
    if device == "mps":
        return "Apple GPU (mps)"
    return "cpu (oneDNN)" if onednn_is_exact() else "cpu"
