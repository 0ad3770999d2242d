"""The caller's side of `executor=`: hand a body to an executor, and wait for what comes of it."""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import os
import pickle
import threading
from contextvars import ContextVar, copy_context
from typing import TYPE_CHECKING, Any, TypeVar, cast

from asflow._executors.messages import (
    Answer,
    Parcel,
    RemoteTraceback,
    dump,
    packed_arguments,
    packed_function,
)
from asflow._executors.worker import PROGRESS, run_parcel
from asflow._runtime.runs import TaskCall, current
from asflow._runtime.threads import stopping
from asflow.errors import ExecutorError, TransferError

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Executor, Future

    from asflow.protocols import ByteStream, Writer

__all__ = ["Finished", "is_in_process", "on_executor"]

T = TypeVar("T")

_within: ContextVar[tuple[Executor, ...]] = ContextVar("asflow_executors", default=())
"""The executors on whose threads this body runs, outermost first."""

_PEEK = 0.25  # seconds between two looks at a worker's progress
_CHUNK = 1 << 20


class Finished:
    """The writer of a task whose worker has encoded its records: what it takes are finished bytes."""

    concurrent = True

    def __init__(self, stream: ByteStream) -> None:
        self.write: Callable[[Any], object] = stream.write

    def commit(self) -> None:
        """Do nothing: the bytes are whole."""

    def abort(self) -> None:
        """Do nothing: the claim discards the bytes."""


def is_in_process(executor: Executor) -> bool:
    """Tell whether bodies run in threads of this process, so that nothing needs to be pickled."""
    from concurrent.futures import ThreadPoolExecutor

    return isinstance(executor, ThreadPoolExecutor)


def on_executor(
    executor: Executor,
    function: Callable[..., T],
    open_writer: Callable[[ByteStream], Writer[object]] | None,
) -> Callable[..., T]:
    """Return a body that runs *function* on *executor* and waits for it on the caller's thread.

    Args:
        executor: where it runs.
        function: the undecorated body, a sync function.
        open_writer: opens the writer of the output; picklable unless the executor is of threads.
    """

    def body_in_thread(*args: object, **kwargs: object) -> T:
        if executor in _within.get():
            # Called from a body on that very executor, whose threads may all be waiting like this one.
            return function(*args, **kwargs)
        context = copy_context()
        context.run(_within.set, (*_within.get(), executor))
        future = _submitted(executor, lambda: context.run(function, *args, **kwargs))
        _settle(future, None)
        return future.result()

    def body_in_worker(*args: object, **kwargs: object) -> T:
        run = current.get()
        assert isinstance(run, TaskCall)  # the driver has set it
        parcel = _packed(executor, function, open_writer, run)
        notes = os.path.join(parcel.folder, parcel.token)
        future: Future[Answer] | None = None
        try:
            future = _submitted(executor, run_parcel, dump(parcel, by_value=False))
            _settle(future, lambda: _look_at(run, notes + PROGRESS))
            return cast("T", _taken(future.result(), run))
        finally:
            if future is None:
                _tidy(parcel.folder)
            else:  # a worker that goes on after a cancellation may use it until then
                future.add_done_callback(lambda _: _tidy(parcel.folder))

    return body_in_thread if is_in_process(executor) else body_in_worker


def _packed(
    executor: Executor,
    function: Callable[..., object],
    open_writer: Callable[[ByteStream], Writer[object]] | None,
    run: TaskCall,
) -> Parcel:
    from concurrent.futures import ProcessPoolExecutor

    # The standard library's workers import this program's `__main__`; others start without it.
    by_value = not isinstance(executor, ProcessPoolExecutor)
    name = run.task
    token = os.urandom(8).hex()
    try:
        opener = None if open_writer is None else dump(open_writer, by_value=by_value)
    except Exception as error:
        raise TransferError(
            f"task {name}(): writer=... can't be sent to the executor: {error}; "
            f"define it at the top of a module"
        ) from error
    return Parcel(
        function=packed_function(function, name, by_value=by_value),
        arguments=packed_arguments(function, name, run.args, run.kwargs, by_value=by_value),
        open_writer=opener,
        task=name,
        output=run.output,
        attempt=run.attempt,
        hidden_arguments=run.spec.hidden_arguments,
        token=token,
        folder=_folder.new(token),
        by_value=by_value,
    )


def _submitted(executor: Executor, function: Callable[..., T], *args: object) -> Future[T]:
    from concurrent.futures import BrokenExecutor

    try:
        return executor.submit(function, *args)
    except BrokenExecutor:
        raise
    except RuntimeError as error:
        run = current.get()
        name = run.task if isinstance(run, TaskCall) else "?"
        raise ExecutorError(
            f"task {name}(): its executor {type(executor).__name__} takes no more work ({error}); "
            f"keep it open for as long as the task is called"
        ) from error


def _settle(future: Future[Any], peek: Callable[[], object] | None) -> None:
    """Wait until *future* is done. Cancelled or interrupted in the meantime, cancel it and pass that on."""
    stop = stopping.get()
    over = threading.Event()
    future.add_done_callback(lambda _: over.set())
    if stop is not None:
        stop.wake = over.set
    try:
        while not future.done():
            if stop is not None and stop.asked:
                raise asyncio.CancelledError
            if over.wait(_PEEK if peek is not None else None) and not (stop is not None and stop.asked):
                break
            if peek is not None:
                peek()
    except BaseException:
        future.cancel()
        raise
    if stop is not None and stop.asked:
        raise asyncio.CancelledError


def _taken(answer: Answer, run: TaskCall) -> object:
    """Take over the output's bytes and return what the body gave, or raise what it raised."""
    if answer.error is not None:
        error = cast("BaseException", pickle.loads(answer.error))
        raise error from RemoteTraceback(answer.text)
    if answer.value is None:
        raise TransferError(f"task {run.task}(): {answer.text}")
    value = pickle.loads(answer.value)
    if answer.spool is not None:
        with open(answer.spool, "rb") as file:
            while chunk := file.read(_CHUNK):
                run.put(chunk)
    elif answer.data:
        run.put(answer.data)
    return value


def _look_at(run: TaskCall, notes: str) -> None:
    import json

    try:
        with open(notes, encoding="utf-8") as file:
            description, completed, total = json.load(file)
    except (OSError, ValueError):
        return
    if (description, completed, total) != (run.description, run.completed, run.total):
        run.description, run.completed, run.total = description, completed, total
        run.progressed()


def _tidy(folder: str) -> None:
    """Take the folder of an attempt away, so that a worker that begins after all can leave nothing in it."""
    import shutil

    # First under another name, at one go: what a worker makes in a folder that is being emptied keeps it.
    gone = f"{folder}.gone"
    try:
        os.rename(folder, gone)
    except OSError:  # none was made, or it can't be renamed
        gone = folder
    shutil.rmtree(gone, ignore_errors=True)


class _Folder:
    """Where workers leave finished bytes, a folder for each attempt; gone with the process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._made: tuple[int, str] | None = None

    def new(self, token: str) -> str:
        """Make a folder for the attempt *token*, and return its path; there is none if that fails."""
        folder = os.path.join(self.path(), token)
        with contextlib.suppress(OSError):  # then the bytes travel with the answer
            os.mkdir(folder)
        return folder

    def path(self) -> str:
        """Return the path of all; a forked child has one of its own."""
        with self._lock:
            if self._made is None or self._made[0] != os.getpid():
                import tempfile

                # No TemporaryDirectory: dropped in a forked child, it would remove its parent's folder.
                self._made = os.getpid(), tempfile.mkdtemp(prefix="asflow-")
                atexit.register(_remove, *self._made)
            return self._made[1]


def _remove(process: int, folder: str) -> None:
    if process == os.getpid():
        _tidy(folder)


_folder = _Folder()
