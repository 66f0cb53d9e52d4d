"""Networks in continuous time: every bit held for k steps of Δt = 1/k."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from naive import NaiveRNN

from tsrnn import InputError
from tsrnn.batches import draw_batches
from tsrnn.config import LATER, TrainConfig
from tsrnn.evaluation import accuracy, accuracy_by_k, verify
from tsrnn.files import read_json, write
from tsrnn.model import Architecture, LeakyRNN
from tsrnn.runs import begin
from tsrnn.training import train
from tsrnn.zoo import load_checkpoint, read_config


def test_the_equation_for_three_steps_a_bit():
    """Two networks of different lengths, in value and gradient; blocks hold the states at the bits' ends."""
    generators = [torch.Generator().manual_seed(k) for k in range(2)]
    model = LeakyRNN.initialise(Architecture(5, "continuous", k=(3,)), generators).double()
    with torch.no_grad():
        model.tau[:, 0] = 0.2  # k tau is below 1: used as 1
    g, lengths = torch.Generator().manual_seed(1), [4, 2]
    s = torch.randint(0, 2, (2, 4, 6), generator=g).double()
    initial = torch.rand(2, 6, 5, generator=g).double()
    found = model.logits(model(s, initial, lengths))
    found.square().sum().backward()
    blocks = torch.cat([block.clone() for block in model.blocks(s, initial, length=3)])
    assert len(blocks) == 4
    for k in range(2):
        naive = NaiveRNN(model, k)
        with torch.no_grad():
            naive.tau *= 3
        held = torch.stack([s[k, t] for t in range(lengths[k]) for _ in range(3)])
        r = naive(held, initial[k])
        torch.testing.assert_close(blocks[lengths[k] - 1, k], r, rtol=1e-9, atol=1e-12)
        expected = torch.stack(naive.logits(r))
        torch.testing.assert_close(found[k], expected, rtol=1e-9, atol=1e-12)
        expected.square().sum().backward()
        for name, gradient in naive.gradients().items():
            mine = dict(model.named_parameters())[name].grad[k]
            torch.testing.assert_close(
                mine, 3 * gradient if name == "tau" else gradient, rtol=1e-9, atol=1e-12
            )
    np.testing.assert_allclose(model.effective_tau[0, 0].item(), 1 / 3)


def test_with_one_step_a_bit_it_is_the_mod_network_to_the_bit(small, tmp_path):
    small = replace(small, max_n=3, measure_steps=0)
    [mod] = train(replace(small, model="mod"), base_path=tmp_path, progress=False)
    [one] = train(replace(small, model="continuous", k=(1,)), base_path=tmp_path, progress=False)
    assert one.name == "cumulative_parity_continuous_leakyrelu_k1_neurons20_network_1"
    mod_history, one_history = (pd.read_csv(f / "history.csv").drop(columns="seconds") for f in (mod, one))
    pd.testing.assert_frame_equal(mod_history, one_history)
    a, b = (load_checkpoint(f / "rnn_N2_N3.safetensors") for f in (mod, one))
    assert all(torch.equal(p, dict(b.named_parameters())[name]) for name, p in a.named_parameters())


def test_k_takes_turns_and_is_tested_beyond(small, tmp_path):
    config = replace(small, model="continuous", k=[2, 5], max_n=3, measure_steps=0)
    assert [batch.k for batch in draw_batches([begin(config)], 5)] == [2, 5, 2, 5, 2]
    assert (
        TrainConfig(model="continuous").folder()
        == "cumulative_parity_continuous_leakyrelu_k7-8-9-10_network_1"
    )
    [folder] = train(config, base_path=tmp_path, progress=False)
    assert read_config(folder) == config and verify(folder, batches=2)["z"].notna().all()
    model = load_checkpoint(folder / "rnn_N2_N3.safetensors")
    table = accuracy_by_k(model, "parity", [2, 30], batches=2)
    assert table.columns.tolist() == ["k", "n", "accuracy"] and len(table) == 4
    at_two = table.query("k == 2")["accuracy"].tolist()
    assert (
        at_two == accuracy(model, "parity", batches=2)["accuracy"].tolist()
    )  # model.k is the first of [2, 5]
    model.k = 30
    assert (
        table.query("k == 30")["accuracy"].tolist()
        == accuracy(model, "parity", batches=2)["accuracy"].tolist()
    )
    with pytest.raises(InputError, match="mod holds no bit"):
        accuracy_by_k(LeakyRNN.initialise(Architecture(3, "mod"), [torch.Generator()]), "parity")


def test_a_config_from_before_is_read_as_it_was_meant(small, tmp_path):
    [folder] = train(replace(small, max_n=2, measure_steps=0), base_path=tmp_path, progress=False)
    about = read_json(folder / "config.json")
    for name in LATER:
        del about["train"][name]
    write(folder / "config.json", json.dumps(about).encode())
    assert read_config(folder) == replace(small, max_n=2, measure_steps=0)
    train(replace(small, max_n=3, measure_steps=0), base_path=tmp_path, progress=False)
    assert pd.read_csv(folder / "history.csv")["N_max"].tolist() == [2, 3]
