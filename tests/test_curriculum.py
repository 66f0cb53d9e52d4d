"""Which N comes when, against the published rules written out."""

import pytest

from tsrnn import InputError
from tsrnn.curriculum import CURRICULA, is_over, kept_ns, start


def stages(kind, count, **values):
    """(ns, heads) of the first stages."""
    now, found = start(kind, **values), []
    while now is not None and len(found) < count:
        found.append((list(now.ns), list(now.heads)))
        now = now.next()
    return found


def test_single_moves_its_one_head():
    assert stages("single", 3) == [([2], [0]), ([3], [0]), ([4], [0])]


def test_cumulative_keeps_all_and_adds():
    assert stages("cumulative", 3) == [([2], [0]), ([2, 3], [0, 1]), ([2, 3, 4], [0, 1, 2])]
    grown = stages("cumulative", 2, init_heads=3, add_heads=2)
    assert grown == [([2, 3, 4], [0, 1, 2]), ([2, 3, 4, 5, 6], [0, 1, 2, 3, 4])]


def test_a_curriculum_of_ones_own_is_a_line(monkeypatch):
    monkeypatch.setitem(CURRICULA, "doubling", lambda now: (0, now.n_max))
    assert stages("doubling", 3) == [(list(range(2, n + 1)), list(range(n - 1))) for n in (2, 4, 8)]


def test_cumulative_ends_with_its_hundredth_head():
    assert stages("cumulative", 1000)[-1] == (list(range(2, 102)), list(range(100)))
    assert len(stages("cumulative", 1000)) == 100


def test_sliding_drops_the_oldest_and_adds_as_many():
    assert stages("sliding", 2, init_heads=4, forget_heads=2) == [
        ([2, 3, 4, 5], [0, 1, 2, 3]),
        ([4, 5, 6, 7], [2, 3, 4, 5]),
    ]


@pytest.mark.parametrize("max_n", [8, 9, 10, None])
@pytest.mark.parametrize("add", [1, 2, 3])
def test_what_a_run_keeps_is_what_it_solves(add, max_n):
    """The N of its checkpoints, foreseen, against a run that solves all that comes until it is over."""
    first, history = start("cumulative", add_heads=add), []
    now = first
    while not is_over(first, history, max_n, 1000, 100):
        row = {"epoch": len(history) + 1, "N_min": now.n_min, "N_max": now.n_max, "promoted": True}
        history, now = [*history, row], now.next() or now
    kept = kept_ns(first, max_n)
    assert kept[-1] == history[-1]["N_max"] and set(kept) <= {row["N_max"] for row in history}
    assert max_n is None or kept[-1] <= max_n


def test_no_curriculum_is_one_stage():
    assert stages("single_nocurr", 9, first_n=12) == [([12], [0])]


def test_labels_are_the_published_names():
    assert start("sliding", init_heads=10, forget_heads=5).label == "sliding_10_5"
    assert start("cumulative").label == "cumulative"


@pytest.mark.parametrize(
    ("kind", "values", "message"),
    [
        ("multi", {}, "unknown curriculum 'multi': choose one of cumulative, sliding, single, single_nocurr"),
        ("single", {"first_n": 1}, "first N = 1: choose 2"),
        ("cumulative", {"init_heads": 0}, "init heads = 0: choose 1 to 100"),
        ("cumulative", {"add_heads": -1}, "add heads = -1: choose 1 to 100"),
        ("cumulative", {"init_heads": 101}, "init heads = 101: choose 1 to 100"),
        ("sliding", {"init_heads": 3, "forget_heads": 4}, "can forget 1 to 3"),
        ("single", {"init_heads": 2}, "has 1 head"),
    ],
)
def test_impossible_curricula_are_refused(kind, values, message):
    with pytest.raises(InputError, match=message):
        start(kind, **values)
