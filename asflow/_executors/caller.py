"""The caller's side of `executor=`: submit a body to an executor and wait for its result."""

from __future__ import annotations

import asyncio
import os
import pickle
import threading
from contextvars import ContextVar, copy_context
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar, cast

from asflow._executors.exceptions import load_error
from asflow._executors.messages import Request, Response, dump, pickled_arguments, pickled_function
from asflow._executors.worker import PROGRESS, run_request
from asflow._labels import error_line
from asflow._runtime.calls import TaskCall
from asflow._runtime.current import current
from asflow._runtime.stopping import stopping
from asflow._runtime.writing import Unwritten, write_failed
from asflow.errors import ExecutorError, TransferError
from asflow.stores._temporary import TemporaryFolders, remove_folder

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Executor, Future

    from asflow._runtime.spec import Kept
    from asflow.protocols import ByteStream, Writer

T = TypeVar("T")

_within: ContextVar[tuple[Executor, ...]] = ContextVar("asflow_executors", default=())
"""The executors on whose threads this body runs, outermost first."""

_PEEK = 0.25  # seconds between two looks at a worker's progress
_CHUNK = 1 << 20


class Finished:
    """The writer of a task whose worker has encoded its records: it passes finished bytes on."""

    concurrent = True

    def __init__(self, stream: ByteStream) -> None:
        self.write: Callable[[Any], int | None] = stream.write

    def commit(self) -> None: ...

    def abort(self) -> None: ...


def is_in_process(executor: Executor) -> bool:
    """Return whether bodies run in threads of this process, so that nothing needs to be pickled.

    Python 3.14's InterpreterPoolExecutor is a ThreadPoolExecutor by its class alone: each of its threads has
    an interpreter, and so modules, of its own.
    """
    from concurrent import futures

    interpreters: object = getattr(futures, "InterpreterPoolExecutor", None)
    if isinstance(interpreters, type) and isinstance(executor, interpreters):
        return False
    return isinstance(executor, futures.ThreadPoolExecutor)


def on_executor(
    executor: Executor,
    function: Callable[..., T],
    open_writer: Callable[[ByteStream], Writer[object]] | None,
    kept: Callable[[], Kept] | None = None,
) -> Callable[..., T]:
    """Return a body that runs *function* on *executor* and waits for it on the caller's thread.

    Args:
        executor: where it runs.
        function: the undecorated body, a sync function.
        open_writer: opens the writer of the output; picklable unless the executor uses threads.
        kept: with `save=`, returns how a worker process encodes what *function* returns.
    """

    def body_in_thread(*args: object, **kwargs: object) -> T:
        if executor in _within.get():
            # Called from a body on the same executor, whose threads may all be waiting like this one.
            return function(*args, **kwargs)
        context = copy_context()
        context.run(_within.set, (*_within.get(), executor))
        future = _submitted(executor, lambda: context.run(function, *args, **kwargs))
        _settle(future, None)
        return future.result()

    def body_in_worker(*args: object, **kwargs: object) -> T:
        run = current.get()
        assert isinstance(run, TaskCall)  # the driver has set it
        request = _request(executor, function, open_writer, kept, run)
        progress = os.path.join(request.folder, request.token + PROGRESS)
        future: Future[Response] | None = None
        try:
            future = _submitted(executor, run_request, dump(request, by_value=False))
            _settle(future, lambda: _read_progress(run, progress))
            return cast("T", _result(future.result(), run))
        finally:
            if future is None:
                remove_folder(request.folder)
            else:  # a worker that goes on after a cancellation may use it until then
                future.add_done_callback(lambda _: remove_folder(request.folder))

    return body_in_thread if is_in_process(executor) else body_in_worker


def _request(
    executor: Executor,
    function: Callable[..., object],
    open_writer: Callable[[ByteStream], Writer[object]] | None,
    kept: Callable[[], Kept] | None,
    run: TaskCall,
) -> Request:
    from concurrent.futures import ProcessPoolExecutor

    # The standard library's workers import this program's `__main__`; others start without it.
    by_value = not isinstance(executor, ProcessPoolExecutor)
    name = run.task
    token = os.urandom(8).hex()
    try:
        opener = None if open_writer is None else dump(open_writer, by_value=by_value)
    except Exception as error:
        raise TransferError(
            f"task {name}(): writer=... can't be sent to the executor ({error}); "
            f"define it at the top of a module"
        ) from error
    return Request(
        function=pickled_function(function, name, by_value=by_value),
        arguments=pickled_arguments(function, run, by_value=by_value),
        open_writer=opener,
        kept=None if kept is None else dump(kept(), by_value=by_value),
        task=name,
        output=run.output,
        attempt=run.attempt,
        skipped_in_labels=run.spec.skipped_in_labels,
        marked=run.spec.marked,
        token=token,
        folder=_new_folder(token),
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
    """Wait until *future* is done; if that is cancelled or interrupted, cancel it and raise."""
    stop = stopping.get()
    wakeup = threading.Event()
    future.add_done_callback(lambda _: wakeup.set())
    if stop is not None:
        stop.wake = wakeup.set
    try:
        while not future.done():
            if stop is not None and stop.asked:
                raise asyncio.CancelledError
            if wakeup.wait(_PEEK if peek is not None else None) and not (stop is not None and stop.asked):
                break
            if peek is not None:
                peek()
    except BaseException:
        future.cancel()
        raise
    if stop is not None and stop.asked:
        raise asyncio.CancelledError


def _result(response: Response, run: TaskCall) -> object:
    """Write the output's bytes here and return the body's result, or raise what it raised."""
    if response.error is not None:
        _raise(_error_of(response.error, response.text, run), run, is_broken=response.is_broken)
    if response.value is None:
        raise TransferError(f"task {run.task}(): {response.text}")
    value: object = pickle.loads(response.value)
    if value is not None and not response.wrote and isinstance(run.put, Unwritten):
        return value  # refused by the driver, which would take the bytes of an empty output for a write
    try:
        _pass_on(response, run.keep or run.put)
    except Exception as error:
        write_failed(run, error)
        raise
    return value


def _pass_on(response: Response, put: Callable[[object], object]) -> None:
    if response.spool is not None:
        with open(response.spool, "rb") as file:
            while chunk := file.read(_CHUNK):
                put(chunk)
    elif response.data:
        put(response.data)


def _error_of(pickled: bytes, text: str, run: TaskCall) -> BaseException:
    try:
        return load_error(pickled, text)
    except Exception as why:
        raise TransferError(
            f"task {run.task}(): it raised what can't be read here ({error_line(why)}); "
            f"define its class in a module that can be imported here too\n{text}"
        ) from why


def _raise(error: BaseException, run: TaskCall, *, is_broken: bool) -> NoReturn:
    if is_broken and isinstance(error, Exception):
        write_failed(run, error)
    context = error.__context__
    try:
        raise error
    finally:
        # `raise` replaces the worker's context if the caller is handling an exception.
        BaseException.__setattr__(error, "__context__", context)
        del error, context  # the traceback holds this frame


def _read_progress(run: TaskCall, path: str) -> None:
    import json

    try:
        with open(path, encoding="utf-8") as file:
            description, completed, total = json.load(file)
    except (OSError, ValueError):
        return
    if (description, completed, total) != (run.description, run.completed, run.total):
        run.description, run.completed, run.total = description, completed, total
        run.progressed()


def _new_folder(token: str) -> str:
    """Make the folder of the attempt *token* if possible; return its path."""
    try:
        return _folders.new(token)
    except OSError:  # then the bytes are sent with the response
        return os.path.join(os.devnull, token)


_folders = TemporaryFolders()
"""The folders of attempts, where workers put finished bytes."""
