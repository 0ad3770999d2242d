r"""CSV and TSV: mappings under a header, or bare rows.

A line ends in `\n`; a cell that holds the delimiter, a quote or a line break is quoted (RFC 4180 except for
the line end). None and NaN are an empty cell, a bool `true` or `false`, a number as Python prints it, a text
itself; any other value the text of its JSON form (a date in ISO 8601, a list as `[1,2]`).
"""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal, cast

from asflow.writers._columns import columns_of
from asflow.writers._encoding import (
    ENCODE_ERRORS,
    WRITE_ALL,
    as_mapping,
    is_raw,
    is_records,
    json_encoder,
    raw_bytes,
)
from asflow.writers._refusals import refuse_type, refuse_value, refused

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from asflow.protocols import ByteStream


class DelimitedWriter:
    """Writes mappings (the first one makes the header), sequences (rows) or raw text.

    A dataclass, a named tuple, an attrs or msgspec object, a pydantic model and a pandas Series count as
    mappings. Mappings and sequences don't mix, and the header comes first: no mapping after raw text. Raw
    text after the header is written as it is. A key that the header lacks is refused, a missing one is an
    empty cell. Rows may differ in length. A refused record leaves nothing behind. If the record type is
    known and declares columns, they are in the header, also of an output without records.

    Threads: one call at a time, any thread.
    """

    __slots__ = (
        "_columns", "_complete", "_declared", "_encode", "_format_row", "_kind", "_stream", "_task",
        "records",
    )  # fmt: skip

    concurrent = False

    def __init__(
        self, stream: ByteStream, *, delimiter: str = ",", task: str = "", record_type: object = None
    ) -> None:
        """Write to *stream*.

        Args:
            stream: where the bytes go.
            delimiter: comes between the cells.
            task: the task's name, for messages.
            record_type: what the records are; None if the first one makes the header.
        """
        self._stream = stream
        self._declared: tuple[str, ...] = ()
        self._complete = False  # whether a record must have every column, as an empty cell has a meaning
        if record_type is not None:
            columns = columns_of(record_type)
            self._declared = columns.names
            self._complete = columns.kind == "mapping" and not columns.names
        self._task = task
        self.records: int = 0  # rows; raw text is not counted
        self._kind: Literal["mapping", "row", "raw"] | None = None
        self._columns: dict[str, None] = {}
        self._format_row = _row_formatter(delimiter)
        self._encode = json_encoder().encode

    def write(self, record: object, /) -> None:
        """Write *record* as one line (and the header before the first mapping), or raw text unchanged.

        Raises:
            RecordTypeError: not a mapping, sequence or raw text; or a cell that has no JSON form.
            RecordValueError: a key that the header lacks, an empty record, a mapping after anything else
                or a row after a mapping, a text that is not UTF-8.
            OSError: the store can't take the bytes.
        """
        if is_raw(record):
            data = raw_bytes(record, self._task)
            self._stream.write(data)
            if data:
                self._kind = self._kind or "raw"
            return
        try:
            mapping = as_mapping(record)
        except ENCODE_ERRORS as error:
            raise refused(record, error, self._task) from error
        if mapping is not None:
            self._write_mapping(record, mapping)
        elif is_records(record):
            raise refuse_type(record, WRITE_ALL, self._task)
        elif isinstance(record, Sequence):
            row = cast("Sequence[object]", record)
            self._write_row(row, row)
        elif isinstance(cells := _tolist(record), list):
            self._write_row(record, cast("list[object]", cells))
        else:
            reason = "is not a row; write a mapping, a dataclass, a list or tuple of cells, or raw text"
            raise refuse_type(record, reason, self._task)

    def commit(self) -> None:
        """Write the declared columns if there was no record; all else is written already."""
        if self._kind is None and self._declared:
            self._stream.write(self._format_row(self._declared).encode())
            self._kind, self._columns = "mapping", dict.fromkeys(self._declared)

    def abort(self) -> None:
        """Do nothing: nothing is buffered."""

    def _write_mapping(self, record: object, mapping: Mapping[object, object]) -> None:
        texts = {self._cell(record, key): self._cell(record, value) for key, value in mapping.items()}
        if len(texts) < len(mapping):
            reason = "has two keys that would be one column, such as 1 and '1'; rename one of them"
            raise refuse_value(record, reason, self._task)
        if self._kind is None:
            columns = dict.fromkeys((*self._declared, *texts))
            if not columns:
                reason = "has no keys to make the header from; give every column in the first record"
                raise refuse_value(record, reason, self._task)
            header = self._format_row(columns)
        elif self._kind == "mapping":
            header, columns = "", self._columns
        else:
            before = "rows without a header" if self._kind == "row" else "raw text"
            reason = f"comes after {before}, too late for a header; write mappings first, or rows only"
            raise refuse_value(record, reason, self._task)
        new = [key for key in texts if key not in columns]
        if new:
            reason = f"has a key {new[0]!r} that the first record lacks; give every column in the first one"
            raise refuse_value(record, reason, self._task)
        if self._complete and len(texts) < len(columns):
            missing = next(column for column in columns if column not in texts)
            reason = f"lacks the column {missing!r}, which would come back empty; give every column in each"
            raise refuse_value(record, reason, self._task)
        row = self._format_row([texts.get(column, "") for column in columns])
        self._pass_on(record, header + row)
        self._kind, self._columns = "mapping", columns

    def _write_row(self, record: object, row: Sequence[object]) -> None:
        if self._kind == "mapping":
            reason = "is a bare row after records with a header; write it as a mapping"
            raise refuse_value(record, reason, self._task)
        if not row:
            raise refuse_value(record, "has no cells; leave it out", self._task)
        self._pass_on(record, self._format_row([self._cell(record, value) for value in row]))
        self._kind = "row"

    def _cell(self, record: object, value: object) -> str:
        try:
            return cell_text(value, self._encode)
        except ENCODE_ERRORS as error:
            raise refused(record, error, self._task) from error

    def _pass_on(self, record: object, text: str) -> None:
        try:
            data = text.encode()
        except UnicodeEncodeError as error:
            raise refused(record, error, self._task) from error
        self._stream.write(data)
        self.records += 1


def cell_text(value: object, encode: Callable[[object], bytes]) -> str:
    """Return *value* as the text of a cell; *encode* makes JSON of a value that is not plain.

    Raises:
        TypeError, ValueError: as *encode* does.
    """
    kind = type(value)
    if kind is str:
        return cast("str", value)
    if value is None:
        return ""
    if kind is bool:
        return "true" if value else "false"
    if kind is int:
        return repr(value)
    if isinstance(value, float) and not isinstance(value, enum.Enum):
        return float.__repr__(value) if value == value else ""  # numpy's float64: as the plain float
    text = encode(value).decode()
    if text.startswith('"'):
        import msgspec

        return msgspec.json.decode(text, type=str)
    return "" if text == "null" else text


def _tolist(record: object) -> object:
    method = getattr(record, "tolist", None)
    return method() if callable(method) and not isinstance(record, type) else None


class _LastRow:
    """The file that csv.writer writes to; keeps only the last row."""

    def __init__(self) -> None:
        self.text = ""

    def write(self, text: str, /) -> int:
        self.text = text
        return len(text)


def _row_formatter(delimiter: str) -> Callable[[Collection[str]], str]:
    import csv

    last = _LastRow()
    # "\r\n", because before 3.13 Python quotes a lone "\r" only if the line end contains it; unquoted, it
    # is read as a line end.
    write_row = csv.writer(last, delimiter=delimiter, lineterminator="\r\n").writerow
    write_quoted = csv.writer(
        last, delimiter=delimiter, lineterminator="\r\n", quoting=csv.QUOTE_ALL
    ).writerow

    def format_row(cells: Collection[str]) -> str:
        write_row(cells)
        if last.text.startswith("\ufeff"):  # at the beginning of a file it would be a byte order mark
            write_quoted(cells)
        return last.text[:-2] + "\n"

    return format_row
