"""Threads: a pool for slow steps, and guards around sync bodies.

The pool keeps slow steps off the event loop. It is not the loop's default executor, which the user's own
`asyncio.to_thread` calls may fill: a commit queued behind them could wait for a body that waits for it.
"""

from __future__ import annotations

import asyncio
import inspect
from contextlib import suppress
from types import AsyncGeneratorType, CoroutineType, GeneratorType
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from asflow import _forks
from asflow._runtime.slots import Slots

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import ThreadPoolExecutor

    from asflow._runtime.spec import TaskSpec

P = ParamSpec("P")
T = TypeVar("T")

# Commits mostly wait for the disk; more threads than this gain nothing (measured on ext4 and one SSD).
_THREADS = 8

closings: Slots = Slots(4 * _THREADS)
"""Bounds the claims that are being ended: a body keeps its own slot until it gets one of these.

A claim holds a file open. Without this bound, short bodies run ahead of a slow disk until descriptors run
out, even under a small limit.
"""


# ------------------------------------------------------------------ the pool


class _Pool:
    """A thread pool, created on first use."""

    __slots__ = ("executor",)

    def __init__(self) -> None:
        self.executor: ThreadPoolExecutor | None = None

    def get(self) -> ThreadPoolExecutor:
        if self.executor is None:
            from concurrent.futures import ThreadPoolExecutor

            self.executor = ThreadPoolExecutor(_THREADS, thread_name_prefix="asflow")
        return self.executor

    def forget(self) -> None:
        """Drop the pool in a forked child, which has none of its threads."""
        self.executor = None


_pool = _Pool()
_forks.after_fork(_pool.forget)


def prepare() -> None:
    """Create the pool now: its imports open files, and could fail later for lack of descriptors."""
    if _pool.executor is None:
        with suppress(RuntimeError):  # the interpreter is exiting: `in_thread` does without
            _pool.get()


def submit(function: Callable[[], object]) -> None:
    """Call *function* in the pool, without waiting for it."""
    try:
        _pool.get().submit(function)
    except RuntimeError:  # the interpreter is exiting
        function()


async def in_thread(function: Callable[[], T], abandon: Callable[[], object] | None = None) -> T:
    """Call *function* in the pool and return its result.

    Cancellation: *function* can't be stopped, so this waits for its end before it re-raises: no part of a
    task runs on after the task has ended. *abandon*, if given, is called at once, so that *function* can stop
    early.
    """
    try:
        future = asyncio.get_running_loop().run_in_executor(_pool.get(), function)
    except RuntimeError:  # the interpreter is exiting, and this loop runs in a thread that outlives `main`
        return function()
    return await settled(future, abandon)


async def settled(future: asyncio.Future[T], abandon: Callable[[], object] | None = None) -> T:
    """Return the result of *future*; a cancellation is re-raised only when the future is done."""
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
            future.exception()  # mark it as retrieved, or asyncio logs it
        raise


# ------------------------------------------------------------------ guards


def without_stop_iteration(subject: str, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
    """Call *function*, in a thread that a future waits for, and return its result.

    Raises:
        RuntimeError: *function* raised StopIteration, which a future can't hold (on Python 3.11, awaiting
            such a future never ends); an `async def` converts it, too. The message begins with *subject*.
    """
    try:
        return function(*args, **kwargs)
    except StopIteration as error:
        raise RuntimeError(
            f"{subject}: raised StopIteration, which can't leave a thread; return, or raise another exception"
        ) from error


UNSTARTED = frozenset({CoroutineType, GeneratorType, AsyncGeneratorType})
"""Types of values behind which work may not have begun; see `refuse_unstarted`."""


def refuse_unstarted(spec: TaskSpec, body: Callable[..., object], value: object) -> None:
    """Refuse the *value* of a sync *body* if none of its work has run yet.

    A task without options returns *value* to its caller, who awaits or iterates it. With options, the call
    would end before the body has started, with an output that is complete and empty.

    Raises:
        TypeError: *value* is a coroutine, or a generator whose function is *body* itself.
    """
    kind = type(value)
    if kind is not CoroutineType and kind is not GeneratorType and kind is not AsyncGeneratorType:
        return
    policy = spec.policy
    if not (policy.persistent or policy.skip or policy.suppress or policy.retry):
        return
    if isinstance(value, CoroutineType):
        value.close()
        raise TypeError(
            f"task {spec.name}(): returned a coroutine, but is not an `async def`; put functools.wraps on "
            f"the decorator below @flow.task, or annotate the result as Coroutine[...]"
        )
    # Any other generator may be a result, such as records to be read later.
    code = getattr(value, "gi_code" if kind is GeneratorType else "ag_code")
    if code is getattr(inspect.unwrap(body), "__code__", None):
        raise TypeError(
            f"task {spec.name}(): is a generator function below its decorator, and none of it has run; "
            f"return a list, or write the items with flow.task.write(...)"
        )
