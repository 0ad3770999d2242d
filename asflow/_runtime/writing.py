"""What `flow.task.write` and its like do: records on their way to the output of the current call."""

from __future__ import annotations

import gc
import threading
from collections.abc import Mapping
from itertools import islice
from typing import TYPE_CHECKING, Any, NoReturn, cast

from asflow import _forks
from asflow._checks import closed_error, outside_error
from asflow._labels import short
from asflow._runtime.calls import TaskCall
from asflow._runtime.current import current
from asflow.errors import NotInTaskError, OutputClosedError, RecordTypeError, RecordValueError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from asflow._runtime.calls import FlowCall
    from asflow._runtime.spec import Lines
    from asflow.protocols import Writer

_ONE_RECORD = (str, bytes, bytearray, memoryview, Mapping)  # iterable, but not of records

_FIRST_BATCH = 64  # records that are taken from an iterable and written at once

_CONTAINERS_ALIVE = 560
"""Containers that a batch may keep alive: a garbage collection begins with 700 new ones.

Measured with records of a generator that hold two containers each: 0.58 us a record in batches of 64 to 256,
0.81 in batches of 512, and 1.2 in batches of 2,048, which outlive two collections.
"""

_NOT_COUNTED = 160
"""Containers that the collector does not see: dicts and lists are used again, up to 80 of each."""


def no_output(data: object) -> NoReturn:
    """Refuse a write outside any task, or in a task without `on`."""
    run = current.get()
    if isinstance(run, TaskCall):
        raise NotInTaskError(
            f"task {run.task}(): has no output to write to; give it one, as in @flow.task(on='data/*.jsonl')"
        )
    raise outside_error("write")


def saved_instead(data: object) -> NoReturn:
    """Refuse a write in a task whose output is what it returns."""
    run = current.get()
    name = run.task if isinstance(run, TaskCall) else "?"
    raise NotInTaskError(
        f"task {name}(): keeps what it returns (save=), so it can't write; return it, or use on= and write it"
    )


def path_instead(data: object) -> NoReturn:
    """Refuse a write in a call whose output is a file of its own."""
    run = current.get()
    raise _mixed(run.task if isinstance(run, TaskCall) else "?")


def _mixed(task: str) -> RecordValueError:
    return RecordValueError(
        f"task {task}(): an output is what flow.task.write() writes or the file at flow.task.path(), "
        f"not both; use one of them"
    )


def path_for(run: TaskCall | FlowCall | None) -> str:
    """Return where the body of *run* writes its output as a file of its own; see `flow.task.path`."""
    if not isinstance(run, TaskCall):
        raise outside_error("path")
    make = run.new_scratch
    if make is None:
        run.put(None)  # refuses, and says why
        raise AssertionError(run.put)
    put = run.put
    take: Callable[[], bool] = getattr(put, "take_path", lambda: False)
    try:
        if put is not path_instead and not take():
            raise _mixed(run.task)
        return make().path
    except Exception as error:
        write_failed(run, error)
        raise


def write_failed(run: TaskCall | FlowCall, error: Exception) -> None:
    """Let *error*, of a write, end the call of *run*, even if its body goes on."""
    # A write after the body has ended is refused, and breaks nothing; nor does one where nothing is kept.
    if isinstance(run, TaskCall) and run.output is not None and not isinstance(error, OutputClosedError):
        run.broken = error


def written_all(run: TaskCall | FlowCall | None, records: Iterable[object]) -> None:
    """Pass each of *records* to the output of *run*, in batches, as `flow.task.write` does."""
    if not isinstance(run, TaskCall):
        no_output(records)
    if run.put in (no_output, output_closed, saved_instead):
        _batch_written(run, [records])  # refused, even if there are no records
    _check_iterable(run, records)
    iterator, size = iter(records), _FIRST_BATCH
    while True:
        batch: list[object] = []
        counts = gc.get_count()
        try:
            batch.extend(islice(iterator, size))
        finally:  # if the iterable raises, what it has yielded is written
            most = _most_alive(len(batch), counts, gc.get_count())
            if batch:
                size = min(_batch_written(run, batch), most)
        if not batch:
            return


def _most_alive(records: int, before: tuple[int, int, int], after: tuple[int, int, int]) -> int:
    """Return how many records may be alive at once without a garbage collection that traverses them.

    Args:
        records: the number of records in the last batch.
        before: `gc.get_count()` before they were made.
        after: the same, now that they are.
    """
    if after[1:] != before[1:]:  # it has collected
        return _FIRST_BATCH
    containers = max(after[0] - before[0], 0) + _NOT_COUNTED
    return max(_CONTAINERS_ALIVE * records // containers, 1)


def _check_iterable(run: TaskCall, records: object) -> None:
    if (remedy := _instead_of_iterating(records)) is not None:
        run.broken = RecordTypeError(
            f"task {run.task}(): write_all() takes an iterable of records, not {short(records)}; {remedy}"
        )
        raise run.broken


def _instead_of_iterating(records: object) -> str | None:
    """Return what to do with *records* if they are one record, a table, or can't be iterated."""
    if hasattr(records, "__aiter__"):
        return "loop over it with `async for`, and write each of its records"
    if hasattr(records, "__arrow_c_stream__") and hasattr(records, "columns"):
        return "pass a table to flow.task.write() in a .parquet output, or its rows"
    if not hasattr(records, "__iter__") or isinstance(records, _ONE_RECORD):
        return "pass one record to flow.task.write()"
    return None


def _batch_written(run: TaskCall, batch: list[object]) -> int:
    """Pass a *batch* to the output of *run*; return how many records the next one should have."""
    try:
        return batches_through(run.put)(batch) or _FIRST_BATCH
    except Exception as error:
        write_failed(run, error)
        raise


def batches_through(put: Callable[[object], object]) -> Callable[[list[object]], int | None]:
    """Return what takes a list of records where *put* takes one.

    It returns how many records the next list should have, or None if any number will do.
    """
    owner: object = put if hasattr(put, "write_batch") else getattr(put, "__self__", None)
    batches: Callable[[list[object]], int | None] | None = getattr(owner, "write_batch", None)

    if batches is not None:
        return batches

    def one_by_one(records: list[object]) -> None:
        for record in records:
            put(record)

    return one_by_one


def output_closed(data: object) -> NoReturn:
    """Refuse a write after the task has ended or while no attempt is running."""
    run = current.get()
    raise closed_error(f"task {run.task}()" if isinstance(run, TaskCall) else "flow.task.write()")


# ------------------------------------------------------------------ on the way to the writer


class LockedWrite:
    """Calls a writer from one thread at a time, and refuses once closed."""

    __slots__ = ("__weakref__", "_closed", "_lock", "_write")

    def __init__(self, write: Callable[[object], object]) -> None:
        self._write = write
        # Reentrant: a record's own encoding may write another record.
        self._lock = _forks.renewed(self, "_lock", threading.RLock)
        self._closed = False

    def __call__(self, record: object) -> object:
        """Write *record*, one thread at a time. Raises what the writer raises, or OutputClosedError."""
        with self._lock:
            return output_closed(record) if self._closed else self._write(record)

    def write_batch(self, records: list[object]) -> int | None:
        """Write *records* without another thread's between them. Raises and returns as the writer does."""
        with self._lock:
            return output_closed(records) if self._closed else batches_through(self._write)(records)

    def close(self) -> None:
        """Wait for a write in progress, and refuse later ones."""
        with self._lock:
            self._closed = True


class Unwritten:
    """The first write of a body: passes it on, and leaves the way to later ones; or none, but a path."""

    __slots__ = ("_put", "_run", "_way")

    def __init__(self, run: TaskCall, put: Callable[[object], object]) -> None:
        self._run = run
        self._put = put
        self._way: dict[str, str] = {}

    def __call__(self, record: object) -> object:
        """Write the first record. Raises as the writer does."""
        return self._begin()(record)

    def write_batch(self, records: list[object]) -> int | None:
        """Write the first records. Raises and returns as the writer does."""
        return batches_through(self._begin())(records)

    def take_path(self) -> bool:
        """Whether the body's output is a file of its own from here on; False if it has written before."""
        # `setdefault` is atomic: of two threads, one that writes and one that asks for a path, one is first.
        if self._way.setdefault("way", "path") != "path":
            return False
        self._run.put = path_instead
        return True

    def _begin(self) -> Callable[[object], object]:
        if self._way.setdefault("way", "write") != "write":
            return path_instead
        self._run.put = self._put
        self._run.lines = _lines_of(self._put)
        return self._put

    def close(self) -> None:
        """Refuse all writes."""
        refuse_writes(self._put)


def writes_through(writer: Writer[object]) -> Callable[[object], object]:
    """Return the `put` for *writer*: its own method if that is thread-safe, else with a lock."""
    return writer.write if getattr(writer, "concurrent", False) else LockedWrite(writer.write)


def _lines_of(put: Callable[[object], object]) -> Lines | None:
    """Return what gathers lines behind *put*; None if it writes other formats, or needs a lock for each."""
    owner: Any = getattr(put, "__self__", None)
    return cast("Lines", owner) if getattr(owner, "_asflow_gathers", False) is True else None


def refuse_writes(put: Callable[[object], object]) -> None:
    """Wait for a write in progress in *put*, and refuse later ones; thread-safe writers do so themselves."""
    if isinstance(put, (LockedWrite, Unwritten)):
        put.close()
