"""A coroutine run step by step, and cancelled at the n-th place where it waits."""

from __future__ import annotations

import asyncio
from types import coroutine
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Coroutine, Generator

__all__ = ["cancelled_at"]

T = TypeVar("T")


@coroutine
def cancelled_at(
    inner: Coroutine[Any, Any, T], number: int, error: type[BaseException] = asyncio.CancelledError
) -> Generator[Any, Any, tuple[bool, T]]:
    """Await *inner*, but throw *error* into it where it waits for the *number*-th time (0 is the first).

    Returns:
        Whether *inner* came to that place, and its result. What the throw leads to is raised.
    """
    waits = 0
    value: Any = None
    while True:
        try:
            waiting_for = inner.send(value)
        except StopIteration as stop:
            return False, stop.value
        if waits == number:
            waiting_for = inner.throw(error)
            while True:  # it may have to wait for the end of what can't be stopped
                value = yield waiting_for
                waiting_for = inner.send(value)
        waits += 1
        value = yield waiting_for
