"""What went wrong in a flow, in groups: exact counts, and the first calls of each by name.

A digest is bounded: it holds a few short texts, no exceptions and no arguments, however many calls fail.
"""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING, NamedTuple

from asflow._labels import clean, cut

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from contextlib import AbstractContextManager

_MOST_GROUPS = 20
_FIRST = 5
_LABEL_MOST, _MESSAGE_MOST = 100, 200  # characters
_ORDER = ("failed", "skipped", "suppressed")
_STYLES = {"failed": "red", "skipped": "yellow", "suppressed": "yellow"}

Line = list[tuple[str, str]]


class ProblemCall(NamedTuple):
    """A call that did not complete.

    Attributes:
        label: its arguments, shortened to one line.
        message: the text of the exception, cut to one short line; empty if there is none.
    """

    label: str
    message: str


class ProblemGroup:
    """The calls of a task that ended in the same way, with the same class of exception.

    Threads: safe to read from any.

    Attributes:
        task: the task's name.
        outcome: `failed`, `skipped` or `suppressed`.
        error_type: the name of the exception's class; None if an earlier run recorded the failure.
        count: the number of calls.
        calls: the first five of them.
    """

    __slots__ = ("calls", "count", "error_type", "outcome", "task")

    def __init__(self, task: str, outcome: str, error_type: str | None) -> None:
        self.task: str = task
        self.outcome: str = outcome
        self.error_type: str | None = error_type
        self.count: int = 0
        self.calls: tuple[ProblemCall, ...] = ()

    def __repr__(self) -> str:
        return f"<ProblemGroup {self.task}() {self.outcome}: {self.count} {self.error_type}>"

    def snapshot(self) -> ProblemGroup:
        """Return a copy that no longer changes."""
        copied = ProblemGroup(self.task, self.outcome, self.error_type)
        copied.count, copied.calls = self.count, self.calls
        return copied


class Digest:
    """The failed, skipped and suppressed calls of a flow and of the flows that it called, in groups.

    Threads: safe to read from any, while calls run.

    Attributes:
        left_out: calls beyond the first 20 groups.
        lock: a context manager that makes changes wait.
        folder: a folder whose recorded failures `asflow errors` lists, or None.
    """

    __slots__ = ("_groups", "folder", "left_out", "lock")

    def __init__(self, lock: AbstractContextManager[object] | None = None) -> None:
        """Start empty.

        Args:
            lock: held around each change; None if only one thread counts.
        """
        self.lock: AbstractContextManager[object] = nullcontext() if lock is None else lock
        self._groups: dict[tuple[str, str, str | None], ProblemGroup] = {}
        self.left_out: int = 0
        self.folder: str | None = None

    def __repr__(self) -> str:
        return f"<Digest of {sum(group.count for group in self.groups)} calls>"

    def __bool__(self) -> bool:
        return bool(self._groups)

    def snapshot(self) -> Digest:
        """Return a copy that no longer changes."""
        copied = Digest()
        copied._groups = {(each.task, each.outcome, each.error_type): each for each in self.groups}
        copied.left_out, copied.folder = self.left_out, self.folder
        return copied

    @property
    def groups(self) -> tuple[ProblemGroup, ...]:
        """The groups as they are now: failed calls first, then skipped and suppressed ones."""
        with self.lock:
            groups = [group.snapshot() for group in self._groups.values()]
        return tuple(sorted(groups, key=lambda group: _ORDER.index(group.outcome)))

    def add(self, task: str, outcome: str, error_type: str | None, call: Callable[[], ProblemCall]) -> None:
        """Count a call.

        Args:
            task: the task's name.
            outcome: how the call ended.
            error_type: the name of the exception's class, or None.
            call: describes the call; it is called for the first few of a group only.
        """
        key = task, outcome, error_type
        with self.lock:
            group = self._groups.get(key)
            if group is None:
                if len(self._groups) >= _MOST_GROUPS:
                    self.left_out += 1
                    return
                group = self._groups[key] = ProblemGroup(task, outcome, error_type)
            group.count += 1
            if group.count <= _FIRST:
                label, message = call()
                shown = ProblemCall(
                    cut(clean(label), _LABEL_MOST, "…"), cut(clean(message), _MESSAGE_MOST, "…")
                )
                group.calls = (*group.calls, shown)


def unquoted(label: str) -> str:
    """Return the arguments of a call as a title: a single string without its quotes."""
    if len(label) > 2 and label[0] == label[-1] == "'" and "'" not in label[1:-1]:
        return label[1:-1]
    return label or "()"


def digest_lines(groups: Iterable[ProblemGroup], left_out: int = 0, folder: str | None = None) -> list[Line]:
    """Return *groups* as lines of styled pieces, each group under its title, then what shows more."""
    lines: list[Line] = []
    for group in groups:
        lines += _group_lines(group)
    if left_out:
        lines.append([(f"… and {left_out:,} more calls of other kinds", "dim")])
    if folder is not None and lines:
        command = "asflow errors" if folder == "." else f"asflow errors {clean(folder)}"
        lines.append([(command, "bold"), (" lists what was suppressed", "")])
    return lines


def _group_lines(group: ProblemGroup) -> list[Line]:
    task, style = clean(group.task), _STYLES[group.outcome]
    kind = "" if group.error_type is None else clean(group.error_type)
    when = "" if kind else " in an earlier run"
    if group.count == 1 and group.calls:
        only = group.calls[0]
        why = ": ".join(part for part in (kind, only.message) if part)
        title: Line = [(f"{task}({only.label}) ", ""), (group.outcome + when, style)]
        return [[*title, (f": {why}", "")] if why else title]
    lines = [_title(group)]
    by_message: dict[str, list[str]] = {}
    for call in group.calls:
        by_message.setdefault(call.message, []).append(unquoted(call.label))
    for message, labels in by_message.items():
        pieces = [(":", ""), (f" {message}", "")] if message else []  # a narrow line is broken between them
        lines.append([("  " + ", ".join(labels), ""), *pieces])
    more = group.count - len(group.calls)
    if more > 0:
        lines.append([(f"  … and {more:,} more", "dim")])
    return lines


def group_line(group: ProblemGroup) -> Line:
    """Return *group* as one line, the most important words first, to be cut to a width."""
    title = _title(group)
    labels = ", ".join(unquoted(call.label) for call in group.calls)
    more = group.count - len(group.calls)
    labels += f", … and {more:,} more" if more > 0 else ""
    message = group.calls[0].message if group.calls else ""
    return [*title, (f": {labels}" + (f": {message}" if message else ""), "")]


def _title(group: ProblemGroup) -> Line:
    """Return the first words about a group, as in `download() failed, 3 HTTPError`."""
    kind, style = group.error_type, _STYLES[group.outcome]
    when = " in an earlier run" if kind is None else ""
    what = "calls" if kind is None else clean(kind)
    return [(f"{clean(group.task)}() ", ""), (group.outcome + when, style), (f", {group.count:,} {what}", "")]
