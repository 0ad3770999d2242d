"""Which call of this process is making which output, and which calls wait for it.

Between processes, the store's claim decides. Within one, this table saves waiting calls the polling, and
detects a wait that would never end.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from asflow import _forks
from asflow._runtime.slots import running_loop
from asflow._runtime.stopping import stopping
from asflow.errors import DeadlockError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from asflow._runtime.runs import FlowCall, TaskCall

Key = tuple[int, str]
"""A namespace of names (see `Outputs.namespace`), and an absolute name in it."""


class Owner:
    """The call that is making an output."""

    __slots__ = ("callbacks", "done", "loop", "run", "store")

    def __init__(self, run: TaskCall, store: object, loop: asyncio.AbstractEventLoop | None) -> None:
        self.run: TaskCall = run
        self.store: object = store  # kept alive, so that its id stays its own
        # The loop of the body's thread; None for a sync body on a thread without one.
        self.loop: asyncio.AbstractEventLoop | None = loop
        self.done: bool = False
        self.callbacks: deque[Callable[[], object]] = deque()


_owners: dict[Key, Owner] = {}


def enter(key: Key, owner: Owner) -> bool:
    """Register *owner* for the output called *key*; False if another call of this process has it.

    Raises:
        DeadlockError: *owner* is called from the body of the very call that has it.
    """
    present = _owners.setdefault(key, owner)
    if present is owner:
        return True
    if encloses(present.run, owner.run.parent):
        raise DeadlockError(
            f"task {owner.run.spec.name}(): needs the output {key[1]!r} that the task which calls it is "
            f"making; give it an output of its own"
        )
    return False


def leave(key: Key, owner: Owner) -> None:
    """Give up the output called *key* and wake all calls that wait for it."""
    owner.done = True
    if _owners.get(key) is owner:
        del _owners[key]
    while owner.callbacks:
        try:
            owner.callbacks.popleft()()
        except (IndexError, RuntimeError):  # another thread took it, or its loop is closed
            continue


def owner_of(key: Key) -> Owner | None:
    """Return the owner of the output called *key*, if a call of this process is making it."""
    return _owners.get(key)


def spelled_otherwise(key: Key, is_same: Callable[[str, str], bool]) -> Key | None:
    """Return the key of a call of this process that is making the output *key* under another spelling.

    Two bases may be one folder: one is a link to the other, or relative. The store knows, and is busy.
    """
    namespace, name = key
    end = "/" + name.rpartition("/")[2]
    for other in tuple(_owners):
        if other != key and other[0] == namespace and other[1].endswith(end) and is_same(name, other[1]):
            return other
    return None


async def wait(key: Key) -> bool:
    """Wait until the call that has *key* has ended; False at once if no call of this process has it."""
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
        if not owner.done:
            await future
    return True


@contextmanager
def _woken_by(owner: Owner, wake: Callable[[], object]) -> Generator[None]:
    """Make *owner* call *wake* when it ends, unless the block raises first."""
    owner.callbacks.append(wake)
    try:
        yield
    except BaseException:
        with suppress(ValueError):  # the owner has just ended and called it
            owner.callbacks.remove(wake)
        raise


def wait_blocking(key: Key, run: TaskCall) -> bool:
    """Wait on this thread until the call that has *key* has ended; False if none of this process has it.

    Raises:
        DeadlockError: that call runs on the event loop of this very thread.
    """
    owner = _owners.get(key)
    if owner is None:
        return False
    if owner.loop is not None and owner.loop is running_loop():
        raise DeadlockError(
            f"task {run.spec.name}(): needs the output {key[1]!r} that a task on this thread's event loop is "
            f"making, and would block that loop; call it with `await asyncio.to_thread(...)`"
        )
    done = threading.Event()
    with _woken_by(owner, done.set):
        if not owner.done:
            stop.wait(done) if (stop := stopping.get()) is not None else done.wait()
    return True


def encloses(outer: TaskCall, run: TaskCall | FlowCall | None) -> bool:
    """Return whether *run* is *outer*, or was called inside its body."""
    while run is not None:
        if run is outer:
            return True
        run = run.parent
    return False


# A forked child has neither the owners' threads and loops nor their claims.
_forks.after_fork(_owners.clear)
