"""How every program of the repository ends: what goes wrong is a line on stderr and an exit code."""

import errno
import sys
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

import typer

from tsrnn import InputError, WorkError

# What a path that was given can be: nothing that we could read
NOT_THERE = {errno.ENAMETOOLONG, errno.ELOOP, errno.ENOTDIR, errno.EISDIR, errno.EACCES, errno.EPERM}
# Of the click that typer brings, or of click itself
USAGE_ERROR: type[Exception] = typer.BadParameter.__mro__[1]


class Stopped(Exception):
    """Ctrl-C, and what is left of the work."""


def run(app: typer.Typer, name: str, arguments: Sequence[str]) -> NoReturn:
    """Run a program under this name.

    Exit codes: 0; 1, the work failed (a full disk, say); 2, the input cannot be used; 130, Ctrl-C.
    """
    warnings.simplefilter("default", UserWarning)  # ours are lines for the reader, whatever -W says
    warnings.showwarning = lambda message, *_, **__: print(f"{name}: {message}", file=sys.stderr)
    code: Any = 0
    line = ""
    try:
        code = app(list(arguments), prog_name=name, standalone_mode=False)
        code = int(code) if isinstance(code, int) else 0  # a function may return whatever it likes
    except USAGE_ERROR as error:
        code, line = 2, f"{error.format_message()} (see {name} --help)"  # type: ignore[attr-defined]
    except InputError as error:
        code, line = 2, str(error)
    except WorkError as error:
        code, line = 1, str(error)
    except Stopped as error:
        code, line = 130, str(error)
    except (KeyboardInterrupt, typer.Abort):
        code = 130
    except OSError as error:  # a full disk, say: what is there is whole, see `files.write_atomically`
        where = f": {error.filename}" if error.filename else ""
        code, line = 1, f"{error.strerror}{where}; all that was saved before is whole"
        if error.errno in NOT_THERE:
            code, line = 2, f"{error.strerror}{where}"
    except (MemoryError, RuntimeError) as error:
        if not isinstance(error, MemoryError) and "allocate" not in str(error):  # torch's own
            raise
        code, line = 1, "not enough memory; all that was saved before is whole"
    if code == 130 and not line:  # typer makes this code of Ctrl-C, too
        line = "stopped; all that was saved before is whole"
    if line and sys.stderr:
        print(f"{name}: " + line.replace("\n", "\\n"), file=sys.stderr)
    sys.exit(code)


def run_one(main: Callable[..., Any], help: str | None = None) -> NoReturn:
    """Run a program that is this one function, under the name of its file, with the arguments it was given.

    An argument that the function does not take is refused: nobody who asks for --help starts the work.
    """
    app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
    app.command(help=help)(main)
    run(app, Path(sys.argv[0]).name, sys.argv[1:])


def path_of(given: str) -> Path:
    """A path that was given. An empty one, to `Path` the current folder, is a mistake in a script."""
    if not given:
        raise typer.BadParameter("it is empty: give a path, or leave the option out")
    return Path(given)
