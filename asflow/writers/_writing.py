"""Opening a writer: the format in front, the compression behind."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from asflow.errors import DefinitionTypeError, OutputClosedError
from asflow.writers._compression import OutputStream
from asflow.writers._suffixes import check_suffix

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Never

    from asflow.protocols import ByteStream, Writer
    from asflow.writers._suffixes import Format

__all__ = ["OutputWriter", "open_format", "open_writer"]


class OutputWriter:
    """A `Writer` of records in one format, compressed as the output's suffix asks.

    Attributes:
        concurrent: True where `write` may be called from several threads at the same time.
    """

    def __init__(self, form: Writer[object], stream: OutputStream, *, own: bool, task: str = "") -> None:
        """Join the writer *form* and its *stream*; *own*: it is one of asflow's formats."""
        self._format = form
        self._stream = stream
        self._task = task
        self._closed = False
        self.concurrent: bool = bool(getattr(form, "concurrent", False))
        if own:
            # asflow's formats refuse writes after the end themselves: keeping their method saves a call.
            self.write = form.write  # type: ignore[method-assign]

    def commit(self) -> None:
        """Flush the format and finish the compression: the bytes are whole. The sink stays open.

        Raises:
            OutputClosedError: the output has ended already.
            OSError: the store can't take the bytes, now or in an earlier write.
        """
        if self._closed:
            raise self._closed_error()
        self._closed = True
        self._format.commit()
        self._stream.finish()

    def abort(self) -> None:
        """Let go of all buffers. Writes nothing; raises only what a user's own writer raises."""
        self._closed = True
        try:
            self._format.abort()
        finally:
            self._stream.abort()

    def write(self, record: object, /) -> object:
        """Take one record. Raises what the format raises, and OutputClosedError after the end."""
        if self._closed:
            raise self._closed_error()
        return self._format.write(record)

    def _closed_error(self) -> OutputClosedError:
        where = f"task {self._task}: " if self._task else ""
        return OutputClosedError(f"{where}the output is closed, its task has ended; nothing was written.")


def open_writer(
    name: str,
    stream: ByteStream,
    *,
    level: int | None = None,
    task: str = "",
    factory: Callable[[ByteStream], Writer[Never]] | None = None,
) -> OutputWriter:
    """Open a writer for the output *name*.

    Args:
        name: the output's name, or just the literal suffixes of its pattern (`.jsonl.zst`), which is
            safer where an argument's value may hold a dot.
        stream: where the bytes go; it is left open at the end.
        level: the compression level, as `check_suffix` takes it; None for the default.
        task: the task's name, for messages.
        factory: makes the format, in place of the one that the suffix names; compression stays by suffix.

    Returns:
        A writer whose `commit` leaves *stream* with a whole file. An output without a record is whole
        too: an empty frame or gzip member, never zero bytes where it is compressed.

    Raises:
        DefinitionTypeError: what *factory* returned is no Writer; or as `check_suffix`.
        DefinitionValueError, MissingExtraError: as `check_suffix`.
    """
    suffixes = check_suffix(name, level, custom=factory is not None)
    compressed = OutputStream(stream, suffixes.compression, level, task=task)
    if factory is None:
        return OutputWriter(
            open_format(suffixes.format, compressed, task=task), compressed, own=True, task=task
        )
    # A record that the user's own writer does not take is between the body and that writer.
    form = cast("Writer[object]", _checked(factory(compressed), task))
    return OutputWriter(form, compressed, own=False, task=task)


def _checked(form: object, task: str) -> object:
    """Return *form*, or refuse what lacks a method of a `Writer` before a record is written."""
    for method in ("write", "commit", "abort"):
        if not callable(getattr(form, method, None)):
            from asflow._labels import short
            from asflow.writers._encoding import type_name

            where = f"task {task}: " if task else ""
            raise DefinitionTypeError(
                f"{where}writer= returned {short(form)} of type {type_name(form)}, which has no method "
                f"{method!r}. Return a Writer: write(record), commit() and abort()."
            )
    return form


def open_format(form: Format, stream: ByteStream, *, task: str = "") -> Writer[object]:
    """Open asflow's own writer of *form* on *stream*. Each format is imported when first opened."""
    match form:
        case "json lines":
            from asflow.writers._json_lines import JsonLinesWriter

            return JsonLinesWriter(stream, task=task)
        case "json":
            from asflow.writers._json_document import JsonDocumentWriter

            return JsonDocumentWriter(stream, task=task)
        case "csv" | "tsv":
            from asflow.writers._delimited import DelimitedWriter

            return DelimitedWriter(stream, delimiter="," if form == "csv" else "\t", task=task)
        case "parquet":
            from asflow.writers._parquet import ParquetWriter

            return ParquetWriter(stream, task=task)
        case "raw":
            from asflow.writers._raw import RawWriter

            return RawWriter(stream, task=task)
