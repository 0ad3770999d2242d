"""What a flow's run came to, as data: `flow.run.report()`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from asflow._labels import error_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.table import Table

    from asflow._runtime.runs import FlowCall, TaskCall
    from asflow.events import Outcome, Tally

__all__ = ["FlowReport", "Problem", "TaskReport", "report_of"]

_COUNTS = ("completed", "cached", "skipped", "suppressed", "failed", "cancelled", "retries")


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """A call that was skipped, suppressed or cancelled, or that failed.

    Attributes:
        task: the task's name.
        args: the call's positional arguments, a method's `self` included.
        kwargs: its keyword arguments.
        label: both, shortened to one line.
        outcome: how it ended.
        error: what its body raised last; None where an earlier run recorded the failure.
        output: the name of its output, or None for a task without `on`.
    """

    task: str
    args: tuple[object, ...]
    kwargs: dict[str, object]
    label: str
    outcome: Outcome
    error: BaseException | None
    output: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskReport:
    """The counts of one task within a flow.

    Attributes:
        task: the task's name.
        calls: calls made, those still running included.
        completed, cached, skipped, suppressed, failed, cancelled: calls that ended so.
        retries: repeated calls of a body.
        seconds: time spent in bodies, over all calls; concurrent ones add up.
        slowest: the longest single body, in seconds.
    """

    task: str
    calls: int
    completed: int
    cached: int
    skipped: int
    suppressed: int
    failed: int
    cancelled: int
    retries: int
    seconds: float
    slowest: float


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowReport:
    """What a flow's run has come to so far, or came to.

    Attributes:
        flow: the flow's name.
        label: its arguments, shortened to one line.
        seconds: how long it has been running, or ran.
        tasks: a report for each task, in the order of first calls.
        problems: the calls that did not go well, in the order of their ends: the first 1,000.
        problems_left_out: how many more there were.
    """

    flow: str
    label: str
    seconds: float
    tasks: tuple[TaskReport, ...]
    problems: tuple[Problem, ...]
    problems_left_out: int = 0

    def to_json(self) -> str:
        """Return everything as a JSON document: arguments as their labels, errors as type and message."""
        from msgspec import json

        document = {
            "flow": self.flow,
            "label": self.label,
            "seconds": self.seconds,
            "tasks": self.tasks,
            "problems": [
                {
                    "task": problem.task,
                    "label": problem.label,
                    "outcome": problem.outcome,
                    "error": None if problem.error is None else error_line(problem.error),
                    "output": problem.output,
                }
                for problem in self.problems
            ],
            "problems_left_out": self.problems_left_out,
        }
        return json.encode(document).decode()

    def __rich__(self) -> Table:
        """Show the counts as a table, and below it the problems: `rich.print(report)`."""
        from rich.table import Table
        from rich.text import Text

        # As Text, since rich reads square brackets in a str as markup, and arguments and messages hold some.
        title = Text(f"{self.flow}({self.label}) in {self.seconds:.2f} s", "table.title")
        shown = [name for name in _COUNTS if any(getattr(task, name) for task in self.tasks)]
        table = Table("task", *shown, "seconds", "slowest", title=title)
        for column in table.columns[1:]:
            column.justify = "right"
        for task in self.tasks:
            counts = [str(getattr(task, name) or "") for name in shown]
            table.add_row(Text(task.task), *counts, f"{task.seconds:.2f}", f"{task.slowest:.2f}")
        if self.problems:
            lines = [_problem_line(problem) for problem in self.problems[:20]]
            more = len(self.problems) - len(lines) + self.problems_left_out
            table.caption = Text("\n".join(lines + [f"... and {more} more"] * (more > 0)), "table.caption")
            table.caption_justify = "left"
        return table

    def __str__(self) -> str:
        """Return the same as plain text, one line a task and a problem."""
        lines = [f"{self.flow}({self.label}) in {self.seconds:.2f} s"]
        for task in self.tasks:
            counts = [f"{getattr(task, name)} {name}" for name in _COUNTS if getattr(task, name)]
            lines.append(f"  {task.task}(): {', '.join(counts) or 'nothing finished'}")
        lines += [f"  {_problem_line(problem)}" for problem in self.problems]
        return "\n".join(lines)


def report_of(
    run: FlowCall, problems: Sequence[tuple[TaskCall, Outcome, BaseException | None]], left_out: int
) -> FlowReport:
    """Build the report of *run*; see `FlowCall.report`."""
    return FlowReport(
        flow=run.name,
        label=run.label,
        seconds=run.seconds,
        tasks=tuple(_task_report(tally) for tally in list(run.tallies.values())),
        problems=tuple(_problem(call, outcome, error) for call, outcome, error in problems),
        problems_left_out=left_out,
    )


def _task_report(tally: Tally) -> TaskReport:
    with tally.lock:
        counts = {name: getattr(tally, name) for name in _COUNTS}
        return TaskReport(
            task=tally.task, calls=tally.queued, seconds=tally.seconds, slowest=tally.slowest, **counts
        )


def _problem(call: TaskCall, outcome: Outcome, error: BaseException | None) -> Problem:
    return Problem(
        task=call.task,
        args=call.args,
        kwargs=dict(call.kwargs),
        label=call.label,
        outcome=outcome,
        error=error,
        output=call.output,
    )


def _problem_line(problem: Problem) -> str:
    why = "in an earlier run" if problem.error is None else error_line(problem.error)
    return f"{problem.outcome}: {problem.task}({problem.label}): {why}"
