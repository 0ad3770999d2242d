"""What is running now: a `TaskRun` for each call of a task, a `FlowRun` for each call of a flow.

One context variable points at the innermost run. It follows `asyncio.to_thread`, task groups and nested
calls by itself, which is how `flow.task.write` finds its task.
"""

from __future__ import annotations

import itertools
import threading
from contextvars import ContextVar
from time import monotonic
from typing import TYPE_CHECKING, NoReturn

from asflow.errors import NotInTaskError, OutputClosedError
from asflow.events import FlowFinished, FlowStarted, RunningCall, Tally, TaskProgressed
from asflow.runtime.labels import call_label

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from asflow.events import FlowOutcome
    from asflow.runtime.limits import Lease
    from asflow.runtime.reporting import Reporter
    from asflow.runtime.specs import TaskSpec

__all__ = ["FlowRun", "TaskRun", "current", "no_output", "output_closed"]

current: ContextVar[TaskRun | FlowRun | None] = ContextVar("asflow_current", default=None)

_ids = itertools.count(1)


def no_output(data: object) -> NoReturn:
    """Refuse a write outside any task, or in a task without `on`."""
    run = current.get()
    if isinstance(run, TaskRun):
        raise NotInTaskError(
            f"task {run.task}() has no output to write to; give it one, as in @flow.task(on='data/*.jsonl')"
        )
    raise NotInTaskError(
        "flow.task.write() was called outside any task; call it in a function under @flow.task(on='...') "
        "(a plain thread does not know its task: use asyncio.to_thread, or contextvars.copy_context().run)"
    )


def output_closed(data: object) -> NoReturn:
    """Refuse a write after the task has ended or while no attempt is running."""
    run = current.get()
    name = run.task if isinstance(run, TaskRun) else "?"
    raise OutputClosedError(
        f"task {name}() has ended (or was cancelled), so nothing more can be written to its output; "
        f"wait for the threads and tasks that write before the task returns"
    )


class FlowRun:
    """One call of a flow: `flow.run` inside it.

    Attributes:
        flow_id: tells this call from every other of the process.
        name: the flow's name.
        parent: the run of the flow or task that called this one, or None.
        tallies: live counts by task name, in the order of first calls.
    """

    __slots__ = ("_began", "_label", "_progress", "flow_id", "name", "parent", "reporter", "tallies")

    def __init__(
        self, name: str, label: str, parent: TaskRun | FlowRun | None, reporter: Reporter, *, progress: bool
    ) -> None:
        self.flow_id = next(_ids)
        self.name = name
        self.parent = parent
        self.tallies: dict[str, Tally] = {}
        self._label = label
        self._progress = progress
        self.reporter = reporter
        self._began = 0.0

    def __repr__(self) -> str:
        """Show which flow this is."""
        return f"<FlowRun {self.name}({self._label}) #{self.flow_id}>"

    def put(self, data: object) -> NoReturn:
        """Refuse a write: a flow has no output."""
        no_output(data)

    @property
    def flow(self) -> FlowRun:
        """The flow that a call made now would belong to: this one."""
        return self

    def tally(self, task: str) -> Tally:
        """Return the counts of the task called *task*, new at its first call."""
        tally = self.tallies.get(task)
        if tally is None:
            # Reentrant: a garbage collection inside the lock may end another call on this very thread.
            tally = self.tallies.setdefault(task, Tally(task, threading.RLock()))
        return tally

    def started(self) -> None:
        """Tell the sink that the flow begins."""
        self._began = monotonic()
        outer = None if self.parent is None else self.parent.flow
        self.reporter.emit(
            FlowStarted(
                flow_id=self.flow_id,
                flow=self.name,
                label=self._label,
                parent_id=None if outer is None else outer.flow_id,
                progress=self._progress,
                tallies=self.tallies,
                at=self._began,
            )
        )

    def finished(self, outcome: FlowOutcome, error: BaseException | None) -> None:
        """Tell the sink how the flow ended."""
        now = monotonic()
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


class TaskRun(RunningCall):
    """One call of a task: `flow.task.run` inside it.

    Attributes:
        spec: what the task was told to do.
        parent: the run of the task or flow whose body made this call, or None.
        attempt: 1 for the first call of the body, 2 for its first retry.
        output: the name of the call's output, or None for a task without `on`.
    """

    # Class attributes and no slots: a call pays for what it sets, and most set little.
    output: str | None = None
    attempt = 1
    queued_at = 0.0
    holding = False
    lent: Lease | None = None
    lease: Lease | None = None
    put: Callable[[object], object] = staticmethod(no_output)
    """Takes a record for the output; the writer's own method while a body runs."""
    _call_id = 0
    _label: str | None = None

    def __init__(
        self,
        spec: TaskSpec,
        args: tuple[object, ...],
        kwargs: Mapping[str, object],
        parent: TaskRun | FlowRun | None,
    ) -> None:
        self.spec = spec
        self.parent = parent
        self._args = args
        self._kwargs = kwargs

    @property
    def call_id(self) -> int:
        """A number that tells this call from every other of the process, drawn when first asked for."""
        if not self._call_id:
            self._call_id = next(_ids)
        return self._call_id

    @property
    def flow(self) -> FlowRun | None:
        """The run of the flow that this call belongs to, or None."""
        return None if self.parent is None else self.parent.flow

    def __repr__(self) -> str:
        """Show which call this is."""
        return f"<TaskRun {self.task}({self.label}) #{self.call_id}>"

    @property
    def task(self) -> str:
        """The task's name."""
        return self.spec.name

    @property
    def label(self) -> str:
        """The call's arguments, shortened to one line, once."""
        if self._label is None:
            self._label = call_label(self._args, self._kwargs, skip=self.spec.hidden_arguments)
        return self._label

    @property
    def reporter(self) -> Reporter:
        """Whom to tell of this call: its flow's, so that a flow's events stay together; else its own."""
        return self.spec.reporter if self.flow is None else self.flow.reporter

    def progressed(self) -> None:
        """Tell the sink how far the body is."""
        spec, flow, reporter = self.spec, self.flow, self.reporter
        if reporter.inside if flow is not None else reporter.outside:
            reporter.emit(
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
