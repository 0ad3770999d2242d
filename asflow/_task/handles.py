"""What `flow.run` and `flow.task.run` return: the public part of a run."""

from __future__ import annotations

from typing import TYPE_CHECKING, final

from asflow._names import Sealed, create

if TYPE_CHECKING:
    from asflow._runtime.calls import FlowCall, TaskCall
    from asflow._runtime.report import FlowReport


@final
class FlowRun(metaclass=Sealed):
    """One call of a flow: `flow.run` inside it, and inside its tasks.

    Keep it to get the report after the flow has returned. Equal handles refer to the same call.

    Threads: any thread may use it, at any time.
    """

    __slots__ = ("_call",)
    _made_by = "ask flow.run inside a flow"

    def __init__(self, call: FlowCall) -> None:
        self._call = call

    @property
    def flow_id(self) -> int:
        """A number that no other call of this process has."""
        return self._call.flow_id

    @property
    def name(self) -> str:
        """The flow's name."""
        return self._call.name

    @property
    def label(self) -> str:
        """The call's arguments, shortened to one line."""
        return self._call.label

    @property
    def seconds(self) -> float:
        """The duration of the flow so far, or in all."""
        return self._call.seconds

    def report(self) -> FlowReport:
        """Return the result of this run, so far or at its end, as data.

        It has the counts and times of each task, and the calls that failed or were skipped, suppressed or
        cancelled, with their arguments and exceptions.
        """
        return self._call.report()

    def __repr__(self) -> str:
        return f"<FlowRun {self.name}({self.label}) #{self.flow_id}>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, FlowRun) and other._call is self._call

    def __hash__(self) -> int:
        return hash(id(self._call))


@final
class TaskRun(metaclass=Sealed):
    """One call of a task: `flow.task.run` inside it.

    Each attempt has its own run, with the same `call_id`. Equal handles refer to the same attempt.

    Threads: any thread may use it.
    """

    __slots__ = ("_call",)
    _made_by = "ask flow.task.run inside a task"

    def __init__(self, call: TaskCall) -> None:
        self._call = call

    @property
    def task(self) -> str:
        """The task's name."""
        return self._call.task

    @property
    def label(self) -> str:
        """The call's arguments, shortened to one line."""
        return self._call.label

    @property
    def call_id(self) -> int:
        """A number that no other call of this process has."""
        return self._call.call_id

    @property
    def flow(self) -> FlowRun | None:
        """The run of the flow that this call belongs to, or None outside any flow."""
        flow = self._call.flow
        return None if flow is None else create(FlowRun, flow)

    @property
    def attempt(self) -> int:
        """1 for the first call of the body, 2 for its first retry."""
        return self._call.attempt

    @property
    def output(self) -> str | None:
        """The name of the call's output, the flow's `base` included; None for a task that keeps none."""
        return self._call.output

    def __repr__(self) -> str:
        return f"<TaskRun {self.task}({self.label}) #{self.call_id}>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TaskRun) and other._call is self._call

    def __hash__(self) -> int:
        return hash(id(self._call))
