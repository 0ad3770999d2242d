"""Checks of options that several packages share, and the one form of their messages.

``task NAME(): what is wrong, not VALUE; what to do``: lower case, no full stop, the remedy last.
The *subject* is the part before the colon: `task extract()`, `Limit()`, `Flow()`.
"""

from __future__ import annotations

from inspect import iscoroutinefunction
from sys import float_info
from typing import TYPE_CHECKING, Any

from asflow._labels import clean, short
from asflow.errors import (
    DefinitionTypeError,
    DefinitionValueError,
    NotInTaskError,
    OutputClosedError,
    RecordTypeError,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

LONGEST_WAIT = 1e9
"""Seconds (32 years) of the longest wait: some clocks of some systems refuse a few times as much."""


def clamped(seconds: float) -> float:
    """Return *seconds* (not NaN), or `LONGEST_WAIT` if that is less; an int may be beyond any float."""
    return min(seconds, LONGEST_WAIT)


def task_subject(qualname: str) -> str:
    """Return the subject of a message about a task, as in `task extract()`."""
    return f"task {clean(qualname.rpartition('<locals>.')[2])}()"


def checked_seconds(
    subject: str, what: str, value: object, *, positive: bool = False, longest: float = float_info.max
) -> float:
    """Return *value* as a number of seconds.

    Args:
        subject: what the message begins with, as in `task extract()`.
        what: the option's name.
        value: what was given for it.
        positive: refuse 0 as well.
        longest: the largest number that is accepted; infinity and NaN never are.

    Raises:
        DefinitionTypeError: *value* is not a number.
        DefinitionValueError: *value* is out of range.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise DefinitionTypeError(
            f"{subject}: {what} takes a number of seconds, not {short(value)}; write for example {what}=30"
        )
    if not 0 <= value <= longest or (positive and value == 0):
        least = "more than 0" if positive else "0 or more"
        raise DefinitionValueError(
            f"{subject}: {what} takes {least} finite seconds, not {short(value)}; write for example {what}=30"
        )
    return float(value)


def check_flag(subject: str, what: str, value: object, *, optional: bool = False) -> None:
    """Refuse a *value* that is not a bool (nor None, if *optional*); see `checked_seconds`.

    Raises:
        DefinitionTypeError: *value* is something else.
    """
    if not isinstance(value, bool) and not (optional and value is None):
        raise DefinitionTypeError(
            f"{subject}: {what} takes a bool{' or None' if optional else ''}, not {short(value)}; "
            f"write {what}=True or {what}=False"
        )


def refuse_async_methods(option: str, part: object, methods: Iterable[str]) -> None:
    """Refuse a *part* with an `async def` method: asflow calls it and never awaits.

    Args:
        option: what the message begins with, as in `Flow(): sink`.
        part: what was passed.
        methods: the names of those that asflow calls.

    Raises:
        DefinitionTypeError: one of the methods is async.
    """
    for method in methods:
        if iscoroutinefunction(getattr(part, method, None)):
            raise DefinitionTypeError(
                f"{option} takes an object with plain methods, not {short(part)}, whose {method}() is async "
                f"and would never be awaited; write it with `def`"
            )


def checked_records(task: str, value: Any, method: str = "__iter__") -> Any:
    """Return *value*, which the body of *task* returned, if it can be iterated by *method*.

    Raises:
        RecordTypeError: it can't.
    """
    if not hasattr(value, method):
        raise RecordTypeError(
            f"task {task}(): returned {short(value)}, which is not an iterator of records; "
            f"return what the annotation says, or change it"
        )
    return value


def outside_error(method: str) -> NotInTaskError:
    """Return the error of a call of `flow.task.METHOD` outside any task."""
    return NotInTaskError(
        f"flow.task.{method}(): was called outside any task; call it in a function under "
        "@flow.task(on='...') (a plain thread does not know its task: use asyncio.to_thread, or "
        "contextvars.copy_context().run)"
    )


def closed_error(subject: str) -> OutputClosedError:
    """Return the error for a write that comes after the task has ended."""
    return OutputClosedError(
        f"{subject}: the output is closed, its task has ended or was cancelled; "
        "wait for the threads and tasks that write before the task returns"
    )
