"""What the displays show: the running flows as a tree, and how fast their tasks progress.

Nothing here grows with the number of finished calls or flows: the counts of a flow that ends are added to its
parent, and the flow is forgotten.
"""

from __future__ import annotations

import threading
from collections import deque
from itertools import islice
from typing import TYPE_CHECKING, TypeVar

from asflow import _forks
from asflow._labels import clean
from asflow.sinks._words import Counts

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from asflow.events import FlowFinished, FlowStarted, RunningCall, RunningFlow, Tally

_RATED_SECONDS = 0.2  # a body that has run for less has no rate

K = TypeVar("K")
T = TypeVar("T")


def first_values(mapping: Mapping[K, T], count: int) -> list[T]:
    """Return the first *count* values of a mapping that other threads are changing."""
    for _ in range(3):
        try:
            return list(islice(mapping.values(), count))
        except RuntimeError:  # its size changed during the iteration
            continue
    try:
        return list(mapping.values())[:count]
    except RuntimeError:
        return []


class Pace:
    """How fast a number has grown over about the last half minute."""

    __slots__ = ("_samples",)

    def __init__(self, now: float, reached: float) -> None:
        self._samples: deque[tuple[float, float]] = deque([(now, reached)], maxlen=32)

    def seen(self, now: float, reached: float) -> None:
        """Take note of the number *reached* at *now* (monotonic)."""
        if now - self._samples[-1][0] >= 1.0:
            self._samples.append((now, reached))

    def rate(self, now: float, reached: float) -> float | None:
        """Return by how much it grows in a second; None if it does not."""
        self.seen(now, reached)
        since, before = self._samples[0]
        grown, seconds = reached - before, now - since
        return grown / seconds if grown > 0 and seconds > 0 else None

    def seconds_left(self, now: float, reached: float, missing: float) -> float | None:
        """Estimate how long *missing* more take, given *reached* at *now* (monotonic); None if unknown."""
        if not missing:
            return 0.0
        rate = self.rate(now, reached)
        return None if rate is None else missing / rate


class Known:
    """Whether the number of calls made so far is the number to expect.

    A loop makes a call when the one before has ended; a task group makes all of them first. So the calls made
    are taken for all as long as several wait or run, and none was made after one had ended.
    """

    __slots__ = ("_finished", "_grew", "_known", "_queued")

    def __init__(self) -> None:
        self._queued = self._finished = 0
        self._grew = self._known = False

    def total(self, queued: int, finished: int, announced: int | None = None) -> int | None:
        """Return how many calls are expected in all, or None if unknown.

        Args:
            queued: calls made so far.
            finished: those that have ended.
            announced: how many are known to come in all.
        """
        self._grew = self._grew or (queued > self._queued > 0 and self._finished > 0)
        self._queued, self._finished = queued, finished
        self._known = not self._grew and (self._known or queued - finished > 1)
        if announced is not None:
            return max(announced, queued)
        return queued if self._known else None


class Progress:
    """How far something has come, in numbers.

    Attributes:
        done: steps done.
        total: steps in all; None if unknown.
        rate: steps per second; None if unknown.
        left: seconds left; None if unknown.
        elapsed: seconds that it took so far.
    """

    __slots__ = ("done", "elapsed", "left", "rate", "total")

    def __init__(
        self, done: float, total: float | None, rate: float | None, left: float | None, elapsed: float
    ) -> None:
        self.done: float = done
        self.total: float | None = total
        self.rate: float | None = rate
        self.left: float | None = left
        self.elapsed: float = elapsed


class Course:
    """The course of a task, or of a flow, over time."""

    __slots__ = ("_began", "_changed", "_finished", "_known", "_pace")

    def __init__(self, now: float) -> None:
        self._began = self._changed = now
        self._pace = Pace(now, 0)
        self._known = Known()
        self._finished = 0.0

    def calls(self, finished: int, cached: int, queued: int, announced: int | None, now: float) -> Progress:
        """Return how far calls have come. Cached ones say nothing about how long the others take."""
        total = self._known.total(queued, finished, announced)
        idle = finished >= queued and (announced is None or finished >= announced)
        return self._progress(finished, finished - cached, total, now, idle=idle)

    def steps(self, done: float, total: float | None, now: float) -> Progress:
        """Return how far counted steps have come."""
        return self._progress(done, done, total, now, idle=False)

    def _progress(
        self, done: float, worked: float, total: float | None, now: float, *, idle: bool
    ) -> Progress:
        if done != self._finished:
            self._finished, self._changed = done, now
        ended = idle or (total is not None and done >= total)
        until = self._changed if ended else now
        left = None if total is None else self._pace.seconds_left(now, worked, max(0.0, total - done))
        rate = self._pace.rate(now, worked)
        if ended or (rate is None and not worked):
            seconds = until - self._began
            rate = done / seconds if done and seconds > 0 else None
        return Progress(done, total, rate, left, until - self._began)


class FlowView:
    """One running flow as a display sees it.

    Attributes:
        title: name and arguments, as in `transcripts()`.
        live: what the flow reports of itself.
        hidden: whether this flow, or one that called it, has `progress=False`.
        children: the running flows called by this one, by id.
        ended: the counts of the ended flows called by this one.
        started_flows, ended_flows: how many flows this one called, and how many of these ended, by name.
    """

    __slots__ = (
        "_course",
        "_courses",
        "_nested",
        "_offset",
        "children",
        "ended",
        "ended_flows",
        "flow_id",
        "hidden",
        "live",
        "name",
        "parent",
        "started_flows",
        "tallies",
        "title",
    )

    def __init__(self, event: FlowStarted, parent: FlowView | None, now: float) -> None:
        """Watch the flow of *event*; *now* is the time on the display's own clock."""
        self.flow_id: int = event.flow_id
        self.name: str = clean(event.flow)
        self.title: str = f"{self.name}({clean(event.label)})"
        self.parent: FlowView | None = parent
        self.hidden: bool = not event.progress or (parent is not None and parent.hidden)
        self.tallies: Mapping[str, Tally] = event.tallies
        self.live: RunningFlow = event.live
        self.children: dict[int, FlowView] = {}
        self.ended: Counts = Counts()
        self.started_flows: dict[str, int] = {}
        self.ended_flows: dict[str, int] = {}
        self._offset = event.at - now
        self._course = Course(now)
        self._courses: dict[str, Course] = {}
        self._nested: dict[str, Course] = {}

    def counts(self) -> Counts:
        """Return the counts of this flow's tasks and of the ended flows that it called."""
        total = Counts()
        total.add(self.ended)
        for tally in first_values(self.tallies, len(self.tallies)):
            total.add(tally)
        return total

    def progress(self, now: float) -> Progress:
        """Return how far the flow has come: what `Flow.track` counts, or the calls of its tasks."""
        live = self.live
        if live.completed is not None:
            return self._course.steps(live.completed, live.total, now)
        counts = self.all_counts()
        return self._course.steps(counts.finished, live.total, now)

    def all_counts(self) -> Counts:
        """Return the counts of this flow's tasks and of all flows that it called, running ones included."""
        total = self.counts()
        for child in first_values(self.children, len(self.children)):
            total.add(child.all_counts())
        return total

    def task_progress(self, tally: Tally, now: float) -> Progress:
        """Return how far the calls of *tally* have come."""
        course = self._courses.get(tally.task)
        if course is None:
            course = self._courses[tally.task] = Course(now)
        finished = tally.finished
        return course.calls(finished, tally.cached, max(tally.queued, finished), tally.total, now)

    def nested_progress(self, name: str, now: float) -> Progress:
        """Return how far the flows called *name* have come that this one called."""
        course = self._nested.get(name)
        if course is None:
            course = self._nested[name] = Course(now)
        return course.calls(self.ended_flows.get(name, 0), 0, self.started_flows[name], None, now)

    def call_progress(self, call: RunningCall, now: float) -> Progress:
        """Return how far *call* has come, as its body reported it."""
        done, total = call.completed, call.total
        elapsed = 0.0 if call.started is None else max(0.0, now + self._offset - call.started)
        rate = done / elapsed if done > 0 and elapsed >= _RATED_SECONDS else None
        left = None if not total or rate is None else max(0.0, (total - done) / rate)
        return Progress(done, total or None, rate, left, elapsed)

    def since(self, now: float) -> float:
        """Return *now* on the clock of the events."""
        return now + self._offset


class Forest:
    """The running flows of one display. Threads: safe from any."""

    def __init__(self, now: Callable[[], float]) -> None:
        """Start empty; *now* returns monotonic seconds."""
        self.now = now
        self._lock = _forks.renewed(self, "_lock", threading.Lock)
        self._views: dict[int, FlowView] = {}
        self._roots: dict[int, FlowView] = {}
        self._visible = 0

    @property
    def visible(self) -> int:
        """The number of flows to show."""
        return self._visible

    def start(self, event: FlowStarted) -> FlowView:
        """Add a flow that was called."""
        with self._lock:
            parent = None if event.parent_id is None else self._views.get(event.parent_id)
            view = FlowView(event, parent, self.now())
            self._views[view.flow_id] = view
            if parent is None:
                self._roots[view.flow_id] = view
            else:
                parent.children[view.flow_id] = view
                parent.started_flows[view.name] = parent.started_flows.get(view.name, 0) + 1
            self._visible += not view.hidden
            return view

    def finish(self, event: FlowFinished) -> tuple[FlowView, Counts] | None:
        """Remove a flow that has ended; return it and its counts, or None if it is unknown."""
        with self._lock:
            view = self._views.pop(event.flow_id, None)
            if view is None:
                return None
            counts = view.counts()
            parent = view.parent
            self._roots.pop(view.flow_id, None)
            if parent is not None:
                parent.children.pop(view.flow_id, None)
                parent.ended.add(counts)
                parent.ended_flows[view.name] = parent.ended_flows.get(view.name, 0) + 1
            # A flow that outlives its caller becomes a root.
            for child in view.children.values():
                child.parent = None
                self._roots[child.flow_id] = child
            self._visible -= not view.hidden
            return view, counts

    def roots(self, count: int) -> tuple[list[FlowView], int]:
        """Return the first *count* visible flows without a parent, and how many more there are."""
        with self._lock:
            roots = [view for view in self._roots.values() if not view.hidden]
        return roots[:count], max(0, len(roots) - count)
