"""What a progress sink receives: a closed union of small immutable events.

    Event = FlowStarted | FlowFinished
          | TaskQueued | TaskStarted | TaskProgressed | TaskRetrying | TaskFinished

Match on the class or on `kind`; a type checker reports a missing case.

Order: a flow is started, then finished. A call of a task is queued first and finished last. In between, each
attempt is started and may report progress; if it fails and is to be repeated, `TaskRetrying` follows. A call
finishes without having started if its output exists, if an earlier run recorded its failure, or if it is
cancelled while it waits. Events of different calls interleave. A call that its flow did not wait for may
report after `FlowFinished`.

Units: durations are in seconds. `at` is the value of `time.monotonic()` when the event happened; compare it
only with other events of the same process.
"""

from __future__ import annotations

from collections.abc import Mapping  # noqa: TC003 -- read by typing.get_type_hints
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Literal

__all__ = [
    "Event",
    "FlowFinished",
    "FlowOutcome",
    "FlowStarted",
    "Outcome",
    "RunningCall",
    "Tally",
    "TaskFinished",
    "TaskProgressed",
    "TaskQueued",
    "TaskRetrying",
    "TaskStarted",
]

Outcome = Literal["completed", "cached", "skipped", "suppressed", "failed", "cancelled"]
"""How a call of a task ended.

- `completed`: the body returned.
- `cached`: the output existed; the body was not called.
- `skipped`: the body raised an exception that the task's `skip` lists.
- `suppressed`: the body raised one that `suppress` lists, now or in an earlier run that recorded it.
- `failed`: any other exception, which the caller receives.
- `cancelled`: `CancelledError`, `KeyboardInterrupt` or another exception that is not an `Exception`.
"""

FlowOutcome = Literal["completed", "failed", "cancelled"]
"""How a call of a flow ended; the words mean the same as in `Outcome`."""


class RunningCall:
    """A call whose body is running now, as found in `Tally.active`.

    Sinks only read it. Threads: safe to read from any.

    Attributes:
        label: the call's arguments, shortened, as in `'dQw4w9WgXcQ'` or `3, lang='en'`.
        started: when the current attempt started, in monotonic seconds; None if that was not recorded.
        description: what the body is doing, as it last reported through `flow.task.progress`, or None.
        completed: units done, as reported by the body; 0 at the start of each attempt.
        total: units to do, as reported by the body, or None if unknown.
        attempt: 1 for the first call of the body, 2 for its first retry.
    """

    __slots__ = ()

    started: float | None = None
    description: str | None = None
    completed: float = 0
    total: float | None = None
    attempt: int = 1

    @property
    def label(self) -> str:
        """The call's arguments, shortened to one line."""
        raise NotImplementedError

    def __repr__(self) -> str:
        return f"<RunningCall ({self.label})>"


class Tally:
    """Live counts of one task within one flow, for a sink that polls instead of receiving every call.

    Numbers never decrease. Read one at any time; hold `lock` to read several that must be consistent.

    Attributes:
        task: the task's name.
        lock: a context manager, held around each change.
        queued: calls made so far, including those that are running or have ended.
        total: calls expected in all if known (`flow.task.map` over a sized iterable), else None.
        completed, cached, skipped, suppressed, failed, cancelled: calls that ended this way; see `Outcome`.
        retries: how often a body was called again after an exception.
        seconds: time spent in bodies that have ended, in seconds; concurrent bodies add up.
        slowest: the longest single body so far, in seconds.
        active: the calls whose bodies are running, oldest first, each under a unique key. Other threads
            change it at any time: copy it before iterating.
    """

    __slots__ = (
        "active",
        "cached",
        "cancelled",
        "completed",
        "failed",
        "lock",
        "queued",
        "retries",
        "seconds",
        "skipped",
        "slowest",
        "suppressed",
        "task",
        "total",
    )

    def __init__(self, task: str, lock: AbstractContextManager[object] | None = None) -> None:
        """Start all counts at zero.

        Args:
            task: the task's name.
            lock: held around each change; None if only one thread counts.
        """
        self.task: str = task
        self.lock: AbstractContextManager[object] = nullcontext() if lock is None else lock
        self.queued: int = 0
        self.total: int | None = None
        self.completed: int = 0
        self.cached: int = 0
        self.skipped: int = 0
        self.suppressed: int = 0
        self.failed: int = 0
        self.cancelled: int = 0
        self.retries: int = 0
        self.seconds: float = 0.0
        self.slowest: float = 0.0
        self.active: dict[int, RunningCall] = {}

    def __repr__(self) -> str:
        return f"<Tally of {self.task}(): {self.queued} calls, {self.finished} finished>"

    @property
    def finished(self) -> int:
        """The number of calls that have ended, with any outcome."""
        return self.completed + self.cached + self.skipped + self.suppressed + self.failed + self.cancelled


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowStarted:
    """A flow was called.

    Attributes:
        flow_id: identifies this call of the flow; unique within the process.
        flow: the flow's name.
        label: the call's arguments, shortened to one line; empty if there are none.
        parent_id: `flow_id` of the flow that called this one, or None.
        progress: False if `@flow(progress=False)` asks for no display of this flow and of those it calls.
        tallies: live counts by task name, in the order of first calls. Other threads add to it while the flow
            runs: copy it before iterating.
        at: when it was called, in monotonic seconds.
        kind: the event's type as a string.
    """

    flow_id: int
    flow: str
    label: str
    parent_id: int | None
    progress: bool
    tallies: Mapping[str, Tally]
    at: float
    kind: Literal["flow_started"] = "flow_started"


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowFinished:
    """A flow has returned or raised.

    Attributes:
        flow_id: as in `FlowStarted`.
        flow: the flow's name.
        outcome: how it ended.
        error: the exception that it raised, or None.
        seconds: how long it ran, in seconds.
        at: when it ended, in monotonic seconds.
        kind: the event's type as a string.
    """

    flow_id: int
    flow: str
    outcome: FlowOutcome
    error: BaseException | None
    seconds: float
    at: float
    kind: Literal["flow_finished"] = "flow_finished"


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskQueued:
    """A task was called. It may now wait for a slot, a rate limit, or another process that makes its output.

    Attributes:
        call_id: identifies this call, over all its attempts; unique within the process.
        flow_id: the flow that the call was made in, or None outside any flow.
        task: the task's name.
        label: the call's arguments, shortened to one line; empty if there are none.
        parent_id: `call_id` of the call whose body made this one, or None.
        total: calls of this task expected in the flow if known, else None; see `Tally.total`.
        at: when it was called, in monotonic seconds.
        kind: the event's type as a string.
    """

    call_id: int
    flow_id: int | None
    task: str
    label: str
    parent_id: int | None
    total: int | None
    at: float
    kind: Literal["task_queued"] = "task_queued"


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskStarted:
    """The call has a slot, and its body is about to be called.

    Attributes:
        call_id: as in `TaskQueued`.
        flow_id: the flow that the call was made in, or None outside any flow.
        task: the task's name.
        label: the call's arguments, shortened to one line.
        attempt: 1 for the first call of the body, 2 for its first retry.
        at: when the attempt started, in monotonic seconds.
        kind: the event's type as a string.
    """

    call_id: int
    flow_id: int | None
    task: str
    label: str
    attempt: int
    at: float
    kind: Literal["task_started"] = "task_started"


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskProgressed:
    """A body reported its progress through `flow.task.progress` or `flow.task.track`.

    Attributes:
        call_id: as in `TaskQueued`.
        flow_id: the flow that the call was made in, or None outside any flow.
        task: the task's name.
        description: what the body is doing, or None if it didn't say.
        completed: units done in this attempt; the body chooses the unit.
        total: units to do, or None if unknown.
        at: when it was reported, in monotonic seconds.
        kind: the event's type as a string.
    """

    call_id: int
    flow_id: int | None
    task: str
    description: str | None
    completed: float
    total: float | None
    at: float
    kind: Literal["task_progressed"] = "task_progressed"


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskRetrying:
    """A body raised an exception and will be called again. The call waits first, holding no slot.

    Attributes:
        call_id: as in `TaskQueued`.
        flow_id: the flow that the call was made in, or None outside any flow.
        task: the task's name.
        label: the call's arguments, shortened to one line.
        retry: 1 for the first retry, which is attempt 2.
        wait_seconds: how long the call waits before it asks for a slot again.
        error: what the body raised.
        at: when the wait began, in monotonic seconds.
        kind: the event's type as a string.
    """

    call_id: int
    flow_id: int | None
    task: str
    label: str
    retry: int
    wait_seconds: float
    error: Exception
    at: float
    kind: Literal["task_retrying"] = "task_retrying"


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskFinished:
    """A call has ended: its output, if it has one, is published or discarded.

    Attributes:
        call_id: as in `TaskQueued`.
        flow_id: the flow that the call was made in, or None outside any flow.
        task: the task's name.
        label: the call's arguments, shortened to one line.
        outcome: how it ended.
        error: the exception that ended it; None if it completed, was cached, or failed in an earlier run.
        seconds: seconds since the call was queued, waiting included.
        output: the name of the call's output, or None for a task without `on`.
        at: when it ended, in monotonic seconds.
        kind: the event's type as a string.
    """

    call_id: int
    flow_id: int | None
    task: str
    label: str
    outcome: Outcome
    error: BaseException | None
    seconds: float
    output: str | None
    at: float
    kind: Literal["task_finished"] = "task_finished"


Event = FlowStarted | FlowFinished | TaskQueued | TaskStarted | TaskProgressed | TaskRetrying | TaskFinished
"""Everything that a sink may receive."""
