"""A sink that writes a timeline: for Perfetto and Chrome, or as a self-contained page."""

from __future__ import annotations

import heapq
import itertools
import os
import threading
from typing import TYPE_CHECKING, Literal, final

from asflow import _forks
from asflow._labels import clean, cut, error_text, short
from asflow.errors import DefinitionTypeError
from asflow.sinks._trace_file import TraceFile

if TYPE_CHECKING:
    from collections.abc import Mapping

    from asflow.events import Event, FlowFinished, TaskFinished, TaskRetrying

_MOST_ARGUMENTS = 20


@final
class TraceSink:
    """Writes a timeline to a file; calls that run at the same time are shown in separate lanes.

    The file's suffix selects the format: `.html` is a self-contained page that shows the timeline, offline
    too, lists and finds the calls that went wrong, and shows arguments, attempts and times of a call; any
    other suffix is Chrome's trace format, which https://ui.perfetto.dev and chrome://tracing open. Events
    are written as they come and not kept in memory. The file is complete whenever no flow and no call is
    running; that of a program that was killed still opens, in either format.

    Threads: `emit` may be called from any thread.

    Source: Trace Event Format, JSON array form, phases X (a slice), i (a moment) and M (a name).
    """

    wants_tasks: Literal["all"] = "all"

    def __init__(self, path: str | os.PathLike[str]) -> None:
        """Make a sink.

        Args:
            path: the file to write. The first event replaces it and creates missing folders.

        Raises:
            TypeError: *path* is not a path.
        """
        if not isinstance(path, (str, os.PathLike)):  # pyright: ignore[reportUnnecessaryIsInstance] - users may not check
            raise DefinitionTypeError(
                f"TraceSink(): path takes a str or a path, not {short(path)}; "
                f"write for example TraceSink('trace.html')"
            )
        self._file = TraceFile(path)
        self._lock = _forks.renewed(self, "_lock", threading.Lock)
        self._flows: set[int] = set()
        # By call: start, attempt, lane, flow, task, label.
        self._starts: dict[int, tuple[float, int, int, int | None, str, str]] = {}
        self._lanes: dict[
            int | None, list[int]
        ] = {}  # by flow: a heap of free lanes; the highest was never used

    def emit(self, event: Event, /) -> None:
        """Write the slice that ends with *event*."""
        with self._lock:
            match event.kind:
                case "flow_started":
                    self._flows.add(event.flow_id)
                    title = {"name": clean(f"{event.flow}({event.label})")}
                    self._file.write("M", event.at, event.flow_id, name="process_name", args=title)
                case "flow_finished":
                    self._flow_ended(event)
                case "task_started":
                    free = self._lanes.setdefault(event.flow_id, [1])
                    lane = heapq.heappop(free)
                    if not free:
                        free.append(lane + 1)
                    names = clean(event.task), clean(event.label)
                    self._starts[event.call_id] = event.at, event.attempt, lane, event.flow_id, *names
                case "task_retrying" | "task_finished":
                    self._call_ended(event)
                case _:
                    pass
            if not self._flows and not self._starts:
                self._lanes.clear()  # all are free
                self._file.close_array()

    def __repr__(self) -> str:
        return f"TraceSink({str(self._file.path)!r})"

    def _flow_ended(self, event: FlowFinished) -> None:
        self._flows.discard(event.flow_id)
        for call_id, (began, attempt, lane, flow_id, task, label) in list(self._starts.items()):
            if flow_id == event.flow_id:  # the flow did not wait for it, and its end is not reported
                del self._starts[call_id]
                left: dict[str, object] = {"label": label, "outcome": "left", "attempt": attempt}
                self._file.write(
                    "X", began, flow_id, lane=lane, name=task, cat="task", end=event.at, args=left
                )
        self._lanes.pop(event.flow_id, None)
        args = {"outcome": event.outcome, "error": _named(event.error)}
        start = event.at - event.seconds
        self._file.write(
            "X", start, event.flow_id, name=clean(event.flow), cat="flow", end=event.at, args=args
        )

    def _call_ended(self, event: TaskRetrying | TaskFinished) -> None:
        outcome = "retried" if event.kind == "task_retrying" else event.outcome
        args: dict[str, object] = {
            "label": clean(event.label),
            "outcome": outcome,
            "error": _named(event.error),
            "message": None if event.error is None else error_text(event.error),
            "arguments": _arguments(event.arguments),
        }
        if event.kind == "task_finished":
            args["attempts"] = event.attempts
            args["seconds"] = round(event.seconds, 6)
            args["waited_seconds"] = round(event.waited_seconds, 6)
            args["output"] = None if event.output is None else clean(event.output)
        start = self._starts.pop(event.call_id, None)
        if start is None:  # the body was never called
            self._file.write(
                "i", event.at, event.flow_id, name=clean(event.task), cat="task", s="t", args=args
            )
            return
        since, args["attempt"], lane, *_ = start
        heapq.heappush(self._lanes[event.flow_id], lane)
        self._file.write(
            "X", since, event.flow_id, lane=lane, name=clean(event.task), cat="task", end=event.at, args=args
        )


def _arguments(arguments: Mapping[str, object]) -> dict[str, str]:
    """Return the first arguments by name, each shortened to one line."""
    first = itertools.islice(arguments.items(), _MOST_ARGUMENTS)
    return {cut(clean(name), 80): short(value) for name, value in first}


def _named(error: BaseException | None) -> str | None:
    return None if error is None else clean(type(error).__qualname__)
