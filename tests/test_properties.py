"""Properties that hold for any configuration: names, curricula, what is refused."""

from dataclasses import replace
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from tsrnn import InputError, curriculum
from tsrnn.config import TrainConfig
from tsrnn.curriculum import CURRICULA, HEADS
from tsrnn.model import MODELS
from tsrnn.recurrence import ACTIVATIONS
from tsrnn.tasks import TASKS

NUMBERS = st.integers(-3, 130)
# Any value of each setting, most of them of no use
ANY = {
    "curriculum": st.sampled_from([*CURRICULA, "singel", ""]),
    "task": st.sampled_from([*TASKS, "xor"]),
    "network_number": st.integers(-1, 5),
    "first_n": NUMBERS,
    "init_heads": NUMBERS,
    "add_heads": NUMBERS,
    "forget_heads": NUMBERS,
    "neurons": st.sampled_from([0, 1, 100, 500]),
    "model": st.sampled_from(["default", "mod", "continuous", "lstm", "gru", "other"]),
    "protocol": st.sampled_from(["published", "published", "matched", ""]),
    "k": st.just(()) | st.lists(st.integers(0, 20), max_size=3),
    "activation": st.sampled_from([*ACTIVATIONS, "gelu"]),
    "tau": st.none() | st.floats(allow_nan=True, allow_infinity=True) | st.sampled_from([1.0, 2.0, 2.5]),
    "max_n": st.none() | NUMBERS,
    "max_epochs": NUMBERS,
    "patience": NUMBERS,
}


@st.composite
def configs(draw):
    """Settings that belong together, and in one case of three one that may not."""
    kind, model = draw(st.sampled_from(list(CURRICULA))), draw(st.sampled_from(MODELS))
    gated, heads = model in ("lstm", "gru"), draw(st.integers(1, 30))
    values = {
        "curriculum": kind,
        "task": draw(st.sampled_from(list(TASKS))),
        "network_number": draw(st.integers(1, 5)),
        "first_n": draw(st.integers(2, 20)),
        "init_heads": heads if kind in ("cumulative", "sliding") else 1,
        "add_heads": draw(st.integers(1, 30)) if kind == "cumulative" else 1,
        "forget_heads": draw(st.integers(1, heads)) if kind == "sliding" else 1,
        "neurons": draw(st.sampled_from([100, 500])),
        "model": model,
        "protocol": draw(st.sampled_from(["published", "matched"])) if gated else "published",
        "k": tuple(draw(st.lists(st.integers(1, 20), min_size=1, max_size=3)))
        if model == "continuous"
        else (),
        "activation": "leakyrelu" if gated else draw(st.sampled_from(list(ACTIVATIONS))),
        "tau": None if gated else draw(st.sampled_from([None, 1.0, 2.0, 2.5])),
        "max_n": draw(st.none() | st.integers(50, 101)),
        "max_epochs": draw(st.integers(1, 130)),
        "patience": draw(st.integers(1, 130)),
    }
    wrong = draw(st.sampled_from([*ANY, *[""] * 2 * len(ANY)]))
    return values | ({wrong: draw(ANY[wrong])} if wrong else {})


PATHS = st.fixed_dictionaries(
    {
        "kind": st.sampled_from(list(CURRICULA)),
        "first_n": st.integers(2, 60),
        "init_heads": st.integers(1, 30),
        "add_heads": st.integers(1, 30),
        "forget_heads": st.integers(1, 30),
    }
)


def configured(values: dict) -> TrainConfig | None:
    """None if refused, in one line that says what to choose."""
    try:
        return TrainConfig(**values)
    except InputError as error:
        assert "\n" not in str(error) and any(
            word in str(error) for word in ("choose", "or more", "can forget", "has 1 head")
        )
        return None


def test_most_of_these_configurations_are_no_nonsense():
    """Or nothing below would be asked of any."""
    tried = []

    @settings(max_examples=200, deadline=None)
    @given(configs())
    def collect(values):
        tried.append(configured(values) is not None)

    collect()
    assert 0.5 < sum(tried) / len(tried) < 0.95


@settings(max_examples=500, deadline=None)
@given(configs())
def test_any_configuration_is_refused_or_can_start(values):
    config = configured(values)
    if config is not None:
        now = config.start()
        assert 2 <= now.n_min <= now.n_max <= now.largest_n
        assert config.max_n is None or now.n_max <= config.max_n <= now.largest_n


@settings(max_examples=500, deadline=None)
@given(configs(), configs(), st.sets(st.sampled_from(list(ANY)), max_size=2))
def test_folders_are_the_same_only_for_the_same_networks(a, b, changed):
    """Equal names mean equal settings, but for those that do not make another network (and the seed)."""
    one, other = configured(a), configured(a | {name: b[name] for name in changed})
    if one and other and one.folder() == other.folder():
        free = {"max_n": None, "max_epochs": 1, "patience": 1}
        # numbers of heads that this curriculum does not use
        free |= {} if one.curriculum == "sliding" else {"forget_heads": 1}
        free |= {} if one.curriculum == "cumulative" else {"add_heads": 1}
        assert replace(one, **free) == replace(other, **free)


@settings(max_examples=500, deadline=None)
@given(configs())
def test_a_folder_name_is_a_plain_name(values):
    config = configured(values)
    if config is not None:
        name = config.folder()
        assert Path(name).name == name and name.isascii() and " " not in name
        assert name.startswith(f"{config.start().label}_{config.task}_")
        assert name.endswith(f"network_{config.network_number}")


@settings(max_examples=500, deadline=None)
@given(PATHS)
def test_a_curriculum_ends_and_never_uses_a_head_for_two_n(values):
    try:
        now = curriculum.start(**values)
    except InputError:
        return
    read: dict[int, int] = {}  # head -> N
    for _ in range(1000):
        heads = list(now.heads)
        assert len(heads) == len(now.ns) and min(heads) >= 0 and max(heads) < HEADS
        if not now.one_head:
            for head, n in zip(heads, now.ns, strict=True):
                assert read.setdefault(head, n) == n
        after = now.next()
        if after is None:
            return
        assert after.n_max > now.n_max and after.n_min >= now.n_min
        now = after
    assert now.kind == "single", "a single head goes on for long, all others end"
