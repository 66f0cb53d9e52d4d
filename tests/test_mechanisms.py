"""What is said of ladders and delay lines is true of the networks that it is said of."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from tsrnn import InputError, tasks
from tsrnn.analysis.simulate import Protocol
from tsrnn.book import mechanisms
from tsrnn.book.mechanisms import SHARES, finding, findings, kind_of, measured, published
from tsrnn.training import train

LADDER, DELAY_LINE, NEITHER = (0.9, 0, 0, 0, 0), (0, 0, 0.5, 0.1, 0), (0.1, 0.1, 0.1, 0.1, 0.1)


def table(*rows):
    """Rows of curriculum, task, variant, number and shares."""
    names = ["curriculum", "task", "variant", "number"]
    found = pd.DataFrame([row[:4] for row in rows], columns=names)
    found[list(SHARES)] = [row[4] for row in rows]
    found = found.assign(N=20 + found["number"], delay_line_random=0.03)
    found["delay_line_states"] = found["delay_line"] / 2
    return found.assign(**{"is": kind_of(found)}, condition="")


def test_more_than_a_quarter_counts_as_yes_and_a_bit_has_to_do_more_than_another_state():
    shares = pd.DataFrame({"ladder": [0.26, 0.25, 0.9, 0.0, 0.0], "delay_line": [0.25, 0.26, 0.9, 0.0, 0.9]})
    shares["delay_line_states"] = [0.0, 0.1, np.nan, 0.0, 0.7]
    assert kind_of(shares) == ["a ladder", "a delay line", "both", "neither", "neither"]


MULTI, SINGLE = ("cumulative", "parity", ""), ("single", "parity", "")


@pytest.mark.parametrize(
    ("multi", "single", "said"),
    [
        (
            LADDER,
            DELAY_LINE,
            "So, in the paper's model and for parity, the number of heads decides whether there is a ladder",
        ),
        (LADDER, LADDER, "Here the curriculum does not decide how a network remembers"),
        (DELAY_LINE, DELAY_LINE, "Here the curriculum does not decide how a network remembers"),
        (
            LADDER,
            NEITHER,
            "So, in the paper's model and for parity, the number of heads decides whether there is a ladder",
        ),
    ],
)
def test_what_the_curriculum_decides(multi, single, said):
    shares = table((*MULTI, 1, multi), (*MULTI, 2, multi), (*SINGLE, 1, single))
    found = findings(shares, "parity")
    assert found["found_curriculum"] == said
    assert (": standard" in found["exceptions"]) == (multi is not LADDER)
    assert ("one more rung" in found["why"]) == (said[0] == "S")
    assert found["found_other"] == "For DMS, no network was measured here"
    assert ("93 %" in found["stays"] or "90 % at N = 22" in found["stays"]) == (multi is LADDER)


def test_what_fixed_tau_does():
    shares = [(*MULTI, 1, LADDER), (*SINGLE, 1, DELAY_LINE), ("single", "parity", "tau2", 1, DELAY_LINE)]
    assert "and τ does not: of 1 networks" in findings(table(*shares), "parity")["found_curriculum"]
    shares[2] = ("single", "parity", "tau2", 1, LADDER)
    assert "but not all of 1 networks" in findings(table(*shares), "parity")["found_curriculum"]


def test_a_finding_names_numbers_and_ranges():
    last = table((*MULTI, 1, LADDER), (*MULTI, 4, (0.95, 0.01, 0, 0, 0)), (*SINGLE, 1, NEITHER))
    assert finding(last, "cumulative", "parity") == (
        "All 2 multi-head networks (N = 21 to 24) keep a ladder: moving one of its sums changes 90 % to 95 % "
        "of the answers that should change, and 0 % to 1 % of the others"
    )
    assert finding(last, "single", "parity") == "Of 1 single-head networks (N = 21) 1 keeps neither"
    assert finding(last[:1], "cumulative", "parity").startswith(
        "The multi-head network (N = 21) keeps a ladder"
    )
    assert finding(last, "sliding", "parity") == "No sliding network was measured"


def test_shares_are_measured_at_promotions_and_read_from_there(small, tmp_path):
    for config in (small, replace(small, curriculum="single", task="dms", tau=2.0)):
        train(config, base_path=tmp_path, progress=False)
    found = measured(tmp_path)
    assert found["N"].tolist() == [2, 3, 4, 5, 6] * 2
    assert set(found["condition"]) == {"multi-head, 20 units", "single-head, τ = 2, 20 units"}
    assert found[list(SHARES)].apply(lambda column: column.dropna().between(0, 1).all()).all()
    assert len(mechanisms.at_last(found)) == 2 and mechanisms.at_last(found)["N"].tolist() == [6, 6]
    assert measured(tmp_path / "nothing").empty


def test_published_shares_are_of_their_own_networks():
    ladder = published("ladder").set_index(["curriculum", "N"])["value"]
    assert (ladder["cumulative", 6], ladder["cumulative", 11], ladder["sliding", 11]) == (0.284, 0.779, 0.899)


@pytest.mark.parametrize("task", ["parity", "dms"])
def test_components_of_memories_are_those_of_their_signals(task):
    """Built bit by bit: the last n bits; the sums of the last 1 to n, and those of a step before."""
    n, protocol = 4, Protocol(steps=200, trials=2, burn_in=6)
    bits = tasks.draw_biased(206, 2, torch.Generator().manual_seed(0)).long().numpy()
    components = {"delay line": [], "ladder": []}
    for trial in bits.T:
        past = [trial[: t + 1] for t in range(6, 206)]

        def answer(x, m):
            return x[-m:].sum() % 2 if task == "parity" else int(x[-1] == x[-m])

        rungs = [
            [x[-1], *(answer(x, m) for m in (2, 3, 4)), *(answer(x[:-1], m) for m in (1, 2, 3))] for x in past
        ]
        for name, signals in {"delay line": [x[-n:] for x in past], "ladder": rungs}.items():
            variances = np.linalg.svd(np.array(signals) - np.mean(signals, 0), compute_uv=False) ** 2
            components[name].append(1 + np.sum(np.cumsum(variances) < 0.9 * variances.sum()))
    assert mechanisms.memories(task, n, protocol) == {k: np.mean(v) for k, v in components.items()}


def test_a_delay_line_of_independent_bits_has_nine_components_of_ten():
    assert mechanisms.memories("parity", 10, Protocol(steps=5000, trials=2))["delay line"] == 9
    with pytest.raises(InputError, match="n = 501"):
        mechanisms.memories("parity", 501, Protocol())


def test_a_flipped_sum_is_wrong_once_and_a_flipped_bit_as_long_as_it_counts():
    bits = [1, 0, 1, 1, 0, 1, 1, 0]
    right, held = (mechanisms.step_by_step(bits, 4, flip) for flip in (None, (4, 2)))
    padded = [0] * 3 + bits
    for t in range(len(bits)):
        sums = [sum(padded[t + 4 - m : t + 4]) % 2 for m in (1, 2, 3, 4)]
        assert right["ladder"][t].tolist() == sums
        assert right["delay line"][t].tolist() == [*padded[t : t + 4][::-1], sums[-1]]
    wrong = {name: np.argwhere(held[name] != right[name]).tolist() for name in held}
    assert wrong["ladder"] == [[3, 1], [4, 2], [5, 3]]
    assert wrong["delay line"] == [[3, 1], [3, 4], [4, 2], [4, 4], [5, 3], [5, 4]]
