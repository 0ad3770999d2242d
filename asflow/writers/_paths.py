"""Writers for libraries that write a file by its path."""

from __future__ import annotations

import contextvars
import inspect
import shutil
import sys
import tempfile
import threading
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING, Generic, TypeVar, final

from asflow import _forks
from asflow._labels import short
from asflow.errors import DefinitionTypeError, DefinitionValueError, RecordValueError
from asflow.writers._refusals import raise_again

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from asflow.protocols import ByteStream, Writer

T = TypeVar("T")

_WAITING = 64  # records that wait for the function at the same time
_COPIED = 1 << 20


def by_path(
    function: Callable[[Path, Iterator[T]], object], /, *, suffix: str = ""
) -> Callable[[ByteStream], Writer[T]]:
    r"""Return a task's `writer=`, or a `Format`'s, from a function that writes all records to a file.

        @by_path
        def write_numbers(path: Path, records: Iterator[int]) -> None:
            with path.open("w") as file:
                for record in records:
                    file.write(f"{record}\n")

    The file is a temporary one; its bytes are passed on when the function has returned. At most 64 records
    wait in memory: outputs with more than that run the function in a thread of its own, those with fewer at
    the end. What it raises is raised by a later `write` or by `commit`.

    Args:
        function: takes the path, at which there is no file yet, and an iterator of the records, and takes all
            of them.
        suffix: what the path ends in, for a library that looks at it: `.xlsx`.

    Returns:
        A function that makes writers. It can be pickled if *function* is at the top of a module.

    Raises:
        DefinitionTypeError: *function* is not a plain function.
        DefinitionValueError: *suffix* has no dot, or a slash.
    """
    if not _is_plain(function):
        raise DefinitionTypeError(
            f"by_path(): takes a plain function of a path and the records, not {short(function)}; "
            f"write `def write_all(path, records)`"
        )
    if suffix and (not suffix.startswith(".") or "/" in suffix or "\\" in suffix):
        raise DefinitionValueError(
            f"by_path(): suffix takes what the file's name ends in, not {short(suffix)}; write for example "
            f"'.xlsx'"
        )
    return ByPath(function, suffix)


def _is_plain(function: object) -> bool:
    others = (inspect.iscoroutinefunction, inspect.isasyncgenfunction, inspect.isgeneratorfunction)
    return callable(function) and not any(is_other(function) for is_other in others)


@final
class ByPath(Generic[T]):
    """What `by_path` returns: makes writers that pass on the file of a function."""

    def __init__(self, function: Callable[[Path, Iterator[T]], object], suffix: str) -> None:
        self._function = function
        self._suffix = suffix
        self.__module__ = getattr(function, "__module__", __name__)
        self.__qualname__ = getattr(function, "__qualname__", type(function).__qualname__)
        self.__doc__ = getattr(function, "__doc__", None)

    def __call__(self, stream: ByteStream, /) -> PathWriter[T]:
        """Return a writer to *stream*."""
        return PathWriter(stream, self._function, self._suffix)

    def __repr__(self) -> str:
        return f"by_path({short(self._function)})"

    def __reduce__(self) -> str | tuple[object, ...]:
        found: object = sys.modules.get(self.__module__)
        for name in self.__qualname__.split("."):
            found = getattr(found, name, None)
        # As a decorator it has the function's own name, by which pickle then finds it.
        return self.__qualname__ if found is self else (ByPath, (self._function, self._suffix))


class _Discarded(BaseException):
    """Ends the function: its output is not wanted any more. No `except Exception` of its own stops this."""


class PathWriter(Generic[T]):
    """A `Writer` that lets a function write a temporary file. Threads: one call at a time, any thread."""

    concurrent = False

    def __init__(
        self, stream: ByteStream, function: Callable[[Path, Iterator[T]], object], suffix: str
    ) -> None:
        self._stream = stream
        self._function = function
        self._folder: str | None = None
        self._suffix = suffix
        self._thread: threading.Thread | None = None
        self._failure: BaseException | None = None
        # Guarded by `_changed`, once the thread runs:
        self._changed = _forks.renewed(self, "_changed", threading.Condition)
        self._records: deque[T] = deque()
        self._no_more = self._discarded = self._returned = False

    def write(self, record: T, /) -> None:
        """Hand *record* to the function, now or later.

        Raises:
            Exception: what the function raised for an earlier record.
            RecordValueError: the function has returned before it took all records.
        """
        with self._changed:
            if self._thread is None and len(self._records) >= _WAITING:
                self._start()
            while len(self._records) >= _WAITING and not self._returned:
                self._changed.wait()
            if self._returned:
                self._raise_failure()
                raise self._left_over()
            self._records.append(record)
            self._changed.notify_all()

    def commit(self) -> None:
        """Wait for the function to return, and pass its file on.

        Raises:
            Exception: what the function or the stream raised.
            RecordValueError: the function has made no file, or has not taken all records.
        """
        with self._changed:
            self._no_more = True
            self._changed.notify_all()
        if self._thread is None:
            self._function(self._path, self._taken())
        else:
            self._thread.join()
            self._raise_failure()
        if self._records:
            raise self._left_over()
        try:
            with self._path.open("rb") as file:
                while chunk := file.read(_COPIED):
                    self._stream.write(chunk)
        except (FileNotFoundError, IsADirectoryError) as error:
            raise RecordValueError(
                f"by_path(): {short(self._function)} returned without a file at its path; write one there, "
                f"with no records too"
            ) from error
        self._remove()

    def abort(self) -> None:
        """End the function, and remove its file."""
        with self._changed:
            self._discarded = self._no_more = True
            self._records.clear()
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join()
        self._remove()

    @property
    def _path(self) -> Path:
        if self._folder is None:
            self._folder = tempfile.mkdtemp(prefix="asflow-")
        return Path(self._folder, f"output{self._suffix}")

    def _start(self) -> None:
        run = contextvars.copy_context().run
        self._thread = threading.Thread(target=run, args=(self._run,), name="asflow-by-path", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._function(self._path, self._taken())
        except BaseException as error:  # noqa: BLE001 - raised again by the caller's `write` or `commit`
            self._failure = error
        with self._changed:
            self._returned = True
            self._changed.notify_all()

    def _taken(self) -> Iterator[T]:
        while True:
            with self._changed:
                while not self._records and not self._no_more:
                    self._changed.wait()
                if self._discarded:
                    raise _Discarded
                if not self._records:
                    return
                record = self._records.popleft()
                self._changed.notify_all()
            yield record

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise_again(self._failure, "")

    def _left_over(self) -> RecordValueError:
        return RecordValueError(
            f"by_path(): {short(self._function)} returned before it took every record; iterate to the end"
        )

    def _remove(self) -> None:
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None
