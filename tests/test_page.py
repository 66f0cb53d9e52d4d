"""What every page does: values by kind, tables, lines, and sentences that follow the numbers."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from tsrnn.book import page, paper, plotting, sentences

VALUES = pd.Series(
    {
        ("single", 1, 5): 1.0,
        ("cumulative", 2, 5): 2.0,
        ("cumulative", 1, 5): 3.0,
        ("cumulative", 1, 6): np.nan,
        ("cumulative", 1, 7): 4.0,
    }
).rename_axis(["curriculum", "number", "N"])


def test_values_are_split_by_kind_multi_head_first():
    assert page.by_kind(VALUES, 5) == [[2.0, 3.0], [1.0]]
    assert page.by_kind(VALUES, 6) == [[], []]
    assert page.by_kind(VALUES.xs(7, level="N")) == [[4.0], []]


def test_a_table_shows_numbers_as_they_are_written():
    assert page.table([{"": "a", "τ": "1.50"}]).data.splitlines()[-1].split() == "| a | 1.50 |".split()
    assert page.table([], empty="*None.*").data == "*None.*"


@pytest.fixture
def ax():
    fig, ax = plt.subplots()
    yield ax
    plt.close(fig)


def test_a_line_for_each_network_and_a_name_for_each_kind(ax):
    plotting.lines(ax, VALUES, "parity", more=", here")
    found = {(line.get_color(), tuple(line.get_xdata()), tuple(line.get_ydata())) for line in ax.lines}
    multi, single = (plotting.colour(kind, "parity") for kind in ("cumulative", "single"))
    assert found == {(multi, (5, 7), (3, 4)), (multi, (5,), (2,)), (single, (5,), (1,))}
    assert ax.get_legend_handles_labels()[1] == ["multi-head, here", "single-head, here"]


def test_a_line_has_the_label_that_it_is_given(ax):
    plotting.lines(ax, VALUES, "parity", label="_")
    assert len(ax.lines) == 3 and not ax.get_legend_handles_labels()[1]


def test_each_kind_is_named_where_its_longest_line_ends(ax):
    plotting.names_at_ends(ax, VALUES)
    single = VALUES[VALUES.index.get_level_values("curriculum") == "single"].rename({5: 2}, level="N")
    plotting.names_at_ends(ax, pd.concat([VALUES.loc[["cumulative"]], single]))
    found = [(text.get_text(), text.xy, text.get_ha()) for text in ax.texts]
    assert found[:2] == [("multi-head", (7, 4.0), "right"), ("single-head", (5, 1.0), "right")]
    assert found[2:] == [("multi-head", (7, 4.0), "right"), ("single-head", (2, 1.0), "left")]


def test_published_means_are_marked_by_how_they_are_known(ax):
    plotting.marks(ax, paper.means("parity", "mean tau", 25))
    drawn = {(line.get_color(), line.get_marker(), x) for line in ax.lines for x in line.get_xdata()}
    colour = plotting.colour("single", "parity")
    assert {(colour, "D", 10), (colour, "s", 25)} <= drawn
    assert max(x for *_, x in drawn) == 25
    assert sorted(ax.get_legend_handles_labels()[1]) == ["published", "published, read off a plot"]


def test_all_panels_have_one_legend(ax):
    other = ax.figure.add_subplot()
    for panel, names in ((ax, "ab"), (other, "bc")):
        for name in names:
            panel.plot([], label=name)
    plotting.legend_of_all(ax.figure)
    assert [text.get_text() for text in ax.figure.legends[0].get_texts()] == ["a", "b", "c"]


LEFT = pd.DataFrame({"slowest": [0.1, 0.2], "fastest": [0.3, 0.1], "random": [0.5, 0.6]})
BY_N = pd.DataFrame({"mean": [3.0, 4.0], "median": [2.0, 2.5]}, [5, 20])


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (sentences.untrained(2, 2)["leak_helps"], "no worse than the others"),
        (sentences.whole("dms", 0.9), "has no running sum"),
        (sentences.whole("parity", 0.9), "In some networks readouts find it (the most is 90%)"),
        (sentences.farthest("cumulative", 65, "sums", 0.99, 0.5), "50.0%: no delay line"),
        (sentences.farthest("cumulative", 65, "sums", 0.99, 0.9), "90.0%."),
        (sentences.lesson(12, 0.95, True), "in 95% of sequences or more, yet"),
        (sentences.above({"W": [1]}, {"W": [1]}), "overlap"),
        (sentences.nearest(9, {"delay line": 4, "ladder": 10}), "nearer to the ladder"),
        (sentences.kinds_nearer(5, [], {"delay line": 4, "ladder": 10}), "cannot be compared"),
        (sentences.ours_fixed(0), "no networks with fixed τ"),
        (sentences.shoulder(paper.means("parity", "mean tau_net").query("N < 50")), "no published values"),
        (
            sentences.moves(BY_N, 5, 20),
            "at N = 5 the mean is 3.0 steps and the median 2.0; at N = 20 the mean is 4.0 steps and the "
            "median 2.5. The mean is highest, 4.0, at N = 20",
        ),
        (sentences.moves(BY_N, 5, 30), "measured at an N beyond 5"),
        (sentences.tail(pd.Series([2.0, 4.0, 90.0, 50.0]), 20), "At N = 20, 50.0% of its units"),
        (sentences.tail(pd.Series([2.0, 4.0, 90.0]), 20), "without them the mean would be 3.0"),
        (sentences.fast(pd.Series([1.2]), 12), "most of what they remember must be in their connections"),
        (sentences.excites(5, [1], [1, 2], [0.9], [0.8]), "overlap: at N = 5"),
        (sentences.excites(5, [1], [2], [0.9], [0.8]), "the other way round"),
        (sentences.excites(5, [1], [2], [0.7], [0.8]), "they are no more in multi-head networks"),
        (sentences.strong("single", [0.7, 0.4], [0.4], []), "not just those"),
        (sentences.strong("single", [0.7], [0.4], []), "none has τ above 3"),
        (sentences.missed("single", 5, LEFT), "fastest, mean over networks; they miss the slowest more than"),
        (sentences.missed("single", 5, LEFT), "left with 0.15 without all 20 slowest, 0.55 without 20 at"),
        (sentences.missed("single", 5, LEFT[:0]), "No single-head network was kept at N = 5"),
        (sentences.sliding(VALUES), "no sliding networks"),
        (sentences.from_scratch(pd.DataFrame({"N": [5], "solved N": [4], "epochs": [9]})), "None of our"),
        (
            sentences.one_step_beyond(VALUES[:3].rename_axis(["curriculum", "number", "n"])),
            "are +1.5 percent",
        ),
        (sentences.growth([[], []], [[], []]), "no published values"),
        (sentences.old_bits([0.5], [0.6]), "found in 60% of sequences in single-head networks (n = 1)"),
        (sentences.old_bits([0.5], [0.6]), "does hold bits that it was never asked for"),
        (sentences.one_side(pd.Series({"τ": [1, -2, 3]})), "none are always on one side"),
    ],
)
def test_a_sentence_follows_the_numbers(found, said):
    assert said in found


def test_how_far_fixed_tau_gets():
    gain = {"difference": 1.0, "low": -0.26, "high": 2.26, "p_permutation": 0.257, "n_a": 4, "n_b": 5}
    said = sentences.fixed_tau(2, gain, [101, 80, 50])
    assert said["gain"] == "by 1.0 N over τ = 1 (95 % CI −0.3 to 2.3, permutation p = 0.26, n = 4 and 5)"
    assert "the optimum is the least τ" in said["multi_falls"]
    assert "up and down" in sentences.fixed_tau(2, gain, [80, 101])["multi_falls"]
