"""What is running now: a `TaskCall` for each call of a task, a `FlowCall` for each call of a flow.

One context variable points to the innermost run. It follows `asyncio.to_thread`, task groups and nested
calls automatically; that is how `flow.task.write` finds its task.
"""

from __future__ import annotations

import itertools
import os
import threading
from collections.abc import Mapping
from contextvars import ContextVar, Token
from itertools import islice
from time import monotonic
from typing import TYPE_CHECKING, NoReturn

from asflow._checks import closed_error
from asflow._labels import call_label, error_line, short
from asflow._runtime.slots import current_loop_id
from asflow.errors import NotInTaskError, OutputClosedError, RecordTypeError
from asflow.events import FlowFinished, FlowStarted, RunningCall, Tally, TaskProgressed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from asflow._reporter import Reporter
    from asflow._runtime.report import FlowReport, Problem
    from asflow._runtime.slots import Lease
    from asflow._runtime.spec import TaskSpec
    from asflow.events import FlowOutcome, Outcome

current: ContextVar[TaskCall | FlowCall | None] = ContextVar("asflow_current", default=None)

_ids = itertools.count(1)

_ONE_RECORD = (str, bytes, bytearray, memoryview, Mapping)  # iterable, but not of records

_FIRST_BATCH = 64  # records that are taken from an iterable and written at once


def leave(token: Token[TaskCall | FlowCall | None]) -> None:
    """Undo the `current.set` that returned *token*."""
    try:  # noqa: SIM105 - contextlib.suppress costs as much as the rest of a call
        current.reset(token)
    except ValueError:
        pass  # the garbage collector closes a coroutine in a context that is not its own


def reports_calls(spec: TaskSpec, run: TaskCall | FlowCall | None) -> bool:
    """Whether the sink receives each call of a task made in the flow of *run*, or outside any flow."""
    flow = None if run is None else run.flow
    return spec.reporter.outside if flow is None else flow.reporter.inside


def current_folder() -> str:
    """Return the current directory and a `/`; "" if it is deleted, so that using it is what fails."""
    try:
        return os.path.join(os.getcwd(), "").replace(os.sep, "/")
    except OSError:
        return ""


def pinned(name: str, run: TaskCall | FlowCall | None) -> str:
    """Return the relative *name* of an output, in the flow of *run*, independent of the current directory.

    Outside any flow it stays relative.
    """
    flow = None if run is None else run.flow
    return name if flow is None else flow.folder + name


# A report holds arguments and tracebacks, so memory is bounded: the rest is only counted.
_MOST_PROBLEMS = 1000


def no_output(data: object) -> NoReturn:
    """Refuse a write outside any task, or in a task without `on`."""
    run = current.get()
    if isinstance(run, TaskCall):
        raise NotInTaskError(
            f"task {run.task}(): has no output to write to; give it one, as in @flow.task(on='data/*.jsonl')"
        )
    raise NotInTaskError(
        "flow.task.write(): was called outside any task; call it in a function under @flow.task(on='...') "
        "(a plain thread does not know its task: use asyncio.to_thread, or contextvars.copy_context().run)"
    )


def saved_instead(data: object) -> NoReturn:
    """Refuse a write in a task whose output is what it returns."""
    run = current.get()
    name = run.task if isinstance(run, TaskCall) else "?"
    raise NotInTaskError(
        f"task {name}(): keeps what it returns (save=), so it can't write; return it, or use on= and write it"
    )


def write_failed(run: TaskCall | FlowCall, error: Exception) -> None:
    """Let *error*, of a write, end the call of *run*, even if its body goes on."""
    # A write after the body has ended is refused, and breaks nothing; nor does one where nothing is kept.
    if isinstance(run, TaskCall) and run.output is not None and not isinstance(error, OutputClosedError):
        run.broken = error


def written_all(run: TaskCall | FlowCall | None, records: Iterable[object]) -> None:
    """Pass each of *records* to the output of *run*, in batches, as `flow.task.write` does."""
    if not isinstance(run, TaskCall):
        no_output(records)
    if run.put in (no_output, output_closed, saved_instead):
        _batch_written(run, [records])  # refused, even if there are no records
    _check_iterable(run, records)
    iterator, size = iter(records), _FIRST_BATCH
    while True:
        batch: list[object] = []
        try:
            batch.extend(islice(iterator, size))
        finally:  # if the iterable raises, what it has yielded is written
            if batch:
                size = _batch_written(run, batch)
        if not batch:
            return


def _check_iterable(run: TaskCall, records: object) -> None:
    if (remedy := _instead_of_iterating(records)) is not None:
        run.broken = RecordTypeError(
            f"task {run.task}(): write_all() takes an iterable of records, not {short(records)}; {remedy}"
        )
        raise run.broken


def _instead_of_iterating(records: object) -> str | None:
    """Return what to do with *records* if they are one record, a table, or can't be iterated."""
    if hasattr(records, "__aiter__"):
        return "loop over it with `async for`, and write each of its records"
    if hasattr(records, "__arrow_c_stream__") and hasattr(records, "columns"):
        return "pass a table to flow.task.write() in a .parquet output, or its rows"
    if not hasattr(records, "__iter__") or isinstance(records, _ONE_RECORD):
        return "pass one record to flow.task.write()"
    return None


def _batch_written(run: TaskCall, batch: list[object]) -> int:
    """Pass a *batch* to the output of *run*; return how many records the next one should have."""
    try:
        return batches_through(run.put)(batch) or _FIRST_BATCH
    except Exception as error:
        write_failed(run, error)
        raise


def batches_through(put: Callable[[object], object]) -> Callable[[list[object]], int | None]:
    """Return what takes a list of records where *put* takes one.

    It returns how many records the next list should have, or None if any number will do.
    """
    owner: object = put if hasattr(put, "write_batch") else getattr(put, "__self__", None)
    batches: Callable[[list[object]], int | None] | None = getattr(owner, "write_batch", None)

    def one_by_one(records: list[object]) -> None:
        for record in records:
            put(record)

    return one_by_one if batches is None else batches


def output_closed(data: object) -> NoReturn:
    """Refuse a write after the task has ended or while no attempt is running."""
    run = current.get()
    raise closed_error(f"task {run.task}()" if isinstance(run, TaskCall) else "flow.task.write()")


class FlowCall:
    """One call of a flow: `flow.run` inside it.

    Attributes:
        flow_id: a number that no other call of this process has.
        name: the flow's name.
        label: its arguments, shortened to one line.
        parent: the run of the flow or task that called this one, or None.
        tallies: live counts by task name, in the order of first calls.
        folder: the current directory when the outermost flow was called, and a `/`: a relative `base` is
            below it, wherever a body has changed to since.
    """

    __slots__ = (
        "_began",
        "_ended",
        "_problems",
        "_problems_left_out",
        "_progress",
        "flow_id",
        "folder",
        "label",
        "name",
        "parent",
        "reporter",
        "tallies",
    )

    def __init__(
        self, name: str, label: str, parent: TaskCall | FlowCall | None, reporter: Reporter, *, progress: bool
    ) -> None:
        self.flow_id: int = next(_ids)
        self.name: str = name
        self.parent: TaskCall | FlowCall | None = parent
        outer = None if parent is None else parent.flow
        self.folder: str = current_folder() if outer is None else outer.folder
        self.tallies: dict[str, Tally] = {}
        self.label: str = label
        self._progress = progress
        self.reporter: Reporter = reporter
        self._began = 0.0
        self._ended: float | None = None
        self._problems: list[Problem] = []
        self._problems_left_out = 0

    def __repr__(self) -> str:
        return f"<FlowCall {self.name}({self.label}) #{self.flow_id}>"

    def put(self, data: object) -> NoReturn:
        """Refuse a write: a flow has no output."""
        no_output(data)

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

    def started(self) -> None:
        """Report that the flow begins."""
        self._began = monotonic()
        outer = None if self.parent is None else self.parent.flow
        self.reporter.emit(
            FlowStarted(
                flow_id=self.flow_id,
                flow=self.name,
                label=self.label,
                parent_id=None if outer is None else outer.flow_id,
                progress=self._progress,
                tallies=self.tallies,
                at=self._began,
            )
        )

    def finished(self, outcome: FlowOutcome, error: BaseException | None) -> None:
        """Report how the flow ended."""
        self._ended = now = monotonic()
        self.reporter.emit(
            FlowFinished(
                flow_id=self.flow_id,
                flow=self.name,
                outcome=outcome,
                error=error,
                seconds=now - self._began,
                at=now,
            )
        )

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
        )


class TaskCall(RunningCall):
    """One call of a task: `flow.task.run` inside it.

    Attributes:
        spec: the task.
        args, kwargs: the arguments of the call.
        parent: the run of the task or flow whose body made this call, or None.
        flow: the run of the flow that this call belongs to, or None.
        attempt: 1 for the first call of the body, 2 for its first retry.
        output: the name of the call's output; None for a task without `on`.
        lease: the lease on this call's slot, once a call of its body borrows it.
        borrowed: the lease of the enclosing body's slot that this call's body runs on, or None.
        loop_id: the loop under which the slot was taken; see `current_loop_id`.
    """

    # Unset slots fall back to the defaults in `_UNSET`, so that a call pays only for the attributes it sets.
    __slots__ = (
        "_call_id",
        "_label",
        "args",
        "attempt",
        "borrowed",
        "broken",
        "completed",
        "description",
        "flow",
        "holding",
        "is_running",
        "keep",
        "kwargs",
        "lease",
        "loop_id",
        "output",
        "parent",
        "put",
        "queued_at",
        "spec",
        "started",
        "total",
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
    attempt: int
    queued_at: float
    holding: bool
    loop_id: int
    is_running: bool
    borrowed: Lease | None
    lease: Lease | None
    broken: Exception | None
    """The first failure of a write: of the store, the writer, or a misuse."""
    keep: Callable[[object], object] | None
    """Takes a record of a task with `save=`; the writer's own method while a body runs."""
    put: Callable[[object], object]
    """Takes a record for the output; the writer's own method while a body runs."""
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
        self.lease = self.borrowed = None
        self.holding = self.is_running = False
        self.loop_id = 0

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> object:
            try:
                return _UNSET[name]
            except KeyError:
                raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}") from None

    def again(self) -> TaskCall:
        """Return a run for the call's next attempt, out of reach of threads that the last one left behind."""
        run = TaskCall(self.spec, self.args, self.kwargs, self.parent)
        for name in ("_label", "attempt", "completed", "description", "output", "put", "queued_at", "total"):
            setattr(run, name, getattr(self, name))
        run._call_id = self.call_id
        run.started = self.started
        return run

    def admitted(self) -> None:
        """Record that the body has a slot, and on which loop it was taken."""
        self.loop_id = current_loop_id()
        self.holding = True

    @property
    def call_id(self) -> int:
        """A number that no other call of this process has, assigned on first use."""
        if not self._call_id:
            self._call_id = next(_ids)
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
            args, kwargs = spec.shown(self.args, self.kwargs)
            self._label = call_label(args, kwargs, skip=spec.skipped_in_labels, hidden=spec.hidden_in_labels)
        return self._label

    @property
    def reporter(self) -> Reporter:
        """The flow's, so that a flow's events stay together; outside any flow, the task's own."""
        return self.spec.reporter if self.flow is None else self.flow.reporter

    def progressed(self) -> None:
        """Report the body's progress, unless the body has ended (a thread of it may live on)."""
        if not self.is_running:
            return
        spec, flow = self.spec, self.flow
        if reports_calls(spec, self):
            self.reporter.emit(
                TaskProgressed(
                    call_id=self.call_id,
                    flow_id=None if flow is None else flow.flow_id,
                    task=spec.name,
                    description=self.description,
                    completed=self.completed,
                    total=self.total,
                    at=monotonic(),
                )
            )


_UNSET: dict[str, object] = {
    "_call_id": 0,
    "_label": None,
    "attempt": 1,
    "borrowed": None,
    "broken": None,
    "keep": None,
    "completed": 0,
    "description": None,
    "flow": None,
    "holding": False,
    "is_running": False,
    "lease": None,
    "loop_id": 0,
    "output": None,
    "parent": None,
    "put": no_output,
    "queued_at": 0.0,
    "started": None,
    "total": None,
}
