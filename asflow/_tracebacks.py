"""Tracebacks that begin in the user's own code, and exceptions that name what came before them."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar, cast

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

E = TypeVar("E", bound=Exception)

_DRIVERS = ("asflow._runtime", "asflow._executors")


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
