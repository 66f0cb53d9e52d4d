"""What curricula are called, and the folders of networks and their checkpoints, by us and by the authors.

It loads neither torch nor pandas: the shell completes names of networks with it.
"""

import os
import re
import stat
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING

from tsrnn import InputError

if TYPE_CHECKING:
    from tsrnn.model import Architecture

# What curricula are called in prose, figures and cards
NAMES = {
    "cumulative": "multi-head",
    "single": "single-head",
    "sliding": "sliding",
    "single_nocurr": "no curriculum",
}
# [0-9]: \d is any digit of any script
FOLDER = re.compile(r"[A-Za-z0-9_.+-]+_network_[1-9][0-9]{0,6}")
CHECKPOINT = re.compile(r"rnn_N([1-9][0-9]{0,4})_N([1-9][0-9]{0,4})(\.safetensors)?")


def default_base_path() -> Path:
    """`$TSRNN_ZOO` if set, else `trained_models` in the checkout this package runs from, else here.

    Raises InputError if it is set and there is no such folder: an empty zoo may be a misspelt one.
    """
    if chosen := os.environ.get("TSRNN_ZOO"):
        if not Path(chosen).is_dir():
            raise InputError(f"TSRNN_ZOO = {chosen}: there is no such folder; make it, or unset TSRNN_ZOO")
        return Path(chosen)
    checkout = Path(__file__).parents[1] / "trained_models"
    return checkout if checkout.is_dir() else Path("trained_models")


def base_of(base_path: str | Path | None) -> Path:
    """The folder of networks that was given, or the default. Raises InputError if it cannot be one."""
    if base_path is None:
        return default_base_path()
    if base_path == "":
        raise InputError("base path is empty: give a folder, or None for the default")
    base = Path(base_path)
    try:
        is_something_else = not stat.S_ISDIR(base.stat().st_mode)
    except (FileNotFoundError, NotADirectoryError):
        is_something_else = False
    except (OSError, ValueError) as error:  # a name too long, or that no file can have
        raise InputError(f"cannot read {str(base)[:100]}: {getattr(error, 'strerror', error)}") from error
    if is_something_else:
        raise InputError(f"{base} is not a folder")
    return base


def network_folders(base: str | Path) -> list[Path]:
    """The folders that are named as those of networks, in natural order of their names."""
    base = base_of(base)
    found = [path for path in base.iterdir() if FOLDER.fullmatch(path.name)] if base.is_dir() else []
    return sorted(found, key=lambda p: [int(x) if x.isdecimal() else x for x in re.split("([0-9]+)", p.name)])


def variant_name(architecture: "Architecture", start: str = "") -> str:
    """What sets a network apart from the paper's standard, for its folder name: `mod_tanh`, `tau2`, ...

    `start` is the part that describes the curriculum, e.g. `first10` (see `TrainConfig.folder`).
    """
    a = architecture
    if a.gated:
        kind = f"{a.model}_{a.protocol}"
    elif a.model == "default":
        kind = a.activation if a.activation != "leakyrelu" else ""
    else:
        kind = f"{a.model}_{a.activation}"
    parts = [
        kind,
        f"k{'-'.join(map(str, a.k))}" if a.k else "",
        f"tau{a.tau:g}" if a.tau is not None else "",
        f"neurons{a.neurons}" if a.neurons != type(a).neurons else "",
        start,
    ]
    return "_".join(p for p in parts if p)


def folder_name(curriculum_type: str, task: str, network_number: int, variant: str = "") -> str:
    """`cumulative_parity_network_1`, `single_dms_mod_tanh_network_2`, ..."""
    return "_".join([curriculum_type, task, *([variant] if variant else []), "network", str(network_number)])


def checkpoint_name(n_min: int, n_max: int) -> str:
    return f"rnn_N{n_min}_N{n_max}"


def is_own_checkpoint(name: str) -> bool:
    """Whether this is the name of a checkpoint, and by us."""
    found = CHECKPOINT.fullmatch(name)
    return found is not None and found[3] is not None


def trained_on(checkpoint: Path) -> tuple[int, int]:
    """The smallest and the largest N that a checkpoint was trained on, from its name."""
    name = CHECKPOINT.fullmatch(checkpoint.name)
    if name is None:
        raise ValueError(f"{checkpoint.name} is not the name of a checkpoint")
    return int(name[1]), int(name[2])


def largest_n(checkpoint: Path) -> int:
    return trained_on(checkpoint)[1]


def place_of(checkpoint: Path) -> str:
    """A checkpoint as config.json names the one that a run began with: folder/file."""
    return f"{checkpoint.absolute().parent.name}/{checkpoint.name}"


def those_like(name: str, base: Path) -> str:
    """For an error: the names of networks in a folder that are most like this one."""
    there = [folder.name for folder in network_folders(base)]
    near = there if len(there) <= 8 else get_close_matches(name, there, 8, 0.3)
    return f"networks there: {', '.join(near) or 'none like it'} ({len(there)} in all)"
