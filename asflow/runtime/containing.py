"""Calls of a sync body whose outcome a future is to hold."""

from __future__ import annotations

from typing import TYPE_CHECKING, ParamSpec, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["contained"]

P = ParamSpec("P")
R = TypeVar("R")


def contained(name: str, function: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
    """Call *function* in a thread that a future waits for, and return what it returns.

    Raises:
        RuntimeError: it raised StopIteration. asyncio's futures can't hold one, and on Python 3.11 whoever
            awaits it would wait for ever; an `async def` turns it into this, too.
    """
    try:
        return function(*args, **kwargs)
    except StopIteration as error:
        raise RuntimeError(f"{name} raised StopIteration") from error
