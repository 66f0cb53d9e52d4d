"""Networks of other curricula and other models beside the paper's standard ones (the appendix)."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure

from tsrnn import zoo
from tsrnn.book import paper, plotting, synthesis
from tsrnn.book.claims import Claim
from tsrnn.book.effects import KINDS, Networks, in_each_model, per_network
from tsrnn.book.start import how_many
from tsrnn.evaluation import accuracy_by_k

STANDARD = {kind: plotting.NAMES[kind] for kind in KINDS}
# What a condition is called -> its curriculum and variant (a regular expression), as in the folders' names
CURRICULA = {
    "ten heads at once": ("cumulative", "init10"),
    "sliding": ("sliding", ""),
    "no curriculum": ("single_nocurr", "first12"),
}
# What is other about a model -> its variants, as in the folders' names
MODELS = {
    "gated": ("lstm_published", "gru_published", "lstm_matched", "gru_matched"),
    "activation": ("mod_leakyrelu", "mod_relu", "mod_tanh", "mod_sigmoid"),
    "size": ("neurons100", "neurons250", "neurons1000"),
    "continuous": ("continuous_leakyrelu_k7-8-9-10",),
}
HELD = (*range(1, 11), 15, 25, 60, 200)  # steps for a bit, of those published
# Of the models of a figure, in turn
LOOKS: tuple[dict[str, Any], ...] = (
    {"ls": "-", "marker": "o", "ms": 4},
    {"ls": "--", "marker": "^", "ms": 4},
    {"ls": ":", "marker": "s", "ms": 4},
    {"ls": "-.", "marker": "D", "ms": 4},
)
ONE_HEAD = ("single-head", "no curriculum")
PANELS = {
    **{name: synthesis.PANELS[name] for name in ("tau", "tau_net", "ladder")},
    "delay_line": ("Do they keep a delay line?", "answers changed (%)"),
    "slowest": ("Without the slowest 20?", "accuracy left (%)"),
    "fastest": ("Without the fastest 20?", "accuracy left (%)"),
}


def models(*parts: str) -> dict[str, tuple[str, str]]:
    """Conditions, as `networks` takes them, of the models of these parts of `MODELS`."""
    return {
        f"{paper.variant_in_words(variant)}, {STANDARD[curriculum]}": (curriculum, re.escape(variant))
        for part in parts
        for variant in MODELS[part]
        for curriculum in STANDARD
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


def through_training(index: pd.DataFrame, base: Path) -> pd.DataFrame:
    """How networks change as they solve larger N.

    Returns:
        Columns kind, number, N, value, and measure: epochs of training, mean τ, median τ_net (of those above
        1), share of a ladder's answers that change.
    """
    p = gathered(index, base, "promotions").rename(columns={"N_max": "N"})

    def by_network(rows: pd.DataFrame, how: str) -> pd.DataFrame:
        return rows.groupby(["kind", "number", "N"], sort=False)["value"].agg(how).reset_index()

    tau, tau_net, ladder = (p[p["measure"] == measure] for measure in ("tau", "tau_net", "ladder"))
    named = {
        "epochs of training": solved(index, base).rename(columns={"epoch": "value"}),
        "mean τ (steps)": by_network(tau, "mean"),
        "median τ_net (steps)": by_network(tau_net[tau_net["value"] > 1], "median"),
        "answers changed (%)": by_network(ladder.assign(value=100 * ladder["value"]), "mean"),
    }
    return pd.concat([table.assign(measure=name) for name, table in named.items()]).dropna()


def figure(index: pd.DataFrame, base: Path) -> Figure:
    """A panel for each measure of `through_training`: a line per network, wide and pale for standard ones.

    Beside mean τ what is published of the others, where anything is.
    """
    table, colours = through_training(index, base), palette(index)
    new = index[~index["kind"].isin(STANDARD.values())]
    largest = (new if len(new) else index)["solved N"].max()
    looks = dict(zip(new["kind"].map(model_of).unique(), LOOKS, strict=False))
    looks[""] = {"lw": 6, "alpha": 0.3}
    known = paper.TABLE[(paper.TABLE["quantity"] == "mean tau") & paper.TABLE["task"].isin(new["task"])]
    known = known[known["variant"].isin(new["variant"]) & (known["N"] <= largest)]
    fig, axes = plt.subplots(2, 2, figsize=(6, 5.2), sharex=True)
    for ax, name in zip(axes.flat, table["measure"].unique(), strict=False):
        rows = table[(table["measure"] == name) & (table["N"] <= largest)]
        for (kind, _), line in rows.groupby(["kind", "number"], sort=False):
            ax.plot(line["N"], line["value"], color=colours[str(kind)], **looks[model_of(str(kind))])
        if name == "mean τ (steps)":
            plotting.marks(ax, known)
        ax.set(xlabel="N solved" if ax in axes[-1] else "", ylabel=name)
        plotting.whole_numbers(ax.xaxis)
    for kind in STANDARD.values():
        axes[0, 0].plot([], [], color=colours.get(kind, plotting.INK), label=f"standard, {kind}", **looks[""])
    for model in [model for model in looks if model]:
        axes[0, 0].plot([], [], color=plotting.INK, label=model, **looks[model])
    plotting.legend_of_all(fig)
    return fig


def model_of(kind: str) -> str:
    """
    >>> model_of("leaky ReLU, τ outside, multi-head"), model_of("multi-head")
    ('leaky ReLU, τ outside', '')
    """
    return kind.rpartition(", ")[0]


def at_the_end(index: pd.DataFrame, base: Path) -> pd.DataFrame:
    """What `synthesis.evidence` has of each network, at the last N where the mechanism was measured.

    Returns:
        Columns kind, curriculum, number, N, measure, value.
    """
    tables = []
    for at, row in index.iterrows():
        nets = Networks(index.loc[[at]], base, str(row["task"]))
        p = nets.promotions
        measured = p.loc[p["measure"] == "ladder", "N_max"]
        if len(measured):
            found = synthesis.evidence(nets, int(measured.max()), (str(row["curriculum"]),))
            tables.append(found.assign(kind=row["kind"], N=measured.max()))
    columns = ["kind", "curriculum", "number", "N", "measure", "value"]
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


def pairs(nets: Networks, claim: Claim) -> pd.DataFrame:
    """What a claim about other models is judged by, model by model, the standard networks first.

    Returns:
        Columns model, curriculum, N (the largest that most of both kinds have), value (mean over networks).
    """
    models = {"models": ["", *claim.with_["models"]]}
    rows = [
        (paper.variant_in_words(model) or "standard", kind, found.n, sum(values.values()) / len(values))
        for model, found in in_each_model(nets, claim.needs, **(claim.with_ | models)).items()
        for kind, values in zip(KINDS, (found.a, found.b or {}), strict=True)
    ]
    return pd.DataFrame(rows, columns=["model", "curriculum", "N", "value"])


def slower_in_words(table: pd.DataFrame) -> str:
    """In which models many heads take no fewer epochs than one (rows of `pairs`, without the standard one).

    >>> of = pd.DataFrame({"model": ["GRU", "GRU", "tanh", "tanh"], "curriculum": [*KINDS, *KINDS], "N": 9})
    >>> slower_in_words(of.assign(value=[5, 9, 8, 6]))
    'With many heads 1 of 2 models take fewer epochs; more: tanh (8 against 6, N = 9)'
    >>> slower_in_words(of.assign(value=[5, 9, 8, 8]))
    'With many heads 1 of 2 models take fewer epochs; as many: tanh (8 against 8, N = 9)'
    >>> slower_in_words(of.assign(value=[5, 9, 6, 6])[:2]), slower_in_words(of[:0])
    ('With many heads 1 of 1 models take fewer epochs', 'There is no other model with networks of both kinds')
    """
    rows = table[table["model"] != "standard"]
    if rows.empty:
        return "There is no other model with networks of both kinds"
    by = rows.set_index(["model", "N", "curriculum"])["value"].unstack()
    more = by[KINDS[0]] - by[KINDS[1]]
    said = f"With many heads {(more < 0).sum()} of {len(by)} models take fewer epochs"
    for how, which in (("as many", more == 0), ("more", more > 0)):
        rows = by[which].reset_index()
        listed = (
            f"{r.model} ({r.cumulative:.0f} against {r.single:.0f}, N = {r.N})" for r in rows.itertuples()
        )
        said += f"; {how}: {', '.join(listed)}" if len(rows) else ""
    return said


def ladder_pairs(ends: pd.DataFrame) -> pd.DataFrame:
    """As `pairs`, of the share of a ladder's answers that change (%), from the rows of `at_the_end`.

    N is a list there: networks of a kind may have come to different N.
    """
    ladder = ends[ends["measure"] == "ladder"]
    means = ladder.assign(model=ladder["kind"].map(model_of).replace("", "standard"))
    means = means.groupby(["model", "curriculum"], sort=False).agg({"N": list, "value": "mean"}).reset_index()
    return means[means["model"].duplicated(keep=False)].sort_values("curriculum", kind="stable")


def figure_of_pairs(tables: Mapping[str, pd.DataFrame], task: str) -> Figure:
    """A panel for each table of pairs, by what is along x; a line from one kind to the other per model."""
    heights = [table["model"].nunique() + 1 for table in tables.values()]
    size = (6, 0.6 + 0.3 * sum(heights))
    fig, axes = plt.subplots(len(tables), figsize=size, squeeze=False, height_ratios=heights)
    for ax, (what, table) in zip(axes.flat, tables.items(), strict=True):
        models = table.explode("N").groupby("model", sort=False)["N"].agg(paper.span)
        names = [f"{model}, N = {n}" for model, n in models.items()]
        ends = [table.loc[table["curriculum"] == kind, "value"].to_numpy() for kind in KINDS]
        ax.hlines(names, *ends, color=plotting.INK, lw=1)
        for kind, values in zip(KINDS, ends, strict=True):
            ax.plot(values, names, "o", color=plotting.colour(kind, task), label=STANDARD[kind])
        ax.invert_yaxis()
        ax.set(xlabel=what)
        if "%" in what:
            ax.set_xlim(-4, 104)
        elif len(table) and table["value"].max() > 10 * table["value"].min():
            ax.set_xscale("log")
            ax.xaxis.set_major_formatter("{x:g}")
    plotting.legend_of_all(fig)
    return fig


def held(index: pd.DataFrame, base: Path, ks: Sequence[int], batches: int = 1) -> pd.DataFrame:
    """How often networks in continuous time answer for their largest N, with bits held for other times.

    Returns:
        Columns kind, number, N, k (steps for a bit), accuracy (%), at the last checkpoint of each network.
    """
    mine, tables = index[index["variant"].isin(MODELS["continuous"])], []
    last = zoo.kept(mine, base).drop_duplicates(["curriculum", "number"], keep="last")
    for row in last.merge(mine[["curriculum", "number", "kind", "task"]]).to_dict("records"):
        model = zoo.load_checkpoint(row["path"])
        table = accuracy_by_k(model, row["task"], ks, [row["N"]], batches)
        table = table.assign(kind=row["kind"], number=row["number"], accuracy=100 * table["accuracy"])
        tables.append(table.rename(columns={"n": "N"}))
    columns = ["kind", "number", "N", "k", "accuracy"]
    return pd.concat(tables, ignore_index=True)[columns] if tables else pd.DataFrame(columns=columns)


def held_in_words(table: pd.DataFrame) -> str:
    """For which k, of those in the rows of `held`, networks are still right in more than 98 %."""
    said = []
    for (kind, _, n), rows in table.groupby(["kind", "number", "N"], sort=False):
        right = rows.loc[rows["accuracy"] > 98, "k"]
        reach = f"for k = {right.min()} to {right.max()}" if len(right) else "for none of these k"
        said.append(f"{kind} (N = {n}) {reach}")
    return f"Above 98 % are: {'; '.join(said)}" if said else "No such network is here yet"


def ladder_shares(ends: pd.DataFrame) -> pd.DataFrame:
    """What share of a ladder's answers change in networks of other models (rows of `at_the_end`).

    Returns:
        Columns kind, share and N (in words), kept (whether all networks of the kind keep one).
    """
    ends = ends[~ends["kind"].isin(STANDARD.values())]
    rows = [
        (kind, paper.span(t["value"], unit=" %"), paper.span(t["N"]), t["value"].min() > synthesis.RUNGS)
        for kind, t in ends[ends["measure"] == "ladder"].groupby("kind", sort=False)
    ]
    return pd.DataFrame(rows, columns=["kind", "share", "N", "kept"])


def models_in_words(index: pd.DataFrame, base: Path, shares: pd.DataFrame) -> dict[str, str]:
    """What is true of networks of other models (rows of `networks`), by name.

    Args:
        shares: the rows of `ladder_shares`, of these or more networks.

    Returns:
        reached: how far each got, in how many epochs; ladder: what share of a ladder's answers change.
    """
    none = "No such network is here yet"
    if index.empty:
        return {"reached": none, "ladder": none}
    done = solved(index, base).sort_values("N", kind="stable").groupby(["kind", "number"], sort=False).last()
    reached = [
        f"{kind} to N = {paper.span(t['N'])} in {paper.span(t['epoch'])} epochs (n = {len(t)})"
        for kind, t in done.groupby("kind", sort=False)
        if kind not in STANDARD.values()
    ]
    here = shares[shares["kind"].isin(index["kind"])].itertuples()
    ladder = "; ".join(f"{row.share} ({row.kind}, N = {row.N})" for row in here)
    return {
        "reached": "; ".join(reached) or none,
        "ladder": f"Of the answers that a ladder would change, {ladder} do" if ladder else none,
    }


def ladders(shares: pd.DataFrame) -> str:
    """In how many other models networks of either kind keep a ladder (rows of `ladder_shares`)."""
    if shares.empty:
        return "No such network is here yet"
    multi, single = (
        how_many(shares.loc[shares["kind"].str.endswith(kind), "kept"]) for kind in STANDARD.values()
    )
    return f"{multi} other models keep one when trained with many heads, {single.lower()} with a single head"


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
    shares = f"of the answers that it would change, {compared(several, single)} do"
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
    common = heads.groupby(["N", "kind"])["epoch"].mean().unstack().dropna()
    if common.empty or "multi-head" not in common or len(common.columns) < 2:
        none = "There are no networks of other curricula with several heads that can be compared here"
        return {"found_speed": none, "first": none}
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
