"""Tracebacks that begin in the user's own code, and exceptions that name what came before them."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final, TypeVar, cast

from asflow._labels import clean, cut

if TYPE_CHECKING:
    import logging
    from collections.abc import Iterator, Mapping
    from types import TracebackType

E = TypeVar("E", bound=Exception)

_LONGEST_LINE: Final = 2_000
_LONGEST_TEXT: Final = 200_000

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
