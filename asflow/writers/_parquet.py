"""Parquet, through pyarrow: records, or tables of any library that speaks Arrow's C interface."""

from __future__ import annotations

import datetime
import decimal
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from asflow.errors import RecordTypeError
from asflow.writers._arrow import (
    check_times,
    import_pyarrow,
    open_parquet,
    plain_type,
    widened,
    with_all_digits,
)
from asflow.writers._columns import columns_of
from asflow.writers._decoding import decode_errors, value_converter
from asflow.writers._encoding import (
    ENCODE_ERRORS,
    WRITE_ALL,
    as_mapping,
    encode_unknown,
    is_labelled,
    is_raw,
    is_records,
)
from asflow.writers._refusals import corrupt, raise_again, refuse_type, refuse_value, refused
from asflow.writers._schema import cleaner_of, settled, types_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from asflow.protocols import ByteStream
    from asflow.writers._refusals import Misfit

_GROUP_ROWS = 131072
_GROUP_BYTES = 16 << 20  # of Arrow data in memory; about the most that a row group holds
_BATCH_ROWS = 1024
_BATCH_BYTES = 1 << 20  # of text and bytes in records that wait to become columns
KEPT_TYPES = (
    bytes,
    bytearray,
    datetime.datetime,
    datetime.date,
    datetime.time,
    datetime.timedelta,
    decimal.Decimal,
)
"""What Arrow has types for, beside the plain values of JSON."""


class ParquetWriter:
    """Writes records (rows) and Arrow tables as row groups, compressed with zstd by Parquet itself.

    A record is a mapping or has named fields, as for CSV. The schema of the first table holds for the whole
    output, or that of the first 1,024 records: columns have the types that their class is annotated with
    (see `asflow.writers._schema`), others what Arrow infers from the values. A later column is refused, a
    missing one is null, a later table with the same columns is cast if that loses nothing. Dates and
    datetimes don't mix in a column, nor datetimes with and without a zone, and a time has no zone. Without
    any record the output has the columns of its record type; none if that is not known.

    Memory: one row group, about 16 MiB or 131,072 rows.

    Threads: one call at a time, any thread.
    """

    __slots__ = (
        "_annotated",
        "_bytes",
        "_classes",
        "_declared",
        "_failure",
        "_groups",
        "_held_bytes",
        "_held_rows",
        "_pending",
        "_rows",
        "_schema",
        "_sink",
        "_task",
        "records",
    )

    concurrent = False

    def __init__(self, stream: ByteStream, *, task: str = "", record_type: object = None) -> None:
        """Write to *stream*.

        Args:
            stream: where the bytes go.
            task: the task's name, for messages.
            record_type: what the records are; None if only their own classes say it.

        Raises:
            MissingExtraError: pyarrow is not installed.
        """
        import_pyarrow()
        self._sink = _Sink(stream)
        self._task = task
        self._declared: Mapping[str, Any] = {} if record_type is None else types_of(record_type)
        self._annotated: Mapping[str, Any] = self._declared  # columns with their types by annotation
        self._classes: set[type] = set()  # of the first records
        self._rows: list[dict[str, object]] = []
        self._pending: list[Any] = []  # Arrow tables that wait for a full row group
        self._bytes = 0  # of text and bytes in the rows
        self._held_rows = self._held_bytes = 0  # in the pending tables
        self.records: int = 0  # rows in the row groups that are written
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
        if isinstance(record, type):
            self._add_row(record)
        elif hasattr(record, "__arrow_c_stream__") and not is_labelled(record):  # as a pandas Series is
            self._guarded(record, lambda: self._add_stream(record))
        elif hasattr(record, "__arrow_c_array__"):
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

        try:
            mapping = as_mapping(record)
            if mapping is None:
                reason = "is not a row; write a mapping, a dataclass or a table with __arrow_c_stream__"
                raise refuse_type(record, WRITE_ALL if is_records(record) else reason, self._task)
            row: dict[str, object] = msgspec.to_builtins(
                mapping if isinstance(mapping, dict) else dict(mapping),
                builtin_types=KEPT_TYPES,
                str_keys=True,
                enc_hook=encode_unknown,
            )
        except RecordTypeError:
            raise
        except ENCODE_ERRORS as error:
            raise refused(record, error, self._task) from error
        if not row and not self._declared:
            reason = "has no columns, and Parquet can't hold a row without one; leave it out"
            raise refuse_value(record, reason, self._task)
        if len(row) < len(mapping):
            reason = "has two keys that would be one column, such as 1 and '1'; rename one of them"
            raise refuse_value(record, reason, self._task)
        if self._schema is None:
            self._classes.add(type(record))
        self._rows.append(row)
        self._bytes += sum(len(value) for value in row.values() if isinstance(value, (str, bytes)))
        if len(self._rows) >= _BATCH_ROWS or self._bytes >= _BATCH_BYTES:
            self._guarded(record, self._gather_rows)

    def _gather_rows(self) -> None:
        """Turn the gathered records into a table."""
        if not self._rows:
            return
        rows, self._rows, self._bytes = self._rows, [], 0
        if self._schema is None and not self._declared and len(self._classes) == 1:
            self._annotated = types_of(next(iter(self._classes)))
        names: dict[str, None] = dict.fromkeys(self._declared if self._schema is None else ())
        names.update(dict.fromkeys(name for row in rows for name in row))
        self._add_table(import_pyarrow().table({name: self._column(name, rows) for name in names}))

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
            kind = self._type_of(name, column.type)
            return with_all_digits(column) if kind is None else widened(column, kind, values)
        except (pyarrow.ArrowException, OverflowError, ValueError) as error:
            kind = self._type_of(name, pyarrow.null())
            for row in () if kind is None else rows:
                if not _fits(row.get(name), kind):
                    raise self._misfit(row, name, kind, error) from error
            reason = f"starts a batch whose column {name!r} mixes types: {error}; write values of one type"
            raise refuse_value(rows[0], reason, self._task) from error

    def _type_of(self, name: str, inferred: Any) -> Any:
        """Return the type of a column by the schema or by its annotation; None if neither says it."""
        if self._schema is not None:
            return self._schema.field(name).type
        return settled(self._annotated[name], inferred) if name in self._annotated else None

    def _new_column(self, record: object, name: str) -> Exception:
        reason = f"has a column {name!r} that the first records lack; give every column in the first ones"
        return refuse_value(record, reason, self._task)

    def _misfit(self, record: object, name: str, kind: Any, error: Exception) -> Exception:
        if name in self._annotated:
            reason = (
                f"does not fit column {name!r}, {kind} by its annotation: {error}; "
                "write values of the annotated type, or change it"
            )
        else:
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
                raise self._misfit(table, field.name, field.type, error) from error
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
                self.records += table.num_rows

    def _finish(self) -> None:
        self._gather_rows()
        if self._schema is None:
            pyarrow = import_pyarrow()
            null = pyarrow.null()
            self._open(pyarrow.schema([(name, settled(kind, null)) for name, kind in self._declared.items()]))
        self._write_group()
        self._groups.close()


def _fits(value: object, kind: Any) -> bool:
    pyarrow = import_pyarrow()
    try:
        widened(pyarrow.array([value]), kind)
    except (pyarrow.ArrowException, OverflowError, ValueError):
        return False
    return True


def read_parquet(name: str, raw: BinaryIO, record_type: Any, misfit: Misfit) -> Iterator[Any]:
    """Return an iterator over the rows as records. *raw* is closed by the caller.

    Raises:
        MissingExtraError: pyarrow is not installed.
        CorruptOutputError: from the iterator: not a whole Parquet file, or a row that does not fit the type.
    """
    import_pyarrow("pyarrow.parquet")
    convert = value_converter(record_type, strict=True)
    columns, clean = columns_of(record_type), cleaner_of(record_type)

    def rows() -> Iterator[Any]:
        for number, row in enumerate(_plain_rows(name, raw), 1):
            try:
                record = convert(columns.arrange(clean(row)))
            except decode_errors() as error:
                raise misfit(name, number, error) from error
            yield record

    return rows()


def _plain_rows(name: str, raw: BinaryIO) -> Iterator[dict[str, object]]:
    with open_parquet(name, raw) as file:
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
