"""What is written for the figures with sliders is in the tables. (What they do: tools/check_explore.py.)"""

import base64
import json

import numpy as np
import pandas as pd
import pytest

from tsrnn import zoo
from tsrnn.book import explore, paper
from tsrnn.book.live import KINDS

BASE = zoo.default_base_path()


def read(path):
    return json.loads(path.read_text().removeprefix("window.TSRNN_EXPLORE = ").removesuffix(";\n"))


def folder(kind, number):
    return BASE / f"{KINDS[kind]}_parity_network_{number}"


@pytest.fixture(scope="module")
def script(tmp_path_factory):
    return explore.write_script(tmp_path_factory.mktemp("explore") / "static" / "explore.js")


def test_curves_are_those_of_the_tables(script):
    found = read(script)["robustness"]
    assert "20" in found
    for n, by_what in found.items():
        for what, lines in by_what.items():
            for kind in KINDS:
                assert lines[kind]
                for number, line in lines[kind].items():
                    table = pd.read_parquet(folder(kind, number) / "robustness.parquet")
                    rows = table[(table["damage"] == what) & (table["N"] == int(n))]
                    means = rows.groupby("epsilon")["relative_accuracy"].mean()
                    np.testing.assert_allclose(lines["epsilon"], means.index)
                    np.testing.assert_allclose(line, means, atol=1e-5)


def test_published_points_stand_at_their_epsilon(script):
    found = read(script)
    epsilons = found["robustness"][str(found["published"]["N"])]["W"]["epsilon"]
    known = dict(zip(epsilons, found["published"]["W"]["single"], strict=True))
    at = min(known, key=lambda e: abs(e - 0.464))
    assert known[at] == paper.PERTURBED["single", "W"][0.4642]
    assert known[epsilons[0]] is None


@pytest.mark.parametrize("what", ["tau", "tau_net"])
def test_histograms_count_every_unit_of_every_network(script, what):
    found = read(script)
    for kind in KINDS:
        for n, entry in found["training"][kind][what].items():
            assert sum(entry["counts"]) == 500 * len(entry["networks"])
            if n != "20":
                continue
            means = []
            for number in entry["networks"]:
                table = pd.read_parquet(folder(kind, number) / "promotions.parquet")
                values = table[(table["measure"] == what) & (table["N_max"] == 20)]["value"]
                means.append(values[values > 1].mean() if what == "tau_net" else values.mean())
            assert entry["mean"] == pytest.approx(np.mean(means), abs=1e-4)


def test_published_means(script):
    found = read(script)["training"]
    assert found["multi"]["tau"]["10"]["published"] == pytest.approx(
        paper.at("cumulative", "parity", "mean tau", 10).value, abs=1e-3
    )
    assert found["single"]["tau"]["3"]["published"] is None


def test_eigenvalues_are_those_of_m(script):
    """Their sum is the trace, which is that of I − A; the pairs' imaginary parts cancel."""
    for kind, stored in read(script)["spectra"].items():
        for n, coded in stored["at"].items():
            re, im = np.frombuffer(base64.b64decode(coded), "<i2").reshape(-1, 2).T / explore.THOUSANDTHS
            count = np.where(im > 0, 2, 1)
            assert count.sum() == 500
            path = folder(kind, stored["network"]) / (f"rnn_N{2 if kind == 'multi' else n}_N{n}.safetensors")
            tau = zoo.load_checkpoint(path).effective_tau[0].detach()
            assert (count * re).sum() == pytest.approx(float((1 - 1 / tau).sum()), abs=0.05)


def test_it_is_small_and_the_same_every_time(script, tmp_path):
    assert script.stat().st_size < 1_000_000
    assert explore.write_script(tmp_path / "again.js").read_bytes() == script.read_bytes()


def test_a_zoo_without_both_kinds_gives_figures_without_data(tmp_path, capsys):
    assert read(explore.write_script(tmp_path / "explore.js", tmp_path)) == {}
    assert "no networks of both kinds" in capsys.readouterr().out
