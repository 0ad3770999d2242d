"""Several sinks at once."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Literal, final

if TYPE_CHECKING:
    from asflow.events import Event
    from asflow.protocols import ProgressSink

__all__ = ["Tee"]

_LEVELS = ("none", "outside", "all")

_dropping = threading.RLock()


@final
class Tee:
    """Passes each event on to several sinks, to each only what it wants to be told.

    A sink that raises is logged once and told nothing more; the others go on. Threads: `emit` may be called
    from any thread; the sinks are told one after the other, on that thread.
    """

    def __init__(self, *sinks: ProgressSink) -> None:
        """Join *sinks*; they are told in this order.

        Raises:
            TypeError: one has no method `emit`, or its `wants_tasks` is no string.
            ValueError: the `wants_tasks` of one is not "all", "outside" or "none".
        """
        for sink in sinks:
            if not callable(getattr(sink, "emit", None)):
                raise TypeError(f"Tee takes objects with a method emit(event), not {sink!r}")
            wish: object = getattr(sink, "wants_tasks", "all")
            if wish not in _LEVELS:
                refused = ValueError if isinstance(wish, str) else TypeError
                raise refused(f"wants_tasks of {sink!r} is 'all', 'outside' or 'none', not {wish!r}")
        self._sinks = sinks

    @property
    def wants_tasks(self) -> Literal["all", "outside", "none"]:
        """As much as the most curious sink wants."""
        wishes = {_wish(sink) for sink in self._sinks}
        if "all" in wishes:
            return "all"
        return "outside" if "outside" in wishes else "none"

    def emit(self, event: Event, /) -> None:
        """Tell every sink of *event* that wants to hear of it."""
        needs = "none"
        if event.kind not in {"flow_started", "flow_finished"}:
            needs = "outside" if event.flow_id is None else "all"
        for sink in self._sinks:
            if _LEVELS.index(_wish(sink)) < _LEVELS.index(needs):
                continue
            try:
                sink.emit(event)
            except Exception:  # noqa: BLE001 - whatever one sink does, the others hear of the event
                self._drop(sink)

    def _drop(self, broken: ProgressSink) -> None:
        """Tell *broken* nothing more. Call from an exception handler."""
        import logging

        with _dropping:
            if not any(sink is broken for sink in self._sinks):
                return  # another thread's event was its last one
            self._sinks = tuple(sink for sink in self._sinks if sink is not broken)
        logging.getLogger("asflow.sinks").warning(
            "progress sink %s raised and is told nothing more", type(broken).__name__, exc_info=True
        )

    def __repr__(self) -> str:
        return f"Tee({', '.join(map(repr, self._sinks))})"


def _wish(sink: ProgressSink) -> str:
    wish: object = getattr(sink, "wants_tasks", "all")
    return wish if isinstance(wish, str) else repr(wish)
