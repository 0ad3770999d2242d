"""Passes events to sinks. No task fails because of one that raises: it is logged, and dropped in the end.

Each `Flow` has a `Reporter`, and each of its flows with an option of its own another one below it. A sink is
attached to any number of them by one `Route`; `add` attaches one to all, also to those that are made later.
"""

from __future__ import annotations

import sys
import threading
import weakref
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal, cast

from asflow import _forks
from asflow._checks import refuse_async_methods
from asflow._labels import short
from asflow._lives import life_of
from asflow._tracebacks import log_error
from asflow.errors import DefinitionTypeError, DefinitionValueError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Sequence

    from asflow.events import Event, Outcome
    from asflow.protocols import ProgressSink

Wish = Literal["all", "made", "finished", "outside", "none"]

_WISHES = ("all", "made", "finished", "outside", "none")

MOST_ERRORS = 5
"""Errors in a row after which a sink is dropped."""

# Reentrant: a garbage collection under it may end the last use of a sink.
_lock = _forks.renewed(sys.modules[__name__], "_lock", threading.RLock)


def checked_wish(sink: ProgressSink, option: str = "Flow(): sink") -> Wish:
    """Return which calls *sink* wants to receive, its `wants_tasks`.

    Args:
        sink: what the user passed.
        option: what a message begins with, as in `Flow(): sink`.

    Raises:
        DefinitionTypeError: *sink* is a class, has no method `emit` or an async one, or its `wants_tasks` is
            not a string.
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
    refuse_async_methods(option, sink, ("emit", "close"))
    wish: object = getattr(sink, "wants_tasks", "all")
    if wish not in _WISHES:  # a tuple: the value may be unhashable
        refused = DefinitionValueError if isinstance(wish, str) else DefinitionTypeError
        raise refused(
            f"{option} takes an object whose wants_tasks is 'all', 'made', 'finished', 'outside' or 'none', "
            f"not {short(wish)}; remove the attribute from {_name(sink)} to receive every event"
        )
    return cast("Wish", wish)  # pyright: ignore[reportUnnecessaryCast] - mypy needs it


class Route:
    """The way to one sink, from wherever it is attached. Made by `routes_to`.

    Attributes:
        sink: where it leads.
        wish: which calls the sink wants.
        is_default: whether it is a display that the user did not ask for.
        pass_on: the sink's own `emit`.
        failures: errors in a row so far.
        dropped: whether the sink has raised too often, and receives nothing more.
    """

    __slots__ = (
        "__weakref__",
        "_life",
        "_logged",
        "dropped",
        "failures",
        "is_default",
        "pass_on",
        "sink",
        "wish",
    )

    def __init__(self, sink: ProgressSink, wish: Wish) -> None:
        self.sink: ProgressSink = sink
        self.wish: Wish = wish
        self.is_default: bool = getattr(sink, "is_default_display", False) is True
        self.dropped: bool = False
        self.pass_on: Callable[[Event], object] = sink.emit
        self._life = life_of(sink)
        self.failures: int = 0
        self._logged: set[str] = set()

    def emit(self, event: Event) -> None:
        """Pass *event* to the sink, now and on this thread."""
        try:
            self.pass_on(event)
        except Exception as error:  # noqa: BLE001 - a display must never fail the work that it shows
            self.failed(event, error)
        else:
            if self.failures:
                self.failures = 0

    def failed(self, event: Event, error: Exception) -> None:
        """Log *error*, which the sink raised on *event*; drop the sink if it is one too many."""
        import logging

        kind, name = type(error).__qualname__, _name(self.sink)
        with _lock:
            self.failures += 1
            is_new = kind not in self._logged and not self.dropped
            self._logged.add(kind)
            ends = self.failures >= MOST_ERRORS and not self.dropped
            if ends:
                self.dropped, self.pass_on = True, _ignore
        logger = logging.getLogger("asflow")
        if is_new:
            message = "%s.emit(): raised on %s, and is dropped after %d errors in a row; %s"
            remedy = "try it with asflow.testing.check_sink()"
            log_error(logger, logging.ERROR, error, message, name, event.kind, MOST_ERRORS, remedy)
        if ends:
            logger.error("%s.emit(): raised %d times in a row and receives no more events", name, MOST_ERRORS)
            _rebuild_all()
            self._life.close()


def _ignore(event: Event) -> None:
    """Receive an event for a sink that was dropped."""


_routes: weakref.WeakValueDictionary[int, Route] = weakref.WeakValueDictionary()


def routes_to(
    sinks: ProgressSink | Sequence[ProgressSink], option: str = "Flow(): sink"
) -> tuple[Route, ...]:
    """Return the routes to one or several sinks, those in a `Tee` one by one.

    Raises:
        DefinitionError: one is not a sink; see `checked_wish`.
    """
    found: list[Route] = []
    for sink in cast("Sequence[ProgressSink]", sinks) if isinstance(sinks, (list, tuple)) else (sinks,):
        within: tuple[ProgressSink, ...] | None = getattr(sink, "_asflow_sinks", None)
        if isinstance(within, tuple):
            found += routes_to(within, option)
            continue
        wish = checked_wish(cast("ProgressSink", sink), option)
        with _lock:
            route = _routes.get(id(sink))
            if route is None or route.wish != wish:
                route = _routes[id(sink)] = Route(cast("ProgressSink", sink), wish)
        found.append(route)
    return tuple(dict.fromkeys(found))


def has_nothing_to_do(outcome: Outcome, error: BaseException | None) -> bool:
    """Whether a call ended without its body: its output exists, or its failure was recorded earlier."""
    return outcome == "cached" or (outcome == "suppressed" and error is None)


class Scope:
    """Who receives the events of calls: of those inside flows, or of those outside.

    Attributes:
        queued: the routes for `TaskQueued` at once.
        held: those for `TaskQueued` once it is known that the call has something to do.
        begun: those for the events between.
        ended: those for `TaskFinished`, but of a call that had nothing to do.
        found: those for `TaskFinished` of such a call: its output exists, or its failure is recorded.
    """

    __slots__ = ("begun", "ended", "found", "held", "queued")

    def __init__(self, routes: Iterable[Route], *, inside: bool) -> None:
        every = ("all",) if inside else ("all", "outside")
        by_wish = [(route.wish, route) for route in routes]
        self.queued: tuple[Route, ...] = tuple(route for wish, route in by_wish if wish in every)
        self.held: tuple[Route, ...] = tuple(route for wish, route in by_wish if wish == "made")
        self.begun: tuple[Route, ...] = tuple(route for wish, route in by_wish if wish in (*every, "made"))
        self.ended: tuple[Route, ...] = tuple(
            route for wish, route in by_wish if wish in (*every, "made", "finished")
        )
        self.found: tuple[Route, ...] = tuple(
            route for wish, route in by_wish if wish in (*every, "finished")
        )


class Reporter:
    """Passes the events of one `Flow`, or of one of its flows, to the sinks that want them.

    Args:
        sinks: one, or several.
        option: what a message begins with.
        below: the reporter of the `Flow`, for that of one of its flows.
        alone: no other sinks are added.

    Attributes:
        flows: the routes for events of flows.
        calls: those for events of calls inside flows.
        alone: those for events of calls outside flows.
        inside, outside: whether a sink wants events of calls inside a flow, or outside any.
        finds_inside, finds_outside: the same for calls that have nothing to do, as their output exists.
        swapped: whether `asflow.testing.use` has replaced the store of its tasks for now.
    """

    __slots__ = (
        "__weakref__", "_is_closed", "_own", "_replaced", "_root", "alone", "calls", "finds_inside",
        "finds_outside", "flows", "inside", "outside", "swapped",
    )  # fmt: skip

    def __init__(
        self,
        sinks: ProgressSink | Sequence[ProgressSink],
        option: str = "Flow(): sink",
        *,
        below: Reporter | None = None,
        alone: bool = False,
    ) -> None:
        self._own = routes_to(sinks, option)
        self._root = weakref.ref(self if below is None else below)
        self._is_closed = alone
        self._replaced: tuple[Route, ...] | None = None
        self.swapped: bool = False
        with _lock:
            _reporters.add(self)
            self._rebuild()

    def emit(self, event: Event) -> None:
        """Pass an *event* of a flow to all sinks, now and on this thread."""
        for route in self.flows:
            route.emit(event)

    def _rebuild(self) -> None:
        root = self._root()
        own = self._own if root is None or root._replaced is None else root._replaced
        if _default.replaced:
            own = tuple(route for route in own if not route.is_default)
        added = [] if self._is_closed else [each.route for each in list(_added) if each.reaches(root)]
        routes = [route for route in dict.fromkeys((*own, *added)) if not route.dropped]
        self.flows: tuple[Route, ...] = tuple(routes)
        self.calls: Scope = Scope(routes, inside=True)
        self.alone: Scope = Scope(routes, inside=False)
        self.inside: bool = bool(self.calls.ended)
        self.outside: bool = bool(self.alone.ended) or self.swapped
        self.finds_inside: bool = bool(self.calls.found)
        self.finds_outside: bool = bool(self.alone.found)

    @contextmanager
    def replaced(
        self, sinks: ProgressSink | Sequence[ProgressSink] | None, *, swapped: bool
    ) -> Generator[None]:
        """Within the `with` block, report to *sinks* instead of one's own; None leaves these.

        Args:
            sinks: what is used instead.
            swapped: whether quick calls may not trust what they know of the store.
        """
        before = self._replaced, self.swapped
        if sinks is not None:
            self._replaced = routes_to(sinks, "use(): sink")
        self.swapped = self.swapped or swapped
        _rebuild_all()
        try:
            yield
        finally:
            self._replaced, self.swapped = before
            _rebuild_all()


class _Default:
    __slots__ = ("replaced",)

    def __init__(self) -> None:
        self.replaced = False


class Added:
    """A sink that was attached to flows from outside.

    Attributes:
        route: the way to it.
        of: the reporters of these flows; None: of all.
    """

    __slots__ = ("of", "route")

    def __init__(self, route: Route, of: tuple[weakref.ref[Reporter], ...] | None) -> None:
        self.route: Route = route
        self.of: tuple[weakref.ref[Reporter], ...] | None = of

    def reaches(self, root: Reporter | None) -> bool:
        """Whether the flows of *root* are among these."""
        return self.of is None or any(ref() is root for ref in self.of)


_reporters: weakref.WeakSet[Reporter] = weakref.WeakSet()
_added: list[Added] = []
_default = _Default()


def add(
    sink: ProgressSink, reporters: Iterable[Reporter] | None, option: str = "add_sink(): sink"
) -> Callable[[], None]:
    """Attach *sink* to *reporters* and those below them; None: to all, and to those that are made later.

    Returns:
        What ends that; calling it again does nothing.

    Raises:
        DefinitionError: it is not a sink; see `checked_wish`.
    """
    of = None if reporters is None else tuple(weakref.ref(each) for each in reporters)
    mine = [Added(route, of) for route in routes_to(sink, option)]
    _added.extend(mine)
    _rebuild_all()

    def remove() -> None:
        with _lock:
            for each in mine:
                if each in _added:
                    _added.remove(each)
            mine.clear()
        _rebuild_all()

    return remove


def replace_default_display() -> None:
    """Show nothing by default from now on: the user has asked for another display."""
    _default.replaced = True
    _rebuild_all()


def _rebuild_all() -> None:
    with _lock:
        for reporter in list(_reporters):
            reporter._rebuild()  # pyright: ignore[reportPrivateUsage]


def _name(sink: ProgressSink) -> str:
    return cast("type[object]", type(sink)).__name__
