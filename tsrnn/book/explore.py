"""The numbers behind the page's figures that a reader moves: ε, and N through training.

`python -m tsrnn.book.explore` writes them, in `make book`, as a script, for the same reasons as
`tsrnn.book.live` does. Nothing is measured here but the eigenvalues of M: all else is what the networks'
tables hold, and what the paper says.
"""

import base64
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tsrnn import InputError, zoo
from tsrnn.analysis import connectivity
from tsrnn.book import live, paper
from tsrnn.book.effects import Networks, standard

SCRIPT = live.SCRIPT.with_name("explore.js")
# Bins of the histograms, in steps; a unit beyond the last edge counts in the last bin
EDGES = {"tau": np.linspace(1, 7, 61), "tau_net": np.linspace(0, 15, 31)}
PUBLISHED = {"tau": "mean tau", "tau_net": "mean tau_net"}
# Eigenvalues are kept in thousandths.
THOUSANDTHS = 1000


def robustness(networks: pd.DataFrame, base: Path) -> dict[str, Any]:
    """For each N that both kinds have: of W and τ the ε, and each network's mean relative accuracy there."""
    damage = Networks(networks, base, "parity").robustness
    damage = damage[damage["damage"].isin(["W", "tau"])].dropna(subset="relative_accuracy")
    ns = [set(damage[damage["curriculum"] == kind]["N"]) for kind in live.KINDS.values()]
    return {
        str(n): {what: lines(damage, what, n) for what in ("W", "tau")} for n in sorted(set.intersection(*ns))
    }


def lines(damage: pd.DataFrame, what: str, n: int) -> dict[str, Any]:
    """The ε, and a list for each network of each kind: its relative accuracy, mean over directions."""
    rows = damage[(damage["damage"] == what) & (damage["N"] == n)]
    table = rows.pivot_table("relative_accuracy", "epsilon", ["curriculum", "number"])
    return {"epsilon": [float(e) for e in table.index]} | {
        name: {str(number): [round(x, 5) for x in column] for number, column in table[kind].items()}
        for name, kind in live.KINDS.items()
    }


def training(networks: pd.DataFrame, base: Path) -> dict[str, Any]:
    """For each kind and N: how many units have which τ and τ_net, all networks together, and the means."""
    promotions = zoo.gather(networks, base, "promotions")
    return {
        name: {
            what: {str(n): histogram(rows, kind, what, int(str(n))) for n, rows in of.groupby("N_max")}
            for what in EDGES
            for of in [promotions[(promotions["curriculum"] == kind) & (promotions["measure"] == what)]]
        }
        for name, kind in live.KINDS.items()
    }


def histogram(rows: pd.DataFrame, kind: str, what: str, n: int) -> dict[str, Any]:
    """Units by bin, the networks, and the mean over units, then networks (of τ_net > 1, as published)."""
    edges = EDGES[what]
    counts, _ = np.histogram(rows["value"].clip(edges[0], edges[-1]), edges)
    counted = rows[rows["value"] > 1] if what == "tau_net" else rows
    means = counted.groupby("number")["value"].mean()
    known = paper.at(kind, "parity", PUBLISHED[what], n)
    if known and known.mark == "between":  # it was not published
        known = None
    return {
        "networks": [int(number) for number in sorted(set(rows["number"]))],
        "counts": counts.tolist(),
        "mean": round(float(means.mean()), 4),
        "published": known and round(known.value, 3),
    }


def spectra(networks: pd.DataFrame, base: Path) -> dict[str, Any]:
    """Of the network of each kind that went farthest: the eigenvalues of M at each kept checkpoint.

    They come in pairs above and below the real axis; those below are left out. In thousandths, as int16:
    real part, imaginary part, and so on.
    """
    kept = zoo.kept(networks, base)
    found: dict[str, Any] = {}
    for name, kind in live.KINDS.items():
        rows = kept[kept["curriculum"] == kind].sort_values(["N", "number"], ascending=[False, True])
        number = rows["number"].iloc[0]
        mine = rows[rows["number"] == number].sort_values("N")
        found[name] = {
            "network": int(number),
            "at": {str(n): spectrum(path) for n, path in zip(mine["N"], mine["path"], strict=True)},
        }
    return found


def spectrum(path: Path) -> str:
    """The eigenvalues of M of one checkpoint, coded."""
    table = connectivity.spectrum(zoo.load_checkpoint(path))
    parts = table.loc[table["imaginary"] >= 0, ["real", "imaginary"]].to_numpy()
    return base64.b64encode(np.rint(THOUSANDTHS * parts).astype("<i2").tobytes()).decode()


def data(base: Path) -> dict[str, Any]:
    """All that the figures need. Raises InputError if the zoo lacks one of the two kinds."""
    networks = standard(base, "parity")
    networks = networks[networks["checkpoints"] > 0]
    if set(networks["curriculum"]) != set(live.KINDS.values()):
        raise InputError(f"no networks of both kinds in {base}")
    found = robustness(networks, base)
    there = found.get(str(live.PUBLISHED_N), {})
    beside = {what: live.published_after(what, there[what]["epsilon"]) for what in there}
    return {
        "robustness": found,
        "published": {"N": live.PUBLISHED_N} | beside,
        "edges": {what: np.round(edges, 3).tolist() for what, edges in EDGES.items()},
        "training": training(networks, base),
        "spectra": spectra(networks, base),
    }


def write_script(path: Path = SCRIPT, base: Path | None = None) -> Path:
    """Write the script, without data where the zoo has none that can be shown."""
    return live.write_as_script(path, "TSRNN_EXPLORE", data, base or zoo.default_base_path())


if __name__ == "__main__":
    write_script()
