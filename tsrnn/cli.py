"""The command line: one function for each command."""

import secrets
import sys
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from tsrnn import InputError, evaluation, probes, retraining, training, zoo
from tsrnn.config import TrainConfig
from tsrnn.folders import number_and_seed
from tsrnn.recurrence import bfloat16_gains
from tsrnn.replay import TOLERANCES, replay
from tsrnn.runs import recorded_config

app = typer.Typer(
    help="Train, measure and list the recurrent networks of 'Emergent mechanisms for long timescales depend "
    "on training curriculum and affect performance in memory tasks' (ICLR 2024).",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

Curriculum = Annotated[
    str,
    typer.Option(
        "-c",
        "--curriculum_type",
        "--curriculum",
        help="cumulative (multi-head: all N so far, a readout each), single (single-head: the newest N "
        "only), sliding (a window of -ih heads), single_nocurr (one N, -ni, from scratch).",
    ),
]
TaskName = Annotated[
    str,
    typer.Option(
        "-t",
        "--task",
        help="parity (sum of the last N bits, modulo 2) or dms (is the last bit the same as the one N - 1 "
        "steps before?).",
    ),
]
BasePath = Annotated[
    Path | None,
    typer.Option("-b", "--base_path", "--out", help="Folder of networks. [default: trained_models]"),
]
Networks = Annotated[
    list[str] | None, typer.Argument(help="Names of network folders. [default: all in the base path]")
]
Device = Annotated[str, typer.Option(help="cpu or cuda.")]
Number = Annotated[int, typer.Option("-n", "--network_number", help="Number in the folder's name.")]


@app.command()
def train(
    curriculum_type: Curriculum = "cumulative",
    task: TaskName = "parity",
    runs: Annotated[
        int, typer.Option("-r", "--runs", help="Networks trained side by side; seeds and numbers count up.")
    ] = 1,
    init_heads: Annotated[
        int, typer.Option("-ih", "--init_heads", help="Heads (values of N) to start with.")
    ] = 1,
    add_heads: Annotated[
        int, typer.Option("-dh", "--add_heads", help="Heads to add at a success (cumulative).")
    ] = 1,
    forget_heads: Annotated[
        int, typer.Option("-fh", "--forget_heads", help="Heads to drop, and to add, at a success (sliding).")
    ] = 1,
    seed: Annotated[
        int | None, typer.Option("-s", "--seed", help="Seed of weights and data. [default: drawn, recorded]")
    ] = None,
    network_number: Annotated[
        int | None,
        typer.Option(
            "-n",
            "--network_number",
            help="Number in the folder's name. [default: of a run of these settings, which goes on, or else "
            "the first free]",
        ),
    ] = None,
    tau: Annotated[
        float | None, typer.Option("-T", "--tau", help="Fix all time constants at this. [default: trained]")
    ] = None,
    model: Annotated[
        str,
        typer.Option(
            "-m", "--model_type", "--variant", help="default, or mod (tau outside the nonlinearity)."
        ),
    ] = "default",
    activation: Annotated[
        str, typer.Option("-a", "--afunc", "--activation", help="leakyrelu, relu, tanh or sigmoid.")
    ] = "leakyrelu",
    neurons: Annotated[int, typer.Option("-nn", "--neurons", "--hidden", help="Units in the network.")] = 500,
    first_n: Annotated[int, typer.Option("-ni", "--first_n", help="The N to start with.")] = 2,
    max_n: Annotated[
        int | None,
        typer.Option(
            "--max-n", "--max_n", help="Stop when this N is solved. [default: as far as there are heads]"
        ),
    ] = None,
    max_epochs: Annotated[
        int, typer.Option("--max-epochs", "--max_epochs", help="Stop after this many epochs of 600 steps.")
    ] = 1000,
    patience: Annotated[int, typer.Option(help="Stop after this many epochs without a success.")] = 100,
    precision: Annotated[
        str,
        typer.Option(
            help="Of matrix products in training: float32, or bfloat16, twice as fast on processors with "
            "instructions for it. Weights, optimiser, tests and measurements stay in float32."
        ),
    ] = "float32",
    start: Annotated[
        Path | None,
        typer.Option(
            "--from",
            help="Begin a new network from this checkpoint, of tsrnn or of the authors. (A network whose "
            "training state was not kept goes on from its own last checkpoint by itself.)",
        ),
    ] = None,
    device: Device = "cpu",
    base_path: BasePath = None,
) -> None:
    """Train networks to the published protocol.

    After each epoch everything is saved: press Ctrl-C at any time, and the same command goes on from there.

    Example: tsrnn train -c cumulative -t parity -s 1 --max-n 10
    """
    base = base_path or zoo.default_base_path()
    values: dict[str, Any] = {
        "curriculum": curriculum_type,
        "task": task,
        "first_n": first_n,
        "init_heads": init_heads,
        "add_heads": add_heads,
        "forget_heads": forget_heads,
        "neurons": neurons,
        "model": model,
        "activation": activation,
        "tau": tau,
        "max_n": max_n,
        "max_epochs": max_epochs,
        "patience": patience,
        "precision": precision,
        "start_from": f"{start.absolute().parent.name}/{start.name}" if start else None,
    }
    if network_number is None:
        network_number, seed = number_and_seed(TrainConfig(**values, seed=seed or 0), seed, runs, base)
    elif seed is None:  # go on with the run that is there, if there is one
        recorded = recorded_config(base / TrainConfig(**values, network_number=network_number).folder()) or {}
        seed = recorded.get("seed", secrets.randbelow(2**32))
    config = TrainConfig(**values, seed=seed, network_number=network_number)
    typer.echo(f"network {network_number}, seed {seed}")
    if precision == "bfloat16" and not bfloat16_gains(device):
        typer.echo("this processor has no instructions for bfloat16: it gains nothing over float32", err=True)
    try:
        folders = training.train(config, runs, base, device, start=start)
    except KeyboardInterrupt:
        typer.echo(
            f"\nStopped. All finished epochs are saved; the same command with -s {seed} goes on from there.",
            err=True,
        )
        raise typer.Exit(130) from None
    for folder in folders:
        typer.echo(f"saved in {folder}")


@app.command()
def evaluate(
    curriculum_type: Curriculum = "cumulative",
    task: TaskName = "parity",
    network_number: Number = 1,
    n_min: Annotated[
        int | None, typer.Option(help="Smallest N of the checkpoint. [default: its last one]")
    ] = None,
    n_max: Annotated[
        int | None, typer.Option(help="Largest N of the checkpoint. [default: its last one]")
    ] = None,
    variant: Annotated[
        str, typer.Option(help="The folder name's part before 'network', e.g. mod_tanh.")
    ] = "",
    batches: Annotated[int, typer.Option(help="Batches of 256 fresh sequences.")] = 50,
    seed: Annotated[int, typer.Option("-s", "--seed", help="Seed of the sequences.")] = 0,
    base_path: BasePath = None,
) -> None:
    """Measure the accuracy of a trained network for every N, on fresh sequences.

    Example: tsrnn evaluate -c cumulative -t parity -n 1 --n-max 10
    """
    base = base_path or zoo.default_base_path()
    folder = base / zoo.folder_name(curriculum_type, task, network_number, variant)
    if n_max is None:
        n_min, n_max = zoo.last_checkpoint(folder)
    elif n_min is None:
        n_min = n_max if curriculum_type.startswith("single") else 2
    network = zoo.load_model(curriculum_type, task, network_number, n_min, n_max, base, variant)
    table = evaluation.accuracy(network, task, batches=batches, seed=seed)
    typer.echo(
        table[["N", "accuracy", "sequences"]].to_string(index=False, formatters={"accuracy": "{:.2%}".format})
    )


def folders_of(networks: list[str] | None, base_path: Path | None) -> list[Path]:
    """The folders of these networks, or of all. Raises InputError if there is no such network."""
    base = base_path or zoo.default_base_path()
    there = {folder.name: folder for folder in zoo.network_folders(base)}
    for name in networks or []:
        if name not in there:
            raise InputError(f"no network {name} in {base}; networks there: {', '.join(there) or 'none'}")
    if not there:
        raise InputError(f"no trained networks in {base}: make some with `tsrnn train`")
    ours = [name for name, folder in there.items() if (folder / "config.json").exists()]
    return [there[name] for name in networks or ours]


@app.command()
def analyse(
    networks: Networks = None,
    base_path: BasePath = None,
) -> None:
    """Measure what is not yet known of trained networks, at every checkpoint that they kept.

    Training itself measures timescales, dimensionality and connectivity at promotions. This adds what damage
    does (robustness.parquet) and what readouts find in the activity (readouts.parquet), and whatever else is
    missing. Takes one to two minutes for a checkpoint; what has been measured is not measured again.

    Example: tsrnn analyse cumulative_parity_network_1
    """
    for folder in folders_of(networks, base_path):
        added = probes.add_missing(folder)
        typer.echo(f"{folder.name}: " + (f"added N = {', '.join(map(str, added))}" if added else "complete"))


@app.command()
def retrain(
    networks: Networks = None,
    start: Annotated[int, typer.Option(help="Start from the checkpoint at this N.")] = 16,
    on: Annotated[
        list[int] | None,
        typer.Option(
            help="Retrain on this N; give it once for each, first the one that the others are relative to. "
            "[default: 16 to 46]"
        ),
    ] = None,
    epochs: Annotated[int, typer.Option(help="Of 600 steps, for each N.")] = 20,
    device: Device = "cpu",
    base_path: BasePath = None,
) -> None:
    """Train networks further on other N, from one checkpoint for each, with a single head (Figure 8c).

    The result is retraining.parquet in the network's folder. The defaults are the published protocol, which
    takes days for a network on two cores; the example takes five minutes. An N that is done is kept: the same
    command goes on with the next.

    Example: tsrnn retrain single_parity_network_1 --start 10 --on 10 --on 12 --on 14 --epochs 1
    """
    folders, ns = folders_of(networks, base_path), on or range(16, 47)
    training.check_device(device)
    for folder in folders:
        retraining.check_retraining(folder, start, ns, epochs)
    for folder in folders:
        done = retraining.add_retraining(folder, start, ns, epochs, device=device)
        typer.echo(f"{folder.name}: " + ("retrained" if done else "complete"))


@app.command("replay")
def replay_networks(
    networks: Annotated[list[str], typer.Argument(help="Names of network folders.")],
    epochs: Annotated[int, typer.Option(help="How many, from the first on.")] = 2,
    base_path: BasePath = None,
) -> None:
    """Train the first epochs of networks anew, from config.json and seed, and compare with history.csv.

    In brackets: how far from what was recorded. Nothing is written. An epoch takes 10 to 60 seconds. Exit
    code 1 if anything differs by more than another processor's rounding explains.

    Example: tsrnn replay single_parity_network_1
    """
    failed = False
    for folder in folders_of(networks, base_path):
        table = replay(folder, epochs)
        verdict = f"ok  {folder.name}: as recorded"
        if table["far"].any():
            failed, far = True, table[table["far"]].iloc[0]
            verdict = (
                f"FAR {folder.name}: {far['quantity']} in epoch {far['epoch']} is {far['replayed']:.6g}, "
                f"recorded {far['recorded']:.6g}; {far['tolerance']:.1g} apart is tolerated"
            )
        typer.echo(verdict)
        for epoch in table["epoch"].unique():
            rows = table[table["epoch"] == epoch].set_index("quantity")
            now, apart = rows["replayed"].to_dict(), rows["difference"].to_dict()
            values = ", ".join(f"{name} {now[name]:.6g} ({apart[name]:+.1g})" for name in TOLERANCES)
            typer.echo(f"    epoch {epoch}, N = {now['N_min']:.0f} to {now['N_max']:.0f}: {values}")
    if failed:
        raise typer.Exit(1)


zoo_app = typer.Typer(help="List the trained networks; `tsrnn zoo verify` checks them.")
app.add_typer(zoo_app, name="zoo")


@zoo_app.callback(invoke_without_command=True)
def list_zoo(context: typer.Context, base_path: BasePath = None) -> None:
    """List the trained networks: how far each came, in how many epochs. `verify` checks them."""
    if context.invoked_subcommand:
        return
    base = base_path or zoo.default_base_path()
    table = zoo.index(base)
    if table.empty:
        raise InputError(f"no trained networks in {base}: make some with `tsrnn train`")
    typer.echo(table.to_string(index=False, formatters={"minutes": "{:.1f}".format}))


@zoo_app.command()
def verify(
    networks: Networks = None,
    batches: Annotated[int, typer.Option(help="Batches of 256 fresh sequences.")] = 50,
    base_path: BasePath = None,
) -> None:
    """Check every file's checksum, and every checkpoint's accuracy on fresh data against the recorded one.

    Exit code 1 if an accuracy is more than 5 standard errors away from what was recorded, or none was.
    """
    failed = False
    for folder in folders_of(networks, base_path):
        table = evaluation.verify(folder, batches)
        if table.empty:
            typer.echo(f"ok  {folder.name}: all files as saved; it keeps no checkpoint")
        for name, rows in table.groupby("checkpoint", sort=False):
            worst = rows.iloc[rows["z"].abs().fillna(np.inf).argmax()]
            far = not abs(worst["z"]) <= 5  # nor is it good if nothing was recorded
            failed |= far
            typer.echo(
                f"{'FAR' if far else 'ok '} {folder.name} {name}: mean {rows['measured'].mean():.2%}, "
                f"recorded {rows['recorded'].mean():.2%}; furthest apart at N = {worst['N']:.0f}: "
                f"{worst['measured']:.2%}, recorded {worst['recorded']:.2%}"
            )
    if failed:
        raise typer.Exit(1)


def main() -> None:
    """Run the command line. Input that cannot be used: one line on stderr, exit code 2; a full disk: 1."""
    try:
        app()
    except InputError as error:
        print(f"tsrnn: {error}", file=sys.stderr)
        sys.exit(2)
    except OSError as error:  # a full disk, say: what is there is whole, see `files.write_atomically`
        print(
            f"tsrnn: {error.strerror}: {error.filename}; all that was saved before is whole", file=sys.stderr
        )
        sys.exit(1)
