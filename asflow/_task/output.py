"""Handles on outputs: what `flow.task.output(task, ...)` and `flow.task.outputs(task)` return."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar, cast, final

from asflow._labels import short
from asflow._names import Sealed
from asflow.errors import NoPathError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import BinaryIO

    from asflow.protocols import OutputInfo, OutputStatus, Store

T = TypeVar("T")


@final
class Output(metaclass=Sealed):
    """One output of a task: its location, status and content.

    A handle is cheap. It caches nothing: each attribute and method shows the current state.

    Threads: any thread may use it. A reader sees a whole output or none, also while one is being replaced.
    """

    __slots__ = ("_failure", "_location", "_name", "_store", "_suffix")
    _made_by = "use flow.task.output(task, ...)"

    def __init__(self, store: Store, name: str, location: str, failure: str, suffix: str) -> None:
        self._store = store
        self._name = name
        self._location = location
        self._failure = failure
        self._suffix = suffix

    def __repr__(self) -> str:
        return f"Output({self._name!r})"

    def __eq__(self, other: object) -> bool:
        """Equal handles refer to the same name in the same store."""
        if not isinstance(other, Output):
            return NotImplemented
        return self._store is other._store and self._location == other._location

    def __hash__(self) -> int:
        return hash((id(self._store), self._location))

    @property
    def name(self) -> str:
        """The output's name, relative to the flow's `base`: the pattern with the arguments filled in."""
        return self._name

    @property
    def path(self) -> Path:
        """The file of the output, whether or not it exists.

        Raises:
            NoPathError: the store keeps no files.
        """
        return path_of(self._store, self._location)

    @property
    def url(self) -> str:
        """The output's URL: `s3://bucket/data/x.jsonl`, or `file:///...` if the store keeps files.

        Raises:
            NoPathError: the store keeps neither objects nor files.
        """
        url = getattr(self._store, "url", None)
        return self.path.absolute().as_uri() if url is None else cast("str", url(self._location))

    @property
    def status(self) -> OutputStatus:
        """`"complete"`, `"suppressed"` (a failure is on record), or `"absent"`.

        Raises:
            OSError: the location can't be read, or holds something other than an output.
        """
        return self._store.status(self._location, self._failure)

    @property
    def size(self) -> int | None:
        """Stored (compressed) bytes; None if the output is absent."""
        info = self._info()
        return None if info is None else info.size

    @property
    def modified(self) -> float | None:
        """The time it was published, in POSIX seconds by the store's clock; None if it is absent."""
        info = self._info()
        return None if info is None else info.modified

    def records(self, record_type: type[T], /) -> Iterator[T]:
        """Read the records, each decoded and validated as a *record_type*.

        JSON Lines and CSV are streamed, in constant memory. A JSON document is one record, or the items of
        a list; Parquet yields its rows; an output without a format yields its lines (`str` or `bytes`).

        Args:
            record_type: the type of a record: a TypedDict, dataclass, NamedTuple, msgspec, attrs or pydantic
                class, `dict[str, int]`, ...

        Returns:
            An iterator, in the order in which the records were written.

        Raises:
            FileNotFoundError: the output is absent.
            CorruptOutputError: from the iterator: the output is cut, or a record is not a *record_type*.
            TypeError: the format can't be decoded into *record_type*.
            MissingExtraError: reading this format needs a package that is not installed.
        """
        from asflow.writers import read_records

        return read_records(self._name, self._open(), record_type, suffix=self._suffix)

    def text(self) -> str:
        """Return the whole output as text, decompressed.

        Raises:
            FileNotFoundError: the output is absent.
            CorruptOutputError: it is cut, or not UTF-8.
            TypeError: it is Parquet, which is not text; use `records`.
        """
        from asflow.writers import read_text

        return read_text(self._name, self._open(), suffix=self._suffix)

    def error(self) -> str | None:
        """Return the recorded failure, a traceback as Python prints it, or None."""
        try:
            with self._store.open(self._failure) as file:
                return file.read().decode("utf-8", "replace")
        except FileNotFoundError:
            return None

    def delete(self) -> bool:
        """Delete the output and its recorded failure, so that the next call makes it again.

        Returns:
            Whether either existed.
        """
        failure = self._store.delete(self._failure)
        return self._store.delete(self._location) or failure

    def _open(self) -> BinaryIO:
        try:
            return self._store.open(self._location)
        except FileNotFoundError as error:
            if self._store.info(self._failure) is not None:
                error.add_note("asflow: its failure is on record, see `.error()` of the same handle")
            raise

    def _info(self) -> OutputInfo | None:
        return self._store.info(self._location)


def path_of(store: Store, location: str) -> Path:
    """Return the file in which *store* keeps *location*.

    Raises:
        NoPathError: *store* keeps no files.
    """
    path = getattr(store, "path", None)
    if path is None:
        raise NoPathError(
            f"{type(store).__name__}(): keeps no files, so there is no path to {short(location)}; "
            f"use the output's name, text() or records(...)"
        )
    return cast("Path", path(location))
