"""`run`: run a coroutine from plain code, whether or not an event loop is running."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Coroutine  # noqa: TC003 -- read by typing.get_type_hints
from typing import Any, Generic, TypeVar

from asflow._labels import short
from asflow._names import set_homes

T = TypeVar("T")

_TICK = 0.2  # seconds; waits are cut into these, because on Windows Ctrl-C does not end a wait


def run(coroutine: Coroutine[Any, Any, T], /) -> T:
    """Run *coroutine* to its end and return its value, even if an event loop is already running.

        table = asflow.run(pipeline())

    Without a running loop this is `asyncio.run`. In a notebook's cell, or any other code that a loop has
    called, the coroutine runs on a new loop in a new thread, with a copy of the caller's context variables,
    and this thread waits for it. Nothing is patched. Prefer `await` if you can write it: the calling loop is
    blocked meanwhile, so a coroutine that waits for one of that loop's tasks (for a slot or an output that
    it holds) waits for ever.

    Args:
        coroutine: what a call of an `async def` returns, such as a flow's call.

    Returns:
        The value that the coroutine returns.

    Raises:
        TypeError: *coroutine* is not a coroutine; await a task or a future on its own loop instead.
        KeyboardInterrupt: on Ctrl-C or a notebook's stop button, after the coroutine was cancelled and has
            ended; a second one does not wait for the end.
        asyncio.CancelledError: the calling task was cancelled meanwhile, and so was the coroutine.

    Threads: any thread may call this. An exception of the coroutine is raised here, the same object.
    """
    if not asyncio.iscoroutine(coroutine):
        raise TypeError(f"run(): takes a coroutine, not {short(coroutine)}; write asflow.run(pipeline())")
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(coroutine)
    return _Guest(coroutine).wait()


class _Guest(Generic[T]):
    """A coroutine on its own loop in its own thread."""

    def __init__(self, coroutine: Coroutine[Any, Any, T]) -> None:
        self._coroutine = coroutine
        self._context = contextvars.copy_context()
        self._running: tuple[asyncio.AbstractEventLoop, asyncio.Task[T]] | None = None
        self._cancelled = False
        self._caller = asyncio.current_task()
        self._cancel_requests = 0 if self._caller is None else self._caller.cancelling()
        self._done = threading.Event()
        self._values: list[T] = []
        self._error: BaseException | None = None
        # A daemon: after a second Ctrl-C the process must not wait for it either.
        self._thread = threading.Thread(target=self._run, name="asflow-run", daemon=True)

    def wait(self) -> T:
        """Start, and wait for the end; an exception in the wait cancels the coroutine first."""
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
                self._error = None  # breaks the cycle with its traceback, which holds this object
        return self._values.pop()

    def _start(self) -> None:
        try:
            self._thread.start()
        except RuntimeError:  # no thread could be started
            self._coroutine.close()
            self._done.set()
            raise

    def _sleep(self) -> None:
        while not self._done.wait(_TICK):
            # asyncio.run handles the first Ctrl-C by cancelling its task, which gets no turn while we wait.
            if self._caller is not None and self._caller.cancelling() > self._cancel_requests:
                self._cancel()

    def _cancel(self) -> None:
        if self._cancelled:
            return
        self._cancelled = True
        if self._running is not None:
            loop, task = self._running
            try:
                loop.call_soon_threadsafe(task.cancel)
            except RuntimeError:  # the loop was closed in this moment
                return

    def _run(self) -> None:
        try:
            with asyncio.Runner() as runner:
                self._values.append(runner.run(self._begin(runner.get_loop()), context=self._context))
        except BaseException as error:  # noqa: BLE001 - raised again in the waiting thread
            self._error = error
        finally:
            self._done.set()

    async def _begin(self, loop: asyncio.AbstractEventLoop) -> T:
        task: asyncio.Task[T] = loop.create_task(self._coroutine)
        self._running = loop, task
        if self._cancelled:  # cancelled before the task existed
            task.cancel()
        return await task


set_homes("asflow", (run,))
