"""What a progress sink receives: a closed union of small immutable events.

    Event = FlowStarted | FlowFinished | TaskQueued | TaskWaiting
          | TaskStarted | TaskProgressed | TaskRetrying | TaskFinished

Match on the class or on `kind`; a type checker reports a missing case.

Order: a flow is started first and finished last, and no event of it follows. If it leaves calls behind that
it did not wait for, their end is not reported. A call of a task is queued first and finished last. In
between, each attempt is started and may report progress; if it fails and is to be repeated, `TaskRetrying`
follows. A call finishes without having started if its output exists, if an earlier run recorded its failure,
or if it is cancelled while it waits. Events of different calls interleave.

Context: `TaskStarted` and `TaskFinished` are emitted where the body is called, in its context (`contextvars`)
and on its thread: what a sink sets at the one is in effect in the body, and it may be reset at the other.
With `executor=`, a body in a thread has a copy of that context, and one in another process has none.

Units: durations are in seconds. `time` is the value of `time.time()` when the event happened, `at` that of
`time.monotonic()`; compare the latter only with other events of the same process.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Literal

from asflow._digest import Digest, ProblemCall, ProblemGroup
from asflow._names import set_homes

if TYPE_CHECKING:
    from dataclasses import dataclass
else:
    from asflow._frozen import dataclass

__all__ = [
    "Digest",
    "Event",
    "FlowFinished",
    "FlowOutcome",
    "FlowStarted",
    "Outcome",
    "ProblemCall",
    "ProblemGroup",
    "RunningCall",
    "RunningFlow",
    "Tally",
    "TaskFinished",
    "TaskProgressed",
    "TaskQueued",
    "TaskRetrying",
    "TaskStarted",
    "TaskWaiting",
    "WaitReason",
    "WaitingCall",
]

set_homes(__name__, [Digest, ProblemCall, ProblemGroup])

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
        unit: what the body counts, as in `pages`; `B` for bytes; None if it didn't say.
        attempt: 1 for the first call of the body, 2 for its first retry.
    """

    __slots__ = ()

    started: float | None = None
    description: str | None = None
    completed: float = 0
    total: float | None = None
    unit: str | None = None
    attempt: int = 1

    @property
    def label(self) -> str:
        """The call's arguments, shortened to one line."""
        raise NotImplementedError

    def __repr__(self) -> str:
        return f"<RunningCall ({self.label})>"


class WaitingCall:
    """A call that waits although its turn has come, as found in `Tally.waiting`. Its fields don't change.

    Attributes:
        call: the call.
        reason: `retry`, or as in `WaitReason`.
        since: when the wait began, in monotonic seconds.
        until: when it ends, in monotonic seconds, or None if that is not known.
        detail: the exception that the retry is for, or who makes the output, on one line; or None.
    """

    __slots__ = ("call", "detail", "reason", "since", "until")

    def __init__(
        self,
        call: RunningCall,
        reason: Literal["retry", "owner", "rate", "slot"],
        since: float,
        *,
        until: float | None = None,
        detail: str | None = None,
    ) -> None:
        self.call: RunningCall = call
        self.reason: Literal["retry", "owner", "rate", "slot"] = reason
        self.since: float = since
        self.until: float | None = until
        self.detail: str | None = detail

    def __repr__(self) -> str:
        return f"<WaitingCall ({self.call.label}) {self.reason}>"


class RunningFlow:
    """What a running flow reports of itself, as found in `FlowStarted.live`.

    Sinks only read it. Threads: safe to read from any.

    Attributes:
        completed: steps done, as `Flow.track` counts them; None: the calls of its tasks that have ended.
        total: steps or calls to do, or None if unknown.
        description: what it is doing, as it last said through `Flow.track`, or None.
        digest: what went wrong so far, in this flow and in those that it called.
    """

    __slots__ = ()

    completed: float | None = None
    total: float | None = None
    description: str | None = None
    digest: Digest = Digest()

    def __repr__(self) -> str:
        return f"<RunningFlow {self.completed} of {self.total}>"


class _Running(dict[Hashable, RunningCall]):
    """The running calls. Iterating is over a copy, since other threads add and remove calls at any time."""

    __slots__ = ()

    if not TYPE_CHECKING:  # checkers need not know

        def _copied(self):
            while True:
                try:
                    return dict(list(super().items()))
                except RuntimeError:  # it has changed meanwhile
                    continue

        def __iter__(self):
            return iter(self._copied())

        def keys(self):
            return self._copied().keys()

        def values(self):
            return self._copied().values()

        def items(self):
            return self._copied().items()


class Tally:
    """Live counts of one task within one flow, for a sink that polls instead of receiving every call.

    Numbers never decrease, and may be read at any time from any thread. They change while you read them: take
    a `snapshot()` to read several that fit together.

    Attributes:
        task: the task's name.
        lock: a context manager that makes changes wait, on builds of Python without a GIL; others need none.
        queued: calls made so far, including those that are running or have ended.
        total: calls expected in all if known (`flow.task.map` over a sized iterable), else None.
        completed, cached, skipped, suppressed, failed, cancelled: calls that ended this way; see `Outcome`.
        retries: how often a body was called again after an exception.
        seconds: time spent in bodies that have ended, in seconds; concurrent bodies add up. Waiting is not
            included.
        slowest: the longest single body so far, in seconds.
        active: the calls whose bodies are running, oldest first, each under a unique key. Iterating is over
            a copy.
        waiting: calls that wait for a retry, and those that have waited for a second or longer for something
            other than a slot, each under a unique key. Other threads change it at any time: copy it before
            iterating.
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
        "waiting",
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
        self.active: dict[Hashable, RunningCall] = _Running()
        self.waiting: dict[Hashable, WaitingCall] = {}

    def __repr__(self) -> str:
        return f"<Tally of {self.task}(): {self.queued} calls, {self.finished} finished>"

    @property
    def finished(self) -> int:
        """The number of calls that have ended, with any outcome."""
        return self.completed + self.cached + self.skipped + self.suppressed + self.failed + self.cancelled

    def snapshot(self) -> Tally:
        """Return a copy that no longer changes: no more calls in it have ended or are running than were made.

        The calls in `active` are the same objects, and go on.

        Threads: may be called from any, while calls run.
        """
        copied = Tally(self.task)
        with self.lock:
            # Order matters without a GIL's lock: a call is queued first, and ends last.
            copied.completed, copied.cached, copied.skipped = self.completed, self.cached, self.skipped
            copied.suppressed, copied.failed, copied.cancelled = self.suppressed, self.failed, self.cancelled
            copied.seconds, copied.slowest, copied.retries = self.seconds, self.slowest, self.retries
            copied.active.update(self.active.items())
            copied.waiting = self.waiting.copy()
            copied.total, copied.queued = self.total, self.queued
        return copied


_IDLE, _NO_TALLIES, _NO_DIGEST = RunningFlow(), dict[str, Tally](), Digest()
_NO_ARGUMENTS: Mapping[str, object] = {}  # copied for each event


@dataclass(frozen=True, slots=True, kw_only=True)
class _Any:
    """The fields of every event. What a sink's own test need not say has a default."""

    run_id: str = ""
    time: float = 0.0
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class _OfFlow(_Any):
    """The fields of every event of a flow."""

    flow_id: int
    flow: str
    qualname: str = ""
    label: str = ""
    arguments: Mapping[str, object] = _NO_ARGUMENTS
    parent_id: int | None = None
    parent_call_id: int | None = None
    brief: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class _OfCall(_Any):
    """The fields of every event of a call."""

    flow_id: int | None
    call_id: int
    parent_id: int | None = None
    task: str
    qualname: str = ""
    label: str = ""
    arguments: Mapping[str, object] = _NO_ARGUMENTS


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowStarted(_OfFlow):
    """A flow was called.

    Attributes:
        run_id: identifies the outermost flow that this one is called by, or is; unique over all processes and
            machines, 32 hexadecimal digits.
        flow_id: identifies this call of the flow; unique within the process.
        flow: the flow's name.
        qualname: its module and qualified name, as in `pipeline.main`.
        label: the call's arguments, shortened to one line; empty if there are none.
        arguments: the call's arguments by parameter, a `Secret` one as `***`. They are the objects
            themselves, looked up when this is first read: don't change them.
        parent_id: `flow_id` of the flow that called this one, or None.
        parent_call_id: `call_id` of the call of a task whose body called this flow, or None.
        brief: whether it is one of many, as each call of a `DataFlow` is: a display for people omits it if it
            was short and all went well.
        progress: False if `@flow(progress=False)` asks for no display of this flow and of those it calls.
        tallies: live counts by task name, in the order of first calls. Other threads add to it while the flow
            runs: copy it before iterating.
        live: how far the flow has come, and what went wrong so far.
        time: when it was called, in POSIX seconds.
        at: when it was called, in monotonic seconds.
        kind: the event's type as a string.
    """

    progress: bool
    tallies: Mapping[str, Tally]
    live: RunningFlow = _IDLE
    kind: Literal["flow_started"] = "flow_started"


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowFinished(_OfFlow):
    """A flow has returned or raised; the last event of that flow.

    Attributes:
        run_id, flow_id, flow, qualname, label, arguments, parent_id, parent_call_id, brief: as in
            `FlowStarted`.
        outcome: how it ended.
        error: the exception that it raised, or None.
        seconds: how long it ran, in seconds.
        tallies: the counts of its tasks, by name.
        digest: its failed, skipped and suppressed calls, and those of the flows that it called.
        time: when it ended, in POSIX seconds.
        at: when it ended, in monotonic seconds.
        kind: the event's type as a string.
    """

    outcome: FlowOutcome
    error: BaseException | None
    seconds: float
    tallies: Mapping[str, Tally] = _NO_TALLIES
    digest: Digest = _NO_DIGEST
    kind: Literal["flow_finished"] = "flow_finished"


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskQueued(_OfCall):
    """A task was called. It may now wait for a slot, a rate limit, or another process that makes its output.

    Attributes:
        run_id: identifies the outermost flow that the call was made in, or outside any flow this process;
            unique over all processes and machines, 32 hexadecimal digits.
        flow_id: the flow that the call was made in, or None outside any flow.
        call_id: identifies this call, over all its attempts; unique within the process.
        parent_id: `call_id` of the call whose body made this one, or None.
        task: the task's name.
        qualname: its module and qualified name, as in `pipeline.download`.
        label: the call's arguments, shortened to one line; empty if there are none.
        arguments: the call's arguments by parameter, a `Secret` one as `***`. They are the objects
            themselves, looked up when this is first read: don't change them.
        total: calls of this task expected in the flow if known, else None; see `Tally.total`.
        time: when it was called, in POSIX seconds.
        at: when it was called, in monotonic seconds.
        kind: the event's type as a string.
    """

    total: int | None = None
    kind: Literal["task_queued"] = "task_queued"


WaitReason = Literal["owner", "rate", "slot"]
"""What a call waits for.

- `owner`: another call, or another process, makes its output.
- `rate`: its limit's rate allows no start yet.
- `slot`: as many bodies as its limit allows are running.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskWaiting(_OfCall):
    """The call has waited for a second, or for longer. It is reported once for each wait.

    Attributes:
        run_id, flow_id, call_id, parent_id, task, qualname, label, arguments: as in `TaskQueued`.
        reason: what it waits for.
        owner: who makes its output if the reason is `"owner"` and that is known, as one line; else None.
        waited_seconds: how long it has waited for that so far, in seconds.
        time: when this was reported, in POSIX seconds.
        at: when this was reported, in monotonic seconds.
        kind: the event's type as a string.
    """

    reason: WaitReason
    owner: str | None = None
    waited_seconds: float
    kind: Literal["task_waiting"] = "task_waiting"


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskStarted(_OfCall):
    """The call has a slot, and its body is about to be called, in the context in which this is emitted.

    Attributes:
        run_id, flow_id, call_id, parent_id, task, qualname, label, arguments: as in `TaskQueued`.
        attempt: 1 for the first call of the body, 2 for its first retry.
        time: when the attempt started, in POSIX seconds.
        at: when the attempt started, in monotonic seconds.
        kind: the event's type as a string.
    """

    attempt: int
    kind: Literal["task_started"] = "task_started"


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskProgressed(_OfCall):
    """A body reported its progress through `flow.task.progress` or `flow.task.track`.

    Attributes:
        run_id, flow_id, call_id, parent_id, task, qualname, label, arguments: as in `TaskQueued`.
        attempt: 1 for the first call of the body, 2 for its first retry.
        description: what the body is doing, or None if it didn't say.
        completed: units done in this attempt; the body chooses the unit.
        total: units to do, or None if unknown.
        unit: what is counted, as in `pages`; `B` for bytes; None if the body didn't say.
        time: when it was reported, in POSIX seconds.
        at: when it was reported, in monotonic seconds.
        kind: the event's type as a string.
    """

    attempt: int = 1
    description: str | None
    completed: float
    total: float | None
    unit: str | None = None
    kind: Literal["task_progressed"] = "task_progressed"


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskRetrying(_OfCall):
    """A body raised an exception and will be called again. The call waits first, holding no slot.

    Attributes:
        run_id, flow_id, call_id, parent_id, task, qualname, label, arguments: as in `TaskQueued`.
        attempt: the attempt that failed; 1 for the first call of the body.
        retry: 1 for the first retry, which is attempt 2.
        wait_seconds: how long the call waits before it asks for a slot again.
        error: what the body raised.
        time: when the wait began, in POSIX seconds.
        at: when the wait began, in monotonic seconds.
        kind: the event's type as a string.
    """

    attempt: int = 1
    retry: int
    wait_seconds: float
    error: Exception
    kind: Literal["task_retrying"] = "task_retrying"


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskFinished(_OfCall):
    """A call has ended: its output, if it has one, is published or discarded.

    Attributes:
        run_id, flow_id, call_id, parent_id, task, qualname, label, arguments: as in `TaskQueued`.
        outcome: how it ended.
        error: the exception that ended it; None if it completed, was cached, or failed in an earlier run.
        attempts: how often its body was called; 0 if it was not.
        seconds: the time that its body took, in seconds, over all attempts.
        waited_seconds: the time before and between these, in seconds: for a slot, for a rate, for another
            owner of the output, for a retry, and for the store to answer.
        output: the name of the call's output, as `Output.name`; None for a task that keeps none.
        size: bytes of the output that the call published, as stored (compressed); None if it published none.
        records: records in that output, as far as its writer counts them; else None.
        time: when it ended, in POSIX seconds.
        at: when it ended, in monotonic seconds.
        kind: the event's type as a string.
    """

    outcome: Outcome
    error: BaseException | None
    attempts: int = 1
    seconds: float
    waited_seconds: float = 0.0
    output: str | None
    size: int | None = None
    records: int | None = None
    kind: Literal["task_finished"] = "task_finished"


Event = (
    FlowStarted
    | FlowFinished
    | TaskQueued
    | TaskWaiting
    | TaskStarted
    | TaskProgressed
    | TaskRetrying
    | TaskFinished
)
"""Everything that a sink may receive."""
