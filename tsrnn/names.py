"""What the folders of networks and their checkpoints are called, by us and by the authors."""

import re
from pathlib import Path

from tsrnn.model import Architecture

# [0-9]: \d is any digit of any script
FOLDER = re.compile(r"[A-Za-z0-9_.+-]+_network_[1-9][0-9]{0,6}")
CHECKPOINT = re.compile(r"rnn_N([1-9][0-9]{0,4})_N([1-9][0-9]{0,4})(\.safetensors)?")


def variant_name(architecture: Architecture, start: str = "") -> str:
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
        f"neurons{a.neurons}" if a.neurons != Architecture.neurons else "",
        start,
    ]
    return "_".join(p for p in parts if p)


def folder_name(curriculum_type: str, task: str, network_number: int, variant: str = "") -> str:
    """`cumulative_parity_network_1`, `single_dms_mod_tanh_network_2`, ..."""
    return "_".join([curriculum_type, task, *([variant] if variant else []), "network", str(network_number)])


def checkpoint_name(n_min: int, n_max: int) -> str:
    return f"rnn_N{n_min}_N{n_max}"


def trained_on(checkpoint: Path) -> tuple[int, int]:
    """The smallest and the largest N that a checkpoint was trained on, from its name."""
    name = CHECKPOINT.fullmatch(checkpoint.name)
    if name is None:
        raise ValueError(f"{checkpoint.name} is not the name of a checkpoint")
    return int(name[1]), int(name[2])


def largest_n(checkpoint: Path) -> int:
    return trained_on(checkpoint)[1]
