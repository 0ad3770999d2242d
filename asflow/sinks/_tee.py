"""Several sinks at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, final

from asflow._reporter import Reporter, Wish, has_nothing_to_do, routes_to

if TYPE_CHECKING:
    from asflow._reporter import Route
    from asflow.events import Event, TaskQueued
    from asflow.protocols import ProgressSink


@final
class Tee:
    """Passes each event on to several sinks, to each only what it asks for.

    `Flow(sink=[a, b])` does the same. A sink that raises five times in a row is dropped; the others go on.
    Threads: `emit` may be called from any thread; it calls the sinks one after the other on that thread.
    """

    def __init__(self, *sinks: ProgressSink) -> None:
        """Combine *sinks*, which receive each event in this order.

        Raises:
            TypeError: one is a class, has no method `emit` or an async one, or its `wants_tasks` is not a
                string.
            ValueError: the `wants_tasks` of one is not "all", "made", "finished", "outside" or "none".
        """
        self._routes = tuple((sink, routes_to(sink, "Tee(): sink")) for sink in sinks)
        self._reporter = Reporter(sinks, "Tee(): sink", alone=True)
        self._held: dict[int, TaskQueued] = {}

    @property
    def _asflow_sinks(self) -> tuple[ProgressSink, ...]:
        """What a flow attaches instead: each sink that is left by itself."""
        return tuple(
            sink for sink, routes in self._routes if not routes or any(not each.dropped for each in routes)
        )

    @property
    def wants_tasks(self) -> Literal["all", "made", "finished", "outside", "none"]:
        """The most that any of the sinks asks for."""
        wishes = set[Wish](route.wish for route in self._reporter.flows) - {"none"}
        if len(wishes) > 1:
            return "all"
        return wishes.pop() if wishes else "none"

    def emit(self, event: Event, /) -> None:
        """Pass *event* to every sink that asks for it."""
        for route in self._routes_for(event):
            route.emit(event)

    def _routes_for(self, event: Event) -> tuple[Route, ...]:
        if event.kind == "flow_started" or event.kind == "flow_finished":
            return self._reporter.flows
        scope = self._reporter.alone if event.flow_id is None else self._reporter.calls
        if event.kind == "task_queued":
            if scope.held:
                self._held[event.call_id] = event
            return scope.queued
        held = self._held.pop(event.call_id, None)
        if event.kind == "task_finished" and has_nothing_to_do(event.outcome, event.error):
            return scope.found
        if held is not None:
            for route in scope.held:
                route.emit(held)
        return scope.ended if event.kind == "task_finished" else scope.begun

    def __repr__(self) -> str:
        return f"Tee({', '.join(repr(sink) for sink in self._asflow_sinks)})"

    def __reduce__(self) -> tuple[object, ...]:
        return Tee, self._asflow_sinks
