"""The workflow's settings: what makes jobs, what is refused before the first, and the Snakefile's part."""

import shutil
from pathlib import Path

import pytest
import typer
import yaml

from tsrnn import InputError, cli
from tsrnn.config import OPTIONS, RETRAIN_OPTIONS, TrainConfig, jobs_of, networks_of

ROOT = Path(__file__).parents[1]
CONFIG = yaml.safe_load((ROOT / "workflow" / "config.yaml").read_text())
FINE = {"curriculum": "cumulative", "task": "parity", "networks": 3, "max_n": 4}
JUNK = [None, True, -1, 1.5, "x", "", [], [1], {}, {"a": 1}, float("nan")]


def settings(*conditions: object, **others: object) -> dict[str, object]:
    return CONFIG | {"profile": "mine", "profiles": {"mine": list(conditions)}} | others


def refused(config: dict[str, object]) -> str:
    with pytest.raises(InputError) as error:
        jobs_of(config)
    assert "\n" not in str(error.value) and len(str(error.value)) < 400
    return str(error.value)


@pytest.mark.parametrize("profile", CONFIG["profiles"])
@pytest.mark.parametrize("together", [1, 4])
def test_every_profile_makes_jobs_of_all_its_networks(profile, together):
    conditions = CONFIG["profiles"][profile]
    jobs = jobs_of(CONFIG | {"profile": profile, "together": together})
    expected = [n.folder() for condition in conditions for n in networks_of(condition)[1]]
    assert [folder for job in jobs for folder in job.folders] == expected
    assert max(len(job.folders) for job in jobs) <= together
    assert any(job.retrain for job in jobs) == any("retrain" in condition for condition in conditions)


def test_a_job_says_all_that_its_condition_does():
    condition = FINE | {"model": "continuous", "k": [7, 8], "first": 2, "retrain": "--start 4 --on 4 --on 5"}
    one, two = jobs_of(settings(condition, together=1))
    assert (
        one.train
        == (
            "--curriculum cumulative --task parity --max_n 4 --model continuous --k 7,8 "
            "--seed 2 --network_number 2 --runs 1"
        ).split()
    )
    assert two.train[-6:] == "--seed 3 --network_number 3 --runs 1".split()
    assert one.retrain == "--start 4 --on 4 --on 5".split() and one.task == "parity"


def test_options_are_those_of_the_commands():
    commands = typer.main.get_command(cli.app).commands
    there = {name: {opt for p in commands[name].params for opt in p.opts} for name in ("train", "retrain")}
    assert {f"--{name}" for name in OPTIONS} <= there["train"] and set(OPTIONS) <= vars(TrainConfig()).keys()
    assert RETRAIN_OPTIONS.keys() <= there["retrain"]
    appendix = [network.folder() for c in CONFIG["profiles"]["appendix"] for network in networks_of(c)[1]]
    assert "single_dms_gru_matched_network_2" in appendix
    with pytest.raises(InputError, match="networks = 'x'"):
        networks_of(FINE | {"networks": "x"})


CONDITIONS = {
    "networks = 0: choose 1 to 1000000": FINE | {"networks": 0},
    "networks = -2: choose 1": FINE | {"networks": -2},
    "networks = '4': choose a whole number": FINE | {"networks": "4"},
    "networks = 2.5: choose a whole number": FINE | {"networks": 2.5},
    "it has no networks: add one": {"task": "parity"},
    "it has no task: add one": {"networks": 1},
    "first = 5: choose 1 to 3": FINE | {"first": 5},
    "first = 0: choose 1 to 3": FINE | {"first": 0},
    "unknown option 'nuerons': choose one of curriculum, task": FINE | {"nuerons": 60},
    "unknown option 'seed'": FINE | {"seed": 7},
    "unknown option 'steps'": FINE | {"steps": 7},  # `tsrnn train` has none
    "unknown option 5": FINE | {5: 7},
    "unknown task 'nosuch'": FINE | {"task": "nosuch"},
    "max N = 200": FINE | {"max_n": 200},
    "tau has no value": FINE | {"tau": None},
    "None is no condition": None,
    "'toy' is no condition": "toy",
    "retrain = 5: give options and their values": FINE | {"retrain": 5},
    "retrain = None": FINE | {"retrain": None},
    "retrain = '--start'": FINE | {"retrain": "--start"},
    "unknown option of retrain '--begin'": FINE | {"retrain": "--begin 3"},
    "retrain --on = 'x': choose a whole number": FINE | {"retrain": "--on x"},
    "retrain --epochs = 0": FINE | {"retrain": "--epochs 0"},
    "retrain --on = [4, 4]: give each once": FINE | {"retrain": "--on 4 --on 4"},
}
SETTINGS = {
    "together = -1: choose 1 to 1000": {"together": -1},
    "together = 0": {"together": 0},
    "together = 1.5": {"together": 1.5},
    "together = 'abc'": {"together": "abc"},
    "together = '2'": {"together": "2"},
    "unknown device 'cudafoo'": {"device": "cudafoo"},
    "unknown device 0": {"device": 0},
    "unknown profile 'nosuch': choose one of mine": {"profile": "nosuch"},
    "unknown profile ['mine']": {"profile": ["mine"]},
    "profile mine = []: give a list of conditions": {"profiles": {"mine": []}},
    "profile mine = None": {"profiles": {"mine": None}},
    "profile mine = {'task': 'parity'}": {"profiles": {"mine": {"task": "parity"}}},
    "profiles = [": {"profiles": [FINE]},
    "zoo = 5": {"zoo": 5},
    "zoo = ''": {"zoo": ""},
    "README.md is not a folder": {"zoo": str(ROOT / "README.md" / "zoo")},
    "done = None": {"done": None},
    "unknown setting 'togehter': choose one of profile": {"togehter": 4},
}
TABLE = [(said, settings(FINE | {"task": "dms"}, condition)) for said, condition in CONDITIONS.items()]
TABLE += [(said, settings(FINE) | others) for said, others in SETTINGS.items()]
TABLE += [
    (
        "condition 3 names cumulative_parity_network_2, as condition 1 does",
        settings(FINE, FINE | {"curriculum": "single"}, FINE | {"max_n": 9, "first": 2}),
    )
]


@pytest.mark.parametrize(("said", "config"), TABLE, ids=[said for said, _ in TABLE])
def test_what_no_job_could_do_is_refused_in_a_line(said, config):
    assert said in refused(config)
    if said in CONDITIONS:
        assert refused(config).startswith("profile mine, condition 2: ")


@pytest.mark.parametrize("name", OPTIONS)
def test_whatever_an_option_is_given_is_taken_or_refused(name):
    for value in JUNK:
        try:
            [job] = jobs_of(settings(FINE | {"networks": 1, name: value}))
        except InputError:
            continue
        assert all(isinstance(word, str) and word != "None" for word in job.train)


@pytest.mark.parametrize("name", ["profile", "profiles", "zoo", "device", "together"])
def test_a_setting_that_is_missing_or_junk_is_refused(name):
    assert f"there is no {name}" in refused({k: v for k, v in settings(FINE).items() if k != name})
    for value in JUNK:
        if (name, value) != ("zoo", "x"):
            refused(settings(FINE) | {name: value})


class WorkflowError(Exception):
    """As snakemake's, which is not needed for this."""


def run_snakefile(config: dict[str, object], monkeypatch: pytest.MonkeyPatch) -> dict[str, object]:
    """The Snakefile's Python, up to the first rule, with what snakemake gives it."""
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(shutil, "which", lambda tool: tool)
    text = (ROOT / "workflow" / "Snakefile").read_text().split("\ndef once(")[0]
    lines = [line for line in text.split("\n") if not line.startswith(("workdir:", "configfile:"))]
    given = {"config": config, "WorkflowError": WorkflowError}
    exec("\n".join(lines), given)
    return given


def test_the_snakefile_takes_its_jobs_from_there(monkeypatch):
    config = settings(FINE | {"retrain": "--start 4"}, FINE | {"task": "dms"}, together=2)
    found = run_snakefile(config, monkeypatch)
    first = ["cumulative_parity_network_1", "cumulative_parity_network_3"]
    assert list(found["TRAIN"])[:2] == first == list(found["RETRAIN"]) and found["TASKS"] == ["dms", "parity"]
    assert found["NETWORKS"][first[0]] == [first[0], "cumulative_parity_network_2"]
    with pytest.raises(WorkflowError, match="together = -1: choose 1 to 1000"):
        run_snakefile(settings(FINE, together=-1), monkeypatch)
