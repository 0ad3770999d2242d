"""Where slow steps go, so that the event loop stays free: a small pool of threads of our own.

Not the loop's default executor: that one belongs to the user's `asyncio.to_thread` calls, which may fill
it, and a commit that waited behind them could wait for a body that waits for it.
"""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, TypeVar

from asflow._runtime.slots import Slots

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import ThreadPoolExecutor

__all__ = ["closings", "in_thread", "prepare", "settled", "submit"]

T = TypeVar("T")

# Commits mostly wait for the disk; more threads than this gain nothing (measured on ext4 and one SSD).
_THREADS = 8

closings: Slots = Slots(4 * _THREADS)
"""Who may end a claim: a body keeps its own slot until it gets one of these.

A claim holds a file open. Without this bound, short bodies run ahead of a slow disk until there are no more
descriptors, however small the task's limit is.
"""


class _Pool:
    """Holds the pool, made when first needed."""

    __slots__ = ("executor",)

    def __init__(self) -> None:
        self.executor: ThreadPoolExecutor | None = None

    def get(self) -> ThreadPoolExecutor:
        """Return the pool."""
        if self.executor is None:
            from concurrent.futures import ThreadPoolExecutor

            self.executor = ThreadPoolExecutor(_THREADS, thread_name_prefix="asflow")
        return self.executor

    def forget(self) -> None:
        """Drop the pool in a forked child, where its threads don't exist."""
        self.executor = None


_pool = _Pool()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_pool.forget)


def prepare() -> None:
    """Make the pool now: importing what it needs opens files, which may not be possible any more later."""
    if _pool.executor is None:
        _pool.get()


def submit(function: Callable[[], object]) -> None:
    """Call *function* in the pool and wait for nothing."""
    try:
        _pool.get().submit(function)
    except RuntimeError:  # the interpreter is about to exit and takes no new work
        function()


async def in_thread(function: Callable[[], T], abandon: Callable[[], object] | None = None) -> T:
    """Call *function* in the pool and return what it returns.

    Cancellation: *function* can't be stopped, so this waits for its end and only then lets the
    cancellation pass: nothing goes on behind the back of a task that has ended. *abandon*, if given, is
    called at once, to tell *function* that it may give up early.
    """
    future = asyncio.get_running_loop().run_in_executor(_pool.get(), function)
    return await settled(future, abandon)


async def settled(future: asyncio.Future[T], abandon: Callable[[], object] | None = None) -> T:
    """Return the result of a *future* that can't be cancelled: a cancellation waits for it, and passes."""
    try:
        return await asyncio.shield(future)
    except asyncio.CancelledError:
        if abandon is not None:
            abandon()
        while not future.done():
            try:
                await asyncio.wait([future])
            except asyncio.CancelledError:
                continue
        if not future.cancelled():
            future.exception()  # looked at, so that nobody is told that it was not
        raise
