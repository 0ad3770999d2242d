"""Which call of this process is making which output, and which calls wait for it.

Between processes, the store's claim decides. Within one, this table saves waiting calls the polling, and
detects a wait that would never end.
"""

from __future__ import annotations

import asyncio
import gc
import threading
import weakref
from collections import deque
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, TypeAlias

from asflow import _forks
from asflow._runtime.slots import LOOK_AGAIN, running_loop
from asflow._runtime.stopping import stopping
from asflow.errors import DeadlockError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from asflow._runtime.calls import FlowCall, TaskCall
    from asflow._runtime.stopping import Onlooker

Carrier: TypeAlias = "int | weakref.ref[asyncio.Task[Any]]"
"""The identifier of a thread, or a task."""

Key = tuple[int, str]
"""A namespace of names (see `Outputs.namespace`), and an absolute name in it."""


class Owner:
    """The call that is making an output. Dropping it gives up the output, as `leave` does."""

    __slots__ = ("__weakref__", "_carrier", "callbacks", "done", "key", "loop", "run", "store")

    def __init__(
        self, run: TaskCall, store: object, loop: asyncio.AbstractEventLoop | None, carrier: Carrier
    ) -> None:
        self.run: TaskCall = run
        self.store: object = store  # kept alive, so that its id stays its own
        # The loop of the body's thread; None for a sync body on a thread without one.
        self.loop: asyncio.AbstractEventLoop | None = loop
        self._carrier = carrier
        self.key: Key | None = None
        self.done: bool = False
        self.callbacks: deque[Callable[[], object]] = deque()

    def carrier(self) -> asyncio.Task[Any] | int | None:
        """Return the task, or the identifier of the thread, in which the body runs; None if that is gone."""
        return self._carrier if isinstance(self._carrier, int) else self._carrier()

    def __del__(self) -> None:
        try:
            if self.key is not None and not self.done:
                leave(self.key, self)
        except Exception:  # noqa: BLE001 - at the interpreter's exit the globals used here may be gone
            pass


# Weak, so that a call that Ctrl-C interrupts between two bytecodes leaves none behind.
_owners: dict[Key, weakref.ref[Owner]] = {}

awaited: dict[asyncio.Future[None], Key] = {}
"""The outputs that calls on event loops wait for, by the futures on which these are suspended."""


def this_carrier(loop: asyncio.AbstractEventLoop | None) -> Carrier:
    """Return what runs the caller: its task on *loop*, which runs on this thread, or this thread."""
    task = None if loop is None else asyncio.current_task(loop)
    return threading.get_ident() if task is None else weakref.ref(task)


def enter(key: Key, owner: Owner) -> bool:
    """Register *owner* for the output called *key*; False if another call of this process has it.

    Raises:
        DeadlockError: *owner* is called from the body of the very call that has it.
    """
    owner.key = key
    mine = weakref.ref(owner)
    while (present := _owners.setdefault(key, mine)()) is None or present.done:
        if _owners.get(key) is not mine:
            _owners.pop(key, None)  # it was dropped in this moment
    if present is owner:
        return True
    owner.key = None
    if encloses(present.run, owner.run.parent):
        raise DeadlockError(
            f"task {owner.run.spec.name}(): needs the output {key[1]!r} that the task which calls it is "
            f"making; give it an output of its own"
        )
    return False


def leave(key: Key, owner: Owner) -> None:
    """Give up the output called *key* and wake all calls that wait for it."""
    owner.done = True
    if _owners.get(key) is weakref.ref(owner):  # an object has one plain reference
        _owners.pop(key, None)
    while owner.callbacks:
        try:
            owner.callbacks.popleft()()
        except (IndexError, RuntimeError):  # another thread took it, or its loop is closed
            continue


def owner_of(key: Key) -> Owner | None:
    """Return the owner of the output called *key*, if a call of this process is making it."""
    present = _owners.get(key)
    return None if present is None else present()


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
    """Wait until the call that has *key* has ended; False at once if no call that goes on has it."""
    owner = owner_of(key)
    if owner is None or _is_stranded(owner):
        return False
    loop = asyncio.get_running_loop()
    future: asyncio.Future[None] = loop.create_future()

    def wake_here() -> None:
        if not future.done():
            future.set_result(None)

    def wake() -> None:
        loop.call_soon_threadsafe(wake_here)

    with _woken_by(owner.callbacks, wake):
        is_done, owner = owner.done, None  # a waiter must not keep it, see `Owner`
        if not is_done:
            awaited[future] = key
            try:
                await future
            finally:
                awaited.pop(future, None)
    return True


def _is_stranded(owner: Owner) -> bool:
    """Return whether the loop of *owner* was closed before its call had ended, as a second Ctrl-C does.

    Such a call never goes on. Its output is free once it is collected, which this sees to.
    """
    if owner.loop is None or not owner.loop.is_closed():
        return False
    gc.collect()
    return True


@contextmanager
def _woken_by(callbacks: deque[Callable[[], object]], wake: Callable[[], object]) -> Generator[None]:
    """Have *wake* called with the *callbacks* of an owner, unless the block raises first."""
    callbacks.append(wake)
    try:
        yield
    except BaseException:
        with suppress(ValueError):  # the owner has just ended and called it
            callbacks.remove(wake)
        raise


def wait_blocking(key: Key, run: TaskCall, onlooker: Onlooker) -> bool:
    """Wait on this thread until the call that has *key* has ended; False if none of this process has it.

    Args:
        key: the output.
        run: the call that waits.
        onlooker: looks now and then while it waits.

    Raises:
        CancelledError: the map that has made the call ends.
        DeadlockError: that call runs on the event loop of this very thread.
    """
    owner = owner_of(key)
    if owner is None or _is_stranded(owner):
        return False
    if owner.loop is not None and owner.loop is running_loop():
        raise DeadlockError(
            f"task {run.spec.name}(): needs the output {key[1]!r} that a task on this thread's event loop is "
            f"making, and would block that loop; call it with `await flow.task.to_thread(...)`"
        )
    done = threading.Event()
    with _woken_by(owner.callbacks, done.set):
        is_done, owner = owner.done, None  # a waiter must not keep it, see `Owner`
        stop = stopping.get()
        while not (is_done or done.is_set()):
            done.wait(LOOK_AGAIN) if stop is None else stop.wait(done, LOOK_AGAIN)
            onlooker.look()
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
_forks.after_fork(awaited.clear)
