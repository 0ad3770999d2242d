"""A sink that logs through structlog."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, final

from asflow._frozen import field_names
from asflow._labels import clean
from asflow.sinks._extras import needed
from asflow.sinks._log import level_of

if TYPE_CHECKING:
    from asflow.events import Event

_METHODS = {10: "debug", 20: "info", 30: "warning", 40: "error"}
_NOT_LOGGED = frozenset({"kind", "tallies", "error", "at", "time", "arguments"})


@final
class StructlogSink:
    """Logs each event through structlog: the kind of the event is the message, its fields are the pairs.

    As in `task_finished task=download label='a' outcome=completed seconds=1.2 flow_id=1 ...`. Levels are
    those of `LogSink`. Fields that are None are left out. Of an error, `error` is the class; a failure is
    passed on as `exc_info`, for structlog's processors to format.

    Threads: `emit` may be called from any thread.
    """

    wants_tasks: Literal["all"] = "all"

    def __init__(self, logger: object = None) -> None:
        """Make a sink.

        Args:
            logger: a structlog logger, perhaps with values bound to it; None: the one called "asflow".

        Raises:
            MissingExtraError: *logger* is None, and structlog is not installed (extra `structlog`).
        """
        self._logger: Any = logger
        if logger is None:
            self._logger = needed("StructlogSink", "structlog", "structlog", "structlog").get_logger("asflow")

    def __repr__(self) -> str:
        return "StructlogSink()"

    def emit(self, event: Event, /) -> None:
        """Log *event*."""
        level = level_of(event)
        fields: dict[str, object] = {}
        for name in field_names(event):
            value = None if name in _NOT_LOGGED else getattr(event, name)
            if value is not None:
                fields[name] = clean(value) if isinstance(value, str) else value
        error: BaseException | None = getattr(event, "error", None)
        if error is not None:
            fields["error"] = type(error).__qualname__
            if level >= 40:
                fields["exc_info"] = error
        getattr(self._logger, _METHODS[level])(event.kind, **fields)
