"""The result of a flow's run, as data: `flow.run.report()`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from asflow._digest import ProblemGroup, digest_lines
from asflow._labels import clean
from asflow._names import set_homes
from asflow.errors import CallsFailedError
from asflow.events import Outcome  # noqa: TC001 - read by typing.get_type_hints(Problem)

if TYPE_CHECKING:
    from rich.table import Table

    from asflow.events import Tally

_COUNTS = ("completed", "cached", "skipped", "suppressed", "failed", "cancelled", "retries")


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """A call that was skipped, suppressed or cancelled, or that failed.

    Attributes:
        task: the task's name.
        args: the call's positional arguments, a method's `self` included; secret ones as `***`.
        kwargs: its keyword arguments, likewise.
        label: both, shortened to one line.
        outcome: how it ended.
        error: what its body raised last, as `Class: message` on one line, cut after 1,000 characters; None
            if an earlier run recorded the failure.
        error_type: the qualified name of that exception's class, or None.
        output: the name of its output; None for a task without `on`.
    """

    task: str
    args: tuple[object, ...]
    kwargs: dict[str, object]
    label: str
    outcome: Outcome
    error: str | None
    error_type: str | None
    output: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskReport:
    """The counts of one task within a flow.

    Attributes:
        task: the task's name.
        calls: calls made, including those still running.
        completed, cached, skipped, suppressed, failed, cancelled: calls with this outcome.
        retries: repeated calls of a body.
        seconds: time spent in bodies, summed over all calls, concurrent ones too.
        slowest: the longest body, in seconds.
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
    """The counts and problems of a flow's run, so far or at its end.

    Attributes:
        flow: the flow's name.
        label: its arguments, shortened to one line.
        seconds: its duration so far, or in all.
        tasks: one report per task, in the order of first calls.
        problems: the calls that did not complete, in the order in which they ended; at most 1,000.
        problems_left_out: the number of further ones.
        groups: the failed, skipped and suppressed calls in groups, with exact counts and the first calls of
            each; those of the flows that this one called, too.
        groups_left_out: calls beyond the first 20 groups.
        folder: a folder whose recorded failures `asflow errors` lists, or None.
    """

    flow: str
    label: str
    seconds: float
    tasks: tuple[TaskReport, ...]
    problems: tuple[Problem, ...]
    problems_left_out: int = 0
    groups: tuple[ProblemGroup, ...] = ()
    groups_left_out: int = 0
    folder: str | None = None

    def raise_failed(self) -> None:
        """Raise an error if calls have failed, so that a script ends with an exit status other than 0.

        Raises:
            CallsFailedError: calls have failed; the message names the first ones.
        """
        failed = [group for group in self.groups if group.outcome == "failed"]
        if not failed:
            return
        count = sum(group.count for group in failed)
        lines = _texts(digest_lines(failed))
        raise CallsFailedError(
            f"flow {clean(self.flow)}(): {count:,} call{'s' * (count != 1)} failed; see what they raised:\n"
            + "\n".join(f"  {line}" for line in lines)
        )

    def _digest(self) -> list[str]:
        return _texts(digest_lines(self.groups, self.groups_left_out, self.folder))

    def to_json(self) -> str:
        """Return the report as a JSON document, with labels for arguments and one line per error."""
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
                    "error": problem.error,
                    "output": problem.output,
                }
                for problem in self.problems
            ],
            "problems_left_out": self.problems_left_out,
        }
        return json.encode(document).decode()

    def __rich__(self) -> Table:
        """Return a table of the counts with the problems below, for `rich.print(report)`."""
        from rich.table import Table
        from rich.text import Text

        # Text, because rich reads square brackets in a str as markup.
        title = Text(f"{clean(self.flow)}({clean(self.label)}) in {self.seconds:.2f} s", "table.title")
        shown = [name for name in _COUNTS if any(getattr(task, name) for task in self.tasks)]
        table = Table("task", *shown, "seconds", "slowest", title=title)
        for column in table.columns[1:]:
            column.justify = "right"
        for task in self.tasks:
            counts = [str(getattr(task, name) or "") for name in shown]
            table.add_row(Text(clean(task.task)), *counts, f"{task.seconds:.2f}", f"{task.slowest:.2f}")
        if lines := self._digest():
            table.caption = Text("\n".join(lines), "table.caption")
            table.caption_justify = "left"
        return table

    def __str__(self) -> str:
        """Return the report as plain text: a line for each task, then the first problems in groups."""
        lines = [f"{clean(self.flow)}({clean(self.label)}) in {self.seconds:.2f} s"]
        for task in self.tasks:
            counts = [f"{getattr(task, name)} {name}" for name in _COUNTS if getattr(task, name)]
            lines.append(f"  {clean(task.task)}(): {', '.join(counts) or 'nothing finished'}")
        lines += [f"  {line}" for line in self._digest()]
        return "\n".join(lines)


def task_report(tally: Tally) -> TaskReport:
    """Return the counts of *tally* as they are now."""
    with tally.lock:
        counts = {name: getattr(tally, name) for name in _COUNTS}
        return TaskReport(
            task=tally.task, calls=tally.queued, seconds=tally.seconds, slowest=tally.slowest, **counts
        )


def _texts(lines: list[list[tuple[str, str]]]) -> list[str]:
    return ["".join(text for text, _ in line) for line in lines]


set_homes("asflow", (FlowReport, Problem, TaskReport))
