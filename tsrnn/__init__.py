"""tsrnn: an executable reproduction of Khajehabdollahi et al., ICLR 2024.

Each module is a section of the paper: `tasks`, `recurrence` and `model`, `curriculum`, `training`, `zoo`
(trained networks on disk), `evaluation`.
"""

__version__ = "0.1.0"


class InputError(ValueError):
    """What was asked for cannot be done; the message, of one line, names the value and what is allowed."""

    def __init__(self, message: str) -> None:
        super().__init__(message.replace("\n", "\\n"))  # a path may have one


class WorkError(RuntimeError):
    """What was begun could not be brought to its end; what was saved before is whole."""
