"""Parquet, through pyarrow: records, or tables of any library that speaks Arrow's C interface."""

from __future__ import annotations

import datetime
import decimal
from typing import TYPE_CHECKING, Any, BinaryIO, TypeVar, cast

from asflow.writers._arrow import (
    check_times,
    import_pyarrow,
    open_parquet,
    plain_type,
    widened,
    with_all_digits,
)
from asflow.writers._decoding import columns_of, decode_errors, value_converter
from asflow.writers._encoding import ENCODE_ERRORS, as_mapping, encode_unknown, is_raw
from asflow.writers._refusals import bad_record, corrupt, raise_again, refuse_type, refuse_value, refused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from asflow.protocols import ByteStream
    from asflow.writers._decoding import Columns

T = TypeVar("T")

_GROUP_ROWS = 131072
_GROUP_BYTES = 16 << 20  # of Arrow data in memory; about the most that a row group holds
_BATCH_ROWS = 1024
_BATCH_BYTES = 1 << 20  # of text and bytes in records that wait to become columns
_KEPT = (
    bytes,
    bytearray,
    datetime.datetime,
    datetime.date,
    datetime.time,
    datetime.timedelta,
    decimal.Decimal,
)


class ParquetWriter:
    """Writes records (rows) and Arrow tables as row groups, compressed with zstd by Parquet itself.

    A record is a mapping or has named fields, as for CSV. The schema of the first table, or the one that
    Arrow infers from the first 1,024 records, holds for the whole output: a later column is refused, a
    missing one is null, a later table with the same columns is cast if that loses nothing. Dates and
    datetimes don't mix in a column, nor datetimes with and without a zone, and a time has no zone. Without
    any record the output is a file without columns.

    Memory: one row group, about 16 MiB or 131,072 rows.

    Threads: one call at a time, any thread.
    """

    __slots__ = (
        "_bytes",
        "_failure",
        "_groups",
        "_held_bytes",
        "_held_rows",
        "_pending",
        "_rows",
        "_schema",
        "_sink",
        "_task",
    )

    concurrent = False

    def __init__(self, stream: ByteStream, *, task: str = "") -> None:
        """Write to *stream*; *task* is the task's name, for messages.

        Raises:
            MissingExtraError: pyarrow is not installed.
        """
        import_pyarrow()
        self._sink = _Sink(stream)
        self._task = task
        self._rows: list[dict[str, object]] = []
        self._pending: list[Any] = []  # Arrow tables that wait for a full row group
        self._bytes = 0  # of text and bytes in the rows
        self._held_rows = self._held_bytes = 0  # in the pending tables
        self._schema: Any = None
        self._groups: Any = None  # the pyarrow.parquet.ParquetWriter, once there is a schema
        self._failure: BaseException | None = None

    def write(self, record: object, /) -> None:
        """Write one record, or all rows of an object with `__arrow_c_stream__` or `__arrow_c_array__`.

        Raises:
            RecordTypeError: raw text or bytes, not a record, or a value that Arrow has no type for.
            RecordValueError: a column that the first records lack, or values that don't fit its type;
                found when up to 1,024 records become columns, so a later `write` or `commit` may raise it.
            OSError: the store can't take the bytes.
        """
        if self._failure is not None:
            raise_again(self._failure, self._task)
        if is_raw(record):
            reason = "is raw, and Parquet holds records or tables only; write a mapping or a dataclass"
            raise refuse_type(record, reason, self._task)
        if not isinstance(record, type) and hasattr(record, "__arrow_c_stream__"):
            self._guarded(record, lambda: self._add_stream(record))
        elif not isinstance(record, type) and hasattr(record, "__arrow_c_array__"):
            self._guarded(record, lambda: self._add_array(record))
        else:
            self._add_row(record)

    def commit(self) -> None:
        """Write the gathered rows and the file's footer. Raises as `write` does."""
        if self._failure is not None:
            raise_again(self._failure, self._task)
        self._guarded(self._rows[-1] if self._rows else self._schema, self._finish)

    def abort(self) -> None:
        """Drop the gathered rows, and what pyarrow would still write."""
        self._sink.discarding = True  # pyarrow writes a footer when its writer is dropped
        self._rows.clear()
        self._pending.clear()
        self._groups = None

    def _guarded(self, record: object, act: Callable[[], None]) -> None:
        # A row group that fails loses other records too: the output can't be committed any more.
        try:
            act()
        except import_pyarrow().ArrowException as error:
            reason = f"can't be stored as Parquet: {error}; convert it to another type first"
            self._failure = refuse_type(record, reason, self._task)
            raise self._failure from error
        except BaseException as error:
            self._failure = error
            raise

    def _add_row(self, record: object) -> None:
        import msgspec

        mapping = as_mapping(record)
        if mapping is None:
            reason = "is not a row; write a mapping, a dataclass or a table with __arrow_c_stream__"
            raise refuse_type(record, reason, self._task)
        try:
            row: dict[str, object] = msgspec.to_builtins(
                mapping if isinstance(mapping, dict) else dict(mapping),
                builtin_types=_KEPT,
                str_keys=True,
                enc_hook=encode_unknown,
            )
        except ENCODE_ERRORS as error:
            raise refused(record, error, self._task) from error
        if not row:
            reason = "has no columns, and Parquet can't hold a row without one; leave it out"
            raise refuse_value(record, reason, self._task)
        if len(row) < len(mapping):
            reason = "has two keys that would be one column, such as 1 and '1'; rename one of them"
            raise refuse_value(record, reason, self._task)
        self._rows.append(row)
        self._bytes += sum(len(value) for value in row.values() if isinstance(value, (str, bytes)))
        if len(self._rows) >= _BATCH_ROWS or self._bytes >= _BATCH_BYTES:
            self._guarded(record, self._gather_rows)

    def _gather_rows(self) -> None:
        """Turn the gathered records into a table."""
        if not self._rows:
            return
        rows, self._rows, self._bytes = self._rows, [], 0
        names = dict.fromkeys(name for row in rows for name in row)
        columns = {name: self._column(name, rows) for name in names}
        if self._schema is None:
            columns = {name: with_all_digits(column) for name, column in columns.items()}
        self._add_table(import_pyarrow().table(columns))

    def _column(self, name: str, rows: list[dict[str, object]]) -> Any:
        """Make one column of records, of the type that the output has for it, or refuse one of them."""
        if self._schema is not None and name not in self._schema.names:
            row = next(row for row in rows if name in row)
            raise self._new_column(row, name)
        pyarrow = import_pyarrow()
        values = [row.get(name) for row in rows]
        try:
            column = pyarrow.array(values)
            check_times(column.type, values)
        except (pyarrow.ArrowException, OverflowError, ValueError) as error:
            reason = f"starts a batch whose column {name!r} mixes types: {error}; write values of one type"
            raise refuse_value(rows[0], reason, self._task) from error
        if self._schema is None:
            return column
        kind = self._schema.field(name).type
        try:
            return widened(column, kind)
        except (pyarrow.ArrowException, ValueError) as error:
            row = next((row for row in rows if not _fits(row.get(name), kind)), rows[0])
            raise self._misfit(row, name, error) from error

    def _new_column(self, record: object, name: str) -> Exception:
        reason = f"has a column {name!r} that the first records lack; give every column in the first ones"
        return refuse_value(record, reason, self._task)

    def _misfit(self, record: object, name: str, error: Exception) -> Exception:
        kind = self._schema.field(name).type
        reason = (
            f"does not fit column {name!r}, made {kind} by the first records: {error}; "
            "write a table with the schema first, or values of one type"
        )
        return refuse_value(record, reason, self._task)

    def _add_stream(self, record: Any) -> None:
        self._gather_rows()
        pyarrow = import_pyarrow()
        with pyarrow.RecordBatchReader.from_stream(record) as reader:
            self._add_table(reader.schema.empty_table())
            for batch in reader:
                self._add_table(pyarrow.Table.from_batches([batch]))

    def _add_array(self, record: Any) -> None:
        self._gather_rows()
        pyarrow = import_pyarrow()
        self._add_table(pyarrow.Table.from_batches([pyarrow.record_batch(record)]))

    def _add_table(self, table: Any) -> None:
        pyarrow = import_pyarrow()
        plain = pyarrow.schema([field.with_type(plain_type(field.type)) for field in table.schema])
        if self._schema is None:
            self._open(plain.with_metadata(table.schema.metadata))
        for start in range(0, table.num_rows, _GROUP_ROWS):
            self._add_part(table.slice(start, _GROUP_ROWS).cast(plain))

    def _add_part(self, table: Any) -> None:
        if table.schema != self._schema:
            table = self._fit(table)
        self._pending.append(table)
        self._held_rows += table.num_rows
        self._held_bytes += table.nbytes
        if self._held_rows >= _GROUP_ROWS or self._held_bytes >= _GROUP_BYTES:
            self._write_group()

    def _fit(self, table: Any) -> Any:
        """Return *table* with the schema of the output, or refuse it."""
        pyarrow = import_pyarrow()
        if new := [name for name in table.schema.names if name not in self._schema.names]:
            raise self._new_column(table, new[0])
        columns: list[Any] = []
        for field in self._schema:
            if field.name not in table.schema.names:
                columns.append(pyarrow.nulls(table.num_rows, field.type))
                continue
            column = table.column(field.name)
            try:
                columns.append(widened(column, field.type))
            except (pyarrow.ArrowException, ValueError) as error:
                raise self._misfit(table, field.name, error) from error
        return pyarrow.Table.from_arrays(columns, schema=self._schema)

    def _open(self, schema: Any) -> None:
        parquet = import_pyarrow("pyarrow.parquet")
        self._schema = schema
        self._groups = parquet.ParquetWriter(self._sink, schema, compression="zstd")

    def _write_group(self) -> None:
        if self._pending:
            table = import_pyarrow().concat_tables(self._pending)
            self._pending = []
            self._held_rows = self._held_bytes = 0
            if table.num_rows:
                self._groups.write_table(table, row_group_size=_GROUP_ROWS)

    def _finish(self) -> None:
        self._gather_rows()
        if self._schema is None:
            self._open(import_pyarrow().schema([]))
        self._write_group()
        self._groups.close()


def _fits(value: object, kind: Any) -> bool:
    pyarrow = import_pyarrow()
    try:
        widened(pyarrow.array([value]), kind)
    except (pyarrow.ArrowException, ValueError):
        return False
    return True


def read_parquet(name: str, raw: BinaryIO, record_type: type[T]) -> Iterator[T]:
    """Return an iterator over the rows as records. *raw* is closed by the caller.

    Raises:
        MissingExtraError: pyarrow is not installed.
        CorruptOutputError: from the iterator: not a whole Parquet file, or a row that does not fit the type.
    """
    import_pyarrow("pyarrow.parquet")
    convert = value_converter(record_type, strict=True)
    columns = columns_of(record_type)

    def rows() -> Iterator[T]:
        for number, row in enumerate(_plain_rows(name, raw), 1):
            try:
                record = convert(_arranged(row, columns))
            except decode_errors() as error:
                raise bad_record(name, number, error) from error
            yield record

    return rows()


def _arranged(row: dict[str, object], columns: Columns) -> object:
    values = {
        key: value for key, value in row.items() if value is not None or not columns.column(key).drops_none()
    }
    return columns.arrange(values)


def _plain_rows(name: str, raw: BinaryIO) -> Iterator[dict[str, object]]:
    import io

    # The footer is at the end: a stream that can't seek (an object store's) is read into memory.
    source: Any = raw if raw.seekable() else io.BytesIO(raw.read())
    with open_parquet(name, source) as file:
        for batch in file.iter_batches(batch_size=_BATCH_ROWS):
            yield from _rows_of(name, batch)


def _rows_of(name: str, batch: Any) -> list[dict[str, object]]:
    try:
        return cast("list[dict[str, object]]", batch.to_pylist(maps_as_pydicts="strict"))
    except TypeError:  # an older pyarrow, or a key that can't be one in a dict: maps are lists of pairs
        return cast("list[dict[str, object]]", batch.to_pylist())
    except KeyError as error:
        raise corrupt(name, f"a map has a key twice ({error})") from error


class _Sink:
    """The file that pyarrow writes to."""

    closed = False

    def __init__(self, stream: ByteStream) -> None:
        self._stream = stream
        self._position = 0
        self.discarding = False

    def write(self, data: bytes) -> int:
        if not self.discarding:
            self._stream.write(data)
        self._position += len(data)
        return len(data)

    def tell(self) -> int:
        return self._position

    def flush(self) -> None:
        pass

    def close(self) -> None:
        pass
