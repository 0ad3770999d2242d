"""Passes events to a sink. A sink that raises is logged once and dropped; no task fails because of it."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Literal, cast

from asflow._labels import short
from asflow._tracebacks import log_error
from asflow.errors import DefinitionTypeError, DefinitionValueError

if TYPE_CHECKING:
    from asflow.events import Event
    from asflow.protocols import ProgressSink

Wish = Literal["all", "outside", "none"]

_dropping = threading.RLock()


def checked_wish(sink: ProgressSink, option: str = "Flow(): sink") -> Wish:
    """Return which calls *sink* wants to receive, its `wants_tasks`.

    Args:
        sink: what the user passed.
        option: what a message begins with, as in `Flow(): sink`.

    Raises:
        DefinitionTypeError: *sink* is a class, has no method `emit`, or its `wants_tasks` is not a string.
        DefinitionValueError: its `wants_tasks` is another string.
    """
    if isinstance(sink, type):
        name = sink.__name__
        raise DefinitionTypeError(f"{option} takes an instance, not the class {name}; write {name}()")
    if not callable(getattr(sink, "emit", None)):
        raise DefinitionTypeError(
            f"{option} takes an object with a method emit(event), not {short(sink)}; "
            f"pass for example asflow.sinks.RichSink()"
        )
    wish: object = getattr(sink, "wants_tasks", "all")
    if wish not in ("all", "outside", "none"):  # a tuple: the value may be unhashable
        refused = DefinitionValueError if isinstance(wish, str) else DefinitionTypeError
        raise refused(
            f"{option} takes an object whose wants_tasks is 'all', 'outside' or 'none', not {short(wish)}; "
            f"remove the attribute from {_name(sink)} to receive every event"
        )
    return wish


class Reporter:
    """Passes events to one sink, and drops a sink that raises.

    Attributes:
        sink: the sink, or None once it was dropped.
        inside: whether it receives the calls inside a flow.
        outside: whether it receives the calls outside any flow.
    """

    __slots__ = ("inside", "outside", "sink")

    def __init__(self, sink: ProgressSink, option: str = "Flow(): sink") -> None:
        wish = checked_wish(sink, option)
        self.sink: ProgressSink | None = sink
        self.inside: bool = wish == "all"
        self.outside: bool = wish != "none"

    def emit(self, event: Event) -> None:
        """Pass *event* to the sink, now and on this thread."""
        sink = self.sink
        if sink is None:
            return
        try:
            sink.emit(event)
        except Exception as error:  # noqa: BLE001 - a display must never fail the work that it shows
            self._drop(sink, event, error)

    def _drop(self, sink: ProgressSink, event: Event, error: Exception) -> None:
        import logging

        with _dropping:
            if self.sink is None:
                return  # an event on another thread has dropped it
            self.sink = None
            self.inside = self.outside = False
        log_error(
            logging.getLogger("asflow"),
            logging.ERROR,
            error,
            "%s.emit(): raised on %s and receives no more events; try it with asflow.testing.check_sink()",
            _name(sink),
            event.kind,
        )


def _name(sink: ProgressSink) -> str:
    return cast("type[object]", type(sink)).__name__
