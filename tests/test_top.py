"""The top level: networks by name, and what they do with bits of any kind."""

import shutil

import numpy as np
import pytest
import torch
from conftest import published_state
from torch import nn
from torch.nn.utils import prune

import tsrnn
from tsrnn import InputError, tasks, zoo
from tsrnn.model import Architecture


def test_a_network_by_name_by_path_and_at_an_earlier_n(trained):
    """The small network solved N = 2 to 6 and kept 5 and 6."""
    base, name = trained.parent, trained.name
    last = tsrnn.load(name, base_path=base)
    assert list(last.heads) == [2, 3, 4, 5, 6] and last.task == "parity"
    tau = last.effective_tau.mean().item()
    assert repr(last) == f"LeakyRNN(20 units, parity N = 2…6, mean τ {tau:.2f})"
    assert max(tsrnn.load(name, 5, base).heads) == 5
    for path in (trained, f"{trained}/", trained / "rnn_N2_N6.safetensors"):
        assert torch.equal(tsrnn.load(path).W, last.W)
    with pytest.raises(InputError, match=r"no checkpoint of .* at N = 4: choose one of 5, 6"):
        tsrnn.load(name, n=4, base_path=base)
    with pytest.raises(InputError, match=f"no network {name}0 in .*; networks there: {name}"):
        tsrnn.load(f"{name}0", base_path=base)


def test_a_network_of_the_authors_by_name(tmp_path):
    folder = tmp_path / "single_dms_network_3"
    folder.mkdir()
    torch.save({"state_dict": published_state(heads=1)}, folder / "rnn_N7_N7")
    model = tsrnn.load("single_dms_network_3", base_path=tmp_path)
    assert repr(model).startswith("LeakyRNN(6 units, dms N = 7, mean τ 1.")


def test_models_are_listed_by_task_and_n(trained):
    base, name = trained.parent, trained.name
    shutil.copytree(trained, base / "copy")  # not named as a network
    assert list(tsrnn.list_models(base_path=base)["network"]) == [name]
    assert len(tsrnn.list_models(task="parity", curriculum="cumulative", min_n=6, base_path=base)) == 1
    assert tsrnn.list_models(min_n=7, base_path=base).empty
    assert tsrnn.list_models(task="dms", base_path=base).empty
    with pytest.raises(InputError, match="unknown task 'party': choose one of parity, dms"):
        tsrnn.list_models(task="party", base_path=base)


def test_a_network_runs_on_bits_of_any_kind():
    model = tsrnn.LeakyRNN.initialise(Architecture(neurons=7), [torch.Generator().manual_seed(1)])
    model.heads = {2: 0, 3: 1}
    bits = np.random.default_rng(0).integers(0, 2, (9, 5))
    states = model.run(bits)
    assert states.shape == (9, 5, 7)
    for same in (bits.tolist(), bits.astype(bool), torch.tensor(bits), bits.astype("float32")):
        assert torch.equal(model.run(same), states)
    assert torch.equal(model.run(bits[:, 0])[:, 0], model.run(bits[:, :1])[:, 0])
    weight, bias = model.head_weight[0, 1], model.head_bias[0, 1]
    by_hand = (states[-1] @ weight.T + bias).argmax(-1)
    assert torch.equal(model.answer(bits, 3), by_hand)
    assert by_hand.shape == tasks.parity(torch.tensor(bits), 3).shape


@pytest.mark.parametrize(
    ("bits", "said"),
    [
        ([[0, 2]], "bits hold 2: each is 0 or 1"),
        ([0.5, 1.0], "bits hold 0.5"),
        ([float("nan")], "bits hold nan"),
        ("01", "bits of type str: give an array of 0 and 1, time first"),
        (np.zeros((2, 2, 2)), r"bits of shape \(2, 2, 2\): give \(T, B\), time first"),
        ([], r"bits of shape \(0, 1\)"),
        (torch.tensor(1), r"bits of shape \(\)"),
        (torch.eye(4).to_sparse(), "bits: a sparse tensor; give one that holds its numbers as an array does"),
        (torch.eye(4, device="meta"), r"bits: a tensor without values \(meta\)"),
        (np.eye(2) + 1j, "bits: a complex tensor"),
        ([10**30], "bits of type list"),
    ],
)
def test_other_bits_are_refused(bits, said):
    model = tsrnn.LeakyRNN.initialise(Architecture(neurons=3), [torch.Generator()])
    with pytest.raises(InputError, match=said):
        model.run(bits)


@pytest.mark.filterwarnings("ignore")  # torch is about to take them away
def test_tensors_that_are_no_arrays_are_refused():
    model = tsrnn.LeakyRNN.initialise(Architecture(neurons=3), [torch.Generator()])
    with pytest.raises(InputError, match="bits: a quantized tensor"):
        model.run(torch.quantize_per_tensor(torch.eye(4), 1.0, 0, torch.quint8))
    with pytest.raises(InputError, match="bits: a nested tensor"):
        model.run(torch.nested.nested_tensor([torch.ones(2), torch.ones(3)]))


def test_answers_that_cannot_be_given_are_refused():
    generators = [torch.Generator().manual_seed(k) for k in range(2)]
    two = tsrnn.LeakyRNN.initialise(Architecture(neurons=3), generators)
    two.heads = {4: 0}
    with pytest.raises(InputError, match=r"2 networks: choose one, model.select\(\[k\]\)"):
        two.run([0, 1])
    with pytest.raises(InputError, match="3 bits: N = 4 is asked for, so give 4 or more"):
        two.select([1]).answer([0, 1, 1], 4)
    with pytest.raises(InputError, match="no head for N = "):
        two.select([1]).answer([0, 1, 1], 3)
    one = two.select([1])
    one.W.data *= 1e30
    with pytest.raises(InputError, match="grows beyond all bounds"):
        one.answer([0, 1] * 9, 4)


@pytest.mark.parametrize(("nonlinearity", "bias"), [("tanh", True), ("relu", False)])
def test_an_rnn_of_torch_does_the_same_here(nonlinearity, bias, tmp_path):
    """With its diagonal, as a copy, too; and what cannot be kept is not saved."""
    rnn = nn.RNN(1, 12, nonlinearity=nonlinearity, bias=bias)
    bits = torch.randint(0, 2, (15, 4)).float()
    expected, _ = rnn(bits[..., None])
    model = tsrnn.LeakyRNN.from_rnn(rnn).select([0])
    found = torch.cat([block[:, 0].clone() for block in model.blocks(bits[None], torch.zeros(1, 4, 12))])
    torch.testing.assert_close(found, expected.detach())
    assert f"{nonlinearity}, no readout, mean τ 1.00" in repr(model)
    with pytest.raises(InputError, match="this network has no head: load a trained one"):
        zoo.save_checkpoint(model, tmp_path, "parity")


def test_an_rnn_of_another_shape_is_refused():
    for rnn in (nn.RNN(1, 4, num_layers=2), nn.RNN(2, 4), nn.RNN(1, 4, bidirectional=True), nn.GRU(1, 4)):
        with pytest.raises(InputError, match=r"choose an nn\.RNN of one layer, one direction and one input"):
            tsrnn.LeakyRNN.from_rnn(rnn)


@pytest.mark.filterwarnings("ignore")
def test_an_rnn_whose_weights_are_made_of_others_is_refused():
    """Those that stand for them can be out of date, and a pruned bias was taken for none."""
    normed = torch.nn.utils.parametrizations.weight_norm(nn.RNN(1, 4), "weight_hh_l0")
    with pytest.raises(InputError, match="weight_hh_l0 is made of others: remove its norm or pruning first"):
        tsrnn.LeakyRNN.from_rnn(normed)
    pruned = nn.RNN(1, 4)
    for name in ("weight_hh_l0", "bias_hh_l0"):
        prune.random_unstructured(pruned, name, 0.5)
    with pytest.raises(InputError, match="weight_hh_l0, bias_hh_l0 is made of others"):
        tsrnn.LeakyRNN.from_rnn(pruned)
    for name in ("weight_hh_l0", "bias_hh_l0"):
        prune.remove(pruned, name)
    assert torch.equal(tsrnn.LeakyRNN.from_rnn(pruned).W[0], pruned.weight_hh_l0)
    with pytest.raises(InputError, match="weight_ih_l0: a tensor without values"):
        tsrnn.LeakyRNN.from_rnn(nn.RNN(1, 4, device="meta"))
    model = tsrnn.LeakyRNN.from_rnn(nn.RNN(1, 4))
    model.heads = {2: 0}
    with pytest.raises(InputError, match=r"this network has no head: load a trained one$"):
        model.answer([0, 1], 2)
