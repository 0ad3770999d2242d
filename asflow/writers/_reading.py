"""Reads outputs back: as text, or as records of a type that the user names."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any, BinaryIO, Generic, TypeVar, cast, overload

from asflow._labels import short
from asflow.writers._bounds import BoundedRows, read_document, record_limit, too_long
from asflow.writers._columns import bare, columns_of, unaliased
from asflow.writers._compression import CHUNK, open_reader
from asflow.writers._decoding import decode_errors, json_decoder, value_converter
from asflow.writers._refusals import bad_record, corrupt
from asflow.writers._suffixes import split_suffixes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from typing_extensions import TypeForm

    from asflow.writers._columns import Columns
    from asflow.writers._format import Format
    from asflow.writers._refusals import Misfit

T = TypeVar("T")

_BOM = b"\xef\xbb\xbf"


def read_text(name: str, raw: BinaryIO, *, suffix: str | None = None) -> str:
    """Return all of an output as text, decompressed, and close *raw*.

    Args:
        name: the output's name, for messages.
        raw: the stored bytes.
        suffix: the suffixes that name the compression, if *name* does not end in them.

    Raises:
        TypeError: the output is a Parquet file, which has no text.
        CorruptOutputError: the output is cut, does not decompress or is not UTF-8.
    """
    with open_reader(name, raw, suffix=suffix) as reader:
        data = reader.read()
    form = split_suffixes(name if suffix is None else suffix).format
    if form == "parquet" and data.startswith(b"PAR1"):  # else the user's own writer may have written text
        raise TypeError(f"output {name!r}: Parquet has no text; use records()")
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise corrupt(name, f"not UTF-8 text ({error})") from error


class RecordReader(Generic[T]):
    """An iterator over the records of an output, which it closes at the end, on `close` and when dropped.

    Threads: one at a time.
    """

    __slots__ = ("_raw", "_records")

    def __init__(self, records: Iterator[T], raw: BinaryIO) -> None:
        """Iterate over *records*, which are read from *raw*."""
        self._records = records
        self._raw = raw

    def __repr__(self) -> str:
        return f"<RecordReader, {'closed' if self._raw.closed else 'open'}>"

    def __iter__(self) -> RecordReader[T]:
        """Return itself: an output is read once."""
        return self

    def __next__(self) -> T:
        """Return the next record.

        Raises:
            CorruptOutputError: the output is cut, or the record does not fit the type.
        """
        try:
            return next(self._records)
        except BaseException:
            self._raw.close()
            raise

    def close(self) -> None:
        """Close the output, if it is not read to the end."""
        self._raw.close()

    def __enter__(self) -> RecordReader[T]:
        """Return itself, to be closed at the end of the block."""
        return self

    def __exit__(self, *exc_info: object) -> None:
        """Close the output."""
        self._raw.close()

    def __del__(self) -> None:
        self._raw.close()


@overload
def read_records(name: str, raw: BinaryIO, *, suffix: str | None = None) -> RecordReader[Any]: ...
@overload
def read_records(
    name: str, raw: BinaryIO, record_type: TypeForm[T], *, suffix: str | None = None
) -> RecordReader[T]: ...
def read_records(
    name: str, raw: BinaryIO, record_type: Any = Any, *, suffix: str | None = None
) -> RecordReader[Any]:
    r"""Read, decode and validate the records of an output, one at a time, in constant memory.

    JSON Lines: one record per line; blank lines don't count. JSON: the items if the document is a list,
    else the document as the only record; an empty output holds none (the document is held in memory).
    CSV and TSV: one record per row, by the names in the first row, cells converted from their text; for
    list and tuple types every row is a record and there is no header. An empty cell is None if the type
    allows that, else an empty text, else the field's default; a cell of a field that has only lists or
    mappings is JSON. Parquet: one record per row, by the names of the columns; a null is the field's
    default if the type has no None. A registered `Format`: what its reader returns. Any other suffix: the
    lines, without their `\n`, for str and bytes.
    A byte order mark at the beginning of JSON, JSON Lines, CSV or TSV is passed over.

    Args:
        name: the output's name, for messages.
        raw: the stored bytes; closed at the end.
        record_type: what a record is: TypedDict, dataclass, NamedTuple, attrs, msgspec, pydantic, dict, a
            union, Literal or Annotated of these. Left out: plain values, as JSON, the cells or the columns
            have them.
        suffix: the suffixes that name format and compression, if *name* does not end in them.

    Returns:
        An iterator that can be closed.

    Raises:
        TypeError: *record_type* can't be decoded from this format.
        CorruptOutputError: from the iterator: the output is cut, or a record does not fit the type.
        RecordLimitError: from the iterator: a line, row or document is longer than 1 GiB, or than the number
            of bytes in the environment variable `ASFLOW_RECORD_LIMIT`.
        MissingExtraError: reading this format needs a package that is not installed.
    """
    return open_records(name, raw, record_type, suffix=suffix, misfit=bad_record)


def open_records(
    name: str,
    raw: BinaryIO,
    record_type: Any,
    *,
    suffix: str | None,
    misfit: Misfit,
    custom: Format[Any] | None = None,
) -> RecordReader[Any]:
    """Read records as `read_records` does, with *misfit* for one that does not fit its type.

    *custom* is the format, if it is not the one that the suffix names.
    """
    form = "registered" if custom is not None else split_suffixes(name if suffix is None else suffix).format
    record_type = unaliased(record_type)
    try:
        reader = open_reader(name, raw, suffix=suffix)
        match form:
            case "json lines":
                records = _json_lines(name, reader, json_decoder(record_type), misfit)
            case "json":
                records = _json_document(name, reader, json_decoder(record_type), misfit)
            case "csv" | "tsv":
                delimiter = "," if form == "csv" else "\t"
                records = _delimited(name, reader, record_type, delimiter, misfit)
            case "parquet":
                from asflow.writers._parquet import read_parquet

                footed = reader
                # Compressed by a user's own writer: the footer is at the end.
                if split_suffixes(name if suffix is None else suffix).compression != "none":
                    footed = io.BytesIO(read_document(name, reader))
                records = read_parquet(name, footed, record_type, misfit)
            case "registered":
                from asflow.writers._custom import read_custom

                records = read_custom(name, reader, record_type, custom or suffix or name, misfit)
            case "raw":
                records = _raw_lines(name, reader, record_type)
    except BaseException:
        raw.close()
        raise
    return RecordReader(records, reader)


def _lines(name: str, reader: BinaryIO) -> Iterator[bytes]:
    """Yield the lines without their line feed; the last one may lack it."""
    limit = record_limit()
    parts: list[bytes] = []  # of a line that is longer than a chunk
    held = 0
    while chunk := reader.read(CHUNK):
        first, *rest = chunk.split(b"\n")
        parts.append(first)
        held += len(first)
        if held > limit:
            raise too_long(name, "one of its lines", limit)
        if rest:
            yield b"".join(parts)
            if limit < CHUNK and max(map(len, rest)) > limit:
                raise too_long(name, "one of its lines", limit)
            yield from rest[:-1]
            parts = [rest[-1]]
            held = len(rest[-1])
    if last := b"".join(parts):
        yield last


def without_bom(data: bytes) -> bytes:
    """Return *data* without the byte order mark that Excel and many APIs put before UTF-8."""
    return data[len(_BOM) :] if data.startswith(_BOM) else data


def _json_lines(name: str, reader: BinaryIO, decode: Callable[[bytes], T], misfit: Misfit) -> Iterator[T]:
    number = 0
    for line in _lines(name, reader):
        if not number:
            line = without_bom(line)
        if line and not line.isspace():
            number += 1
            try:
                record = decode(line)
            except decode_errors() as error:
                raise misfit(name, number, error) from error
            yield record


def _json_document(name: str, reader: BinaryIO, decode: Callable[[bytes], T], misfit: Misfit) -> Iterator[T]:
    import msgspec

    document = without_bom(read_document(name, reader)).strip()
    if not document:
        return
    parts = [document]
    if document.startswith(b"["):
        try:
            parts = [bytes(item) for item in msgspec.json.decode(document, type=list[msgspec.Raw])]
        except decode_errors() as error:
            raise corrupt(name, f"not a JSON document ({error})") from error
    del document
    for number, part in enumerate(parts, 1):
        try:
            record = decode(part)
        except decode_errors() as error:
            raise misfit(name, number, error) from error
        yield record


def _delimited(
    name: str, reader: BinaryIO, record_type: TypeForm[T], delimiter: str, misfit: Misfit
) -> Iterator[T]:
    columns = columns_of(record_type)
    rows = _rows(name, reader, delimiter)
    convert = value_converter(record_type, strict=False)
    return _convert_rows(name, rows, convert, columns, misfit)


def _rows(name: str, reader: BinaryIO, delimiter: str) -> Iterator[list[str]]:
    import csv

    # A limit of the whole process, against unclosed quotes; our own long cells must pass it.
    csv.field_size_limit(max(csv.field_size_limit(), 2**31 - 1))
    bounded = BoundedRows(name, reader)
    text = io.TextIOWrapper(cast("BinaryIO", bounded), "utf-8-sig", newline="")
    try:
        for row in csv.reader(text, delimiter=delimiter, strict=True):
            bounded.held = 0
            if row:
                yield row
    except (csv.Error, UnicodeDecodeError) as error:
        raise corrupt(name, f"does not read as CSV ({error})") from error
    finally:
        text.close()  # else it would warn of an unclosed file


def _convert_rows(
    name: str,
    rows: Iterator[list[str]],
    convert: Callable[[object], T],
    columns: Columns,
    misfit: Misfit,
) -> Iterator[T]:
    header: list[str] | None = None
    number = 0
    for row in rows:
        if header is None and columns.kind != "row":
            header = row
            continue
        number += 1
        try:
            record = convert(row if header is None else named_cells(header, row, columns))
        except decode_errors() as error:
            raise misfit(name, number, error) from error
        yield record


def named_cells(header: list[str], row: list[str], columns: Columns) -> object:
    """Return the cells of *row* by the names of *header*, in the form that a record is made from.

    Raises:
        ValueError: too few cells, or too many.
    """
    if len(row) != len(header):
        raise ValueError(f"the row has {len(row)} cells and the header {len(header)}")
    values: dict[str, object] = {}
    for key, cell in zip(header, row, strict=True):
        column = columns.column(key)
        if cell:
            values[key] = column.value_of(cell)
            continue
        left_out, value = column.drop_or_fill()
        if not left_out:
            values[key] = value
    return columns.arrange(values)


def _raw_lines(name: str, reader: BinaryIO, record_type: object) -> Iterator[Any]:
    kind = bare(record_type)
    if kind is bytes:
        return _lines(name, reader)
    if kind not in (str, Any, object):
        raise TypeError(
            f"output {name!r}: its suffix names no format, so its records are lines, not "
            f"{short(record_type)}; read them as str or bytes"
        )
    return _text_lines(name, reader)


def _text_lines(name: str, reader: BinaryIO) -> Iterator[str]:
    for number, line in enumerate(_lines(name, reader), 1):
        try:
            text = line.decode()
        except UnicodeDecodeError as error:
            raise bad_record(name, number, error) from error
        yield text
