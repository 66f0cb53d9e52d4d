"""What to do with a quarter of an hour of a GPU: check the engine there, then train the zoo further.

    python tools/gpu.py all --minutes 9     # check values and, if they are right, train: one call
    python tools/gpu.py check               # values and gradients against float64 on the CPU, then times
    python tools/gpu.py train --minutes 8   # the profile `gpu` of workflow/config.yaml, from the checkpoints
    python tools/gpu.py unpack FILE ...     # afterwards, at home: put what came back into trained_models/

Nothing has to be installed but torch and the other libraries that the package imports. Results are written to
$OUT (or _build/gpu): check.csv, and archives of the networks that came further, with no more than is new.
"""

import csv
import io
import os
import shutil
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import replace
from functools import partial
from itertools import groupby, product
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
import typer
import yaml

TOP = Path(__file__).parents[1]
sys.path.insert(0, str(TOP))

from tsrnn import InputError, recurrence, zoo  # noqa: E402
from tsrnn.batches import draw_batch  # noqa: E402
from tsrnn.command import run  # noqa: E402
from tsrnn.config import TrainConfig, conditions_of  # noqa: E402
from tsrnn.evaluation import is_ours  # noqa: E402
from tsrnn.files import (  # noqa: E402
    CHECKSUMS,
    MOST_BYTES,
    first_line,
    make_folder,
    read,
    read_bytes,
    read_checksums,
    remove,
    write,
)
from tsrnn.folders import check_folder, hold, is_held  # noqa: E402
from tsrnn.inputs import integer, number  # noqa: E402
from tsrnn.model import Architecture, LeakyRNN, check_device  # noqa: E402
from tsrnn.names import FOLDER, is_own_checkpoint  # noqa: E402
from tsrnn.runs import UNSOLVED, begin, saved_history  # noqa: E402
from tsrnn.training import assemble, train_step, train_together  # noqa: E402

OUT = Path(os.environ.get("OUT", TOP / "_build" / "gpu"))
# Of the error, as a share of the norm. Float32 sums in another order; bfloat16 rounds every step anew to
# 2^-9, which 20 steps and sums of both signs make a few hundredths of. What is wrong is off by about 1.
LIMITS = {torch.float32: 1e-4, torch.bfloat16: 0.2}
ARCHIVES, ARCHIVE_BYTES, ALL_BYTES = 8, 15 * 2**20, 60 * 2**20
PACKING = 0.3  # minutes left for it
MOST_TOGETHER = 32  # networks whose updates are timed
LONGEST = 10**5  # minutes

STATE = ("0.safetensors", "1.safetensors", CHECKSUMS, "lock")  # all that training keeps in `state`

app = typer.Typer(help=__doc__, add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)


# ---------------------------------------------------------------- check


def errors(
    variant: str, activation: str, K: int, dtype: torch.dtype, device: str, neurons: int
) -> dict[str, float]:
    """‖ours − float64‖ / ‖float64‖ of the last states, and of each parameter's gradient."""
    generators = [torch.Generator().manual_seed(k) for k in range(K)]
    architecture = Architecture(neurons, variant, activation)  # type: ignore[arg-type]
    exact = LeakyRNN.initialise(architecture, generators).double()
    ours = LeakyRNN(exact.architecture, {name: p.detach().float() for name, p in exact.named_parameters()})
    ours = ours.to(device)
    g = torch.Generator().manual_seed(9)
    T, B, lengths = 20, 40, [20 - 3 * (k % 4) for k in range(K)]
    s, initial = (
        torch.randint(0, 2, (K, T, B), generator=g).double(),
        torch.rand(K, B, neurons, generator=g).double(),
    )
    towards = torch.randn(K, B, neurons, generator=g).double()
    expected = exact(s, initial, lengths)
    (expected * towards).sum().backward()
    found = ours(s.float().to(device), initial.float().to(device), lengths, dtype)
    (found * towards.float().to(device)).sum().backward()
    pairs = {"states": (found, expected)}
    for name, p in exact.named_parameters():
        if p.grad is not None:
            pairs[name] = (dict(ours.named_parameters())[name].grad, p.grad)
    return {
        name: float((a.detach().cpu().double() - b.detach()).norm() / b.detach().norm())
        for name, (a, b) in pairs.items()
    }


def milliseconds(action: Callable[[], object], device: str, repeats: int = 3) -> float:
    """Time of an action on the device, the best of a few, after one to warm up."""
    found = []
    for _ in range(repeats + 1):
        if device != "cpu":
            torch.cuda.synchronize()
        began = time.perf_counter()
        action()
        if device != "cpu":
            torch.cuda.synchronize()
        found.append(1e3 * (time.perf_counter() - began))
    return min(found[1:])


def times(K: int, n: int, neurons: int, device: str) -> Iterator[tuple[str, float]]:
    """Ways to make an update of K networks at N = n, and the ms per time step that each takes."""
    runs = [begin(TrainConfig(init_heads=n - 1, seed=k, neurons=neurons)) for k in range(K)]
    model, optimiser = assemble(runs, device)
    batch = draw_batch(runs).to(device)
    T = (5 * n + 3) // 2  # the mean length
    batch = replace(batch, s=batch.s[:, :T].contiguous(), lengths=[min(T, each) for each in batch.lengths])
    T = batch.s.shape[1]
    for way in ("bfloat16", "float32", *(["TF32"] if device != "cpu" else [])):
        dtype = torch.bfloat16 if way == "bfloat16" else torch.float32
        torch.backends.cuda.matmul.fp32_precision = "tf32" if way == "TF32" else "ieee"
        yield way, milliseconds(partial(train_step, model, optimiser, batch, 2.0, dtype), device) / T
    torch.backends.cuda.matmul.fp32_precision = "ieee"
    yield "drawing a batch", milliseconds(lambda: draw_batch(runs), "cpu") / T


@app.command()
def check(device: str = "cuda", neurons: int = 500, largest: int = MOST_TOGETHER) -> None:
    """Compare every variant with float64 on the CPU, then time it. Exit code 1 if anything is wrong."""
    check_device(device)
    TrainConfig(neurons=neurons)
    integer("largest", largest, 0, MOST_TOGETHER)
    make_folder(OUT)
    name = torch.cuda.get_device_name() if device != "cpu" else "cpu"
    typer.echo(f"torch {torch.__version__}, {name}")
    rows: list[tuple[object, ...]] = []
    wrong = 0
    variants = product(("default", "mod"), recurrence.ACTIVATIONS, (3, 70), LIMITS)
    for variant, activation, K, dtype in variants:
        found = errors(variant, activation, K, dtype, device, neurons)
        worst = max(found, key=lambda quantity: found[quantity])
        bad = not found[worst] <= LIMITS[dtype]  # NaN is bad
        wrong += bad
        about = f"{variant} {activation} K={K} {str(dtype).removeprefix('torch.')}"
        rows.append((about, worst, found[worst], "WRONG" if bad else "ok"))
        if bad:
            typer.echo(f"WRONG {about}: {worst} is off by {found[worst]:.2g} of its norm")
    typer.echo(f"{len(rows) - wrong} of {len(rows)} variants agree with float64")
    for n, K in product((10, 30, 100), [K for K in (1, 4, 16, MOST_TOGETHER) if largest >= K]):
        try:
            for way, ms in times(K, n, neurons, device):
                rows.append((f"N={n} K={K}", way, ms, "ms per time step"))
                typer.echo(f"N = {n:3d}, {K:2d} networks: {ms:.4f} ms per time step, {way}")
        except torch.OutOfMemoryError as error:  # the rest is worth having
            typer.echo(f"N = {n}, {K} networks: {str(error).splitlines()[0]}")
    with (OUT / "check.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("what", "which", "value", "meaning"), *rows])
    if wrong:
        raise typer.Exit(1)


# ---------------------------------------------------------------- train


def groups(profile: str = "gpu") -> list[list[TrainConfig]]:
    """The networks of a profile, as ensembles: each of one architecture and curriculum (like lengths)."""
    profiles = yaml.safe_load((TOP / "workflow" / "config.yaml").read_text())["profiles"]
    networks = [network for _, _, members in conditions_of(profiles, profile) for network in members]

    def ensemble(config: TrainConfig) -> str:
        return f"{config.curriculum} {replace(config.architecture(), tau=None)}"

    return [list(members) for _, members in groupby(sorted(networks, key=ensemble), key=ensemble)]


@app.command("group")
def train_group(group: int, base: Path, minutes: float, device: str = "cuda", profile: str = "gpu") -> None:
    """Train one ensemble of the profile; `train` starts this once for each."""
    torch.set_num_threads(1)
    ensembles = groups(profile)
    chosen = ensembles[integer("group", group, 0, len(ensembles) - 1)]
    number("minutes", minutes, 0, LONGEST)
    configs = [replace(c, precision="bfloat16", measure_steps=0) for c in chosen]
    train_together(configs, base, device, progress=False, minutes=minutes)


@app.command()
def train(
    minutes: float = 8,
    device: str = "cuda",
    profile: str = "gpu",
    base: Path = TOP / "trained_models",
    work: Path = Path("/tmp/tsrnn_gpu"),
) -> None:
    """Train all ensembles of the profile, a process each at the same time, and pack what came of it."""
    check_device(device)
    number("minutes", minutes, 0, LONGEST)
    ensembles = groups(profile)
    make_folder(OUT)
    ends = time.perf_counter() + 60 * (minutes - PACKING)
    for config in (config for members in ensembles for config in members):
        if (base / config.folder()).exists() and not (work / config.folder()).exists():
            ignore = shutil.ignore_patterns("state", "*lock*")
            shutil.copytree(base / config.folder(), work / config.folder(), ignore=ignore)
    left = max(0.0, ends - time.perf_counter()) / 60  # an epoch is trained in any case
    command = [sys.executable, __file__, "group"]
    options = [str(work), str(left), "--device", device, "--profile", profile]
    processes = [subprocess.Popen([*command, str(i), *options]) for i in range(len(ensembles))]
    for process in processes:
        process.wait()
    for members, process in zip(ensembles, processes, strict=True):
        names = f"{members[0].folder()} and {len(members) - 1} more"
        typer.echo(f"{names}: " + ("stopped" if process.returncode == 0 else f"FAILED, {process.returncode}"))
    typer.echo(zoo.index(work)[["network", "solved N", "epochs", "minutes"]].to_string(index=False))
    pack(work, base, OUT)
    if any(process.returncode for process in processes):
        raise typer.Exit(1)


def pack(work: Path, base: Path, out: Path) -> list[Path]:
    """Archives of what is new in the networks of `work`, within what comes back from the GPU's machine."""
    out.mkdir(parents=True, exist_ok=True)
    archives: list[list[Path]] = []
    sizes: list[int] = []
    for folder in sorted(zoo.network_folders(work), key=lambda f: -bytes_of(new_files(f, base))):
        files = new_files(folder, base)
        size = bytes_of(files) + 2**10 * len(files)
        fits = (i for i in range(len(sizes)) if sizes[i] + size <= ARCHIVE_BYTES)
        place = next(fits, len(sizes) if len(sizes) < ARCHIVES and size <= ARCHIVE_BYTES else None)
        if not files:
            continue
        if place is None or sum(sizes) + size > ALL_BYTES:
            typer.echo(f"{folder.name} does not fit in and is left out")
            continue
        if place == len(sizes):
            archives.append([])
            sizes.append(0)
        archives[place] += files
        sizes[place] += size
    written = []
    for i, files in enumerate(archives):
        written.append(out / f"networks_{i}.tar")
        with tarfile.open(written[-1], "w") as archive:
            for file in files:
                archive.add(file, f"{file.parent.name}/{file.name}")
        typer.echo(f"{written[-1].name}: {len(files)} files, {written[-1].stat().st_size / 2**20:.1f} MiB")
    return written


def new_files(folder: Path, base: Path) -> list[Path]:
    """The files of a network that are not in the zoo as they are; none if it did not come further."""
    here = read_checksums(folder)
    there = read_checksums(base / folder.name) if (base / folder.name).exists() else {}
    new = sorted(name for name, digest in here.items() if there.get(name) != digest)
    return [folder / name for name in [*new, CHECKSUMS]] if "history.csv" in new else []


def bytes_of(files: list[Path]) -> int:
    return sum(file.stat().st_size for file in files)


# ---------------------------------------------------------------- unpack


@app.command()
def unpack(archives: list[Path], base: Path = TOP / "trained_models") -> None:
    """Put the networks of these archives into the zoo, in place of what they went on from.

    All is looked into before anything is written: an archive of something else, or with a network that came
    further here, is refused. Of what is there, only checkpoints and states that training has replaced go.
    """
    with TemporaryDirectory() as looked_into, ExitStack() as held:
        came = [folder for path in archives for folder in open_archive(path, Path(looked_into))]
        try:
            for folder in came:
                check_network(folder, base / folder.name)
        except InputError as error:
            raise InputError(str(error).replace(looked_into + os.sep, "in the archive, ")) from error
        for folder in came:
            held.enter_context(hold(base / folder.name))
        for folder in came:
            replace_network(folder, base / folder.name)
    for folder in came:
        typer.echo(f"{folder.name}: {', '.join(each.stem for each in zoo.checkpoints(base / folder.name))}")


def open_archive(path: Path, to: Path) -> list[Path]:
    """Unpack an archive into a folder; the folders of its networks there.

    Raises InputError, before anything of it is there, unless it holds files of networks and nothing else.
    """
    content = io.BytesIO(read_bytes(path))
    try:
        with tarfile.open(fileobj=content, mode="r:") as archive:
            members = archive.getmembers()
            for member in members:
                network, _, name = member.name.partition("/")
                if not FOLDER.fullmatch(network) or not is_ours(name):
                    raise InputError(f"{path} holds {member.name[:100]!r}, which is no file of a network")
                if not member.isreg() or member.issparse():
                    raise InputError(f"{path} holds {member.name}, which is not a regular file")
                if member.size > MOST_BYTES.get(Path(name).suffix, MOST_BYTES[""]):
                    raise InputError(f"{path} holds {member.name} of {member.size:,} bytes: too many")
            if not members:
                raise InputError(f"{path} holds no network: give what `gpu.py train` wrote")
            networks = sorted({member.name.partition("/")[0] for member in members})
            if len({member.name for member in members}) < len(members):
                raise InputError(f"{path} holds a file twice: give what `gpu.py train` wrote")
            if twice := [network for network in networks if (to / network).exists()]:
                raise InputError(f"{path} holds {twice[0]}, as another archive does: give one of the two")
            archive.extractall(to, filter="data")
    except (tarfile.TarError, ValueError) as error:  # of hostile headers, too
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path} is no archive of `gpu.py train`: {first_line(error)}") from error
    return [to / network for network in networks]


def check_network(came: Path, there: Path) -> None:
    """Raise InputError unless a network that came can take the place of what is there, if anything is."""
    if is_held(there):
        raise InputError(f"{there} is being trained by another process")
    listed, here = read_checksums(came), read_checksums(there) if there.exists() else {}
    brought = {path.name for path in came.iterdir()} - {CHECKSUMS}
    if "config.json" not in listed or "history.csv" not in brought & listed.keys():
        raise InputError(f"{came.name}: the archive has no history.csv, or no {CHECKSUMS} with config.json")
    if unlisted := sorted(brought - listed.keys()):
        raise InputError(f"{came.name}: the archive holds {unlisted[0]}, but does not list it in {CHECKSUMS}")
    for name in sorted(listed):
        if name not in brought and (name not in here or (is_weights(name) and here[name] != listed[name])):
            raise InputError(f"{came.name}: its {name} is not in the archive, and not in {there}")
        read((came if name in brought else there) / name)
    # what an earlier call brought, and was killed before it was listed, comes again
    check_folder(zoo.read_config(came if "config.json" in brought else there), there, but=brought)
    came_to, came_here = how_far(came), how_far(there)
    if came_to < came_here:
        raise InputError(
            f"{there} has solved N = {came_here[0]} after {came_here[1]} epochs, in the archive {came_to[0]} "
            f"after {came_to[1]}: move it away first"
        )


def is_weights(name: str) -> bool:
    """Whether a network has this file only as long as training keeps it."""
    return name == UNSOLVED or is_own_checkpoint(name)


def how_far(folder: Path) -> tuple[int, int]:
    """The largest N that the network in a folder has solved, 0 if there is none, and its epochs."""
    history = saved_history(folder)
    return max((int(row["N_max"]) for row in history if row["promoted"] == "True"), default=0), len(history)


def replace_network(came: Path, there: Path) -> None:
    """Write what came of a network, and remove what it no longer has; nothing else is touched.

    Its history comes last: until then no training goes on with a half of it, and the same call mends it.
    """
    listed = read_checksums(came)
    for path in sorted(came.iterdir()):
        if path.name not in (CHECKSUMS, "history.csv"):
            write(there / path.name, path.read_bytes())
    for name in STATE:  # it is of what they went on from
        (there / "state" / name).unlink(missing_ok=True)
    write(there / "history.csv", (came / "history.csv").read_bytes())
    for name in read_checksums(there).keys() - listed.keys():
        if is_weights(name):  # what was measured here meanwhile stays
            remove(there / name)
    with suppress(OSError):  # there is something else in it
        (there / "state").rmdir()


@app.command(name="all")
def everything(minutes: float = 9, device: str = "cuda") -> None:
    """Check values and gradients and, if they are right, train for the rest of so many minutes."""
    number("minutes", minutes, 0, LONGEST)
    began = time.perf_counter()
    check(device, largest=0)  # without times, which took a minute of the fifteen
    train(max(0.0, minutes - (time.perf_counter() - began) / 60), device)


if __name__ == "__main__":
    run(app, "gpu.py", sys.argv[1:] or ["--help"])
