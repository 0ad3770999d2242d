"""`asflow report`: a page of the last runs that `HistorySink` has recorded."""

from __future__ import annotations

import os
import tempfile
import time
from typing import Annotated

from cyclopts import Parameter

from asflow._cli.console import Terminal
from asflow._cli.history import Some, read_runs
from asflow._cli.modules import tasks_of
from asflow._cli.page import DRAWN, page
from asflow._cli.runs import paths_of_runs
from asflow._task.graph import graph_of


def report(
    folder: str = "history",
    /,
    *,
    output: Annotated[str, Parameter(name=("-o", "--output"))] = "report.html",
    number: Annotated[Some, Parameter(name=("-n", "--last"))] = 20,
    module: str | None = None,
) -> int:
    """Write a page of the last runs: counts, times, failures, the slowest calls, timelines.

    The page is one file that needs no network. It is written at once: another program sees the old one or the
    new one.

    Args:
        folder: The folder that a HistorySink writes to.
        output: The page's file.
        number: How many runs, at most.
        module: Also draw what the tasks of this module read (`reads=`), as `package.module`.

    Raises:
        UsageError: there is no such folder or module.
        OSError: a file can't be read or written.
    """
    terminal = Terminal()
    paths = paths_of_runs(folder)[:number]
    graph = None if module is None else graph_of(tasks_of(module)[0]).to_svg()
    runs = list(read_runs(terminal, paths, slowest=DRAWN))
    _replace(output, page(runs, time.time(), graph).encode("utf-8", "backslashreplace"))
    terminal.note((f"{output}: {len(runs):,} {'run' if len(runs) == 1 else 'runs'}", "dim"))
    return terminal.code


def _replace(path: str, content: bytes) -> None:
    folder, name = os.path.split(os.path.abspath(path))
    descriptor, temporary = tempfile.mkstemp(prefix=f".{name}.", dir=folder)
    try:
        with open(descriptor, "wb") as file:
            file.write(content)
        umask = os.umask(0)
        os.umask(umask)
        os.chmod(temporary, 0o666 & ~umask)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
