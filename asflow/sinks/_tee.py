"""Several sinks at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, final

from asflow._reporter import Reporter

if TYPE_CHECKING:
    from asflow.events import Event
    from asflow.protocols import ProgressSink


@final
class Tee:
    """Passes each event on to several sinks, to each only what it asks for.

    A sink that raises is logged once and dropped; the others go on. Threads: `emit` may be called from any
    thread; it calls the sinks one after the other on that thread.
    """

    def __init__(self, *sinks: ProgressSink) -> None:
        """Combine *sinks*, which receive each event in this order.

        Raises:
            TypeError: one is a class, has no method `emit`, or its `wants_tasks` is not a string.
            ValueError: the `wants_tasks` of one is not "all", "outside" or "none".
        """
        self._reporters = tuple(Reporter(sink, "Tee(): sink") for sink in sinks)

    @property
    def wants_tasks(self) -> Literal["all", "outside", "none"]:
        """The most that any of the sinks asks for."""
        if any(reporter.inside for reporter in self._reporters):
            return "all"
        return "outside" if any(reporter.outside for reporter in self._reporters) else "none"

    def emit(self, event: Event, /) -> None:
        """Pass *event* to every sink that asks for it."""
        is_flow = event.kind in ("flow_started", "flow_finished")
        for reporter in self._reporters:
            if is_flow or (reporter.outside if event.flow_id is None else reporter.inside):
                reporter.emit(event)

    @property
    def _sinks(self) -> tuple[ProgressSink, ...]:
        return tuple(reporter.sink for reporter in self._reporters if reporter.sink is not None)

    def __repr__(self) -> str:
        return f"Tee({', '.join(repr(sink) for sink in self._sinks)})"

    def __reduce__(self) -> tuple[object, ...]:
        return Tee, self._sinks
