"""The worker's side of `executor=`: call the body, write its records, report its progress.

The worker encodes and compresses with the task's own writer into a file, so memory is constant on both sides
and the work runs on the worker's cores. The file is in a folder that the caller made, if the worker can
reach it (the same machine, a shared file system); the caller then copies it into its claim. Otherwise the
compressed bytes are sent with the response. Until the response arrives, nothing that a worker wrote counts.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import threading
import time
import traceback
from typing import TYPE_CHECKING, cast

from asflow import _forks
from asflow._checks import checked_records
from asflow._descriptors import open_above_standard
from asflow._engine.policy import TaskPolicy
from asflow._executors.exceptions import dump_error
from asflow._executors.messages import ByName, Request, Response, dump, open_writer_of, pickler_for
from asflow._reporter import Reporter
from asflow._runtime.calls import TaskCall
from asflow._runtime.current import current, leave
from asflow._runtime.limiters import Limiter
from asflow._runtime.spec import TaskSpec
from asflow._runtime.writing import (
    Unwritten,
    no_output,
    output_closed,
    refuse_writes,
    saved_instead,
    write_failed,
    writes_through,
)
from asflow.stores._spool import Spool
from asflow.stores._temporary import ScratchFile, TemporaryFolders

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from asflow._runtime.spec import Kept
    from asflow.events import Event
    from asflow.protocols import Writer

PROGRESS = ".progress"
_IN_MEMORY = 8 << 20  # bytes of an output, if the worker can't reach the caller's folder
_PAUSE = 0.2  # seconds between two reports of progress


_folders = TemporaryFolders()


class _NoSink:
    """The sink of a worker: only the caller reports to the flow's own."""

    wants_tasks = "none"

    def emit(self, event: Event, /) -> None: ...


class _RemoteRun(TaskCall):
    """The call that runs in this worker, for `flow.task.write`, `.progress` and `.run`."""

    def __init__(self, request: Request, args: tuple[object, ...], kwargs: dict[str, object]) -> None:
        spec = TaskSpec(
            name=request.task,
            policy=TaskPolicy(),
            limit=Limiter(0),
            reporter=Reporter(_NoSink()),
            skipped_in_labels=request.skipped_in_labels,
            marked=request.marked,
            refuse=no_output,
        )
        super().__init__(spec, args, kwargs, None)
        self.output = request.output
        self.attempt = request.attempt
        self._progress_path = os.path.join(request.folder, request.token + PROGRESS)
        self._reachable = os.path.isdir(request.folder)
        self._reported = 0.0
        self.wrote = False
        self.scratch: ScratchFile | None = None
        self._folder = request.folder
        self._scratch_lock = _forks.renewed(self, "_scratch_lock", threading.Lock)

    def scratch_for_body(self) -> ScratchFile:
        """Return the file of `flow.task.path()`, in the caller's folder if that can be reached from here."""
        with self._scratch_lock:
            if self.scratch is None:
                token = os.urandom(8).hex()
                folder = os.path.join(self._folder, token)
                if self._reachable:
                    os.mkdir(folder)
                else:
                    folder = _folders.new(token)
                self.scratch = ScratchFile(folder, self.output or "")
            return self.scratch

    def progressed(self) -> None:
        """Write a report for the caller, at intervals; none after the body, when a thread may live on."""
        now = time.monotonic()
        if not self.is_running or not self._reachable or now - self._reported < _PAUSE:
            return
        self._reported = now
        import json

        with contextlib.suppress(OSError, TypeError, ValueError):  # a display must not fail a body
            with open(self._progress_path + "~", "w", encoding="utf-8", opener=open_above_standard) as file:
                # `float` for numbers that JSON can't encode: numpy's, a Fraction.
                json.dump([self.description, self.completed, self.total], file, default=float)
            os.replace(self._progress_path + "~", self._progress_path)


def run_request(pickled: bytes) -> Response:
    """Run the attempt of the *pickled* request, in a worker. What the body raises is in the response."""
    request = cast("Request", pickle.loads(pickled))
    spool: Spool | None = None
    run: _RemoteRun | None = None
    try:
        function = _function(request)
        args, kwargs = cast("tuple[tuple[object, ...], dict[str, object]]", pickle.loads(request.arguments))
        open_writer = open_writer_of(request)
        writer = None
        kept = None if request.kept is None else cast("Kept", pickle.loads(request.kept))
        if open_writer is not None:
            spool = Spool(_IN_MEMORY, os.path.join(request.folder, f"{request.token}.{os.urandom(4).hex()}"))
            writer = open_writer(spool, **({} if kept is None else {"record_type": kept.record_type}))
        run = _RemoteRun(request, args, kwargs)
        value = _call(run, function, writer, kept, spool)
        response = _with_value(value, request)
        if spool is None or response.value is None:
            return response
        path, data = spool.path, b"" if spool.path is not None else spool.rewound().read()
        spool.close()
        spool = None
        return Response(value=response.value, wrote=run.wrote, spool=path, data=data)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - the caller's policy decides what it means
        return _with_error(error, request, is_broken=run is not None and error is run.broken)
    finally:
        if spool is not None:
            spool.discard()


def _function(request: Request) -> Callable[..., object]:
    function = pickle.loads(request.function)
    return function.found() if isinstance(function, ByName) else cast("Callable[..., object]", function)


def _call(
    run: _RemoteRun,
    function: Callable[..., object],
    writer: Writer[object] | None,
    kept: Kept | None,
    spool: Spool | None,
) -> object:
    if writer is None:
        run.put = no_output
    elif kept is None:
        run.put = Unwritten(run, writes_through(writer))
        run.new_scratch = run.scratch_for_body
    else:
        run.put, run.keep = saved_instead, writes_through(writer)
    try:
        value = _body(run, function, kept)
        if run.scratch is not None and spool is not None:
            with _writing(run):
                run.scratch.pass_on(spool.write, run.task)
        elif writer is not None:
            with _writing(run):
                writer.commit()
                writer = None
    finally:
        if writer is not None:
            with contextlib.suppress(Exception):  # an error that led to the abort matters more
                writer.abort()
        if run.scratch is not None:
            run.scratch.discard()
    return value


def _body(run: _RemoteRun, function: Callable[..., object], kept: Kept | None) -> object:
    """Call *function*; a failed write is raised as itself, even if the body goes on."""
    run.is_running = True
    token = current.set(run)
    value: object = None
    try:
        value = function(*run.args, **run.kwargs)
        if kept is not None:
            _keep(run, value, kept)
            value = None
    except Exception:
        if run.broken is None:
            raise
    finally:
        leave(token)
        _end(run)
    if run.broken is not None:
        raise run.broken
    return value


def _keep(run: _RemoteRun, value: object, kept: Kept) -> None:
    """Encode what the body returned or yields here: the value itself is never pickled."""
    put = run.keep
    assert put is not None
    if kept.shape != "stream":
        with _writing(run):
            kept.keep(value, put)
        return
    records = checked_records(run.task, value)
    try:
        for record in records:
            with _writing(run):
                put(kept.record(record))
    finally:
        if hasattr(records, "close"):
            records.close()


@contextlib.contextmanager
def _writing(run: _RemoteRun) -> Generator[None]:
    try:
        yield
    except Exception as error:
        write_failed(run, error)
        raise


def _end(run: _RemoteRun) -> None:
    """After the body: refuse late writes, and report no more progress."""
    put = run.keep or run.put
    run.wrote = not isinstance(put, Unwritten)
    run.put = no_output if run.output is None else output_closed
    run.lines = run.new_scratch = None
    run.is_running = False
    refuse_writes(put)


def _with_value(value: object, request: Request) -> Response:
    try:
        return Response(value=dump(value, by_value=request.by_value))
    except Exception as error:  # noqa: BLE001 - a value's own class decides what pickling it raises
        kind = type(value).__name__
        return Response(text=f"it returned a {kind}, which can't be pickled ({error}); return plain data")


def _with_error(error: BaseException, request: Request, *, is_broken: bool) -> Response:
    text = "".join(traceback.format_exception(error))
    try:
        pickled = dump_error(error, pickler_for(by_value=request.by_value))
    except Exception as why:  # noqa: BLE001 - as above
        wrong = f"it raised a {type(error).__name__}, which can't be sent back ({why})"
        return Response(text=f"{wrong}; raise one that can be pickled\n{text}")
    return Response(error=pickled, is_broken=is_broken, text=text)
