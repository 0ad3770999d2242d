"""A sink that keeps what each run did: one file of JSON lines a run."""

from __future__ import annotations

import errno
import itertools
import os
import re
import threading
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal, final

from asflow import _forks
from asflow._descriptors import open_above_standard
from asflow._labels import clean, cut, error_text, short
from asflow.errors import DefinitionTypeError, DefinitionValueError
from asflow.sinks._words import Counts

if TYPE_CHECKING:
    from collections.abc import Mapping

    from asflow.events import Event, FlowFinished, FlowStarted, TaskFinished
    from asflow.sinks._history_rows import Row

_LABEL, _ERROR, _NAME = 200, 500, 1000  # characters
_MOST_ARGUMENTS = 20
_NAMED = re.compile(r"\d{8}T\d{6}\.\d{6}Z-[0-9a-f]{32}\.jsonl")


@final
class HistorySink:
    """Writes one `.jsonl` file for each run, an outermost call of a flow, for people and for SQL.

    `asflow history` lists the runs of a folder, `asflow report` makes a page of them, and DuckDB and Polars
    read the files as one table. asflow never decides anything by them: they may be deleted at any time. A
    file begins with a row of the kind `start`. A row `call` follows for each call that was made or went
    wrong, when it has ended, and a row `flow` for each flow that has ended, the outermost one last; without
    it the run goes on, or was killed. Calls whose output existed, or whose failure was recorded earlier,
    are only counted. Calls outside any flow are not written, nor are runs that began before the sink was
    added.

    | column | type | |
    |---|---|---|
    | `kind` | text | `start`, `call` or `flow` |
    | `run_id` | text | identifies the run, over all machines |
    | `flow_id`, `parent_id`, `call_id` | integer | the flow; the flow or call that called; the call |
    | `flow`, `task`, `label` | text | names, and the arguments shortened to one line |
    | `arguments` | text | a JSON object of the first 20 arguments, each shortened; secrets as `***` |
    | `started`, `ended` | number | POSIX seconds; a call starts when its body is first called |
    | `outcome`, `error_type`, `error` | text | how it ended; the exception's class and message |
    | `attempts` | integer | how often the body was called |
    | `seconds`, `waited_seconds` | number | in bodies, or for a flow in all; waiting before and between |
    | `output` | text | name of the output |
    | `size`, `records` | integer | of the output, if the call made it |
    | `calls`, `retries` | integer | of a flow: its own calls, and how often a body was called again |
    | `completed`, `cached`, `skipped` | integer | of a flow: its own calls that ended this way |
    | `suppressed`, `failed`, `cancelled` | integer | the same |

    A column that does not apply is null, but 0 or empty in a `start` row, so that readers infer the types.

    Each row is written at once, and is on its way to the disk when the call ends: after a kill the file holds
    whole lines. Memory does not grow with the number of calls.

    Threads: `emit` may be called from any thread.
    """

    wants_tasks: Literal["made"] = "made"

    def __init__(self, folder: str | os.PathLike[str], *, keep: int | None = None) -> None:
        """Make a sink.

        Args:
            folder: where to write, made absolute now. The first run creates it.
            keep: how many runs to keep, 1 or more: when a run has ended, the oldest files beyond are deleted,
                only those that a HistorySink has named; None: all.

        Raises:
            TypeError, ValueError: an argument is not one of these.
        """
        if not isinstance(folder, (str, os.PathLike)):  # pyright: ignore[reportUnnecessaryIsInstance] - users may not check
            raise DefinitionTypeError(
                f"HistorySink(): folder takes a str or a path, not {short(folder)}; "
                f"write for example HistorySink('history')"
            )
        given: object = keep  # users may not check
        if not isinstance(given, (int, type(None))) or isinstance(given, bool):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise DefinitionTypeError(
                f"HistorySink(): keep takes an int or None, not {short(given)}; write for example keep=100"
            )
        if keep is not None and keep < 1:
            raise DefinitionValueError(
                f"HistorySink(): keep takes 1 or more, not {keep}; leave it out to keep all runs"
            )
        self._folder = Path(folder).absolute()
        self._keep = keep
        self._lock = _forks.renewed(self, "_lock", threading.Lock)
        self._runs: dict[str, _RunFile] = {}

    def __repr__(self) -> str:
        return f"HistorySink({str(self._folder)!r})"

    def emit(self, event: Event, /) -> None:
        """Write the row that *event* completes.

        Raises:
            OSError: the file can't be written.
        """
        with self._lock:
            run = self._runs.get(event.run_id)
            if run is None:
                if event.kind == "flow_started" and event.parent_id is None:
                    self._runs[event.run_id] = _RunFile(self._folder, event)
                return
            match event.kind:
                case "flow_started":
                    run.flows[event.flow_id] = clean(event.flow)
                case "task_started" if event.attempt == 1:
                    run.starts.setdefault(event.flow_id, {})[event.call_id] = event.time
                case "task_finished":
                    run.call_ended(event)
                case "flow_finished":
                    self._flow_ended(run, event)
                case _:
                    pass

    def _flow_ended(self, run: _RunFile, event: FlowFinished) -> None:
        try:
            run.flow_ended(event)
        finally:
            if event.flow_id == run.flow_id:
                del self._runs[event.run_id]
                run.close()
                self._delete_old(run.path.name)

    def _delete_old(self, newest: str) -> None:
        if self._keep is None:
            return
        with suppress(OSError):  # another process may delete them, too
            names = sorted(name for name in os.listdir(self._folder) if is_history(name))
            for name in names[: -self._keep]:
                if name != newest:
                    (self._folder / name).unlink(missing_ok=True)

    def close(self) -> None:
        """Close the files of runs that have not ended. Called once at the end."""
        with self._lock:
            for run in self._runs.values():
                run.close()
            self._runs.clear()


def is_history(name: str) -> bool:
    """Return whether a file called *name* is one that a HistorySink has named; names sort by time."""
    return _NAMED.fullmatch(name) is not None


class _RunFile:
    """The file of one run, appended to line by line. Threads: one at a time."""

    def __init__(self, folder: Path, event: FlowStarted) -> None:
        from msgspec.json import encode

        from asflow.sinks._history_rows import Row, first_row

        self._encode, self._row = encode, Row
        self.flow_id = event.flow_id
        self.flows = {event.flow_id: clean(event.flow)}
        # By flow: of calls that it did not wait for, no end is reported.
        self.starts: dict[int | None, dict[int, float]] = {}
        folder.mkdir(parents=True, exist_ok=True)
        when = datetime.fromtimestamp(event.time, UTC).strftime("%Y%m%dT%H%M%S.%fZ")
        self.path = folder / f"{when}-{event.run_id}.jsonl"
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0)
        self._descriptor = open_above_standard(str(self.path), flags)
        self._size = os.fstat(self._descriptor).st_size
        label, arguments = _label(event.label), _arguments(event.arguments)
        self._write(first_row(event.run_id, event.flow_id, clean(event.flow), label, arguments, event.time))

    def call_ended(self, event: TaskFinished) -> None:
        """Write the row of a call."""
        started = self.starts.get(event.flow_id, {}).pop(event.call_id, event.time)
        self._write(
            self._row(
                kind="call",
                run_id=event.run_id,
                flow_id=event.flow_id or 0,
                parent_id=event.parent_id,
                call_id=event.call_id,
                flow=self.flows.get(event.flow_id or 0, ""),
                task=clean(event.task),
                label=_label(event.label),
                arguments=_arguments(event.arguments),
                started=started,
                ended=event.time,
                outcome=event.outcome,
                error_type=_error_type(event.error),
                error=_error(event.error),
                attempts=event.attempts,
                seconds=float(event.seconds),
                waited_seconds=float(event.waited_seconds),
                output=None if event.output is None else cut(clean(event.output), _NAME),
                size=event.size,
                records=event.records,
            )
        )

    def flow_ended(self, event: FlowFinished) -> None:
        """Write the row of a flow."""
        counts, calls, retries = Counts(), 0, 0
        for tally in list(event.tallies.values()):
            counts.add(tally)
            calls += tally.queued
            retries += tally.retries
        self.flows.pop(event.flow_id, None)
        self.starts.pop(event.flow_id, None)
        self._write(
            self._row(
                kind="flow",
                run_id=event.run_id,
                flow_id=event.flow_id,
                parent_id=event.parent_id,
                call_id=event.parent_call_id,
                flow=clean(event.flow),
                label=_label(event.label),
                arguments=_arguments(event.arguments),
                started=event.time - event.seconds,
                ended=event.time,
                outcome=event.outcome,
                error_type=_error_type(event.error),
                error=_error(event.error),
                seconds=float(event.seconds),
                calls=calls,
                completed=counts.completed,
                cached=counts.cached,
                skipped=counts.skipped,
                suppressed=counts.suppressed,
                failed=counts.failed,
                cancelled=counts.cancelled,
                retries=retries,
            )
        )

    def _write(self, row: Row) -> None:
        """Append *row* with one call of the system, so that a kill leaves whole lines."""
        line = self._encode(row) + b"\n"
        written = os.write(self._descriptor, line)
        if written < len(line):  # the disk is full
            os.ftruncate(self._descriptor, self._size)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self.path))
        self._size += written

    def close(self) -> None:
        os.close(self._descriptor)


def _label(label: str) -> str:
    return cut(clean(label), _LABEL, "…")


def _arguments(arguments: Mapping[str, object]) -> str:
    from msgspec.json import encode

    first = itertools.islice(arguments.items(), _MOST_ARGUMENTS)
    return encode({cut(clean(name), _LABEL): short(value) for name, value in first}).decode()


def _error_type(error: BaseException | None) -> str | None:
    return None if error is None else cut(clean(type(error).__name__), _LABEL)


def _error(error: BaseException | None) -> str | None:
    return None if error is None else error_text(error, _ERROR)
