"""Decorators of another module than the functions under them, whose names they don't know."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["passes_on", "passes_on_awaiting"]


def passes_on(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a plain function that returns what *function* does."""

    @functools.wraps(function)
    def passing(*args: object, **kwargs: object) -> Any:
        return function(*args, **kwargs)

    return passing


def passes_on_awaiting(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a coroutine function that returns what the coroutine function *function* does."""

    @functools.wraps(function)
    async def passing(*args: object, **kwargs: object) -> Any:
        return await function(*args, **kwargs)

    return passing
