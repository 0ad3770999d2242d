"""Tracebacks that begin in the user's own code, and exceptions that name what came before them."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Final, TypeVar, cast

from asflow._labels import clean, cut
from asflow.errors import AsflowError

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable, Iterator, Mapping
    from types import TracebackType

E = TypeVar("E", bound=Exception)

_LONGEST_LINE: Final = 2_000
_LONGEST_TEXT: Final = 200_000

_FULL: Final = os.environ.get("ASFLOW_TRACEBACKS") == "full"
"""Whether asflow's own frames stay, to find a fault in it."""

_NOTE: Final = "asflow task: "
_DEEPEST: Final = 50
"""Links of a chain of exceptions, and levels of groups, whose frames are sorted out."""

_OURS = ("asflow.",)
_ELSEWHERE = ("asflow._executors.caller.", "asflow._task.callables.")  # they raise what came from elsewhere
_DRIVERS = ("asflow._runtime", "asflow._executors", "asflow._task.saving")


def after_packages(
    trace: TracebackType | None, packages: tuple[str, ...], *, search: bool = False
) -> TracebackType | None:
    """Return *trace* from where it leaves the code of *packages*; None if it never does.

    Args:
        trace: a traceback, outermost frame first.
        packages: names of packages, whose frames at the beginning are cut off.
        search: cut off what comes before their first frame too.
    """
    prefixes = tuple(f"{package}." for package in packages)
    while search and trace is not None and not _is_in(trace, prefixes):
        trace = trace.tb_next
    while trace is not None and _is_in(trace, prefixes):
        trace = trace.tb_next
    return trace


def _is_in(trace: TracebackType, prefixes: tuple[str, ...]) -> bool:
    module = cast("str", trace.tb_frame.f_globals.get("__name__", ""))
    return f"{module}.".startswith(prefixes)


def leave_out_ours(error: BaseException) -> None:
    """Leave asflow's frames before and between the user's out of the traceback of *error*, in place.

    The same for the members of a group, and for the exceptions that led to it. What follows the user's last
    frame stays, as it shows where asflow is at fault; but not for its own errors, the system's, arguments
    that don't fit, and cancellation (Ctrl-C), which only shows where asflow waited. To be called where an
    exception leaves asflow, in an `except` block that ends in a bare `raise`, which adds no frame.

    The environment variable ASFLOW_TRACEBACKS=full turns it off.
    """
    if not _FULL:
        _leave_out(error, set(), _DEEPEST)


def _leave_out(error: BaseException, seen: set[int], depth: int) -> None:
    link: BaseException | None = error
    while link is not None and id(link) not in seen and depth:
        seen.add(id(link))
        depth -= 1
        _relink(link)
        if isinstance(link, BaseExceptionGroup):
            for member in cast("BaseExceptionGroup[BaseException]", link).exceptions:
                _leave_out(member, seen, depth)
        link = link.__context__ if link.__cause__ is None else link.__cause__


def _relink(error: BaseException) -> None:
    """Chain those frames of *error* to each other that are not asflow's."""
    kept: list[TracebackType] = []
    trace, first, last = error.__traceback__, None, None
    while trace is not None:
        if _is_in(trace, _OURS):
            first, last = first or trace, trace
        else:
            kept.append(trace)
            first = None
        trace = trace.tb_next
    if last is None:
        return
    if isinstance(error, (AsflowError, OSError, TypeError)) or _is_in(last, _ELSEWHERE):
        first = None
    elif not kept:
        return
    elif not isinstance(error, Exception):
        first = None
    for each, following in zip(kept, [*kept[1:], first], strict=False):
        if each.tb_next is not following:
            each.tb_next = following
    BaseException.with_traceback(error, kept[0] if kept else None)


def name_call(error: BaseException, name: str, label: Callable[[], str]) -> None:
    """Note on *error* which call of a task raised it, unless a call inside that one is noted already.

    Args:
        error: what the call raised.
        name: the task's name.
        label: returns the call's arguments.
    """
    try:
        if not any(str(each).startswith(_NOTE) for each in getattr(error, "__notes__", ())):
            error.add_note(f"{_NOTE}{name}({label()})")
    except Exception:  # noqa: BLE001 - the class may forbid attributes; the error itself is what counts
        return


def without_ours(error: E) -> E:
    """Cut the frames of the catching driver off the traceback of *error*; return *error* itself.

    If no others are left (the body could not even be called), the traceback stays as it is.
    """
    rest = after_packages(error.__traceback__, _DRIVERS)
    return error if rest is None else error.with_traceback(rest)


def text_of(error: BaseException) -> str:
    """Return *error* as Python prints it, for a terminal or a log: clean, long texts cut; never raises."""
    from traceback import format_exception, format_tb

    try:
        text = "".join(format_exception(error))
    except Exception:  # noqa: BLE001 - Python can't print every error, such as a SyntaxError whose lineno is a str
        text = "".join([*format_tb(error.__traceback__), type(error).__qualname__, "\n"])
    lines = clean(cut(text, _LONGEST_TEXT, "...\n"), lines=True).split("\n")
    return "\n".join(cut(line, _LONGEST_LINE) for line in lines)


def log_error(
    logger: logging.Logger,
    level: int,
    error: BaseException,
    message: str,
    *args: object,
    extra: Mapping[str, object] | None = None,
) -> None:
    """Log *message* with the traceback of *error*, whose text handlers write as `text_of` returns it."""
    if not logger.isEnabledFor(level):
        return
    caller = sys._getframe(1)  # pyright: ignore[reportPrivateUsage]
    code, exc_info = caller.f_code, (type(error), error, error.__traceback__)
    record = logger.makeRecord(
        logger.name, level, code.co_filename, caller.f_lineno, message, args, exc_info, code.co_name, extra
    )
    record.exc_text = text_of(error)
    logger.handle(record)


def never_entered(error: BaseException) -> bool:
    """Whether *error*, caught by a driver, was raised before any code of the user's ran."""
    return after_packages(error.__traceback__, _DRIVERS) is None


def follows(error: BaseException, earlier: BaseException) -> None:
    """Make *earlier* the innermost `__context__` of *error*, as an `except` block would.

    Never in a circle, which could keep a printer of the chain busy for ever.
    """
    chain = list(_chain(error))
    # By identity: an exception may have an == of its own.
    if not any(link is earlier for link in chain) and not any(link is error for link in _chain(earlier)):
        # Past the class's own __setattr__, which a frozen dataclass forbids.
        BaseException.__setattr__(chain[-1], "__context__", earlier)


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    link: BaseException | None = error
    while link is not None and id(link) not in seen:
        seen.add(id(link))
        yield link
        link = link.__context__
