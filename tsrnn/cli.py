"""The command line: one function for each command.

What a command needs is imported in its function: torch and pandas take two seconds, and `tsrnn --help`, a
misspelt option and the shell's completion need neither.
"""

import json
import os
import secrets
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

import tsrnn
from tsrnn import InputError
from tsrnn.command import Stopped, path_of, run
from tsrnn.inputs import choice, integer
from tsrnn.names import base_of, place_of

if TYPE_CHECKING:
    from tsrnn.config import TrainConfig

app = typer.Typer(
    help="Train, measure and list the recurrent networks of 'Emergent mechanisms for long timescales depend "
    "on training curriculum and affect performance in memory tasks' (ICLR 2024).",
    rich_markup_mode=None,  # which swallows every [default: ...]
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
        help="parity (sum of the last N bits, modulo 2), dms (is the last bit the same as the one N - 1 "
        "steps before?), or file.py:name, a function of your own. (The file is run. Other commands know the "
        "task by TSRNN_TASKS=file.py:name.)",
    ),
]
BasePath = Annotated[
    Path | None,
    typer.Option(
        "-b",
        "--base_path",
        "--out",
        parser=path_of,
        metavar="PATH",
        help="Folder of networks. [default: trained_models]",
    ),
]


def there(context: typer.Context, incomplete: str) -> list[str]:
    """The networks that the shell completes a name with."""
    from tsrnn.names import default_base_path, network_folders

    base = context.params.get("base_path") or default_base_path()
    return [folder.name for folder in network_folders(base) if folder.name.startswith(incomplete)]


Networks = Annotated[
    list[str] | None,
    typer.Argument(help="Names or paths of networks. [default: all in the base path]", autocompletion=there),
]
Device = Annotated[str, typer.Option(help="cpu, cuda or mps.")]
Number = Annotated[int, typer.Option("-n", "--network_number", help="Number in the folder's name.")]


def show_version(asked: bool) -> None:
    if asked:
        typer.echo(f"tsrnn {tsrnn.__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=show_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """What comes before a command."""


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
            "-m",
            "--model_type",
            "--variant",
            "--model",
            help="default, mod (tau outside the nonlinearity), continuous (mod, every bit held for k steps), "
            "lstm or gru.",
        ),
    ] = "default",
    protocol: Annotated[
        str,
        typer.Option(
            help="Of an lstm or gru: published (Adam, 300 steps of 64 sequences of fair bits, -1 or 1), or "
            "matched (as the leaky networks, but by Adam)."
        ),
    ] = "published",
    k: Annotated[
        str,
        typer.Option(
            "-k",
            "--k",
            help="Of a continuous network: for how many steps bits are held, in turn. [default: 7,8,9,10]",
        ),
    ] = "",
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
        int | None,
        typer.Option(
            "--max-epochs",
            "--max_epochs",
            help="Stop after this many epochs of 600 steps. [default: 1000; published lstm, gru: 100 of 300]",
        ),
    ] = None,
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
            parser=path_of,
            metavar="PATH",
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
    from tsrnn import training
    from tsrnn.config import TrainConfig
    from tsrnn.folders import check_count, number_and_seed
    from tsrnn.recurrence import bfloat16_gains
    from tsrnn.tasks import load_task

    task = load_task(task)
    base = base_of(base_path)
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
        "protocol": protocol,
        "k": numbers_of(k),
        "max_n": max_n,
        "max_epochs": max_epochs,
        "patience": patience,
        "precision": precision,
        "start_from": place_of(start) if start else None,
    }
    config = TrainConfig(
        **values,
        seed=0 if seed is None else seed,
        network_number=1 if network_number is None else network_number,
    )
    training.check_start(config, start)
    check_count(runs)

    is_chosen = False

    def chosen() -> "list[TrainConfig]":
        """With its number and seed, of a run that goes on or of a new one."""
        nonlocal config, is_chosen
        if network_number is None:
            number, drawn = number_and_seed(config, seed, runs, base)
        else:
            number, drawn = network_number, seed_of(base / config.folder(), seed)
        config = replace(config, network_number=number, seed=drawn)
        networks = training.counted_up(config, runs)
        is_chosen = True
        typer.echo(f"network {number}, seed {drawn}")
        return networks

    if precision == "bfloat16" and not bfloat16_gains(device):
        typer.echo("this processor has no instructions for bfloat16: it gains nothing over float32", err=True)
    try:
        folders = training.train_together(chosen, base, device, start=start)
    except KeyboardInterrupt:
        begun = f"all finished epochs are saved; the same command with -s {config.seed} goes on from there"
        raise Stopped(f"stopped; {begun if is_chosen else 'nothing was trained yet'}") from None
    for folder in folders:
        typer.echo(f"saved in {folder}")


@app.command()
def evaluate(
    context: typer.Context,
    network: Annotated[
        str | None,
        typer.Argument(
            help="Name or path of a network, or path of a checkpoint. [default: by -c, -t, -n, --variant]",
            autocompletion=there,
        ),
    ] = None,
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

    Example: tsrnn evaluate cumulative_parity_network_1 --n-max 10
    """
    from tsrnn import catalogue, evaluation, zoo
    from tsrnn.files import is_plain
    from tsrnn.names import CHECKPOINT, folder_name
    from tsrnn.tasks import get_task, load_task

    network_number = integer("network number", network_number, 1, 10**6)
    base, task = base_of(base_path), load_task(task)
    if network is not None:
        for name in ("curriculum_type", "network_number", "n_min", "variant"):
            if was_given(context, name):
                raise InputError(
                    f"{name} = {context.params[name]}: leave it out, {network[:100]} is a network by itself "
                    "(--n-max chooses a checkpoint, by its largest N)"
                )
        if n_max is not None and CHECKPOINT.fullmatch(Path(network).name):
            raise InputError(f"n-max = {n_max}: leave it out, {network[:100]} is a checkpoint")
        model = catalogue.load(network, n_max, base)
        if model.task and was_given(context, "task"):
            choice("task", task, [model.task])
        task = model.task or task
    else:
        name = folder_name(curriculum_type, task, network_number, variant)
        get_task(task)
        if not is_plain(name):
            raise InputError(f"{name[:100]!r} is not the name of a network's folder")
        if n_max is None and n_min is not None:
            raise InputError(f"n-min = {n_min}: give --n-max as well, the largest N of the checkpoint")
        if n_min is None or n_max is None:
            model = catalogue.load(base / name, n_max, base)
        else:
            model = zoo.load_model(curriculum_type, task, network_number, n_min, n_max, base, variant)
    table = evaluation.accuracy(model, task, batches=batches, seed=seed)
    typer.echo(
        table[["N", "accuracy", "sequences"]].to_string(index=False, formatters={"accuracy": "{:.2%}".format})
    )


def was_given(context: typer.Context, name: str) -> bool:
    """Whether an option was on the command line, and is not its default."""
    source = context.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"


def numbers_of(text: str) -> tuple[int, ...]:
    """The whole numbers of a text such as 7,8,9,10. Raises InputError if it is something else."""
    try:
        return tuple(int(word) for word in text.split(",")) if text else ()
    except ValueError:
        raise InputError(f"k = {text[:100]!r}: choose whole numbers and commas, as 7,8,9,10") from None


def seed_of(folder: Path, seed: int | None) -> int:
    """The seed that was given, or else that of the run in this folder, or else a new one."""
    from tsrnn.folders import is_new
    from tsrnn.runs import recorded_config

    recorded = recorded_config(folder) if seed is None and not is_new(folder) else None
    if recorded is not None:
        return recorded.seed
    return secrets.randbelow(2**32) if seed is None else seed


def folders_of(networks: list[str] | None, base_path: Path | None) -> list[Path]:
    """The folders of these networks, by name or path, or of all that are ours.

    Raises InputError if there is no such network, or none at all.
    """
    from tsrnn.catalogue import find
    from tsrnn.names import network_folders

    base = base_of(base_path)
    if networks:
        return list({path.resolve(): path for path in (find(network, base) for network in networks)}.values())
    ours = [folder for folder in network_folders(base) if has_settings(folder)]
    if not ours:
        raise InputError(f"no trained networks in {base}: make some with `tsrnn train`")
    return ours


def to_be_written(path: Path) -> Path:
    """Where a table goes that is to be in this file. Raises InputError if that is not ours to replace."""
    from tsrnn.evaluation import is_ours
    from tsrnn.files import CHECKSUMS, is_listed
    from tsrnn.folders import NUMBERS

    path = Path(os.path.realpath(path))  # what a link leads to
    of_state = path.parent.name == "state" and has_settings(path.parent.parent)
    if not path.parent.is_dir():
        raise InputError(f"cannot write {path}: there is no folder {path.parent}; make it first")
    if path.exists() and not path.is_file():
        raise InputError(f"cannot write {path}: it is no ordinary file; give another, or leave --csv out")
    ours = path.name in (NUMBERS, CHECKSUMS) or (has_settings(path.parent) and is_ours(path.name))
    if of_state or ours or is_listed(path):
        raise InputError(f"cannot write {path}: it is the network's own; give another name")
    return path


def has_settings(folder: Path) -> bool:
    """Whether it is the folder of a run. So is one that we may not look into: what reads it says so."""
    from tsrnn.files import is_there

    try:
        return is_there(folder / "config.json")
    except (InputError, OSError):
        return True


def free_folders_of(networks: list[str] | None, base_path: Path | None) -> list[Path]:
    """As `folders_of`; of all, those in use by another process or damaged are left out, and named."""
    from tsrnn.folders import is_held
    from tsrnn.runs import check_listed, recorded_config

    found = []
    for folder in folders_of(networks, base_path):
        try:
            recorded_config(folder)
            if is_held(folder):
                raise InputError(f"{folder} is being trained by another process")
            check_listed(folder)
            found.append(folder)
        except (InputError, OSError) as error:
            if networks:
                raise
            typer.echo(f"tsrnn: left out: {error}", err=True)
    return found


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
    from tsrnn import probes, zoo

    folders, errors = free_folders_of(networks, base_path), []
    for folder in folders:
        try:
            added = probes.add_missing(folder)
        except InputError as error:
            errors.append(error)
            if len(folders) == 1:
                raise
            continue  # the others are measured all the same
        complete = "complete" if zoo.checkpoints(folder) else "it keeps no checkpoint yet: nothing to measure"
        typer.echo(f"{folder.name}: " + (f"added N = {', '.join(map(str, added))}" if added else complete))
    for each in errors:
        typer.echo(f"tsrnn: left out: {each}", err=True)
    if errors:
        raise typer.Exit(1)


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
    from tsrnn import retraining
    from tsrnn.model import check_device

    folders, ns = free_folders_of(networks, base_path), on or range(16, 47)
    check_device(device)
    for folder in folders:
        retraining.check_retraining(folder, start, ns, epochs)
    for folder in folders:
        done = retraining.add_retraining(folder, start, ns, epochs, device=device)
        typer.echo(f"{folder.name}: " + ("retrained" if done else "complete"))


@app.command("replay")
def replay_networks(
    networks: Annotated[list[str], typer.Argument(help="Names or paths of networks.", autocompletion=there)],
    epochs: Annotated[int, typer.Option(help="How many, from the first on.")] = 2,
    base_path: BasePath = None,
) -> None:
    """Train the first epochs of networks anew, from config.json and seed, and compare with history.csv.

    In brackets: how far from what was recorded. Nothing is written. An epoch takes 10 to 60 seconds. Exit
    code 1 if anything differs by more than another processor's rounding explains.

    Example: tsrnn replay single_parity_network_1
    """
    from tsrnn.replay import TOLERANCES, replay

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
            measured = [name for name in TOLERANCES if name in now]
            values = ", ".join(f"{name} {now[name]:.6g} ({apart[name]:+.1g})" for name in measured)
            typer.echo(f"    epoch {epoch}, N = {now['N_min']:.0f} to {now['N_max']:.0f}: {values}")
    if failed:
        raise typer.Exit(1)


@app.command()
def export(
    table: Annotated[
        str,
        typer.Argument(help="networks, history, promotions, robustness, readouts or retraining."),
    ],
    networks: Networks = None,
    csv: Annotated[
        Path | None,
        typer.Option("--csv", parser=path_of, metavar="PATH", help="File to write. [default: shown here]"),
    ] = None,
    base_path: BasePath = None,
) -> None:
    """Write what was measured of many networks as one table, in CSV.

    A row says of which network it is. Networks that have no such table are left out, and named.

    Example: tsrnn export history --csv history.csv
    """
    from tsrnn import catalogue
    from tsrnn.files import write_atomically

    csv = None if csv is None else to_be_written(csv)
    folders = folders_of(networks, base_path)
    found = catalogue.gathered(table, folders, were_named=bool(networks))
    content = found.to_csv(index=False)
    if csv is None:
        typer.echo(content, nl=False)
    else:
        write_atomically(csv, content.encode())
        typer.echo(f"{len(found)} rows in {csv}")


zoo_app = typer.Typer(
    help="List the trained networks; `tsrnn zoo show` tells all of one, `tsrnn zoo verify` checks them."
)
app.add_typer(zoo_app, name="zoo")
Json = Annotated[bool, typer.Option("--json", help="As JSON, with all that is known.")]


@zoo_app.callback(invoke_without_command=True)
def list_zoo(context: typer.Context, as_json: Json = False, base_path: BasePath = None) -> None:
    """List the trained networks: how far each came, in how many epochs, and the N that it kept."""
    if context.invoked_subcommand:
        if as_json and context.invoked_subcommand != "show":
            raise InputError(
                f"--json: `tsrnn zoo {context.invoked_subcommand}` has no such form; leave it out"
            )
        context.obj = base_path, as_json
        return
    from tsrnn import zoo
    from tsrnn.names import largest_n

    base = base_of(base_path)
    table = zoo.index(base)
    if table.empty:
        raise InputError(f"no trained networks in {base}: make some with `tsrnn train`")
    if as_json:
        typer.echo(table.to_json(orient="records", indent=2))
        return
    kept = [zoo.checkpoints(base / network) for network in table["network"]]
    table["checkpoints"] = [", ".join(str(largest_n(path)) for path in paths) for paths in kept]
    columns = ["network", "solved N", "epochs", "minutes", "profile", "checkpoints"]
    typer.echo(table[columns].to_string(index=False, formatters={"minutes": "{:.1f}".format}))


@zoo_app.command()
def show(
    context: typer.Context,
    network: Annotated[str, typer.Argument(help="Name or path of a network.", autocompletion=there)],
    as_json: Json = False,
    base_path: BasePath = None,
) -> None:
    """Tell all of one network: settings, training, accuracy, how measured, licence, how to cite it.

    Example: tsrnn zoo show cumulative_parity_network_1
    """
    from tsrnn.card import as_text, card

    base_before, json_before = context.obj
    [folder] = folders_of([network], base_path or base_before)
    found, as_json = card(folder), as_json or json_before
    typer.echo(json.dumps(found, indent=2, ensure_ascii=False) if as_json else as_text(found))


@zoo_app.command()
def verify(
    context: typer.Context,
    networks: Networks = None,
    batches: Annotated[int, typer.Option(help="Batches of 256 fresh sequences.")] = 50,
    base_path: BasePath = None,
) -> None:
    """Check every file's checksum, and every checkpoint's accuracy on fresh data against the recorded one.

    Exit code 1 if a file is damaged, or an accuracy is more than 5 standard errors away from what was
    recorded, or none was.
    """
    from tsrnn import evaluation

    failed, batches = False, integer("batches", batches, 1, 10**5)
    for folder in folders_of(networks, base_path or context.obj[0]):
        try:
            table = evaluation.verify(folder, batches)
        except (InputError, OSError) as error:
            typer.echo(f"BAD {folder.name}: {error}")
            failed = True
            continue
        if table.empty:
            typer.echo(f"ok  {folder.name}: all files as saved; it keeps no checkpoint")
        for name, rows in table.groupby("checkpoint", sort=False):
            worst = rows.iloc[rows["z"].abs().fillna(float("inf")).argmax()]
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
    """Run the command line."""
    run(app, "tsrnn", sys.argv[1:] or ["--help"])
