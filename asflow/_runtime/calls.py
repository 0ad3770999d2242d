"""What is known of a call: a `TaskCall` for each call of a task, a `FlowCall` for each call of a flow.

They share a module, as they hold on to each other: a task's call knows its flow, and a flow's call the task
that it was made in.
"""

from __future__ import annotations

import os
import threading
from time import monotonic, sleep, time
from typing import TYPE_CHECKING, Any, NoReturn

from asflow import _forks
from asflow._checks import outside_error
from asflow._digest import Digest, ProblemCall
from asflow._frozen import draft_of
from asflow._labels import argument_label, call_label, error_line, error_text
from asflow._runtime import clock
from asflow._runtime.ids import call_ids, new_run_id, run_id_of_process
from asflow._runtime.spec import named_arguments
from asflow.events import FlowFinished, FlowStarted, RunningCall, RunningFlow, Tally, TaskProgressed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from asflow._reporter import Reporter, Route, Scope
    from asflow._runtime.machine import Turn
    from asflow._runtime.report import FlowReport, Problem
    from asflow._runtime.slots import Slot
    from asflow._runtime.spec import Lines, Scratch, TaskSpec
    from asflow.events import Event, FlowOutcome, Outcome, TaskQueued

_FlowStartedDraft, _FlowFinishedDraft = draft_of(FlowStarted), draft_of(FlowFinished)

BRIEF = "__asflow_brief__"
"""Set on a function whose flow is one of many; see `FlowStarted.brief`."""

_LONGEST_EMIT = 1.0  # seconds that the end of a flow waits for a sink on another thread

# A report holds arguments and tracebacks, so memory is bounded: the rest is only counted.
_MOST_PROBLEMS = 1000


def _current_folder() -> str:
    """Return the current directory and a `/`; "" if it is deleted, so that using it is what fails."""
    try:
        return os.path.join(os.getcwd(), "").replace(os.sep, "/")
    except OSError:
        return ""


def _counts_of(tally: Tally) -> Tally:
    """Return a copy of *tally* without the calls that its flow has left behind."""
    copied = tally.snapshot()
    copied.active.clear()
    copied.waiting.clear()
    return copied


class FlowCall(RunningFlow):
    """One call of a flow: `flow.run` inside it.

    Attributes:
        flow_id: a number that no other call of this process has.
        run_id: that of the outermost flow.
        name: the flow's name.
        qualname: its module and qualified name.
        label: its arguments, shortened to one line.
        named_arguments: returns its arguments by parameter, the secret ones masked.
        parent: the run of the flow or task that called this one, or None.
        is_in_task: whether the body of a task has called it, or one of the flows that it is in.
        tallies: live counts by task name, in the order of first calls.
        folder: the current directory when the outermost flow was called, and a `/`: a relative `base` is
            below it, wherever a body has changed to since.
        completed, total, description: see `RunningFlow`.
        brief: see `FlowStarted`.
        digest: what went wrong so far, in this flow and in those that it called.
        emitting: an entry for each call that is reporting an event.
        over: whether the flow has ended, so that no more events of its calls are reported.
    """

    __slots__ = (
        "__weakref__",
        "_began",
        "_ended",
        "_problems",
        "_problems_left_out",
        "_progress",
        "brief",
        "completed",
        "description",
        "digest",
        "emitting",
        "flow_id",
        "folder",
        "is_in_task",
        "label",
        "name",
        "named_arguments",
        "over",
        "parent",
        "qualname",
        "reporter",
        "run_id",
        "tallies",
        "total",
        "unit",
    )

    def __init__(
        self,
        name: str,
        label: str,
        parent: TaskCall | FlowCall | None,
        reporter: Reporter,
        *,
        progress: bool,
        brief: bool = False,
        total: int | None,
        qualname: str,
        named_arguments: Callable[[], dict[str, object]],
    ) -> None:
        outer = None if parent is None else parent.flow
        self.flow_id: int = next(call_ids)
        self.run_id: str = new_run_id() if outer is None else outer.run_id
        self.name: str = name
        self.qualname: str = qualname
        self.named_arguments: Callable[[], dict[str, object]] = named_arguments
        self.parent: TaskCall | FlowCall | None = parent
        self.is_in_task: bool = isinstance(parent, TaskCall) or (outer is not None and outer.is_in_task)
        self.folder: str = _current_folder() if outer is None else outer.folder
        self.tallies: dict[str, Tally] = {}
        self.label: str = label
        self.completed: float | None = None
        self.total: float | None = total
        self.description: str | None = None
        self.unit: str | None = None
        # Reentrant, as a tally's.
        self.digest: Digest = Digest(threading.RLock())
        self._progress = progress
        self.brief: bool = brief
        self.reporter: Reporter = reporter
        self.over: bool = False
        self.emitting: list[None] = []
        self._began = 0.0
        self._ended: float | None = None
        self._problems: list[Problem] = []
        self._problems_left_out = 0
        _forks.renewables.add(self)

    def after_fork(self) -> None:
        """Forget what other threads count and report at this moment: see `_forks`."""
        self.emitting.clear()
        self.digest.lock = threading.RLock()
        for tally in self.tallies.values():
            tally.lock = threading.RLock()

    def __repr__(self) -> str:
        return f"<FlowCall {self.name}({self.label}) #{self.flow_id}>"

    lines: None = None

    def put(self, data: object) -> NoReturn:
        """Refuse a write: a flow has no output."""
        raise outside_error("write")

    @property
    def flow(self) -> FlowCall:
        """The flow that calls made in this run belong to: itself."""
        return self

    def tally(self, task: str) -> Tally:
        """Return the counts of the task called *task*; the first call creates them."""
        tally = self.tallies.get(task)
        if tally is None:
            # Reentrant: a garbage collection inside the lock may end another call on the same thread.
            tally = self.tallies.setdefault(task, Tally(task, threading.RLock()))
        return tally

    def progressed(self) -> None:
        """Do nothing: displays read how far the flow has come."""

    def _begin_event(self, draft: Any, at: float) -> None:
        outer = None if self.parent is None else self.parent.flow
        draft._call = self
        draft.run_id = self.run_id
        draft.flow_id = self.flow_id
        draft.flow = self.name
        draft.qualname = self.qualname
        draft.parent_id = None if outer is None else outer.flow_id
        draft.parent_call_id = self.parent.call_id if isinstance(self.parent, TaskCall) else None
        draft.brief = self.brief
        draft.time = time()
        draft.at = at

    def started(self) -> None:
        """Report that the flow begins."""
        self._began = monotonic()
        event = _FlowStartedDraft()
        self._begin_event(event, self._began)
        event.progress = self._progress
        event.tallies = self.tallies
        event.live = self
        event.__class__ = FlowStarted
        self.reporter.emit(event)

    def finished(self, outcome: FlowOutcome, error: BaseException | None) -> None:
        """Report how the flow ended, once no call of it that another thread makes is reporting an event."""
        self._ended = now = monotonic()
        self.over = True
        while self.emitting and monotonic() < now + _LONGEST_EMIT:
            sleep(0.0005)
        event = _FlowFinishedDraft()
        self._begin_event(event, now)
        event.outcome = outcome
        event.error = error
        event.seconds = now - self._began
        event.tallies = {name: _counts_of(tally) for name, tally in list(self.tallies.items())}
        event.digest = self.digest.snapshot()
        event.__class__ = FlowFinished
        self.reporter.emit(event)

    @property
    def seconds(self) -> float:
        """The duration of the flow so far, or in all."""
        return (monotonic() if self._ended is None else self._ended) - self._began

    def note(self, call: TaskCall, outcome: Outcome, error: BaseException | None) -> None:
        """Record a call that did not complete, for the report. At most 1,000 are kept."""
        if len(self._problems) < _MOST_PROBLEMS:
            from asflow._runtime.report import Problem

            args, kwargs = call.spec.shown(call.args, call.kwargs)
            # Texts, not the exception: its frames may hold anything.
            self._problems.append(
                Problem(
                    task=call.task,
                    args=args,
                    kwargs=dict(kwargs),
                    label=call.label,
                    outcome=outcome,
                    error=None if error is None else error_line(error, 1000),
                    error_type=None if error is None else type(error).__qualname__,
                    output=call.output,
                )
            )
        else:
            self._problems_left_out += 1
        if outcome == "cancelled":
            return
        error_type = None if error is None else type(error).__qualname__
        flow: FlowCall | None = self
        while flow is not None:
            flow.digest.add(
                call.task,
                outcome,
                error_type,
                lambda: ProblemCall(call.label, "" if error is None else error_text(error)),
            )
            if outcome == "suppressed" and flow.digest.folder is None:
                flow.digest.folder = call.spec.folder
            flow = None if flow.parent is None else flow.parent.flow

    def report(self) -> FlowReport:
        """See `FlowRun.report`."""
        from asflow._runtime.report import FlowReport, task_report

        return FlowReport(
            flow=self.name,
            label=self.label,
            seconds=self.seconds,
            tasks=tuple(task_report(tally) for tally in list(self.tallies.values())),
            problems=tuple(self._problems),
            problems_left_out=self._problems_left_out,
            groups=self.digest.groups,
            groups_left_out=self.digest.left_out,
            folder=self.digest.folder,
        )


_ProgressedDraft = draft_of(TaskProgressed)

_PROGRESS_PAUSE = 0.1  # seconds between two reports of a body's progress

_NEVER = float("-inf")


class TaskCall(RunningCall):
    """One call of a task: `flow.task.run` inside it.

    Attributes:
        spec: the task.
        args, kwargs: the arguments of the call.
        parent: the run of the task or flow whose body made this call, or None.
        flow: the run of the flow that this call belongs to, or None.
        attempt: 1 for the first call of the body, 2 for its first retry.
        output: the name of the call's output; None for a task without `on`.
        seconds: the time in bodies that have ended.
        waited_seconds: the time before and between bodies.
        size, records: of the output that this call has published, as far as they are known.
        slot: what the body runs on; None before and after, or if there is no bound.
        turn: its place among the bodies of all processes, if its limit has a name.
        borrowed: the slots of enclosing bodies that `slot` is a turn on, innermost first.
    """

    __slots__ = (
        "_call_id",
        "_label",
        "args",
        "attempt",
        "body_over",
        "borrowed",
        "broken",
        "completed",
        "description",
        "flow",
        "has_news",
        "held",
        "is_running",
        "keep",
        "kwargs",
        "lines",
        "new_scratch",
        "output",
        "parent",
        "put",
        "records",
        "reported",
        "seconds",
        "since",
        "size",
        "slot",
        "spec",
        "started",
        "total",
        "turn",
        "unit",
        "waited_seconds",
    )

    spec: TaskSpec
    args: tuple[object, ...]
    kwargs: Mapping[str, object]
    parent: TaskCall | FlowCall | None
    flow: FlowCall | None
    output: str | None
    started: float | None
    description: str | None
    completed: float
    total: float | None
    unit: str | None
    attempt: int
    body_over: bool
    """Whether this attempt's body has been called and has ended."""
    has_news: bool
    """Whether the body has made progress that is not reported yet."""
    held: TaskQueued | None
    """The event of the call itself, for sinks that want only calls with something to do."""
    reported: float
    """When its progress was last reported; monotonic."""
    since: float
    """When the call was made, or its last body ended; monotonic."""
    seconds: float
    waited_seconds: float
    size: int | None
    records: int | None
    is_running: bool
    slot: Slot | None
    turn: Turn | None
    borrowed: tuple[Slot | None, ...]
    broken: Exception | None
    """The first failure of a write: of the store, the writer, or a misuse."""
    keep: Callable[[object], object] | None
    """Takes a record of a task with `save=`; the writer's own method while a body runs."""
    new_scratch: Callable[[], Scratch] | None
    """Makes the file of `flow.task.path()`, or returns the one that was made; set while a body runs."""
    put: Callable[[object], object]
    """Takes a record for the output; the writer's own method while a body runs."""
    lines: Lines | None
    """What gathers the lines of JSON that a body writes, once it has begun to; None in other formats."""
    _call_id: int
    _label: str | None

    def __init__(
        self,
        spec: TaskSpec,
        args: tuple[object, ...],
        kwargs: Mapping[str, object],
        parent: TaskCall | FlowCall | None,
    ) -> None:
        self.spec = spec
        self.parent = parent
        self.flow = None if parent is None else parent.flow
        self.args = args
        self.kwargs = kwargs
        self._call_id = 0
        self._label = self.output = self.slot = self.broken = self.keep = self.lines = self.new_scratch = None
        self.turn = self.held = self.size = self.records = self.started = None
        self.total = self.unit = self.description = None
        self.is_running = self.body_over = self.has_news = False
        self.seconds = self.waited_seconds = self.since = 0.0
        self.reported = _NEVER
        self.completed, self.attempt = 0, 1
        self.borrowed = ()
        self.put = spec.refuse

    def again(self) -> TaskCall:
        """Return a run for the call's next attempt, out of reach of threads that the last one left behind."""
        run = TaskCall(self.spec, self.args, self.kwargs, self.parent)
        for name in _KEPT:
            setattr(run, name, getattr(self, name))
        run._call_id = self.call_id
        run.started = self.started
        return run

    @property
    def call_id(self) -> int:
        """A number that no other call of this process has, assigned on first use."""
        if not self._call_id:
            self._call_id = next(call_ids)
        return self._call_id

    def __repr__(self) -> str:
        return f"<TaskCall {self.task}({self.label}) #{self.call_id}>"

    @property
    def task(self) -> str:
        return self.spec.name

    @property
    def label(self) -> str:
        """The call's arguments, shortened to one line; cached."""
        if self._label is None:
            spec = self.spec
            if spec.marked is None and not self.kwargs and len(self.args) == spec.skipped_in_labels + 1:
                self._label = argument_label(self.args[-1])
                return self._label
            args, kwargs = spec.shown(self.args, self.kwargs)
            self._label = call_label(args, kwargs, skip=spec.skipped_in_labels, hidden=spec.hidden_in_labels)
        return self._label

    def named_arguments(self) -> dict[str, object]:
        """Return the call's arguments by parameter, the secret ones masked."""
        spec = self.spec
        return named_arguments(spec.signature, spec.marked, spec.skipped_in_labels, self.args, self.kwargs)

    def begin_event(self, draft: Any, at: float) -> Any:
        """Set the fields that every event of a call has; return *draft*, of which the others are missing."""
        spec, flow, parent = self.spec, self.flow, self.parent
        draft._call = self
        if flow is None:
            draft.run_id, draft.flow_id = run_id_of_process(), None
        else:
            draft.run_id, draft.flow_id = flow.run_id, flow.flow_id
        draft.call_id = self._call_id or self.call_id
        draft.parent_id = parent.call_id if parent is not flow and isinstance(parent, TaskCall) else None
        draft.task = spec.name
        draft.qualname = spec.qualname
        draft.time = time()
        draft.at = at
        return draft

    def progressed(self) -> None:
        """Report the body's progress, at intervals; not once it has ended (a thread of it may live on)."""
        if self.is_running and self.scope.begun:
            now = clock.current.clock.now()
            self.has_news = now - self.reported < _PROGRESS_PAUSE
            if not self.has_news:
                self.reported = now
                self._report_progress()

    def report_last_progress(self) -> None:
        """Report the progress that the body made since the last report; it ends now."""
        if self.has_news:
            self.has_news = False
            self._report_progress()

    def _report_progress(self) -> None:
        event = self.begin_event(_ProgressedDraft(), monotonic())
        event.attempt = self.attempt
        event.description = self.description
        event.completed = self.completed
        event.total = self.total
        event.unit = self.unit
        event.__class__ = TaskProgressed
        self.emit(self.scope.begun, event)

    @property
    def scope(self) -> Scope:
        """Who receives the events: the flow's sinks, so that its events stay together, or the task's."""
        return self.spec.reporter.alone if self.flow is None else self.flow.reporter.calls

    def emit(self, routes: tuple[Route, ...], event: Event) -> None:
        """Pass *event* on by *routes*."""
        flow = self.flow
        if flow is None:
            for route in routes:
                route.emit(event)
            return
        # Nothing follows `FlowFinished`. Order matters: announce, then read `over`. `FlowCall.finished` does
        # the reverse, so one of them sees the other.
        emitting = flow.emitting
        emitting.append(None)
        try:
            if flow.over:
                return
            for route in routes:  # as `Route.emit`, without the call
                try:
                    route.pass_on(event)
                except Exception as error:  # noqa: BLE001 - as there
                    route.failed(event, error)
                else:
                    if route.failures:
                        route.failures = 0
        finally:
            emitting.pop()

    def emit_held(self, scope: Scope) -> None:
        """Report now that the call was made, to those who wait until it has something to do."""
        held, self.held = self.held, None
        if held is not None:
            self.emit(scope.held, held)


_KEPT = (
    "_label", "attempt", "completed", "description", "held", "output", "put", "seconds", "since", "total",
    "unit", "waited_seconds",
)  # fmt: skip
"""What an attempt takes over from the last one."""
