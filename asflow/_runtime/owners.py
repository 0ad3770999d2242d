"""Who in this process is making which output, and who waits for it.

The store's claim decides between processes; this table spares waiting calls of the same process the
polling, and knows when a wait could never end.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections import deque
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from asflow._runtime.slots import running_loop
from asflow.errors import DeadlockError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from asflow._runtime.runs import FlowCall, TaskCall

__all__ = ["Key", "Owner", "enter", "leave", "wait", "wait_blocking"]

Key = tuple[int, str]
"""Whose names they are (see `OutputSpec.namespace`), and an absolute name among them."""


class Owner:
    """The call that is making an output."""

    __slots__ = ("loop", "over", "run", "store", "wakers")

    def __init__(self, run: TaskCall, store: object, loop: asyncio.AbstractEventLoop | None) -> None:
        self.run: TaskCall = run
        self.store: object = store  # kept alive, so that its id stays its own
        # On which the body runs; None for a sync body on a thread without one.
        self.loop: asyncio.AbstractEventLoop | None = loop
        self.over: bool = False
        self.wakers: deque[Callable[[], object]] = deque()


_owners: dict[Key, Owner] = {}


def enter(key: Key, owner: Owner) -> bool:
    """Take the output called *key* for *owner*; False where another call of this process has it.

    Raises:
        DeadlockError: *owner* is called from the body of the very call that has it.
    """
    present = _owners.setdefault(key, owner)
    if present is owner:
        return True
    if _encloses(present.run, owner.run.parent):
        raise DeadlockError(
            f"{owner.run!r} would wait for the output {key[1]!r} that the task which calls it is making; "
            f"give it an output of its own"
        )
    return False


def leave(key: Key, owner: Owner) -> None:
    """Give up the output called *key* and wake everybody who waits for it."""
    owner.over = True
    if _owners.get(key) is owner:
        del _owners[key]
    while owner.wakers:
        try:
            owner.wakers.popleft()()
        except (IndexError, RuntimeError):  # taken by another thread; a loop that is closed
            continue


async def wait(key: Key) -> bool:
    """Wait until the call that has *key* has ended; False at once where no call of this process has it."""
    owner = _owners.get(key)
    if owner is None:
        return False
    loop = asyncio.get_running_loop()
    future: asyncio.Future[None] = loop.create_future()

    def wake_here() -> None:
        if not future.done():
            future.set_result(None)

    def wake() -> None:
        loop.call_soon_threadsafe(wake_here)

    with _woken_by(owner, wake):
        if not owner.over:
            await future
    return True


@contextmanager
def _woken_by(owner: Owner, wake: Callable[[], object]) -> Generator[None]:
    """Have *owner* call *wake* when it ends, unless the block is left before."""
    owner.wakers.append(wake)
    try:
        yield
    except BaseException:
        with suppress(ValueError):  # taken by an owner that has just ended
            owner.wakers.remove(wake)
        raise


def wait_blocking(key: Key, run: TaskCall) -> bool:
    """Wait on this thread until the call that has *key* has ended; False where none of this process has it.

    Raises:
        DeadlockError: that call runs on the event loop of this very thread.
    """
    owner = _owners.get(key)
    if owner is None:
        return False
    if owner.loop is not None and owner.loop is running_loop():
        raise DeadlockError(
            f"{run!r} would wait for the output {key[1]!r}, which a task on this thread's event loop is "
            f"making, and the loop can't go on meanwhile; call it with `await asyncio.to_thread(...)`"
        )
    over = threading.Event()
    with _woken_by(owner, over.set):
        if not owner.over:
            over.wait()
    return True


def _encloses(outer: TaskCall, run: TaskCall | FlowCall | None) -> bool:
    while run is not None:
        if run is outer:
            return True
        run = run.parent
    return False


if hasattr(os, "register_at_fork"):
    # The owners' threads and loops are not in the child; neither are their claims.
    os.register_at_fork(after_in_child=_owners.clear)
