"""How events reach a sink: each exactly once, and a sink that raises breaks nothing but itself."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, cast

from asflow.errors import DefinitionTypeError, DefinitionValueError

if TYPE_CHECKING:
    from asflow.events import Event
    from asflow.protocols import ProgressSink

__all__ = ["Reporter"]

_dropping = threading.RLock()


class Reporter:
    """Hands events to one sink, and drops a sink that raises.

    Attributes:
        inside: whether the sink hears of each call inside a flow.
        outside: whether it hears of each call outside any flow.
    """

    __slots__ = ("_sink", "inside", "outside")

    def __init__(self, sink: ProgressSink) -> None:
        if isinstance(sink, type):
            name = sink.__name__
            raise DefinitionTypeError(f"sink takes a sink, not the class {name}; write {name}()")
        if not callable(getattr(sink, "emit", None)):
            raise DefinitionTypeError(f"sink takes an object with a method emit(event), not {sink!r}")
        wants = getattr(sink, "wants_tasks", "all")
        if wants not in ("all", "outside", "none"):
            refused = DefinitionValueError if isinstance(wants, str) else DefinitionTypeError
            raise refused(f"wants_tasks of {sink!r} is 'all', 'outside' or 'none', not {wants!r}")
        self._sink: ProgressSink | None = sink
        self.inside: bool = wants == "all"
        self.outside: bool = wants != "none"

    def emit(self, event: Event) -> None:
        """Tell the sink of *event*, at once and on this thread."""
        sink = self._sink
        if sink is None:
            return
        try:
            sink.emit(event)
        except Exception as error:  # noqa: BLE001 - a display must never fail the work that it shows
            self._drop(sink, event, error)

    def _drop(self, sink: ProgressSink, event: Event, error: Exception) -> None:
        import logging

        with _dropping:
            if self._sink is None:
                return  # another thread's event was its last one
            self._sink = None
            self.inside = self.outside = False
        logging.getLogger("asflow").error(
            "progress sink %s raised on %s and is told nothing more",
            cast("type[object]", type(sink)).__name__,
            event.kind,
            exc_info=error,
        )
