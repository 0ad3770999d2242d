"""What the displays show: the running flows as a tree, and how fast their tasks progress.

Nothing here grows with the number of finished calls or flows: the counts of a flow that ends are added to its
parent, and the flow is forgotten.
"""

from __future__ import annotations

import threading
from collections import deque
from itertools import islice
from typing import TYPE_CHECKING, TypeVar

from asflow._labels import clean
from asflow.sinks._words import Counts

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from asflow.events import FlowFinished, FlowStarted, RunningCall, Tally

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

    def __init__(self, now: float, reached: int) -> None:
        self._samples: deque[tuple[float, int]] = deque([(now, reached)], maxlen=32)

    def seconds_left(self, now: float, reached: int, missing: int) -> float | None:
        """Estimate how long *missing* more take, given *reached* at *now* (monotonic); None if unknown."""
        if not missing:
            return 0.0
        if now - self._samples[-1][0] >= 1.0:
            self._samples.append((now, reached))
        since, before = self._samples[0]
        grown, seconds = reached - before, now - since
        return missing * seconds / grown if grown > 0 and seconds > 0 else None


class FlowView:
    """One running flow as a display sees it.

    Attributes:
        title: name and arguments, as in `transcripts()`.
        hidden: whether this flow, or one that called it, has `progress=False`.
        children: the running flows called by this one, by id.
        ended: the counts of the ended flows called by this one.
        started_flows, ended_flows: how many flows this one called, and how many of these ended, by name.
    """

    __slots__ = (
        "_offset",
        "_paces",
        "children",
        "ended",
        "ended_flows",
        "flow_id",
        "hidden",
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
        self.children: dict[int, FlowView] = {}
        self.ended: Counts = Counts()
        self.started_flows: dict[str, int] = {}
        self.ended_flows: dict[str, int] = {}
        self._offset = event.at - now
        self._paces: dict[str, Pace] = {}

    def counts(self) -> Counts:
        """Return the counts of this flow's tasks and of the ended flows that it called."""
        total = Counts()
        total.add(self.ended)
        for tally in first_values(self.tallies, len(self.tallies)):
            total.add(tally)
        return total

    def task_seconds_left(self, tally: Tally, now: float) -> float | None:
        """Estimate the time until all calls of *tally* are done. Cached calls say nothing about speed."""
        finished = tally.finished
        worked = finished - tally.cached
        if tally.task not in self._paces:
            self._paces[tally.task] = Pace(now, worked)
        missing = max(0, max(tally.queued, tally.total or 0) - finished)
        return self._paces[tally.task].seconds_left(now, worked, missing)

    def call_seconds_left(self, call: RunningCall, now: float) -> float | None:
        """Estimate the time until *call* is done, from the progress that its body reported."""
        completed, total, started = call.completed, call.total, call.started
        if not total or completed <= 0 or started is None:
            return None
        elapsed = now + self._offset - started
        return max(0.0, elapsed * (total - completed) / completed) if elapsed > 0 else None


class Forest:
    """The running flows of one display. Threads: safe from any."""

    def __init__(self, now: Callable[[], float]) -> None:
        """Start empty; *now* returns monotonic seconds."""
        self.now = now
        self._lock = threading.Lock()
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
