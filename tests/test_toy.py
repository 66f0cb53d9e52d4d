"""The parameters of a chapter: what papermill may pass on, and what is refused in words."""

import re

import pytest

from tsrnn import InputError, zoo
from tsrnn.book import toy
from tsrnn.config import TrainConfig
from tsrnn.training import train

GOOD = {"task": "parity", "seeds": [], "zoo_path": "", "quick": False}
BAD = {
    "unknown task": ({"task": "copy"}, "unknown task 'copy': choose one of parity, dms"),
    "a task that is no text": ({"task": ["parity"]}, "task = ['parity']: choose one of parity, dms"),
    "a list as text": ({"seeds": "[1, 2]"}, "seeds = '[1, 2]': give whole numbers"),
    "a negative seed": ({"seeds": -1}, "seeds = -1: give whole numbers"),
    "half a seed": ({"seeds": [1, 0.5]}, "seeds = [1, 0.5]: give whole numbers"),
    "no folder": ({"zoo_path": "nowhere"}, "no folder nowhere: zoo_path is"),
    "a path that is no text": ({"zoo_path": 3}, "zoo_path = 3: give a folder"),
    "a word for a switch": ({"quick": "yes"}, "quick = 'yes': choose True or False"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_parameter_is_refused_with_what_is_allowed(case):
    change, message = BAD[case]
    with pytest.raises(InputError, match="^" + re.escape(message)):
        toy.get_networks(**GOOD | change)


@pytest.mark.parametrize(("seeds", "chosen"), [([], []), ((), []), (2, [2]), ([1, 2], [1, 2])])
def test_one_seed_is_a_list_of_it(seeds, chosen):
    assert toy.checked("parity", seeds, "", False) == chosen


def test_other_tasks_come_along_unless_seeds_are_asked_for(tmp_path):
    for name in (
        f"{kind}_{task}_network_1" for kind in ("cumulative", "single") for task in ("parity", "dms")
    ):
        (tmp_path / name).symlink_to(zoo.default_base_path().resolve() / name)
    networks, what = toy.by_task("dms", [], str(tmp_path))
    assert list(networks) == ["dms", "parity"] and "task = dms" in what
    assert all(set(nets.index["task"]) == {task} for task, nets in networks.items())
    assert list(toy.by_task("parity", 1, str(tmp_path))[0]) == ["parity"]


def test_a_seed_that_the_zoo_lacks_is_named_beside_those_that_it_has():
    message = r"^seeds = \[987654\]: multi-head networks for parity in .* have seeds"
    with pytest.raises(InputError, match=message):
        toy.get_networks("parity", 987654)


def test_a_zoo_of_other_networks_is_shown_as_it_is(tmp_path):
    """And what it lacks is said."""
    small = {"neurons": 30, "steps": 3, "test_batches": 2, "batch_size": 8, "promotion": 0.0, "max_n": 3}
    train(TrainConfig(**small, measure_steps=100), base_path=tmp_path, progress=False)
    assert toy.most_pairs(tmp_path, "parity") is None  # so that toys are trained
    train(TrainConfig("single", **small, measure_steps=100), base_path=tmp_path, progress=False)
    found, base, what = toy.get_networks("parity", [], str(tmp_path))
    assert base == tmp_path and what.endswith("from the zoo, not the paper's standard but neurons30.")
    assert found["variant"].tolist() == ["neurons30"] * 2


def test_the_sentence_says_what_was_asked_for():
    _, _, what = toy.get_networks("parity", quick=True)
    assert what.startswith("Run with task = parity, seeds = all, zoo_path = the book’s, quick. Networks: ")
