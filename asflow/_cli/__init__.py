"""The `asflow` command: run flows, look at what they left on disk, and put it right.

    app.py        the commands and their help         run.py         run
    console.py    output and complaints               ls.py          ls
    files.py      which files a command is about      show.py        show
    counting.py   records in a file; is it whole?     failures.py    errors, retry
    parameters.py options of several commands         check.py       check
    modules.py    the tasks of a module               clean.py       clean
    calls.py      from a name to a call               stale.py       stale
    verdicts.py   is it out of date?                  status.py      status
    sinks.py      `run --sink`                        refresh.py     refresh
    runs.py       the files of `HistorySink`         graph.py       graph
                                                      history.py     history
    page.py       the page of a report           report.py      report
                                                      adopt.py       adopt

cyclopts (extra `cli`) parses the arguments; it is imported when a command runs.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from asflow.errors import MissingExtraError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_INTERRUPTED = 130
_PIPE_CLOSED = 141


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command that *argv* names.

    Args:
        argv: the arguments without the program's name; None: those of this process.

    Returns:
        The exit code: 0 ok, 1 a problem was found, 2 bad usage, 130 interrupted, 141 the output's reader
        has closed it.

    Raises:
        SystemExit: the flow raised it.
    """
    tokens = list(sys.argv[1:] if argv is None else argv)
    try:
        code = _dispatcher()(tokens)
        if sys.stdout is not None:  # None if the caller has closed it
            sys.stdout.flush()
    except BrokenPipeError:
        _discard_output()
        return _PIPE_CLOSED
    except OSError as error:
        _discard_output()
        print(f"asflow: can't write the output: {error.strerror or error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return _INTERRUPTED
    except MissingExtraError as error:
        print(f"asflow: {error}", file=sys.stderr)
        return 1
    return code


def _discard_output() -> None:
    """Point stdout at the null device, so that the interpreter's last flush can't fail."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _dispatcher() -> Callable[[list[str]], int]:
    from importlib.util import find_spec

    if find_spec("cyclopts") is None:
        raise MissingExtraError("the command line needs cyclopts; run: pip install 'asflow[cli]'")
    from asflow._cli.app import dispatch

    return dispatch
