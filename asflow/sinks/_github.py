"""A sink for the log of a GitHub Actions job."""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path
from typing import IO, TYPE_CHECKING, Literal, final

from asflow import _forks
from asflow._labels import clean, error_line
from asflow._tracebacks import text_of
from asflow.sinks._words import Counts, flow_summary, plain, task_line, waiting_line

if TYPE_CHECKING:
    from asflow.events import Event, FlowFinished, FlowStarted, TaskFinished

_MOST = 10  # annotations of a kind that GitHub shows for a step


@final
class GitHubActionsSink:
    """Writes workflow commands, so that a job's page on GitHub shows what a flow did.

    Each outermost flow is a group of lines that can be folded: one line for each call whose body ran, and
    the summary. A failed call is an error annotation at the user's file and line, with its traceback in the
    log; a skipped or suppressed one is a warning. Of each kind GitHub shows ten a step, so no more are
    written. The counts of each outermost flow are added to the job's summary page.

    Commands: https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands

    Threads: `emit` may be called from any thread.
    """

    wants_tasks: Literal["all"] = "all"

    def __init__(self, stream: IO[str] | None = None) -> None:
        """Make a sink.

        Args:
            stream: where the commands go; None: standard output, where GitHub looks for them.
        """
        self._stream = stream
        self._lock = _forks.renewed(self, "_lock", threading.Lock)
        self._flows: dict[int, FlowStarted] = {}
        self._written = {"error": 0, "warning": 0}
        self._is_in_group = False

    def __repr__(self) -> str:
        return "GitHubActionsSink()"

    def emit(self, event: Event, /) -> None:
        """Write the commands of *event*. Raises OSError as the stream does."""
        match event.kind:
            case "flow_started":
                self._flows[event.flow_id] = event
                if event.parent_id is None:
                    self._open_group(event)
            case "flow_finished":
                self._finished(event)
            case "task_finished" if event.outcome != "cached":
                self._task_finished(event)
            case "task_waiting" if event.reason == "owner":
                with self._lock:
                    self._write(_data(plain(waiting_line(event))))
            case _:
                pass

    def _open_group(self, event: FlowStarted) -> None:
        with self._lock:
            if not self._is_in_group:  # groups don't nest, and flows may run at the same time
                self._is_in_group = True
                self._write(f"::group::{_data(f'Flow {event.flow}({event.label})')}")

    def _task_finished(self, event: TaskFinished) -> None:
        with self._lock:
            self._write(_data(plain(task_line(event))))
            if event.error is not None:
                if event.outcome == "failed":
                    self._write(_data(text_of(event.error), lines=True))
                    self._annotate("error", event.error, f"{event.task}({event.label})")
                elif event.outcome in ("skipped", "suppressed"):
                    self._annotate("warning", event.error, f"{event.task}({event.label}) {event.outcome}")

    def _annotate(self, kind: Literal["error", "warning"], error: BaseException, title: str) -> None:
        self._written[kind] += 1
        if self._written[kind] > _MOST:
            return
        found = _users_line(error)
        where = "" if found is None else f"file={_property(found[0])},line={found[1]},"
        message = error_line(error, 1000).replace("%", "%25")
        self._write(f"::{kind} {where}title={_property(clean(title))}::{message}")

    def _finished(self, event: FlowFinished) -> None:
        started = self._flows.pop(event.flow_id, None)
        if started is None:
            return
        counts = Counts()
        for tally in list(started.tallies.values()):
            counts.add(tally)
        title = f"{clean(event.flow)}({clean(started.label)})"
        summary = plain(flow_summary(title, event.outcome, event.error, counts, event.seconds))
        with self._lock:
            self._write(_data(summary))
            if event.parent_id is not None:
                return
            if not any(flow.parent_id is None for flow in self._flows.values()):
                self._is_in_group = False
                self._write("::endgroup::")
            if event.error is not None and event.outcome == "failed" and not counts.failed:
                self._annotate("error", event.error, title)
        _add_to_summary(started, summary)

    def _write(self, text: str) -> None:
        stream = sys.stdout if self._stream is None else self._stream
        if stream is not None:  # pyright: ignore[reportUnnecessaryComparison] - None under pythonw
            stream.write(text + "\n")
            stream.flush()


def _data(text: str, *, lines: bool = False) -> str:
    """Return *text* as it may be part of the log: no line of it is taken for a command."""
    text = clean(text, lines=lines)
    return "\n".join(" " + line if line.startswith("::") else line for line in text.split("\n"))


def _property(text: str) -> str:
    """Escape *text* as the value of a command's property."""
    for character, code in (("%", "%25"), ("\r", "%0D"), ("\n", "%0A"), (":", "%3A"), (",", "%2C")):
        text = text.replace(character, code)
    return text


def _users_line(error: BaseException) -> tuple[str, int] | None:
    """Return file, relative to the checkout, and line of the innermost frame in the checkout."""
    root = Path(os.environ.get("GITHUB_WORKSPACE") or ".").resolve()
    trace, found = error.__traceback__, None
    while trace is not None:
        path = Path(trace.tb_frame.f_code.co_filename)
        if path.is_absolute() and path.is_relative_to(root) and "site-packages" not in path.parts:
            found = path.relative_to(root).as_posix(), trace.tb_lineno
        trace = trace.tb_next
    return found


def _add_to_summary(started: FlowStarted, summary: str) -> None:
    """Add a table of the flow's tasks to the page that GitHub shows above the log."""
    path = os.environ.get("GITHUB_STEP_SUMMARY")
    if not path:
        return
    rows = ["| task | done | on disk | skipped | suppressed | failed |", "|---|--:|--:|--:|--:|--:|"]
    for task, tally in list(started.tallies.items()):
        numbers = (tally.completed, tally.cached, tally.skipped, tally.suppressed, tally.failed)
        rows.append(f"| {_cell(task)} | {' | '.join(f'{number:,}' for number in numbers)} |")
    with open(path, "a", encoding="utf-8") as page:
        page.write("\n".join([f"#### {_cell(summary)}", "", *rows, "", ""]))


def _cell(text: str) -> str:
    """Return *text* so that it says the same in Markdown."""
    for character in "\\`*_{}[]<>()#+-.!|~":
        text = text.replace(character, "\\" + character)
    return clean(text)
