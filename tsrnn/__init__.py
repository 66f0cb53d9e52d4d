"""tsrnn: an executable reproduction of Khajehabdollahi et al., ICLR 2024.

Each module is a section of the paper: `tasks`, `recurrence` and `model`, `curriculum`, `training`, `zoo`
(trained networks on disk), `evaluation`.

The names of `TOP` are at hand as `tsrnn.load` and so on.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tsrnn.analysis.recordings import timescales_of as timescales_of
    from tsrnn.catalogue import list_models as list_models
    from tsrnn.catalogue import load as load
    from tsrnn.gated import GatedRNN as GatedRNN
    from tsrnn.model import LeakyRNN as LeakyRNN

__version__ = "0.1.0"


class InputError(ValueError):
    """What was asked for cannot be done; the message, of one line, names the value and what is allowed."""

    def __init__(self, message: str) -> None:
        # a path may have a line's end, or what a terminal obeys, or thousands of letters
        plain = "".join(c if c.isprintable() else repr(c)[1:-1] for c in message)
        super().__init__(plain if len(plain) < 2000 else f"{plain[:1900]} ...")


class WorkError(RuntimeError):
    """What was begun could not be brought to its end; what was saved before is whole."""


# What is at the top, and where it lives. It is imported when it is first asked for: `import tsrnn` is quick.
TOP = {
    "load": "tsrnn.catalogue",
    "list_models": "tsrnn.catalogue",
    "timescales_of": "tsrnn.analysis.recordings",
    "LeakyRNN": "tsrnn.model",
    "GatedRNN": "tsrnn.gated",
}


def __getattr__(name: str) -> Any:
    if name in TOP:
        return getattr(import_module(TOP[name]), name)
    raise AttributeError(f"module 'tsrnn' has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*globals(), *TOP]
