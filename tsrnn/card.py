"""A network's model card: what it is, how it was trained and measured, what it can do, how to cite it."""

from dataclasses import asdict
from pathlib import Path
from textwrap import fill
from typing import Any

import pandas as pd

import tsrnn
from tsrnn import InputError, zoo
from tsrnn.analysis.simulate import Protocol
from tsrnn.config import PROTOCOLS, TrainConfig
from tsrnn.files import read_json
from tsrnn.kinds import check_kinds
from tsrnn.model import Architecture
from tsrnn.names import NAMES, largest_n
from tsrnn.runs import records

WIDTH = 100
LICENCE = "BSD-3-Clause, as all of tsrnn"
PAPER = (
    "S. Khajehabdollahi, R. Zeraati, E. Giannakakis, T. J. Schäfer, G. Martius, A. Levina: Emergent "
    "mechanisms for long timescales depend on training curriculum and affect performance in memory tasks. "
    "ICLR 2024. https://openreview.net/forum?id=xwKt6bUkXj"
)


@check_kinds
def card(folder: str | Path) -> dict[str, Any]:
    """What there is to say of one trained network, as JSON can hold it.

    Returns:
        network, what, settings (of `TrainConfig`), training, history (the epoch in which each N was solved),
        checkpoints (a row for each, with what was measured at the success: accuracies, 0 to 1; time
        constants, in steps), measured, licence, cite.

    Raises:
        InputError: not a run of tsrnn, or a file of it is damaged.
    """
    folder = Path(folder)
    paths = zoo.checkpoints(folder) if folder.is_dir() else []  # read first, for it is saved last
    config, promotions = records(folder)
    begun, row = read_json(folder / "config.json"), zoo.row_of(folder)
    kind = NAMES.get(config.curriculum, config.curriculum)
    units = config.model if config.architecture().gated else "leaky"
    history = zoo.read_history(folder).query("promoted")
    kept = [checkpoint_row(path, promotions) for path in paths]
    return {
        "network": folder.name,
        "what": f"{kind}, {config.task}, {config.neurons} {units} units; solved N = {row['solved N']}",
        "settings": asdict(config),
        "training": {
            **{name: row[name] for name in ("epochs", "minutes", "device", "precision", "from", "profile")},
            **{name: begun.get(name) for name in ("tsrnn", "torch", "python", "machine")},
        },
        "history": history[["N_max", "epoch"]].rename(columns={"N_max": "N"}).to_dict("records"),
        "checkpoints": pd.DataFrame(kept).astype(object).where(lambda t: t.notna(), None).to_dict("records"),
        "measured": how_measured(config),
        "licence": LICENCE,
        "cite": [PAPER, f"The tsrnn authors: tsrnn {tsrnn.__version__}, network {folder.name}."],
    }


def checkpoint_row(path: Path, promotions: pd.DataFrame) -> dict[str, Any]:
    """N, epoch, file, and the summaries of what was measured of one checkpoint at its success."""
    solved = promotions[promotions["N_max"] == largest_n(path)]
    if solved.empty:
        raise InputError(f"{path.parent}: promotions.parquet has nothing of N = {largest_n(path)}")
    values = {str(name): rows["value"] for name, rows in solved.groupby(solved["measure"].astype(str))}
    nothing = pd.Series([], dtype=float)
    tau_net = values.get("tau_net", nothing)
    of_simulations = values.get("tau_net_median", pd.Series([tau_net[tau_net > 1].median()]))
    return {
        "N": largest_n(path),
        "epoch": int(solved["epoch"].iloc[0]),
        "mean accuracy": float(values["accuracy"].mean()),
        "lowest accuracy": float(values["accuracy"].min()),
        "mean tau": float(values.get("tau", nothing).mean()),
        "median tau_net > 1": float(of_simulations.mean()),
        "file": path.name,
    }


def how_measured(config: TrainConfig) -> str:
    """The protocols behind the numbers of a card."""
    sequences = config.test_batches * config.batch_size
    protocol = Protocol(config.measure_steps or Protocol.steps)
    return (
        f"Accuracy: at the success, for every N that was trained, on {sequences:,} fresh sequences of the "
        "training distribution; `tsrnn zoo verify` measures it anew, on what was kept. tau: max(tau, 1), in "
        f"steps. tau_net: from {protocol.trials} trials of {protocol.steps:,} random bits, the slower one "
        "of one or two exponentials, by AIC, fitted to the autocorrelation at lags 0 to 30 (section 3.2); "
        "its median is that of the units above 1 step, on average over simulations where there were several."
    )


def as_text(found: dict[str, Any]) -> str:
    """A card for a terminal, at most 100 columns wide. Of the settings, those that are not the default."""
    given, training = found["settings"], found["training"]
    gated = Architecture(model=given["model"], k=given["k"]).gated
    defaults = asdict(TrainConfig()) | PROTOCOLS[gated, given["protocol"]]
    settings = {k: v for k, v in given.items() if v != defaults[k] or k in ("task", "seed")}
    lines = [
        found["network"],
        found["what"],
        "",
        "Settings, where they are not the default of `tsrnn train`",
        *(f"  {name} = {value}" for name, value in settings.items()),
        "",
        "Training",
        wrapped(f"epochs: {training['epochs']}, in {training['minutes']:.1f} min, on {training['device']}"),
        wrapped(f"from {training['from']}; matrix products in {training['precision']}"),
        wrapped(f"tsrnn {training['tsrnn']}, torch {training['torch']}, Python {training['python']}"),
        "",
        "History: the N solved, and in which epoch",
        wrapped(", ".join(f"{row['N']}\u00a0({row['epoch']})" for row in found["history"]) or "none yet"),
        "",
        "Checkpoints, and what was measured of them",
        checkpoints_text(found["checkpoints"]),
        "",
        "How measured",
        wrapped(found["measured"]),
        "",
        *(["Load it", f'  tsrnn.load("{found["network"]}")', ""] if found["checkpoints"] else []),
        f"Licence: {found['licence']}",
        "Please cite",
        *(wrapped(source) for source in found["cite"]),
    ]
    return "\n".join(lines)


def wrapped(text: str) -> str:
    """In lines of at most 100 columns, which do not end at a space that does not break."""
    return fill(text, WIDTH, initial_indent="  ", subsequent_indent="  ").replace("\u00a0", " ")


def checkpoints_text(kept: list[dict[str, Any]]) -> str:
    """The table of checkpoints; columns that are empty, as tau of gated networks, are left out."""
    if not kept:
        return "  none was kept"
    table = pd.DataFrame(kept).dropna(axis=1, how="all")
    formats = {"mean accuracy": "{:.2%}", "lowest accuracy": "{:.2%}"}
    formats |= {"mean tau": "{:.3f}", "median tau_net > 1": "{:.2f}"}
    return table.to_string(index=False, formatters={name: each.format for name, each in formats.items()})
