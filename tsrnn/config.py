"""All that defines a training run: the published flags and the published protocol."""

import reprlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch

from tsrnn import InputError, names, tasks
from tsrnn import curriculum as curricula
from tsrnn.inputs import LARGEST_N, LARGEST_SEED, check_fields, choice, integer, integers
from tsrnn.model import Architecture, Model, TrainedAs, check_device_name
from tsrnn.optimisers import MEMORY

LIMITS: dict[str, tuple[float, float]] = {
    "seed": (0, LARGEST_SEED),
    "neurons": (2, 10_000),  # one unit has none that is slower
    "network_number": (1, 10**6),
    "max_epochs": (1, 10**6),
    "patience": (1, 10**6),
    "measure_steps": (0, 10**8),
    "learning_rate": (1e-9, 10.0),
    "momentum": (1e-9, 0.9999),
    "clip": (1e-9, 1e9),
    "batch_size": (1, 10**5),
    "steps": (1, 10**6),
    "test_batches": (1, 10**5),
    "promotion": (0.0, 1.0),
}
SHORTEST_SIMULATION = 32  # steps: the largest lag of `analysis.timescales`, 30, and two
LONGEST_NAME = 200  # of a folder, in letters: most systems take 255 bytes
PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16}
# How leaky networks are trained, and how the authors train their LSTM; `momentum` is Adam's β₁
SGD = {
    "optimiser": "sgd",
    "learning_rate": 0.05,
    "momentum": 0.1,
    "batch_size": 256,
    "steps": 600,
    "max_epochs": 1000,
}
ADAM = {
    "optimiser": "adam",
    "learning_rate": 1e-3,
    "momentum": 0.9,
    "batch_size": 64,
    "steps": 300,
    "max_epochs": 100,
}
# Data, batches and epochs of the leaky networks, but the optimiser of the LSTM: by theirs a GRU stays put
MATCHED = SGD | {name: ADAM[name] for name in ("optimiser", "learning_rate", "momentum")}
# By whether the network is gated, and its protocol
PROTOCOLS = {(False, "published"): SGD, (True, "published"): ADAM, (True, "matched"): MATCHED}
OF_PROTOCOL: Any = None  # the default of a setting that a protocol gives a value
# Settings that an older config.json lacks: it means their defaults
LATER = ("protocol", "k", "optimiser")


@dataclass(frozen=True)
class TrainConfig:
    """All that defines a run. The first block are the published flags, the second the published protocol.

    `OF_PROTOCOL` becomes what `PROTOCOLS` has for the model and its protocol. Raises InputError if any value
    is out of range.
    """

    curriculum: str = "cumulative"
    task: str = "parity"
    seed: int = 0
    network_number: int = 1
    first_n: int = 2
    init_heads: int = 1
    add_heads: int = 1
    forget_heads: int = 1
    neurons: int = 500
    model: Model = "default"
    activation: str = "leakyrelu"
    tau: float | None = None
    protocol: TrainedAs = "published"  # of an lstm or gru: see `PROTOCOLS`
    k: tuple[int, ...] = ()  # of a continuous network: the steps that a bit is held, in turn
    max_n: int | None = None  # stop when this N is solved; None: as far as there are heads
    max_epochs: int = OF_PROTOCOL
    patience: int = 100  # stop after so many epochs without a success
    measure_steps: int = 100_000  # of the simulations at promotions; 0: leave them for `tsrnn analyse`
    precision: Literal["float32", "bfloat16"] = "float32"  # of matrix products in training, and only there
    start_from: str | None = None  # the checkpoint that the run began with, as folder/file; None: the seed

    optimiser: Literal["sgd", "adam"] = OF_PROTOCOL
    learning_rate: float = OF_PROTOCOL
    momentum: float = OF_PROTOCOL
    clip: float = 2.0
    batch_size: int = OF_PROTOCOL
    steps: int = OF_PROTOCOL
    test_batches: int = 50
    promotion: float = 0.98

    def __post_init__(self) -> None:
        tasks.get_task(self.task)
        check_fields(self, {"neurons": LIMITS["neurons"]})  # an architecture may have one
        architecture = self.architecture()
        for name, value in PROTOCOLS[architecture.gated, architecture.protocol].items():
            if getattr(self, name) is OF_PROTOCOL:
                object.__setattr__(self, name, value)
        check_fields(self, LIMITS)
        choice("optimiser", self.optimiser, MEMORY)
        choice("precision", self.precision, PRECISIONS)
        if architecture.gated and self.precision != "float32":
            raise InputError(
                f"precision = {self.precision}: torch trains an {self.model} in float32; choose that"
            )
        start = self.start_from
        text = isinstance(start, str) and start.isprintable() and 0 < len(start) < 600
        if start is not None and not text:
            raise InputError(f"start from = {reprlib.repr(start)}: give folder/file as text, or None")
        first = self.start()
        for checked in (architecture, first):  # as they took them: Python's own numbers
            for name in vars(self).keys() & vars(checked).keys():
                object.__setattr__(self, name, getattr(checked, name))
        if self.max_n is not None:
            check_fields(self, {"max_n": (1, LARGEST_N)})
        if self.max_n is not None and not first.n_max <= self.max_n <= first.largest_n:
            raise InputError(
                f"max N = {self.max_n}: this {self.curriculum} curriculum starts with N = {first.n_max} "
                f"and has heads up to N = {first.largest_n}; choose {first.n_max} to {first.largest_n}"
            )
        if len(name := self.folder()) > LONGEST_NAME:
            raise InputError(
                f"the name of its folder, {name[:60]}..., would have {len(name)} letters: "
                f"choose fewer k, or a shorter name of the task, for {LONGEST_NAME} at the most"
            )
        if 0 < self.measure_steps < SHORTEST_SIMULATION:
            raise InputError(
                f"measure steps = {self.measure_steps}: choose 0 (measure nothing at promotions), or "
                f"{SHORTEST_SIMULATION} or more, which the largest lag needs"
            )

    def start(self) -> curricula.Curriculum:
        return curricula.start(
            self.curriculum, self.first_n, self.init_heads, self.add_heads, self.forget_heads
        )

    def architecture(self) -> Architecture:
        return Architecture(self.neurons, self.model, self.activation, self.tau, self.protocol, self.k)

    def folder(self) -> str:
        """The name of the run's folder; whatever is not the paper's standard is in it, but for the seed."""
        return names.folder_name(self.start().label, self.task, self.network_number, self.variant())

    def variant(self) -> str:
        """The part of the folder's name between task and "network": "" for the paper's standard."""
        heads = self.curriculum == "cumulative"  # a sliding curriculum has its heads in its label
        parts = [
            f"first{self.first_n}" if self.first_n != 2 else "",
            f"init{self.init_heads}" if heads and self.init_heads != 1 else "",
            f"add{self.add_heads}" if heads and self.add_heads != 1 else "",
        ]
        return names.variant_name(self.architecture(), "_".join(p for p in parts if p))


# ---------------------------------------------------------------- what workflow/config.yaml asks for

# Options of `tsrnn train` that a condition can have; what they are set to is checked by `TrainConfig`
OPTIONS = (
    *("curriculum", "task", "first_n", "init_heads", "add_heads", "forget_heads", "neurons", "model"),
    *("activation", "tau", "protocol", "k", "max_n", "max_epochs", "patience", "precision"),
)
# Of `tsrnn retrain`, and their ranges
RETRAIN_OPTIONS = {
    "--start": (1, LARGEST_N),
    "--on": (2, LARGEST_N),
    "--epochs": (1, 10**6),
}
SETTINGS = ("profile", "profiles", "zoo", "done", "device", "together")
MOST_RUNS = 1000  # networks side by side


def networks_of(condition: dict[str, Any]) -> tuple[dict[str, Any], list[TrainConfig]]:
    """A condition of `workflow/config.yaml`: its options of `tsrnn train`, and its networks, one or more.

    Network n has seed n. Raises InputError if there is no such option, or one is out of range.

    >>> options, networks = networks_of({"task": "dms", "max_n": 30, "first": 3, "networks": 4})
    >>> options
    {'task': 'dms', 'max_n': 30}
    >>> [network.folder() for network in networks]
    ['cumulative_dms_network_3', 'cumulative_dms_network_4']
    """
    if not isinstance(condition, dict):
        raise InputError(f"{reprlib.repr(condition)} is no condition: give options and their values")
    for name in condition:
        choice("option", name, (*OPTIONS, "networks", "first", "retrain"))
    for name in ("task", "networks"):
        if name not in condition:
            raise InputError(f"it has no {name}: add one")
    last = integer("networks", condition["networks"], 1, int(LIMITS["network_number"][1]))
    first = integer("first", condition.get("first", 1), max(1, last - MOST_RUNS + 1), last)
    options = {k: v for k, v in condition.items() if k in OPTIONS}
    if unset := [name for name, value in options.items() if value is None]:
        raise InputError(f"{unset[0]} has no value: give it one, or leave it out")
    return options, [TrainConfig(**options, seed=n, network_number=n) for n in range(first, last + 1)]


def conditions_of(
    profiles: dict[str, Any], profile: str
) -> list[tuple[dict[str, Any], dict[str, Any], list[TrainConfig]]]:
    """The conditions of a profile, each with what `networks_of` makes of it.

    Raises InputError if there is no such profile or nothing in it, two of its conditions name the same
    network, or one of them is none.
    """
    if not isinstance(profiles, dict):
        raise InputError(f"profiles = {reprlib.repr(profiles)}: give names, each with a list of conditions")
    plain = [name for name in profiles if isinstance(name, str) and name.isidentifier()]
    conditions = profiles[choice("profile", profile, plain)]
    if not isinstance(conditions, list) or not conditions:
        raise InputError(f"profile {profile} = {reprlib.repr(conditions)}: give a list of conditions")
    found, named = [], dict[str, int]()
    for i, condition in enumerate(conditions, start=1):
        where = f"profile {profile}, condition {i}"
        try:
            options, networks = networks_of(condition)
        except InputError as error:
            raise InputError(f"{where}: {error}") from error
        for folder in (network.folder() for network in networks):
            if folder in named:
                raise InputError(f"{where} names {folder}, as condition {named[folder]} does: leave out one")
            named[folder] = i
        found.append((condition, options, networks))
    return found


@dataclass(frozen=True)
class Job:
    """Networks that the workflow trains side by side, of one condition: numbers and seeds count up."""

    task: str
    folders: list[str]
    train: list[str]  # options of `tsrnn train`
    retrain: list[str]  # of `tsrnn retrain`; empty if they are not retrained


def jobs_of(config: Any) -> list[Job]:
    """All that the workflow trains, of the settings in `workflow/config.yaml` and on its command line.

    Raises InputError if there is anything in them that a job would be refused for, or that does nothing.
    """
    if not isinstance(config, dict):
        raise InputError(f"{reprlib.repr(config)} is no workflow: give settings and their values")
    for name in config:
        choice("setting", name, SETTINGS)
    if missing := [name for name in SETTINGS if name != "done" and name not in config]:
        raise InputError(f"there is no {missing[0]} among the settings: add it")
    for name in ("zoo", "done"):
        if name in config:
            check_path(name, config[name])
    check_device_name(config["device"])
    together = integer("together", config["together"], 1, MOST_RUNS)
    jobs = []
    conditions = conditions_of(config["profiles"], config["profile"])
    for i, (condition, options, networks) in enumerate(conditions, start=1):
        try:
            retrain = retrain_options(condition["retrain"], networks[0]) if "retrain" in condition else []
        except InputError as error:
            raise InputError(f"profile {config['profile']}, condition {i}: {error}") from error
        for members in (networks[j : j + together] for j in range(0, len(networks), together)):
            numbers = {"seed": members[0].seed, "network_number": members[0].network_number}
            values = options | numbers | {"runs": len(members)}
            train = [word for name, value in values.items() for word in (f"--{name}", as_word(value))]
            jobs.append(Job(networks[0].task, [member.folder() for member in members], train, retrain))
    return jobs


def check_path(name: str, value: Any) -> None:
    """Raise InputError unless it is a folder, or can be made one."""
    if not isinstance(value, str) or not value or not value.isprintable():
        raise InputError(f"{name} = {reprlib.repr(value)}: give a folder, as text")
    try:
        whole = name == "done" and Path(value).resolve() in (Path.cwd(), *Path.cwd().parents)
        others = [path for path in (Path(value), *Path(value).parents) if path.exists() and not path.is_dir()]
    except OSError as error:  # a name too long
        raise InputError(f"{name} = {reprlib.repr(value)}: {error.strerror}; choose another") from error
    if whole:
        raise InputError(f"{name} = {value}: choose a folder for the workflow's marks alone")
    if others:
        raise InputError(f"{name} = {value}: {others[0]} is not a folder; choose another")


def as_word(value: Any) -> str:
    """A value as `tsrnn train` takes it: a list, of k, with commas."""
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)


def retrain_options(given: Any, network: TrainConfig) -> list[str]:
    """Options of `tsrnn retrain`, as words.

    Raises InputError if one is none, or is out of range, or the network never has a checkpoint there.
    """
    words = given.split() if isinstance(given, str) else []
    if not words or len(words) % 2:
        raise InputError(f"retrain = {reprlib.repr(given)}: give options and their values, as --start 16")
    values: dict[str, list[int | str]] = {}
    for name, word in zip(words[::2], words[1::2], strict=True):
        choice("option of retrain", name, RETRAIN_OPTIONS)
        values.setdefault(name, []).append(int(word) if word.isdecimal() else word)
    for name, each in values.items():
        integers(f"retrain {name}", each, *RETRAIN_OPTIONS[name])
        if len(each) > 1 and name != "--on":
            raise InputError(f"retrain {name} = {reprlib.repr(each)}: give it once")
    start = integer("retrain --start", values.get("--start", [16])[0], *RETRAIN_OPTIONS["--start"])
    kept = curricula.kept_ns(network.start(), network.max_n)
    if start not in kept:
        raise InputError(f"retrain --start {start}: these networks keep N = {', '.join(map(str, kept))}")
    return words
