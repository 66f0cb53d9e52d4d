"""Networks of other curricula and other models beside the paper's standard ones (the appendix)."""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from tsrnn import zoo
from tsrnn.book import paper, plotting, synthesis
from tsrnn.book.effects import Networks, per_network

STANDARD = {"cumulative": "multi-head", "single": "single-head"}
# What a condition is called -> its curriculum and variant (a regular expression), as in the folders' names
CURRICULA = {
    "ten heads at once": ("cumulative", "init10"),
    "sliding": ("sliding", ""),
    "no curriculum": ("single_nocurr", "first12"),
}
ONE_HEAD = ("single-head", "no curriculum")
PANELS = {
    **{name: synthesis.PANELS[name] for name in ("tau", "tau_net", "ladder")},
    "delay_line": ("Do they keep a delay line?", "answers changed (%)"),
    **{name: synthesis.PANELS[name] for name in ("slowest", "fastest")},
}


def networks(
    standard: pd.DataFrame, base: Path, task: str, conditions: Mapping[str, tuple[str, str]]
) -> pd.DataFrame:
    """Standard networks and those of other conditions that have solved something, with `kind`: what they are.

    Args:
        standard: rows of `zoo.index`.
        base: the folder of all.
        task: whose others are looked for.
        conditions: e.g. `CURRICULA`.
    """
    nets = Networks(standard, base, task)
    rows = [standard.assign(kind=standard["curriculum"].map(STANDARD))]
    rows += [nets.others(*condition).assign(kind=kind) for kind, condition in conditions.items()]
    table = pd.concat(rows, ignore_index=True)
    return table[table["solved N"] > 0].reset_index(drop=True)


def palette(index: pd.DataFrame) -> dict[str, str]:
    """The colour of each condition in the rows of `networks`: that of its curriculum."""
    kinds = index.drop_duplicates("kind").to_dict("records")
    return {str(row["kind"]): plotting.colour(row["curriculum"], row["task"]) for row in kinds}


def solved(index: pd.DataFrame, base: Path) -> pd.DataFrame:
    """When each network solved what: columns kind, number, N, epoch."""
    h = gathered(index, base, "history").rename(columns={"N_max": "N"})
    return h.loc[h["promoted"].astype(bool), ["kind", "number", "N", "epoch"]].reset_index(drop=True)


def timescales(index: pd.DataFrame, base: Path) -> pd.DataFrame:
    """Mean τ and median τ_net (of those above 1) at promotions: columns kind, number, N, measure, value."""
    p = gathered(index, base, "promotions").rename(columns={"N_max": "N"})
    by = ["kind", "number", "N"]
    tau = p[p["measure"] == "tau"].groupby(by, sort=False)["value"].mean()
    tau_net = p[(p["measure"] == "tau_net") & (p["value"] > 1)].groupby(by, sort=False)["value"].median()
    named = {"mean τ (steps)": tau.dropna(), "median τ_net (steps)": tau_net.dropna()}
    return pd.concat([values.reset_index().assign(measure=name) for name, values in named.items()])


def at_the_end(index: pd.DataFrame, base: Path) -> pd.DataFrame:
    """What `synthesis.evidence` has of each network, at the last N where the mechanism was measured.

    Returns:
        Columns kind, number, N, measure, value.
    """
    tables = []
    for at, row in index.iterrows():
        nets = Networks(index.loc[[at]], base, str(row["task"]))
        p = nets.promotions
        measured = p.loc[p["measure"] == "ladder", "N_max"]
        if len(measured):
            found = synthesis.evidence(nets, int(measured.max()), (str(row["curriculum"]),))
            tables.append(found.assign(kind=row["kind"], N=measured.max()))
    columns = ["kind", "number", "N", "measure", "value"]
    return pd.concat(tables, ignore_index=True)[columns] if tables else pd.DataFrame(columns=columns)


def without_one(index: pd.DataFrame, base: Path, end: str) -> list[float]:
    """Relative accuracy of each network without one of its 20 "fastest" or "slowest" units, at its last N."""
    if index.empty:
        return []
    r = gathered(index, base, "robustness")
    r = r[(r["damage"] == end) & (r["N"] == r.groupby("number")["N"].transform("max"))]
    return list(per_network(r, str(index["curriculum"].iloc[0]), "relative_accuracy").values())


def gathered(index: pd.DataFrame, base: Path, table: str) -> pd.DataFrame:
    """A table of all of these networks, with their condition."""
    about = ["curriculum", "variant", "number"]
    return zoo.gather(index, base, table).merge(index[[*about, "kind"]], on=about)


def curricula_in_words(solved: pd.DataFrame, ends: pd.DataFrame) -> dict[str, str]:
    """What is true of networks with one head and with several, by name.

    Args:
        solved: the rows of `solved`.
        ends: those of `at_the_end`.

    Returns:
        found_ladder, found_units, found_speed, first.
    """
    one = ends["kind"].isin(ONE_HEAD)

    def apart(measure: str) -> tuple[pd.Series, pd.Series]:
        mine = ends["measure"] == measure
        return ends.loc[mine & ~one, "value"].dropna(), ends.loc[mine & one, "value"].dropna()

    several, single = apart("ladder")
    shares = f"as in one, {compared(several, single)} of the answers change"
    if len(several) and len(single) and several.min() > synthesis.RUNGS >= single.max():
        ladder = "Networks with several heads at a time keep a ladder of sums, whether the heads are kept, "
        ladder += "slide or all begin at once, and networks with one head do not"
    else:
        ladder = "The number of heads does not tell who keeps a ladder"
    several, single = apart("slowest")
    left = f"{compared(several, single)} of the accuracy above chance are left"
    if len(several) and len(single) and several.min() >= synthesis.NEEDED > single.max():
        units = "Those with several heads do without their twenty slowest units, those with one do not"
    else:
        units = "The twenty slowest units do not tell them apart"
    found = {"found_ladder": f"{ladder}: {shares}", "found_units": f"{units}: {left}"}
    return found | speed_in_words(solved)


def compared(several: pd.Series, single: pd.Series) -> str:
    """
    >>> compared(pd.Series([93.2, 97]), pd.Series([1.0]))
    '93 to 97 % (n = 2) against 1 % (n = 1)'
    """
    parts = (f"{paper.span(values, unit=' %')} (n = {len(values)})" for values in (several, single))
    return " against ".join(parts)


def speed_in_words(solved: pd.DataFrame) -> dict[str, str]:
    """Epochs to the first and the last N that all curricula with several heads have solved."""
    heads = solved[~solved["kind"].isin(ONE_HEAD)]
    if heads["kind"].nunique() < 2:
        none = "There are no networks of other curricula with several heads for this task here"
        return {"found_speed": none, "first": none}
    common = heads.groupby(["N", "kind"])["epoch"].mean().unstack().dropna()
    first, last = int(common.index.min()), int(common.index.max())
    took = common.loc[last].to_dict()
    ahead = [str(kind) for kind, epochs in took.items() if epochs < took["multi-head"]]
    text = f"Of the other curricula with several heads, {' and '.join(ahead) or 'none of them'} got to "
    text += f"N = {last} sooner than multi-head networks. {epochs_to(heads, last)}"
    return {"found_speed": text, "first": epochs_to(heads, first)}


def epochs_to(solved: pd.DataFrame, n: int) -> str:
    """Epochs to N = n, by kind, in words."""
    took = solved[solved["N"] == n].groupby("kind", sort=False)["epoch"]
    return f"Epochs to N = {n}: " + "; ".join(f"{kind} {paper.span(epochs)}" for kind, epochs in took)


def order_in_words(order: pd.Series) -> str:
    """In which order heads were learned: the first epoch above the threshold, by N; NaN if there was none."""
    learned = order.dropna()
    if learned.empty:
        return "No head was learned"
    said = f"{len(learned)} of {len(order)} heads were learned, " if len(learned) < len(order) else ""
    if learned.is_monotonic_increasing and order.isna().is_monotonic_increasing:
        said += "the heads are learned from the smallest N to the largest"
    else:
        said += "the heads are not learned in the order of N"
    return f"{said[0].upper()}{said[1:]}, in epochs {', '.join(f'{epoch:.0f}' for epoch in learned)}"
