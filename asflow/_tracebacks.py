"""Tracebacks that begin where the user's own code does."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

__all__ = ["follows", "without_ours"]

if TYPE_CHECKING:
    from collections.abc import Iterator

E = TypeVar("E", bound=Exception)

_DRIVERS = ("asflow._runtime.", "asflow._executors.")


def without_ours(error: E) -> E:
    """Drop the catching driver's own frames from the start of *error*'s traceback; return *error* itself.

    Where nothing else is left (the body could not even be called), the traceback stays as it is.
    """
    rest = error.__traceback__
    while rest is not None and rest.tb_frame.f_globals.get("__name__", "").startswith(_DRIVERS):
        rest = rest.tb_next
    return error if rest is None else error.with_traceback(rest)


def follows(error: BaseException, earlier: BaseException) -> None:
    """Let *error* tell that it was raised while *earlier* was handled, behind what it has been told before.

    As Python does for an `except` block; never in a circle, in which whoever prints it might run for ever.
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
