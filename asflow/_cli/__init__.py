"""The `asflow` command: run flows, look at what they left on disk, and put it right.

    app.py        the commands and their help        running.py    run
    console.py    what is written, and how           listing.py    ls
    finding.py    which files are meant              showing.py    show
    reading.py    how many records, and whole or not failing.py    errors, retry
                                                     checking.py   check
                                                     cleaning.py   clean

Arguments are parsed by cyclopts (extra `cli`), which is loaded when a command runs.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from asflow.errors import MissingExtraError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["main"]

_INTERRUPTED = 130
_PIPE_CLOSED = 141


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command that *argv* names.

    Args:
        argv: the arguments without the program's name; None: those of this process.

    Returns:
        The exit code: 0 ok, 1 a problem was found, 2 bad usage, 130 interrupted, 141 the reader of the
        output has gone.

    Raises:
        SystemExit: the flow that was run raised it.
    """
    tokens = list(sys.argv[1:] if argv is None else argv)
    try:
        code = _dispatcher()(tokens)
        if sys.stdout is not None:  # as it is where the caller has closed it
            sys.stdout.flush()
    except BrokenPipeError:
        _write_no_more()
        return _PIPE_CLOSED
    except OSError as error:
        _write_no_more()
        print(f"asflow: the output can't be written: {error.strerror or error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return _INTERRUPTED
    except MissingExtraError as error:
        print(f"asflow: {error}", file=sys.stderr)
        return 1
    return code


def _write_no_more() -> None:
    """Keep the interpreter, which flushes once more at its end, from failing there."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _dispatcher() -> Callable[[list[str]], int]:
    from importlib.util import find_spec

    if find_spec("cyclopts") is None:
        raise MissingExtraError("the command line needs cyclopts. Run: pip install 'asflow[cli]'")
    from asflow._cli.app import dispatch

    return dispatch
