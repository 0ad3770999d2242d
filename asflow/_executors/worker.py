"""The worker's side of `executor=`: call the body, write its records, tell its progress.

The worker encodes and compresses with the task's own writer into a file, so memory is flat on both sides and
the work is done where the cores are. The file is in a folder that the caller made, if the worker can
reach it (the same machine, a shared file system); then the caller copies it into its claim. Otherwise the
compressed bytes travel with the answer. Nothing that a worker wrote counts before its answer is there.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import time
import traceback
from typing import TYPE_CHECKING, cast

from asflow._engine.policy import TaskPolicy
from asflow._executors.messages import Answer, ByName, Parcel, dump, open_writer_of
from asflow._reporter import Reporter
from asflow._runtime.limits import Limiter
from asflow._runtime.making import refuse_writes, writes_through
from asflow._runtime.runs import TaskCall, current, leave, no_output, output_closed
from asflow._runtime.spec import TaskSpec

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import IO

    from asflow.events import Event
    from asflow.protocols import Writer

__all__ = ["PROGRESS", "run_parcel"]

PROGRESS = ".progress"
_SPOOLED = 8 << 20
_PAUSE = 0.2  # seconds between two notes on progress


class _Deaf:
    """Nobody is told in a worker: the caller tells its own sink."""

    wants_tasks = "none"

    def emit(self, event: Event, /) -> None:
        """Do nothing."""


class _RemoteRun(TaskCall):
    """The call that runs in this worker, as `flow.task.write`, `.progress` and `.run` find it."""

    def __init__(self, parcel: Parcel, args: tuple[object, ...], kwargs: dict[str, object]) -> None:
        spec = TaskSpec(
            name=parcel.task,
            policy=TaskPolicy(),
            limit=Limiter(0),
            reporter=Reporter(_Deaf()),
            hidden_arguments=parcel.hidden_arguments,
        )
        super().__init__(spec, args, kwargs, None)
        self.output = parcel.output
        self.attempt = parcel.attempt
        self._notes = os.path.join(parcel.folder, parcel.token + PROGRESS)
        self._reachable = os.path.isdir(parcel.folder)
        self._noted = 0.0

    def progressed(self) -> None:
        """Leave a note for the caller, now and then; none once the body has ended (a thread may live on)."""
        now = time.monotonic()
        if not self.is_running or not self._reachable or now - self._noted < _PAUSE:
            return
        self._noted = now
        import json

        with contextlib.suppress(OSError, TypeError, ValueError):  # a display fails no body
            with open(self._notes + "~", "w", encoding="utf-8") as file:
                # `float` for the numbers that JSON does not know: numpy's, a Fraction.
                json.dump([self.description, self.completed, self.total], file, default=float)
            os.replace(self._notes + "~", self._notes)


def run_parcel(packed: bytes) -> Answer:
    """Make the attempt that *packed* describes; runs in a worker. What the body raises is in the answer."""
    parcel = cast("Parcel", pickle.loads(packed))
    spool: _Spool | None = None
    try:
        function = _function(parcel)
        args, kwargs = cast("tuple[tuple[object, ...], dict[str, object]]", pickle.loads(parcel.arguments))
        open_writer = open_writer_of(parcel)
        spool = None if open_writer is None else _Spool(parcel)
        writer = None if open_writer is None or spool is None else open_writer(spool)
        value = _call(_RemoteRun(parcel, args, kwargs), function, writer)
        answer = _with_value(value, parcel)
        if spool is None or answer.value is None:
            return answer
        path, data = spool.finish()
        spool = None
        return Answer(value=answer.value, spool=path, data=data)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - the caller's policy decides what it means
        return _with_error(error, parcel)
    finally:
        if spool is not None:
            spool.discard()


def _function(parcel: Parcel) -> Callable[..., object]:
    function = pickle.loads(parcel.function)
    return function.found() if isinstance(function, ByName) else cast("Callable[..., object]", function)


def _call(run: _RemoteRun, function: Callable[..., object], writer: Writer[object] | None) -> object:
    run.put = no_output if writer is None else writes_through(writer)
    try:
        run.is_running = True
        token = current.set(run)
        try:
            value = function(*run.args, **run.kwargs)
        finally:
            leave(token)
            _end(run)
        if writer is not None:
            writer.commit()
    except BaseException:
        if writer is not None:
            with contextlib.suppress(Exception):  # the reason for the abort says more than its failing
                writer.abort()
        raise
    return value


def _end(run: _RemoteRun) -> None:
    """The body has ended: whoever still writes is refused from now on, and progress is told no more."""
    put = run.put
    run.put = no_output if run.output is None else output_closed
    run.is_running = False
    refuse_writes(put)


def _with_value(value: object, parcel: Parcel) -> Answer:
    try:
        return Answer(value=dump(value, by_value=parcel.by_value))
    except Exception as error:  # noqa: BLE001 - what pickling raises is up to the value's class
        return Answer(text=f"it returned a {type(value).__name__}, which can't be pickled: {error}")


def _with_error(error: BaseException, parcel: Parcel) -> Answer:
    text = "".join(traceback.format_exception(error))
    try:
        packed = dump(error, by_value=parcel.by_value)
        pickle.loads(packed)  # an exception with an __init__ of its own may be written but not read
    except Exception as why:  # noqa: BLE001 - as above
        return Answer(text=f"it raised a {type(error).__name__}, which can't be sent back ({why}):\n{text}")
    return Answer(error=packed, text=text)


class _Spool:
    """Takes the bytes of one output: in a file of the caller's folder, or in one that nobody sees."""

    def __init__(self, parcel: Parcel) -> None:
        self._path: str | None = os.path.join(parcel.folder, f"{parcel.token}.{os.urandom(4).hex()}")
        self._file: IO[bytes]
        try:
            self._file = open(self._path, "xb")  # noqa: SIM115 - closed in finish and discard
        except OSError:  # no such folder here, or one that is not ours to write
            from tempfile import SpooledTemporaryFile

            self._path = None
            self._file = cast("IO[bytes]", SpooledTemporaryFile(_SPOOLED, prefix="asflow-"))  # noqa: SIM115

    def write(self, data: bytes | bytearray | memoryview, /) -> int:
        """Append all of *data*, and keep none of it here: a forked child would write its copy once more."""
        written = self._file.write(data)
        self._file.flush()
        return written

    def finish(self) -> tuple[str | None, bytes]:
        """Return where the bytes are, or the bytes."""
        data = b""
        if self._path is None:
            self._file.seek(0)
            data = self._file.read()
        self._file.close()
        return self._path, data

    def discard(self) -> None:
        """Leave nothing."""
        with contextlib.suppress(OSError):
            self._file.close()
            if self._path is not None:
                os.unlink(self._path)
