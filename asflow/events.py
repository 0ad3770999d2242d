"""What a progress sink hears: a closed union of small frozen values.

    Event = FlowStarted | FlowFinished
          | TaskQueued | TaskStarted | TaskProgressed | TaskRetrying | TaskFinished

Match on the class or on `kind`; a checker tells when a case is missing. The order within one call is
queued, started, any number of progressed and retrying (each retry is started anew), finished. A call
that is `cached` or `suppressed` earlier finishes without having started.

All times are in seconds. `at` is read from a monotonic clock: compare it only with other events of the
same process.
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
"""How a call of a task ended."""

FlowOutcome = Literal["completed", "failed", "cancelled"]
"""How a call of a flow ended."""


class RunningCall:
    """A call whose body is running now, as a display may show it.

    Reading from any thread is safe; only asflow changes it.

    Attributes:
        label: the call's arguments, shortened, as in `'dQw4w9WgXcQ'` or `3, lang='en'`.
        started: monotonic seconds at which the body was (last) called; None where no clock was read.
        description: what `flow.task.progress` says is being done, or None.
        completed: units done, as told by `flow.task.progress`.
        total: units in all, or None where unknown.
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


class Tally:
    """Counts of one task within one flow, for a sink that polls instead of hearing of each call.

    Every number only grows, but for `running`. Take `lock` to read several that must agree; a single
    number may be read without it. `active` holds the calls whose bodies run now, oldest first,
    under a key that is unique among them.

    Attributes:
        task: the task's name.
        queued: calls made so far, running and finished ones included.
        total: calls to be made in all where that is known (`flow.task.map` over a sized iterable), else None.
        completed, cached, skipped, suppressed, failed, cancelled: calls that ended so.
        retries: repeated calls of a body.
        seconds: time spent in bodies that have ended; concurrent ones add up.
        slowest: the longest of them.
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
            lock: held around each change; None where a single thread counts.
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

    @property
    def finished(self) -> int:
        """Calls that have ended, however they ended."""
        return self.completed + self.cached + self.skipped + self.suppressed + self.failed + self.cancelled


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowStarted:
    """A flow was called.

    Attributes:
        flow_id: tells this call from every other of the process.
        flow: the flow's name.
        label: the call's arguments, shortened; empty without arguments.
        parent_id: `flow_id` of the flow that called this one, or None.
        progress: False where `@flow(progress=False)` asks for no display.
        tallies: live counts by task name, in the order of first calls; grows while the flow runs.
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
    """A flow has returned or raised; nothing more is heard of it. `seconds` is how long it ran."""

    flow_id: int
    flow: str
    outcome: FlowOutcome
    error: BaseException | None
    seconds: float
    at: float
    kind: Literal["flow_finished"] = "flow_finished"


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskQueued:
    """A task was called.

    Attributes:
        call_id: tells this call from every other of the process.
        flow_id: the flow it was called in, or None outside any flow.
        task: the task's name.
        label: the call's arguments, shortened to one line.
        parent_id: `call_id` of the task whose body made this call, or None.
        total: calls of this task to be made in all, where that is known, else None.
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
    """A body is being called, for the `attempt`-th time (1 is the first)."""

    call_id: int
    flow_id: int | None
    task: str
    label: str
    attempt: int
    at: float
    kind: Literal["task_started"] = "task_started"


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskProgressed:
    """A body told how far it is. `total` is None where unknown, `description` where none was given."""

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
    """A body raised `error` and is called again after `wait_seconds`; `retry` counts from 1."""

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
    """A call has ended.

    Attributes:
        outcome: how; `suppressed` both now and where an earlier run recorded the failure.
        error: what the body raised last (skipped, suppressed now, failed, cancelled), else None.
        seconds: since the call was queued.
        output: the name of the call's output, or None for a task without `on`.
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
"""Everything that a sink hears."""
