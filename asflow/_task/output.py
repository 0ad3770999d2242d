"""Handles on outputs: what `flow.task.output(task, ...)` and `flow.task.outputs(task)` return."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, TypeAlias, cast, final, overload

from asflow._labels import short
from asflow._names import Sealed, create, set_homes
from asflow.errors import NoPathError, NoTimesError

if TYPE_CHECKING:
    import builtins
    from collections.abc import Iterator
    from pathlib import Path
    from typing import BinaryIO

    from typing_extensions import TypeForm, TypeVar

    from asflow._task.saving import Saving
    from asflow.protocols import OutputInfo, OutputStatus, Store
    from asflow.writers._format import Format

    T = TypeVar("T")
    V_co = TypeVar("V_co", covariant=True, default=object)
else:
    from typing import TypeVar

    V_co = TypeVar("V_co", covariant=True)

T_co = TypeVar("T_co", covariant=True)

JsonValue: TypeAlias = bool | int | float | str | list["JsonValue"] | dict[str, "JsonValue"] | None
"""What JSON holds: the records of an output that are read without a type."""

_UNTYPED = object()


@final
class Output(Generic[V_co], metaclass=Sealed):
    """One output of a task: where it is, whether it is there, and what it holds.

    `Output[Weather]` is one of a task that returns `Weather`; a bare `Output` is one of any task.

    A handle is cheap and reads nothing until it is asked; it always returns the present state.

    Threads: any thread may use it. A reader sees a whole output or none, also while one is being replaced.
    """

    __slots__ = ("_custom", "_failure", "_location", "_name", "_saving", "_store", "_suffix")
    _made_by = "use flow.task.output(task, ...)"

    def __init__(
        self,
        store: Store,
        name: str,
        location: str,
        failure: str,
        suffix: str,
        saving: Saving | None = None,
        custom: Format[Any] | None = None,
    ) -> None:
        """Point at the output *name*, which *store* knows as *location*; see `flow.task.output`."""
        self._store = store
        self._name = name
        self._location = location
        self._failure = failure
        self._suffix = suffix
        self._saving = saving
        self._custom = custom

    def __repr__(self) -> str:
        return f"Output({self._name!r})"

    def __eq__(self, other: object) -> bool:
        """Equal handles refer to the same name in the same store."""
        if not isinstance(other, Output):
            return NotImplemented
        return self._place == other._place

    def __hash__(self) -> int:
        return hash(self._name)  # not of the place, which depends on the current directory

    @property
    def _place(self) -> tuple[int, str]:
        """Where the output is: any two stores of local files share their names."""
        from asflow.stores import LocalStore
        from asflow.stores._posix import absolute

        if isinstance(self._store, LocalStore):
            return 0, absolute(self._location)
        return id(self._store), self._location

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
        """The time it was made, in POSIX seconds by the store's clock; None if it is absent.

        That is when it was published. With `reads=` it is the last look at its inputs before that, or if they
        had changed, the beginning of the body. `touch` and `raise Unchanged` renew it.
        """
        info = self._info()
        return None if info is None else info.modified

    @overload
    def records(self, /) -> Iterator[JsonValue]:
        """Read the records as plain values, as JSON has them: dict, list, str, int, float, bool and None.

        CSV yields a dict of texts for each row; Parquet what JSON would hold of it (`2026-01-02T00:00:00`);
        what has no format its lines; a `Format` what JSON would hold of what its reader returns.

        Returns:
            An iterator in the order of writing, of `asflow.typing.JsonValue`.

        Raises:
            FileNotFoundError: the output is absent.
            CorruptOutputError: from the iterator: the output is cut, or does not decode.
            MissingExtraError: reading this format needs a package that is not installed.
        """
        ...

    @overload
    def records(self, record_type: TypeForm[T], /) -> Iterator[T]:
        """Read the records, each decoded and validated as a *record_type*.

        JSON Lines and CSV are streamed, in constant memory. A JSON document is one record, or the items of
        a list; Parquet yields its rows; a registered `Format` what its reader returns; an output without a
        format yields its lines (`str` or `bytes`).

        Args:
            record_type: what a record is: a TypedDict, dataclass, NamedTuple, msgspec, attrs or pydantic
                class, `dict[str, int]`, `int | None`, a union of classes, ...

        Returns:
            An iterator, in the order in which the records were written.

        Raises:
            FileNotFoundError: the output is absent.
            CorruptOutputError: from the iterator: the output is cut, or a record is not a *record_type*.
            TypeError: the format can't be decoded into *record_type*.
            MissingExtraError: reading this format needs a package that is not installed.
        """
        ...

    def records(self, record_type: object = _UNTYPED, /) -> Iterator[object]:
        """Read the records, each decoded and validated as a *record_type*, or as plain JSON values."""
        from asflow.writers import split_suffixes
        from asflow.writers._reading import open_records
        from asflow.writers._refusals import bad_record

        form = "registered" if self._custom is not None else split_suffixes(self._suffix).format
        untyped = record_type is _UNTYPED
        wanted = (str if form == "raw" else Any) if untyped else record_type
        records = open_records(
            self._name, self._open(), wanted, suffix=self._suffix, misfit=bad_record, custom=self._custom
        )
        if not untyped or form not in ("parquet", "registered"):
            return records
        import msgspec

        return map(msgspec.to_builtins, records)

    def value(self) -> V_co:
        """Return the value that a task with `save=` has kept, as its annotated type.

        Raises:
            FileNotFoundError: the output is absent.
            CorruptOutputError: it is cut, or no longer fits the type.
            TypeError: the task keeps what it writes (`on=`): use `records`, `text` or `bytes`.
        """
        if self._saving is None:
            raise TypeError(
                f"Output.value(): {short(self._name)} holds what its task wrote (on=), not what it returned; "
                f"use records(...), text() or bytes()"
            )
        kept = self._saving.kept
        if kept.shape == "stream":
            kind: Any = Records
            return cast("V_co", create(kind, self))
        return cast("V_co", kept.read(self._name, self._open()))

    def bytes(self) -> builtins.bytes:
        """Return all of the output as bytes, decompressed.

        Raises:
            FileNotFoundError: the output is absent.
            CorruptOutputError: it is cut, or does not decompress.
        """
        with self.open() as file:
            return file.read()

    def open(self) -> BinaryIO:
        """Open the output for reading bytes, decompressed; close it when done.

        Raises:
            FileNotFoundError: the output is absent.
            CorruptOutputError: here or on reading: it is cut, or does not decompress.
        """
        from asflow.writers import open_reader

        return open_reader(self._name, self._open(), suffix=self._suffix)

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
        from asflow._ledger import parsed

        try:
            with self._store.open(self._failure) as file:
                return parsed(file.read().decode("utf-8", "replace"))[1]
        except FileNotFoundError:
            return None

    def touch(self) -> None:
        """Take the output as made now: what `refresh=` and `reads=` compare is its time.

        Raises:
            FileNotFoundError: the output is absent.
            NoTimesError: the store can't set times, as an object store.
            PermissionError: the file belongs to another user.
        """
        set_modified(self._store, self._location, None)

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


@final
class Records(Generic[T_co], metaclass=Sealed):
    """The records of one output, read from its file each time they are iterated, in constant memory.

        from collections.abc import Iterator

        @flow.task(save="rows/{day}.jsonl")
        def rows(day: str) -> Iterator[dict[str, float]]:
            yield {"celsius": 1.5}

        for row in rows("2026-01-02"):
            print(row["celsius"])

    Equal ones read the same output. They can be pickled, like the output's store.

    Threads: may be used from any; each iteration is a reader of its own.
    """

    __slots__ = ("_output",)
    _made_by = "call a task with save= whose body yields records"

    def __init__(self, output: Output[Any]) -> None:
        self._output = output

    def __iter__(self) -> Iterator[T_co]:
        """Read the records in the order of writing, each decoded and validated.

        Raises:
            FileNotFoundError: the output has been deleted.
            CorruptOutputError: from the iterator: the output is cut, or a record no longer fits its type.
        """
        return saved_records(self._output)

    @property
    def output(self) -> Output[Records[T_co]]:
        """The output that holds the records."""
        return self._output

    def __repr__(self) -> str:
        return f"<Records of {self._output.name!r}>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Records) and cast("Records[object]", other)._output == self._output

    def __hash__(self) -> int:
        return hash(self._output)


def saved_records(output: Output[Any]) -> Iterator[Any]:
    """Read the records of *output*, whose task has `save=`, as the annotated type."""
    saving = output._saving  # pyright: ignore[reportPrivateUsage] - of this module's own class
    assert saving is not None
    return saving.kept.records(output._name, output._open())  # pyright: ignore[reportPrivateUsage]


def set_modified(store: Store, location: str, seconds: float | None) -> None:
    """Set the time of the output that *store* knows as *location*; None is now.

    Raises:
        FileNotFoundError: it is absent.
        NoTimesError: *store* can't set times.
    """
    setter = getattr(store, "set_modified", None)
    if setter is None:
        raise NoTimesError(
            f"{type(store).__name__}(): can't set the time of {short(location)}, so it can't be renewed; "
            f"write it again, or keep it on the local disk"
        )
    setter(location, seconds)


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


set_homes("asflow", (Output, Records))
