"""`run`: a coroutine run to its end from plain code, whether or not an event loop is running there."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Coroutine  # noqa: TC003 -- read by typing.get_type_hints
from typing import Any, Generic, TypeVar

__all__ = ["run"]

T = TypeVar("T")

_TICK = 0.2  # seconds after which a wait looks up: on Windows, Ctrl-C does not end one


def run(coroutine: Coroutine[Any, Any, T], /) -> T:
    """Run *coroutine* to its end and return its value, also where an event loop is already running.

        table = asflow.run(pipeline())

    Without a running loop this is `asyncio.run`. In a notebook's cell, or any other code that a loop has
    called, the coroutine gets a loop of its own in a thread of its own, with a copy of the caller's
    context variables, and this thread waits for it. Nothing is patched. Where `await` can be written,
    it is the better choice: the loop that runs here stands still meanwhile, so a coroutine that waits
    for one of its tasks (for a slot or an output that it holds) waits for ever.

    Args:
        coroutine: what calling an `async def` gives, such as a flow's call.

    Returns:
        What the coroutine returns.

    Raises:
        TypeError: *coroutine* is none; a task or a future belongs to its own loop, so await it there.
        KeyboardInterrupt: on Ctrl-C or a notebook's stop button, once the coroutine was cancelled and has
            ended; a second one does not wait for that.
        asyncio.CancelledError: the task that calls this was cancelled meanwhile, and so was the coroutine.

    Threads: may be called from any. What the coroutine raises is raised here, the same object.
    """
    if not asyncio.iscoroutine(coroutine):
        raise TypeError(f"run takes a coroutine, as in asflow.run(pipeline()), not {coroutine!r}")
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(coroutine)
    return _Guest(coroutine).wait()


class _Guest(Generic[T]):
    """A coroutine on a loop and a thread of its own."""

    def __init__(self, coroutine: Coroutine[Any, Any, T]) -> None:
        """Make it; `wait` starts it."""
        self._coroutine = coroutine
        self._context = contextvars.copy_context()
        self._main: tuple[asyncio.AbstractEventLoop, asyncio.Task[T]] | None = None
        self._unwanted = False
        self._host = asyncio.current_task()
        self._asked = 0 if self._host is None else self._host.cancelling()
        self._over = threading.Event()
        self._values: list[T] = []
        self._error: BaseException | None = None
        # A daemon: whoever gave up waiting for it does not want the process to wait either.
        self._thread = threading.Thread(target=self._run, name="asflow-run", daemon=True)

    def wait(self) -> T:
        """Start, and wait for the end; an exception that comes meanwhile cancels the coroutine first."""
        try:
            self._start()
            self._sleep()
        except BaseException:
            self._cancel()
            self._sleep()
            raise
        if self._error is not None:
            try:
                raise self._error
            finally:
                self._error = None  # its traceback holds this object: don't let the object hold it
        return self._values.pop()

    def _start(self) -> None:
        try:
            self._thread.start()
        except RuntimeError:  # no more threads: there is nothing to wait for
            self._coroutine.close()
            self._over.set()
            raise

    def _sleep(self) -> None:
        while not self._over.wait(_TICK):
            # asyncio.run answers the first Ctrl-C by cancelling its task, which can't be told while we wait.
            if self._host is not None and self._host.cancelling() > self._asked:
                self._cancel()

    def _cancel(self) -> None:
        if self._unwanted:
            return
        self._unwanted = True
        if self._main is not None:
            loop, task = self._main
            try:
                loop.call_soon_threadsafe(task.cancel)
            except RuntimeError:  # it has ended in this very moment
                return

    def _run(self) -> None:
        try:
            with asyncio.Runner() as runner:
                self._values.append(runner.run(self._begin(runner.get_loop()), context=self._context))
        except BaseException as error:  # noqa: BLE001 - raised again in the waiting thread
            self._error = error
        finally:
            self._over.set()

    async def _begin(self, loop: asyncio.AbstractEventLoop) -> T:
        task: asyncio.Task[T] = loop.create_task(self._coroutine)
        self._main = loop, task
        if self._unwanted:  # asked to stop before there was anything to cancel
            task.cancel()
        return await task
