"""Bits and labels against slow implementations, and the published distributions."""

import os
import re
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from naive import LABEL_OF

from tsrnn import InputError, tasks
from tsrnn.analysis.decoding import decoding, mechanism, shifts
from tsrnn.analysis.interventions import Stream, stream_accuracy
from tsrnn.model import Architecture, LeakyRNN


@given(
    task=st.sampled_from(sorted(tasks.TASKS)),
    bits=st.lists(st.lists(st.integers(0, 1), min_size=3, max_size=3), min_size=1, max_size=40),
    data=st.data(),
)
def test_labels_agree_with_the_slow_definition(task, bits, data):
    ns = data.draw(st.lists(st.integers(1, len(bits)), min_size=1, unique=True))
    labels = tasks.labels(tasks.TASKS[task], torch.tensor(bits).float(), ns)
    expected = [[LABEL_OF[task]([row[b] for row in bits], n) for b in range(3)] for n in ns]
    assert labels.tolist() == expected


@pytest.mark.parametrize(
    ("answer", "found"), [(0.5, "0.5"), (2, "2"), (-1, "-1"), (1.0, "torch.float32"), (float("nan"), "nan")]
)
def test_a_task_of_ones_own_that_answers_anything_else_is_refused(answer, found):
    """Floats were once cut to whole numbers, in silence."""

    def mine(bits, n):
        return torch.full((bits.shape[1],), answer)

    with pytest.raises(
        InputError, match=f"^mine answers {re.escape(found)}: a label is the whole number 0 or 1"
    ):
        tasks.labels(tasks.Task(tasks.draw_fair, mine), torch.zeros(3, 2), [2])


def test_parity_changes_with_every_bit_in_reach_and_no_other():
    bits = torch.zeros(10, 10)
    bits.fill_diagonal_(1)  # sequence b has its only 1 at step b
    assert tasks.labels(tasks.TASKS["parity"], bits, [4]).tolist() == [[0] * 6 + [1] * 4]


def test_lengths_are_uniform_from_n_plus_2_to_below_4n_plus_2():
    generator = torch.Generator().manual_seed(0)
    drawn = np.array([tasks.draw_length(5, generator) for _ in range(15_000)])
    values, counts = np.unique(drawn, return_counts=True)
    assert list(values) == list(range(7, 22))
    assert (np.abs(counts - 1000) < 5 * np.sqrt(1000)).all()


def test_parity_bits_have_a_rate_per_sequence_and_dms_bits_are_fair():
    generator = torch.Generator().manual_seed(0)
    biased = tasks.TASKS["parity"].draw(400, 4000, generator).mean(0)
    fair = tasks.TASKS["dms"].draw(400, 4000, generator).mean(0)
    # the mean of Bernoulli(p) bits with p ~ U(0, 1): variance 1/12 + E[p(1 - p)]/T
    assert biased.var().item() == pytest.approx(1 / 12 + 1 / 6 / 400, rel=0.05)
    assert fair.var().item() == pytest.approx(1 / 4 / 400, rel=0.1)
    assert fair.mean().item() == pytest.approx(0.5, abs=0.002)


def test_batches_follow_from_the_seed_alone():
    def draw(seed):
        return tasks.TASKS["parity"].draw(20, 5, torch.Generator().manual_seed(seed))

    assert torch.equal(draw(3), draw(3))
    assert not torch.equal(draw(3), draw(4))


@pytest.mark.parametrize("ns", [[], [0], [6], [2, 6]])
def test_labels_refuse_n_out_of_reach(ns):
    with pytest.raises(InputError, match="1 to 5"):
        tasks.labels(tasks.TASKS["dms"], torch.zeros(5, 1), ns)


# ---------------------------------------------------------------- a reader's own

OWN = """
import torch
from torch import rand
from tsrnn.tasks import Task, draw_fair

def majority(bits, n):
    return (bits[-n:].sum(0) > n / 2).long()

{more}
"""
REFUSED = {
    "def bad(bits, n): return bits[-n:].mean(0)": "bad answers 0.[0-9]+: a label is the whole number 0 or 1",
    "def bad(bits, n): return bits[-n:].sum(0)": "a label is the whole number 0 or 1",
    "def bad(bits, n): return bits[-n:].sum(0).long()": "bad answers [2-9]: a label is the whole number",
    "def bad(bits, n): return bits.long()": r"bad answers \(12, 16\) for 16 sequences: give a tensor",
    "def bad(bits, n): return bits[n]": "task bad: IndexError",
    "bad = Task(lambda T, B, g: rand(T, B, 2), majority)": r"gives \(12, 16, 2\): bits are .* one channel",
    "bad = Task(lambda T, B, g: rand(T, B, generator=g), majority)": "draw gives 0.[0-9]+: each is",
    "bad = Task(lambda T, B, g: rand(T, B).round(), majority)": "other bits for the same seed",
    "bad = Task(draw_fair, majority, lambda b, ns: torch.zeros(len(ns), 16).long())": "other answers",
    "def bad(bits, n): return bits.clamp_(0, 0)[-1].long()": "its labels change the bits that they are given",
    "bad = Task(lambda T, B, g: rand(T, B, generator=g).round().long(), "
    "lambda b, n: b.long().bitwise_xor_(b)[-1])": "its labels change the bits",
    "def bad(bits, n): return torch.from_numpy(bits.numpy().__imul__(0))[-1].long()": "its labels change",
    "def bad(bits, n): return torch.randint(2, bits[0].shape)": "other answers",
    "bad = Task(lambda T, B, g: draw_fair(12, 16, g), majority)": r"gives \(12, 16\): bits are a tensor",
    "bad = Task(lambda T, B, g: draw_fair(12, B, g)[range(T)], majority)": r"IndexError: .* \(draw, asked",
    "bad = Task(lambda T, B, g: draw_fair(T, B, g).numpy(), majority)": "bits are a tensor",
    "bad = Task(lambda T, B, g: None, majority)": "gives a NoneType: bits are a tensor",
    "bad = Task(draw_fair, majority, lambda b, ns: torch.stack([majority(b, n) for n in range(1, "
    "max(ns) + 1)]))": "answers .* give a tensor with a label for each N and sequence",
    "bad = Task(draw_fair, majority, lambda b, ns: [majority(b, n) for n in sorted(ns)])": "answers list for",
    "bad = Task(draw_fair, majority, lambda b, ns: torch.stack([majority(b, n) for n in sorted(ns)]))": (
        "label_all gives other answers"
    ),
    "bad = Task(draw_fair, majority, lambda b, ns: None)": "answers NoneType for",
    "bad = Task(draw_fair, majority, lambda b, ns: torch.ones(len(ns), 16).numpy())": "answers ndarray for",
    "def bad(bits, n): return majority(bits, n).numpy()": "task bad: TypeError",
    "def bad(bits, n): return majority(bits, n) + (n > 12)": "bad answers 2: a label is",
    "def bad(bits, n): return majority(bits, n).to_sparse()": "answers of bad: a sparse tensor",
    "def bad(bits, n): return majority(bits, n).to('meta')": "answers of bad: a tensor without values",
    "bad = Task(lambda T, B, g: draw_fair(T, B, g).to_sparse(), majority)": "a sparse tensor",
    "def bad(bits, n): raise SystemExit(3)": "SystemExit: 3 .bad, asked for N = 1 to 12 of 12 bits",
    "def bad(bits, n): raise ValueError('long ' * 999)": "ValueError: (long ){40}.{,2}bad, asked",
    "raise SystemExit": r"SystemExit: +\(in ",
    "import nowhere_to_be_found": r"ModuleNotFoundError: No module named 'nowhere_to_be_found' \(in ",
    "raise ValueError('two\\nlines ' * 999)": "ValueError: two lines two",
    "bad = 3": "no task bad in .*; there is majority$",
    "1 / 0": r"ZeroDivisionError: division by zero \(in .*mine.py\)",
    "def bad(": r"SyntaxError: .* \(in ",
}


@pytest.mark.parametrize("more", REFUSED)
def test_a_task_that_cannot_be_learned_is_refused_before_any_work(more, tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(OWN.replace("{more}", more))
    with pytest.raises(InputError, match=REFUSED[more]) as refused:
        tasks.load_task(f"{path}:bad")
    assert "\n" not in str(refused.value) and len(str(refused.value)) < 600
    assert "bad" not in tasks.TASKS


@pytest.mark.parametrize("kind", [torch.uint8, torch.bool, torch.int32], ids=str)
def test_labels_of_any_whole_kind_come_out_as_int64_wherever_they_are_asked_for(kind, monkeypatch):
    """1 − 2 x of uint8 is 255: shifts were wrong in silence."""
    mine = tasks.Task(tasks.draw_fair, lambda bits, n: tasks.parity(bits, n).to(kind))
    everywhere = [
        replace(mine, label_all=lambda bits, ns: tasks.all_parities(bits, ns).to(kind)),
        mine,
        tasks.TASKS["parity"],
    ]
    model = LeakyRNN.initialise(Architecture(neurons=6), [torch.Generator().manual_seed(0)])
    model.heads, found = {3: 0}, []
    for task in everywhere:
        monkeypatch.setitem(tasks.TASKS, "mine", task)
        bits = tasks.draw_fair(9, 5, torch.Generator().manual_seed(0))
        assert tasks.labels(task, bits, [2, 3]).dtype == torch.int64
        shares = mechanism(shifts(model, "mine", 3, 64))
        accuracy = stream_accuracy(model, "mine", 3, Stream(20, 5, 2)).mean().item()
        found.append(shares | {"stream": accuracy} | dict(decoding(model, "mine", 2, batches=1)["accuracy"]))
    assert found[0] == found[1] == found[2]


@pytest.mark.parametrize("task", [tasks.parity, tasks.delayed_match], ids=lambda task: task.__name__)
@pytest.mark.parametrize(
    ("bits", "said"),
    [
        (torch.tensor(1.0), r"bits of shape \(\)"),
        (torch.zeros(0, 2), r"bits of shape \(0, 2\)"),
        (torch.tensor([0.7, 1]), "bits hold 0.7: each is 0 or 1"),
        (torch.tensor([torch.nan, 1]), "bits hold nan"),
        (torch.eye(3).to_sparse(), "a sparse tensor"),
        (torch.eye(3, device="meta"), r"without values \(meta\)"),
    ],
    ids=str,
)
def test_what_are_no_bits_has_no_label(task, bits, said):
    with pytest.raises(InputError, match=said):
        task(bits, 1)


def test_a_task_that_fails_for_long_sequences_only_says_so_in_a_line(tmp_path, monkeypatch):
    monkeypatch.setattr(tasks, "TASKS", dict(tasks.TASKS))
    path = tmp_path / "mine.py"
    path.write_text(
        OWN.replace("{more}", "def late(bits, n): return majority(bits, n) if n < 41 else bits[99]")
    )
    tasks.load_task(f"{path}:late")
    with pytest.raises(InputError, match=r"IndexError: .* \(late, asked for N = 41 to 41 of 50 bits\)"):
        tasks.labels(tasks.get_task("late"), torch.zeros(50, 3), [41])


def test_a_task_comes_from_a_file(tmp_path, monkeypatch):
    monkeypatch.setattr(tasks, "TASKS", dict(tasks.TASKS))
    path = tmp_path / "mine.py"
    path.write_text(OWN.replace("{more}", "biased = Task(draw_fair, majority)"))
    assert tasks.load_task("parity") == "parity"
    for name in ("majority", "biased"):
        assert tasks.load_task(f"{path}:{name}") == name
        bits = torch.tensor([[1, 0], [1, 0], [0, 1]]).float()
        assert tasks.labels(tasks.get_task(name), bits, [1, 2, 3]).tolist() == [[0, 1], [0, 0], [1, 0]]
    with pytest.raises(InputError, match="parity cannot be a task's name here"):
        tasks.load_task(f"{path}:parity")
    with pytest.raises(InputError, match="größe cannot be a task's name here"):
        tasks.load_task(f"{path}:größe")
    with pytest.raises(InputError, match="there is no Python file"):
        tasks.load_task(f"{tmp_path}/other.py:majority")


def test_a_file_with_a_task_can_hold_what_any_python_file_can(tmp_path, monkeypatch):
    """Classes of data with annotations of the future, a file beside it; and it hides nothing of Python's."""
    monkeypatch.setattr(tasks, "TASKS", dict(tasks.TASKS))
    (tmp_path / "beside_it.py").write_text("HALF = 2\n")
    path, before = tmp_path / "random.py", list(sys.path)
    lines = ["from __future__ import annotations", "from dataclasses import dataclass"]
    lines += ["from beside_it import HALF", "@dataclass", "class Settings:", "    half: int = HALF", OWN]
    path.write_text("\n".join(lines).replace("n / 2", "n / Settings().half").replace("{more}", ""))
    assert tasks.load_task(f"{path}:majority") == "majority"
    assert sys.path == before
    sys.modules.pop("beside_it")
    assert not hasattr(sys.modules.get("random"), "majority")


def test_a_task_of_ones_own_is_trained_and_known_again_by_the_environment(tmp_path, command):
    path = tmp_path / "mine.py"
    path.write_text(OWN.replace("{more}", ""))
    flags = ["-nn", 8, "-s", 1, "--max-n", 2, "-b", tmp_path / "runs"]
    try:
        code, said, errors = command("train", "-t", f"{path}:majority", *flags)
        assert code == 0 and "cumulative_majority_neurons8_network_1" in said, errors
    finally:
        tasks.TASKS.pop("majority", None)
    code, _, errors = command("zoo", "-b", tmp_path / "runs")
    assert code == 2 and "or give your own as file.py:name, with `tsrnn train -t` or in TSRNN_TASKS" in errors
    known = subprocess.run(
        [sys.executable, "-c", "from tsrnn.tasks import TASKS; print(*TASKS)"],
        env=os.environ | {"TSRNN_TASKS": f"{path}:majority"},
        capture_output=True,
        text=True,
    )
    assert known.stdout == "parity dms majority\n", known.stderr
