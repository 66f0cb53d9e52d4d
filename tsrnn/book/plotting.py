"""Colours and style of every figure: one colour per curriculum and task, readable on light and dark pages."""

from typing import Any

import matplotlib as mpl
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from tsrnn.names import NAMES as NAMES

# Okabe and Ito's palette, which colour-blind readers can tell apart: a hue per curriculum, a shade per task.
COLOURS = {
    ("cumulative", "parity"): "#0072B2",
    ("cumulative", "dms"): "#56B4E9",
    ("single", "parity"): "#D55E00",
    ("single", "dms"): "#E69F00",
    ("sliding", "parity"): "#009E73",
    ("sliding", "dms"): "#6BC9A8",
    ("single_nocurr", "parity"): "#CC79A7",
    ("single_nocurr", "dms"): "#E3B5D0",
}
# How a published mean is known -> its shape, and how it is named
SHAPES = {"data": ("D", "published"), "plot": ("s", "published, read off a plot")}
# Contrast 4.5 to 1 on white and 4.1 to 1 on the dark theme's background
INK = "#777777"


def colour(curriculum: str, task: str) -> str:
    """The colour of a curriculum; a task without a shade of its own gets that of parity."""
    return COLOURS.get((curriculum, task), COLOURS[curriculum, "parity"])


def task_name(task: str) -> str:
    """A task in prose and figures."""
    return "DMS" if task == "dms" else task


def use_style() -> None:
    """Set the house style: transparent background, mid-grey ink; SVG and PNG in notebooks.

    It begins from matplotlib's own defaults, and in notebooks from its inline figures, whatever the
    reader's matplotlibrc or MPLBACKEND say.
    """
    mpl.rcdefaults()
    mpl.rcParams.update(
        {
            "figure.facecolor": "none",
            "axes.facecolor": "none",
            "savefig.facecolor": "none",
            "legend.frameon": False,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.titlelocation": "left",
            "axes.titlesize": "medium",
            "figure.labelsize": "medium",
            "figure.constrained_layout.use": True,
            "figure.figsize": (6, 3.4),  # fills a page's column, and can be read on a phone
            "svg.fonttype": "none",  # text stays text: sharp, searchable
            "font.size": 11,
            "svg.hashsalt": "tsrnn",  # the same figure gives the same file
            **dict.fromkeys(
                ["text.color", "axes.edgecolor", "axes.labelcolor", "xtick.color", "ytick.color"], INK
            ),
        }
    )
    try:
        from IPython import get_ipython
        from matplotlib_inline.backend_inline import set_matplotlib_formats
    except ImportError:  # the package without the book
        return
    if shell := get_ipython():
        shell.run_line_magic("matplotlib", "inline")
        # JupyterLab shows no SVG of a notebook that it does not trust, as a copy that papermill made
        set_matplotlib_formats("svg", "png", metadata={"Date": None})  # type: ignore[no-untyped-call]


def whole_numbers(axis: Axis) -> None:
    """Ticks at whole numbers only."""
    axis.set_major_locator(MaxNLocator(integer=True))


def legend_above(axes: Axes, ncols: int = 2) -> None:
    """A legend where no line can run through it."""
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=ncols)


def lines(ax: Axes, values: pd.Series, task: str, style: str = ".-", more: str = "", **look: Any) -> None:
    """A line for each network, in the colour of its kind, which the legend names once.

    Args:
        values: by curriculum, number, and last what is along x, such as N. NaN are left out.
        style: as matplotlib writes it.
        more: what the legend adds to the name of the kind.
        look: of all lines, as for matplotlib; label="_" for a figure that has `names_at_ends`.
    """
    for kind, networks in values.dropna().groupby("curriculum"):
        for i, (_, line) in enumerate(networks.groupby("number")):
            x, name = line.index.get_level_values(-1), None if i else NAMES[str(kind)] + more
            ax.plot(x, line, style, **{"color": colour(str(kind), task), "label": name} | look)


def names_at_ends(ax: Axes, values: pd.Series) -> None:
    """The name of each kind where its longest line ends (see `lines`): beside it, or above on the right."""
    values = values.dropna()
    middle = values.index.get_level_values(-1).max() / 2
    for kind, networks in values.groupby("curriculum"):
        x, y = max(zip(networks.index.get_level_values(-1), networks, strict=True))
        offset, ha, va = ((6, 0), "left", "center") if x < middle else ((0, 12), "right", "bottom")
        ax.annotate(NAMES[str(kind)], (x, y), offset, textcoords="offset points", ha=ha, va=va)


def marks(ax: Axes, means: pd.DataFrame) -> None:
    """Published means (`paper.means`) against N, open: diamonds where they are exact, squares from a plot.

    The legend names each shape once; the colour is that of the kind.
    """
    for about, points in means.groupby(["curriculum", "task", "mark"]):
        kind, task, mark = map(str, about)
        style: dict[str, Any] = {"ms": 6, "mfc": "none", "zorder": 3}
        ax.plot(points["N"], points["value"], SHAPES[mark][0], color=colour(kind, task), **style)
    for mark in sorted(set(means["mark"])):
        shape, how = SHAPES[mark]
        ax.plot([], [], shape, ms=6, mfc="none", color=INK, label=how)


def legend_of_all(fig: Figure, ncols: int = 2) -> None:
    """One legend above all panels of a figure, which names everything once."""
    found = {label: h for ax in fig.axes for h, label in zip(*ax.get_legend_handles_labels(), strict=True)}
    fig.legend(found.values(), found.keys(), loc="outside upper left", ncols=ncols)
