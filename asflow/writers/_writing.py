"""Opening a writer: the format in front, the compression behind."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, NoReturn, cast

from asflow._checks import closed_error
from asflow._labels import short
from asflow.errors import DefinitionTypeError
from asflow.writers._compression import OutputStream
from asflow.writers._format import METHODS, refuse_async
from asflow.writers._refusals import subject_of, type_name
from asflow.writers._suffixes import check_suffix

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Never

    from asflow.protocols import ByteStream, Writer
    from asflow.writers._suffixes import Compression, FormatName


class OutputWriter:
    """A `Writer` of records in one format, compressed as the output's suffix asks.

    Attributes:
        concurrent: True if `write` may be called from several threads at the same time.
        write: takes one record and raises what the format raises; OutputClosedError after the end.
    """

    def __init__(self, form: Writer[object], stream: OutputStream, *, task: str = "") -> None:
        """Join the writer *form* and its *stream*; *task* is the task's name, for messages."""
        self._format = form
        self._stream = stream
        self._task = task
        # Whether `commit` is asflow's own, and has at most a buffer of bytes to encode.
        self._asflow_light = False
        self.concurrent: bool = bool(getattr(form, "concurrent", False))
        # The format's own method, which saves a call for each record; replaced at the end. A thread that
        # is already past this is refused by a lock (see `_runtime`), by JSON Lines, or by the stream.
        self.write: Callable[[object], int | None] = form.write

    def __repr__(self) -> str:
        return f"<OutputWriter of {type(self._format).__name__}>"

    @property
    def records(self) -> int | None:
        """The records written so far, if the format counts them."""
        counted: object = getattr(self._format, "records", None)
        return counted if isinstance(counted, int) else None

    def commit(self) -> None:
        """Flush the format and finish the compression: the bytes are whole. The sink stays open.

        Raises:
            OutputClosedError: the output has ended already.
            OSError: the store can't take the bytes, now or in an earlier write.
        """
        self._stream.check_open()
        self.write = partial(_refuse, self._task)
        self._format.commit()
        self._stream.finish()

    def abort(self) -> None:
        """Drop all buffers. Writes nothing; raises only what a user's own writer raises."""
        self.write = partial(_refuse, self._task)
        try:
            self._format.abort()
        finally:
            self._stream.abort()


def _refuse(task: str, record: object, /) -> NoReturn:
    raise closed_error(subject_of(task))


def open_writer(
    name: str,
    stream: ByteStream,
    *,
    level: int | None = None,
    task: str = "",
    factory: Callable[[ByteStream], Writer[Never]] | None = None,
    record_type: object = None,
) -> OutputWriter:
    """Open a writer for the output *name*.

    Args:
        name: the output's name, or just the literal suffixes of its pattern (`.jsonl.zst`), which is
            safer if an argument's value may hold a dot.
        stream: where the bytes go; it is left open at the end.
        level: the compression level, as `check_suffix` takes it; None for the default.
        task: the task's name, for messages.
        factory: makes the format, instead of the one that the suffix names; compression stays by suffix.
        record_type: what the records are, for formats with columns: they are the same in every output, and
            in one without records. None: the records themselves say it.

    Returns:
        A writer whose `commit` leaves *stream* with a whole file. An output without a record is whole
        too (but for JSON, which refuses it): if it is compressed, an empty frame or gzip member, never
        zero bytes.

    Raises:
        DefinitionTypeError: what *factory* returned is not a Writer; or as `check_suffix`.
        DefinitionValueError, MissingExtraError: as `check_suffix`.
    """
    return Opener(name, level=level, task=task, factory=factory)(stream, record_type=record_type)


class Opener:
    """`open_writer` for the outputs of one task: what their suffixes ask for is looked up once.

    Picklable if its *factory* is. May be used from any thread. See `open_writer` for the arguments.
    """

    __slots__ = ("_compression", "_factory", "_level", "_light", "_make", "_name", "_task")

    def __init__(
        self,
        name: str,
        *,
        level: int | None = None,
        task: str = "",
        factory: Callable[[ByteStream], Writer[Never]] | None = None,
    ) -> None:
        self._name = name
        self._level = level
        self._task = task
        self._factory = factory
        self._compression: Compression = "none"
        self._light = False
        self._make: Callable[[ByteStream, object], Writer[object]] | None = None  # at the first call

    def __reduce__(self) -> tuple[Callable[..., Opener], tuple[object, ...]]:
        return _opener, (self._name, self._level, self._task, self._factory)

    def __call__(self, stream: ByteStream, *, record_type: object = None) -> OutputWriter:
        """Open a writer on *stream*. Raises as `open_writer` does."""
        make = self._make or self._prepare()
        compressed = OutputStream(stream, self._compression, self._level, task=self._task)
        writer = OutputWriter(make(compressed, record_type), compressed, task=self._task)
        writer._asflow_light = self._light  # pyright: ignore[reportPrivateUsage]
        return writer

    def _prepare(self) -> Callable[[ByteStream, object], Writer[object]]:
        factory, task = self._factory, self._task
        suffixes = check_suffix(self._name, self._level, custom=factory is not None, subject=subject_of(task))
        self._compression = suffixes.compression
        if factory is None and suffixes.format == "registered":
            from asflow.writers._registry import format_of

            factory = format_of(self._name, subject_of(task))
        self._light = factory is None and suffixes.format != "parquet"
        self._make = _maker(suffixes.format, task) if factory is None else partial(_made_by, factory, task)
        return self._make


def _opener(
    name: str, level: int | None, task: str, factory: Callable[[ByteStream], Writer[Never]] | None
) -> Opener:
    return Opener(name, level=level, task=task, factory=factory)


def _made_by(
    factory: Callable[[ByteStream], Writer[Never]], task: str, stream: ByteStream, _record_type: object
) -> Writer[object]:
    # A record that the user's own writer does not take is between the body and that writer.
    return cast("Writer[object]", _checked(factory(stream), task))


def _checked(form: object, task: str) -> object:
    """Return *form*, or refuse it before a record is written if a method of a `Writer` lacks or is async."""
    refuse_async(form, type(form).__qualname__, subject_of(task))
    for method in METHODS:
        if not callable(getattr(form, method, None)):
            raise DefinitionTypeError(
                f"{subject_of(task)}: writer must return a Writer, not {short(form)} of type "
                f"{type_name(form)}, which has no method {method!r}; give it write(record), commit() and "
                "abort()"
            )
    return form


def open_format(
    form: FormatName, stream: ByteStream, *, task: str = "", record_type: object = None
) -> Writer[object]:
    """Open asflow's own writer of *form* on *stream*. Each format is imported when first opened.

    Args:
        form: the name of the format, as in `FORMATS`, or "raw".
        stream: where the bytes go.
        task: the task's name, for messages.
        record_type: as `open_writer` takes it.
    """
    return _maker(form, task)(stream, record_type)


def _maker(form: FormatName, task: str) -> Callable[[ByteStream, object], Writer[object]]:
    """Return what opens a writer of *form* on a stream, for records of a type. Imports only that format."""
    match form:
        case "json lines":
            from asflow.writers._json_lines import JsonLinesWriter

            return lambda stream, _: JsonLinesWriter(stream, task=task)
        case "json":
            from asflow.writers._json_document import JsonDocumentWriter

            return lambda stream, _: JsonDocumentWriter(stream, task=task)
        case "csv" | "tsv":
            from asflow.writers._delimited import DelimitedWriter

            delimiter = "," if form == "csv" else "\t"
            return lambda stream, kind: DelimitedWriter(
                stream, delimiter=delimiter, task=task, record_type=kind
            )
        case "parquet":
            from asflow.writers._parquet import ParquetWriter

            return lambda stream, kind: ParquetWriter(stream, task=task, record_type=kind)
        case _:
            from asflow.writers._raw import RawWriter

            return lambda stream, _: RawWriter(stream, task=task)
