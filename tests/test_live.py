"""What is written for the live page is the network in the zoo. (What the page does: tools/check_live.py.)"""

import base64
import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from tsrnn import InputError, zoo
from tsrnn.book import live
from tsrnn.config import TrainConfig
from tsrnn.training import train


def decode(text: str, dtype: str) -> torch.Tensor:
    return torch.from_numpy(np.frombuffer(base64.b64decode(text), dtype).astype("float32"))


def read(path):
    return json.loads(path.read_text().removeprefix("window.TSRNN_LIVE = ").removesuffix(";\n"))


@pytest.fixture(scope="module")
def script(tmp_path_factory):
    return live.write_script(tmp_path_factory.mktemp("live") / "static" / "networks.js")


def test_the_page_gets_the_networks_of_the_zoo(script):
    found = read(script)
    assert found["N"] == live.PREFERRED
    assert {name: stored["ns"] for name, stored in found["networks"].items()} == {
        "multi": list(range(2, 21)),
        "single": [20],
    }
    for stored in found["networks"].values():
        model = zoo.load_checkpoint(zoo.default_base_path() / stored["from"])
        logits = model.logits(torch.eye(500)[None])[
            0
        ]  # (C, H, 2): what each unit adds to each head, and the bias
        weight = (
            decode(stored["head_weight"], "<f4").view(-1, 500) + decode(stored["head_bias"], "<f4")[:, None]
        )
        torch.testing.assert_close(weight, logits[..., 1] - logits[..., 0])
        W = model.W[0].detach().clone().fill_diagonal_(0)
        assert torch.equal(decode(stored["W"], "<f2").view(500, 500), W)  # as the checkpoint keeps it
        assert torch.equal(decode(stored["tau"], "<f4"), model.effective_tau[0])
        assert torch.equal(decode(stored["rank_tau"], "<f4"), model.tau[0])
        assert torch.equal(decode(stored["bias"], "<f4"), model.b[0] + model.b_in[0])
        assert torch.equal(decode(stored["w_in"], "<f4"), model.w_in[0])


def test_it_is_small_and_the_same_every_time(script, tmp_path):
    assert script.stat().st_size < 1_500_000
    assert live.write_script(tmp_path / "again.js").read_bytes() == script.read_bytes()


def test_published_numbers_stand_beside(script):
    found = read(script)
    assert found["removals"]["slowest"] == {"multi": 0.992, "single": 0.442}
    W = found["perturbations"]["W"]
    at = min(range(len(W["epsilon"])), key=lambda i: abs(W["epsilon"][i] - 0.464))
    assert (W["multi"][at], W["single"][at]) == (0.644, 0.162)


def test_a_zoo_without_both_kinds_gives_a_page_without_networks(tmp_path, capsys):
    assert read(live.write_script(tmp_path / "networks.js", tmp_path)) == {}
    assert "no N that both" in capsys.readouterr().out


def test_only_standard_networks_of_the_same_n_are_shown(tmp_path):
    """Not those of other sizes, and no kind alone."""
    config = TrainConfig(
        neurons=20, steps=2, test_batches=1, batch_size=8, promotion=0.0, max_n=3, measure_steps=100
    )
    for kind in ("cumulative", "single"):
        train(replace(config, curriculum=kind), base_path=tmp_path, progress=False)
    with pytest.raises(InputError, match="no N that both"):
        live.chosen(tmp_path)
