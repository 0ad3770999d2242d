"""A sink that writes to the standard library's logging."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, final

from asflow._digest import digest_lines
from asflow._frozen import field_names
from asflow._labels import clean, short
from asflow._tracebacks import log_error
from asflow.errors import DefinitionTypeError
from asflow.sinks._words import Counts, join, plain, task_line, waiting_line

if TYPE_CHECKING:
    import logging

    from asflow.events import Event, FlowFinished, FlowStarted

_DEBUG, _INFO, _WARNING, _ERROR = 10, 20, 30, 40  # as in logging, which is imported on first use

_LEVELS = {
    "completed": _INFO,
    "cached": _DEBUG,
    "skipped": _WARNING,
    "suppressed": _WARNING,
    "cancelled": _WARNING,
    "failed": _ERROR,
}
_NOT_EXTRAS = {"tallies", "live", "digest", "error", "at", "arguments"}


@final
class LogSink:
    """Logs each event, with the event's fields as attributes of the log record.

    Levels: INFO for flows, for completed calls, and for calls that wait for another maker of their output;
    WARNING for retries and for calls that were skipped, suppressed or cancelled; ERROR for failures, with
    their traceback; DEBUG for everything else: calls that are queued, started, progressing, waiting for a
    slot or a rate, found on disk, or were suppressed in an earlier run, and calls of a `DataFlow` that
    succeed.

    The attributes have the prefix `asflow_`, for structured formatters: `asflow_kind`, `asflow_task`,
    `asflow_label`, `asflow_outcome`, `asflow_seconds`, `asflow_flow_id`, ..., and `asflow_error`, the
    exception's class. The last record of a flow has `asflow_counts`, the number of its calls by outcome, and
    `asflow_problems`, the lines about those that went wrong.

    Threads: `emit` may be called from any thread, as logging may.
    """

    wants_tasks: Literal["all"] = "all"

    def __init__(self, logger: logging.Logger | str = "asflow") -> None:
        """Make a sink.

        Args:
            logger: the logger, or its name.

        Raises:
            TypeError: *logger* is neither.
        """
        import logging

        self._ended: dict[int, Counts] = {}  # by running flow: the counts of the ended flows that it called
        self._logger = logging.getLogger(logger) if isinstance(logger, str) else logger
        if not hasattr(self._logger, "isEnabledFor"):
            raise DefinitionTypeError(
                f"LogSink(): logger takes a logger or its name, not {short(logger)}; "
                f"write for example LogSink('pipeline')"
            )

    def emit(self, event: Event, /) -> None:
        """Log *event*, if its level is enabled."""
        counts = None
        if event.kind == "flow_started" or event.kind == "flow_finished":
            counts = self._counts(event)
        level = level_of(event)
        if not self._logger.isEnabledFor(level):
            return
        error: BaseException | None = getattr(event, "error", None)
        fields = [name for name in field_names(event) if name not in _NOT_EXTRAS]
        extra: dict[str, object] = {f"asflow_{name}": _plain(getattr(event, name)) for name in fields}
        extra["asflow_error"] = None if error is None else clean(type(error).__qualname__)
        message = _message(event)
        if event.kind == "flow_finished" and counts is not None:
            problems = _problems(event) if event.parent_id is None else []
            extra |= {"asflow_counts": counts.by_outcome(), "asflow_problems": problems}
            words = plain(join(counts.words()))
            message += (f": {words}" if words else "") + "".join(f"\n  {line}" for line in problems)
        if error is not None and level == _ERROR:
            log_error(self._logger, level, error, "%s", message, extra=extra)
        else:
            self._logger.log(level, "%s", message, extra=extra)

    def _counts(self, event: FlowStarted | FlowFinished) -> Counts | None:
        """Return the counts of a flow that has ended, and of those that it called."""
        if event.kind == "flow_started":
            self._ended[event.flow_id] = Counts()
            return None
        counts = self._ended.pop(event.flow_id, None) or Counts()
        for tally in event.tallies.values():
            counts.add(tally)
        outer = None if event.parent_id is None else self._ended.get(event.parent_id)
        if outer is not None:
            outer.add(counts)
        return counts

    def __repr__(self) -> str:
        return f"LogSink({self._logger.name!r})"


def _plain(value: object) -> object:
    """Return a field as a formatter may write it."""
    return clean(value) if isinstance(value, str) else value


def level_of(event: Event) -> int:
    """Return the level of *event*, as a number of logging."""
    match event.kind:
        case "flow_started":
            return _DEBUG if event.brief else _INFO
        case "task_retrying":
            return _WARNING
        case "task_waiting" if event.reason == "owner":
            return _INFO
        case "task_finished" if event.outcome == "suppressed" and event.error is None:
            return _DEBUG
        case "flow_finished":
            return _level_of_end(event)
        case "task_finished":
            return _LEVELS[event.outcome]
        case _:
            return _DEBUG


def _level_of_end(event: FlowFinished) -> int:
    """Return the level that the end of a flow deserves: that of the worst that has happened in it."""
    groups = event.digest.groups
    if any(group.outcome == "failed" for group in groups):
        return _ERROR
    level = _DEBUG if event.brief and event.outcome == "completed" else _LEVELS[event.outcome]
    new = any(group.error_type is not None for group in groups)
    return max(level, _WARNING) if new else level


def _problems(event: FlowFinished) -> list[str]:
    """Return what went wrong in a flow, in lines."""
    digest = event.digest
    return [plain(line) for line in digest_lines(digest.groups, digest.left_out, digest.folder)]


def _message(event: Event) -> str:
    match event.kind:
        case "flow_started":
            return f"Flow {clean(event.flow)}({clean(event.label)}) started"
        case "flow_finished":
            return f"Flow {clean(event.flow)}({clean(event.label)}) {event.outcome} in {event.seconds:.2f}s"
        case "task_queued":
            return f"Task {clean(event.task)}({clean(event.label)}) queued"
        case "task_waiting":
            return plain(waiting_line(event))
        case "task_started":
            return f"Task {clean(event.task)}({clean(event.label)}) started, attempt {event.attempt}"
        case "task_progressed":
            return f"Task {clean(event.task)} at {event.completed:g} of {event.total or '?'}"
        case "task_retrying":
            why = type(event.error).__name__
            again = f"raised {why}, again in {event.wait_seconds:.2f}s"
            return f"Task {clean(event.task)}({clean(event.label)}) {again}"
        case "task_finished":
            return plain(task_line(event))
