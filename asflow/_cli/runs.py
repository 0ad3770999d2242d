"""The runs in a folder that `HistorySink` has written to."""

from __future__ import annotations

import heapq
import os
from typing import TYPE_CHECKING

from msgspec import DecodeError
from msgspec.json import Decoder

from asflow._cli.console import UsageError
from asflow._digest import Digest, ProblemCall
from asflow.sinks._history import is_history
from asflow.sinks._history_rows import Row
from asflow.sinks._words import Counts

if TYPE_CHECKING:
    from collections.abc import Iterator

SLOWEST = 10
"""Calls that are kept of a run, by default."""

_decoder = Decoder(Row)


class Run:
    """One run.

    Attributes:
        path: its file.
        start: its first row.
        end: the row of the outermost flow; None: it goes on, or was killed.
        counts: the calls of all its flows by outcome; of a run without end, those in the file.
        made: how many rows of calls the file has.
        calls: how many calls were made, as far as the file says.
        digest: what went wrong, in groups.
        slowest: the calls with the longest bodies, slowest first.
        first: the first failed call, or None.
        last: when the run ended, or was last known to live, in POSIX seconds.
        broken: lines that can't be read.
    """

    def __init__(self, path: str, start: Row) -> None:
        self.path: str = path
        self.start: Row = start
        self.end: Row | None = None
        self.counts: Counts = Counts()
        self.made: int = 0
        self.calls: int = 0
        self.digest: Digest = Digest()
        self.slowest: list[Row] = []
        self.first: Row | None = None
        self.last: float = start.started
        self.broken: int = 0

    @property
    def outcome(self) -> str:
        """How the outermost flow ended; `unfinished` if the file does not say."""
        return "unfinished" if self.end is None else self.end.outcome or ""

    @property
    def seconds(self) -> float:
        """How long it ran, as far as is known."""
        if self.end is not None:
            return self.end.seconds or 0.0
        return max(0.0, self.last - self.start.started)

    @property
    def error(self) -> str | None:
        """The exception that the flow raised, else the first that ended a call."""
        for row in (self.end, self.first):
            if row is not None and row.error_type:
                return f"{row.error_type}: {row.error}" if row.error else row.error_type
        return None


def paths_of_runs(folder: str) -> list[str]:
    """Return the files of runs in *folder*, newest first.

    Raises:
        UsageError: there is no such folder.
        OSError: it can't be read.
    """
    if not os.path.isdir(folder):
        raise UsageError(f"{folder!r} is not a folder; name the one that HistorySink writes to")
    return [
        os.path.join(folder, name) for name in sorted(os.listdir(folder), reverse=True) if is_history(name)
    ]


def rows_of(path: str) -> Iterator[Row | None]:
    """Yield the rows in *path*; None for a line that is not one. Raises OSError."""
    with open(path, "rb") as file:
        for line in file:
            try:
                yield _decoder.decode(line)
            except (DecodeError, UnicodeDecodeError):
                yield None


def read_run(path: str, *, slowest: int = SLOWEST) -> Run | None:
    """Return the run in *path*, read line by line; None if its first line is not that of a run.

    Raises:
        OSError: it can't be read.
    """
    rows = rows_of(path)
    start = next(rows, None)
    if start is None or start.kind != "start":
        return None
    run = Run(path, start)
    in_file = Counts()
    longest: list[tuple[float, int, Row]] = []
    for number, row in enumerate(rows):
        if row is None:
            run.broken += 1
            continue
        run.last = max(run.last, row.ended or 0.0)
        if row.kind == "flow":
            _add(run.counts, row)
            run.calls += row.calls or 0
            if row.flow_id == start.flow_id:
                run.end = row
        elif row.kind == "call":
            run.made += 1
            _count(in_file, row)
            _problem(run, row)
            heapq.heappush(longest, (row.seconds or 0.0, -number, row))
            if len(longest) > slowest:
                heapq.heappop(longest)
    if run.end is None:
        run.counts, run.calls = in_file, in_file.finished
    run.slowest = [row for *_, row in sorted(longest, key=lambda each: each[:2], reverse=True)]
    return run


def _add(counts: Counts, row: Row) -> None:
    for name in counts.__slots__:
        setattr(counts, name, getattr(counts, name) + (getattr(row, name) or 0))


def _count(counts: Counts, row: Row) -> None:
    if row.outcome in ("completed", "cached", "skipped", "suppressed", "failed", "cancelled"):
        setattr(counts, row.outcome, getattr(counts, row.outcome) + 1)
    counts.retries += max(0, (row.attempts or 0) - 1)


def _problem(run: Run, row: Row) -> None:
    if row.outcome not in ("failed", "skipped", "suppressed"):
        return
    if run.first is None or (row.outcome == "failed" != run.first.outcome):
        run.first = row
    call = ProblemCall(row.label, row.error or "")
    run.digest.add(row.task or "", row.outcome, row.error_type, lambda: call)
