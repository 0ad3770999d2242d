"""`asflow history`: the runs that `HistorySink` has recorded."""

from __future__ import annotations

import time
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter
from cyclopts.validators import Number

from asflow._cli.console import REASON, Terminal, moment, printable
from asflow._cli.parameters import AsJson  # noqa: TC001 - cyclopts reads it
from asflow._cli.runs import SLOWEST, paths_of_runs, read_run
from asflow._digest import digest_lines
from asflow._labels import cut
from asflow.sinks._words import duration, join

if TYPE_CHECKING:
    from collections.abc import Iterator

    from asflow._cli.runs import Run

_STYLES = {"completed": "green", "failed": "red", "cancelled": "yellow", "unfinished": "magenta"}

Some = Annotated[int, Parameter(name=("-n", "--number"), validator=Number(gte=1))]


def history(folder: str = "history", /, *, number: Some = 20, as_json: AsJson = False) -> int:
    """List the runs that a HistorySink has written to a folder, newest first.

    A run is `completed`, `failed`, `cancelled`, or `unfinished`: it goes on, or its process was killed.

    Args:
        folder: The folder.
        number: How many runs, at most.
        as_json: Write one JSON array instead, a line per run.

    Raises:
        UsageError: there is no such folder.
        OSError: it can't be read.
    """
    terminal = Terminal()
    runs = read_runs(terminal, paths_of_runs(folder)[:number])
    if as_json:
        terminal.json(_as_json(run) for run in runs)
        return terminal.code
    count = 0
    for run in runs:
        count += 1
        _show(terminal, run)
    terminal.note((f"{count:,} {'run' if count == 1 else 'runs'}", "dim"))
    return terminal.code


def read_runs(terminal: Terminal, paths: list[str], *, slowest: int = SLOWEST) -> Iterator[Run]:
    """Yield the runs in *paths*, each with its *slowest* calls; complain about damaged files."""
    for path in paths:
        try:
            run = read_run(path, slowest=slowest)
        except FileNotFoundError:
            continue  # deleted meanwhile
        except OSError as error:
            terminal.problem(error)
            continue
        if run is None:
            terminal.problem(f"{path!r} does not begin as a run's file does; delete it if it is damaged")
            continue
        if run.broken:
            terminal.problem(f"{path!r} has {run.broken:,} lines that can't be read; the counts lack them")
        yield run


def when(seconds: float) -> str:
    """Return a time in POSIX seconds by the local clock, as in `2026-01-02 03:04:05`."""
    try:
        return datetime.fromtimestamp(seconds).astimezone().strftime("%Y-%m-%d %H:%M:%S")
    except (OverflowError, OSError, ValueError):
        return moment(seconds)


def state(run: Run) -> str:
    """Return how the run ended, in words."""
    if run.end is not None:
        return run.outcome
    return f"unfinished: killed, or running; last seen {duration(max(0.0, time.time() - run.last))} ago"


def _show(terminal: Terminal, run: Run) -> None:
    title = printable(f"{run.start.flow}({run.start.label})")
    counts = join(run.counts.words())
    terminal.line(
        (f"{when(run.start.started)}  ", "dim"),
        (title, "bold"),
        ("  ", ""),
        (state(run), _STYLES.get(run.outcome, "")),
        (f" in {duration(run.seconds)}" if run.end is not None else "", ""),
        *([("  ", ""), *counts] if counts else []),
    )
    if run.end is not None and run.end.error_type:
        error = f"{run.end.error_type}: {run.end.error}" if run.end.error else run.end.error_type
        terminal.line((f"    {printable(error, REASON)}", "red"))
    for line in digest_lines(run.digest.groups, run.digest.left_out):
        terminal.line(("    ", ""), *((printable(text), style) for text, style in line))


def _as_json(run: Run) -> dict[str, object]:
    return {
        "run_id": run.start.run_id,
        "file": run.path,
        "flow": run.start.flow,
        "label": run.start.label,
        "started": moment(run.start.started),
        "outcome": run.outcome,
        "seconds": run.seconds,
        "calls": run.calls,
        **run.counts.by_outcome(),
        "error": None if run.error is None else cut(run.error, REASON, "…"),
        "problems": [
            {
                "task": group.task,
                "outcome": group.outcome,
                "error_type": group.error_type,
                "count": group.count,
                "calls": [call._asdict() for call in group.calls],
            }
            for group in run.digest.groups
        ],
    }
