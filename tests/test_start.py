"""The first page's sentences follow from the verdicts, its figure from the tables."""

import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt
from test_grid import card

from tsrnn.book import claims, mechanisms, start
from tsrnn.book.effects import Networks

ALL = len(claims.CLAIMS)


def with_verdicts(verdicts: str | list[str]) -> pd.DataFrame:
    return card().assign(verdict=verdicts, effect=1.5, low=1.0, high=2.0)


def test_of_each_main_figure_the_claim_with_the_least_p_is_told():
    told = start.clearest(with_verdicts(claims.REPRODUCED))
    firsts = {claim.figure[0]: claim for claim in reversed(claims.CLAIMS)}  # p rises from row to row
    assert len(firsts) == 7  # six figures, and the appendix
    named = [claim for claim in claims.CLAIMS if claim.says[1:-1] in told]
    assert set(map(id, named)) == set(map(id, firsts.values()))
    assert start.clearest(with_verdicts(claims.CONTRADICTED)) == "None."


def test_reproduced_claims_are_counted():
    begins = f"Of {ALL} claims that the paper makes about {{}}, {ALL} can be judged with the "
    begins += "networks here, and "
    told = start.held("parity", with_verdicts(claims.REPRODUCED))
    assert told.startswith(begins.format("parity") + f"{ALL} are reproduced, ")
    told = start.held("dms", with_verdicts(claims.CONTRADICTED))
    assert told == begins.format("DMS") + "none is reproduced."


@pytest.mark.parametrize("i", [0, 8, 30])
def test_no_contradiction_is_left_out(i):
    verdicts = [claims.REPRODUCED] * len(claims.CLAIMS)
    assert start.failed(with_verdicts(verdicts)) == "No claim is contradicted."
    verdicts[i], verdicts[3] = claims.CONTRADICTED, claims.SMALLER
    told = start.failed(with_verdicts(verdicts))
    claim, other = claims.CLAIMS[i], claims.CLAIMS[3]
    assert told.startswith("Contradicted: ") and claim.says[1:-1] in told and claim.contradicted in told
    size = f"{other.says[0].lower()}{other.says[1:-1]} (+1.50 {other.unit}, published +1.75)"
    assert f"Reproduced, but of another size: {size}" in told
    assert claim.contradicted in start.beside("dms", with_verdicts(verdicts))


def test_inconclusive_effects_are_counted_by_their_sign():
    as_claimed = sum(claim.sign > 0 for claim in claims.CLAIMS)
    signed = sum(claim.sign != 0 for claim in claims.CLAIMS)
    told = start.undecided(with_verdicts(claims.INCONCLUSIVE))
    begins = f"None is contradicted, {ALL} are inconclusive; of the {signed} of these that claim a sign, "
    assert told.startswith(f"{begins}{as_claimed} ")
    told = start.undecided(with_verdicts(claims.UNTESTED))
    assert told == f"None is contradicted, 0 are inconclusive. {ALL} cannot be tested with the networks here."


@pytest.mark.parametrize("chapter", sorted({claim.chapter for claim in claims.CLAIMS}))
def test_a_chapter_begins_with_each_of_its_claims_under_its_verdict(chapter):
    own = [i for i, claim in enumerate(claims.CLAIMS) if claim.chapter == chapter and "dms" in claim.tasks]
    verdicts = [claims.UNTESTED] * len(claims.CLAIMS)
    for i, verdict in zip(own, (claims.CONTRADICTED, claims.SMALLER, claims.INCONCLUSIVE), strict=False):
        verdicts[i] = verdict
    rows = with_verdicts(verdicts)
    heads = {claims.CONTRADICTED: "Did not hold", claims.SMALLER: "Held", claims.INCONCLUSIVE: "Inconclusive"}
    wanted = {start.clause(rows.loc[i]): heads.get(verdicts[i], "Not tested") for i in own}
    told = {}
    for line in start.in_chapter(rows, chapter, "dms").splitlines():
        if line.startswith("- *"):
            head, said = line.removeprefix("- *").split(":* ")
            told |= {part.rstrip("."): head for part in said.split("; ")}
    for clause, head in wanted.items():
        [found] = [head for part, head in told.items() if part.startswith(clause)]
        assert found.startswith(head)
    assert len(told) == len(wanted)
    none = start.in_chapter(with_verdicts(claims.UNCLAIMED), chapter, "dms")
    assert none.endswith("- The paper makes no claim for this task here.")


def test_the_figure_has_a_line_for_each_network_and_goes_without_any_ladder(tmp_path):
    rows = [
        (kind, number, n, "tau", 1 + n / 10 + unit)
        for kind in ("cumulative", "single")
        for number in (1, 2)
        for n in (2, 3, 4)
        for unit in (0, number)
    ]
    nets = Networks(pd.DataFrame(), tmp_path, "parity")
    columns = ["curriculum", "number", "N_max", "measure", "value"]
    nets.__dict__["promotions"] = pd.DataFrame(rows, columns=columns)
    (tmp_path / "empty").mkdir()
    fig = start.figure(nets, mechanisms.measured(tmp_path / "empty"))
    lines = [line.get_xydata() for line in fig.axes[0].lines if line.get_linestyle() == "-"]
    assert len(lines) == 4
    assert np.allclose(lines[1], [[n, 1 + n / 10 + 1] for n in (2, 3, 4)])
    plt.close(fig)


@pytest.mark.parametrize("verdict", claims.VERDICTS)
def test_ten_sentences_are_true_whatever_the_verdict(verdict, tmp_path):
    told = start.in_short("parity", with_verdicts(verdict), mechanisms.measured(tmp_path))
    assert len(told) == 10
    for name, begins in start.IN_SHORT.items():
        [claim] = [claim for claim in claims.CLAIMS if claim.says.startswith(begins)]
        held, failed = verdict.startswith(claims.REPRODUCED), verdict == claims.CONTRADICTED
        assert told[name].startswith(begins) == (held or failed)
        assert (claim.contradicted in told[name]) == failed
    assert told["ladder"].startswith("None of 0 multi-head networks keep")


def test_ten_sentences_count_networks_of_the_task_by_their_heads():
    columns = ["curriculum", "task", "variant", "number", "N", "is"]
    rows = [
        ("cumulative", "parity", "", 1, 20, "a ladder"),
        ("cumulative", "parity", "", 1, 30, "a ladder"),
        ("cumulative", "parity", "tau2", 1, 10, "neither"),
        ("sliding", "parity", "", 1, 41, "a ladder"),
        ("single", "parity", "", 1, 21, "a delay line"),
        ("single_nocurr", "parity", "first12", 1, 12, "neither"),
        ("single", "dms", "", 1, 30, "a ladder"),
    ]
    told = start.in_short("parity", card(), pd.DataFrame(rows, columns=columns).assign(delay_line=0.3))
    assert told["ladder"].startswith("1 of 1 multi-head")
    assert told["line"].startswith("None of 1 single-head networks keep one")
    assert "and 30 % of the answers change" in told["line"]
    assert told["heads"].startswith("2 of 3 networks") and told["heads"].endswith("none of 2 with one head")
    assert "keep a ladder (not: τ = 2, to N = 10), and" in told["heads"]


def test_each_task_is_told_of_and_what_was_not_measured_is_not_claimed(tmp_path):
    shares = mechanisms.measured(tmp_path)
    told = start.sentences({"parity": card(), "dms": card(2)}, shares)
    assert "claims that the paper makes about parity" in told["held"] and told["other"].startswith(
        "For DMS, "
    )
    assert told["new"].endswith("No single-head network was measured. So what the curriculum does is open.")
    assert "this task only" in start.sentences({"dms": card()}, shares)["other"]
