"""The networks of the live page: one of each kind, as a script that a page loads, also from `file://`.

`python -m tsrnn.book.live` writes it, in `make book`. A browser reads nothing but scripts from `file://`, so
the numbers are base64 in JavaScript: W in float16, as checkpoints keep it, all else in float32. What runs in
the page is therefore the very network that the chapters measure.
"""

import base64
import json
from collections.abc import Callable
from math import isclose
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from tsrnn import InputError, zoo
from tsrnn.analysis.interventions import TAU_EPSILONS, WEIGHT_EPSILONS
from tsrnn.book.effects import standard
from tsrnn.book.paper import PERTURBED, published
from tsrnn.files import write_atomically
from tsrnn.model import LeakyRNN, leaky

SCRIPT = Path(__file__).parents[2] / "book" / "_static" / "live" / "networks.js"
KINDS = {"multi": "cumulative", "single": "single"}
# Where both kinds have learnt, and differ; the mechanisms (`book.mechanisms`) are clearest there, too.
PREFERRED = 20
# Where damage is published in full
PUBLISHED_N = 30


def chosen(base: Path) -> tuple[int, dict[str, Path]]:
    """The N, and a checkpoint of each kind trained to it: of the first networks, at 20 or the next best N.

    Raises:
        InputError: no N that both kinds have a checkpoint for.
    """
    kept = zoo.kept(standard(base, "parity"), base)
    of = {name: kept[kept["curriculum"] == kind].sort_values("number") for name, kind in KINDS.items()}
    common = set(of["multi"]["N"]) & set(of["single"]["N"])
    if not common:
        raise InputError(f"no N that both a multi-head and a single-head network in {base} have learnt")
    n = min(common, key=lambda n: (abs(n - PREFERRED), n))
    return n, {name: Path(rows[rows["N"] == n]["path"].iloc[0]) for name, rows in of.items()}


@torch.no_grad()
def for_the_page(model: LeakyRNN) -> dict[str, Any]:
    """One network as the page needs it: numbers in base64, little-endian, in the order of their axes."""
    parts: dict[str, Tensor] = {
        "W": model.W[0].clone().fill_diagonal_(0).half(),
        "tau": model.effective_tau[0],
        # τ as trained, by which the published ablation ranks units
        "rank_tau": model.tau[0],
        "bias": model.b[0] + model.b_in[0],
        "w_in": model.w_in[0],
        # a head answers 1 where the second of its two outputs is the larger
        "head_weight": model.head_weight[0, :, 1] - model.head_weight[0, :, 0],
        "head_bias": model.head_bias[0, :, 1] - model.head_bias[0, :, 0],
    }
    kept = list(model.heads.values())
    parts |= {name: parts[name][kept] for name in ("head_weight", "head_bias")}
    coded = {
        name: base64.b64encode(x.contiguous().numpy().astype(x.numpy().dtype.newbyteorder("<")).tobytes())
        for name, x in parts.items()
    }
    return {"ns": list(model.heads)} | {name: text.decode() for name, text in coded.items()}


def perturbations() -> dict[str, dict[str, list[float | None]]]:
    """For each of W and τ the ε to choose from, and beside them the published relative accuracy of each kind.

    The published ε are known to four digits, and None stands where no value is known.
    """
    found: dict[str, dict[str, list[float | None]]] = {}
    for what, epsilons in (("W", WEIGHT_EPSILONS), ("tau", TAU_EPSILONS)):
        offered = [float(e) for e in epsilons if 0.009 < e < 3]
        found[what] = {"epsilon": [*offered], **published_after(what, offered)}
    return found


def published_after(what: str, epsilons: list[float]) -> dict[str, list[float | None]]:
    """The published relative accuracy of each kind after a perturbation of W or τ by these ε, where known."""
    return {
        name: [
            next(
                (value for e, value in PERTURBED[kind, what].items() if isclose(e, mine, rel_tol=0.01)), None
            )
            for mine in epsilons
        ]
        for name, kind in KINDS.items()
    }


def removals() -> dict[str, dict[str, float | None]]:
    """The published relative accuracy of each kind without one of the slowest, or of the fastest, units."""
    return {
        which: {
            name: published(kind, "parity", f"without {which}", PUBLISHED_N) for name, kind in KINDS.items()
        }
        for which in ("slowest", "fastest")
    }


def data(base: Path) -> dict[str, Any]:
    """All that the page needs. Raises InputError if the zoo has no networks that can be shown."""
    n, paths = chosen(base)
    models = {name: leaky(zoo.load_checkpoint(path), "the live network") for name, path in paths.items()}
    networks = {
        name: {"from": f"{path.parent.name}/{path.name}"} | for_the_page(models[name])
        for name, path in paths.items()
    }
    beside = {"publishedN": PUBLISHED_N, "removals": removals(), "perturbations": perturbations()}
    return {"N": n, "neurons": models["multi"].architecture.neurons, "networks": networks} | beside


def write_as_script(path: Path, variable: str, make: Callable[[Path], dict[str, Any]], base: Path) -> Path:
    """Write what `make` gives for a zoo as a script that sets `window.{variable}`; {} if it has nothing."""
    found: dict[str, Any] = {}
    try:
        found = make(base)
    except InputError as error:
        print(f"{path.name} without data: {error}")
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, f"window.{variable} = {json.dumps(found)};\n".encode())
    print(f"{path}: {path.stat().st_size / 1e6:.2f} MB")
    return path


def write_script(path: Path = SCRIPT, base: Path | None = None) -> Path:
    """Write the script, without networks where the zoo has none that can be shown."""
    return write_as_script(path, "TSRNN_LIVE", data, base or zoo.default_base_path())


if __name__ == "__main__":
    write_script()
