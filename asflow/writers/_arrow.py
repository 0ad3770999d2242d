"""pyarrow, which Parquet needs: finding and importing it, opening a file, and the types of columns.

pyarrow is not typed, so its objects are `Any` here.
"""

from __future__ import annotations

import datetime
import io
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from asflow.errors import MissingExtraError
from asflow.writers._refusals import corrupt

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable

_PART = 1024 * 1024  # bytes that are copied at once


def find_pyarrow(subject: str) -> None:
    """Check that pyarrow is installed, without the time that importing it takes.

    Raises:
        MissingExtraError: it is not installed.
    """
    from importlib.util import find_spec

    if find_spec("pyarrow") is None:
        raise _missing(f"{subject}: Parquet needs pyarrow, which is not installed")


def import_pyarrow(module: str = "pyarrow") -> Any:
    """Import *module*, pyarrow or one of its modules.

    Raises:
        MissingExtraError: it is not installed.
    """
    from importlib import import_module

    try:
        return import_module(module)
    except ImportError as error:
        raise _missing("Parquet: pyarrow is not installed") from error


@contextmanager
def open_parquet(name: str, file: BinaryIO) -> Generator[Any]:
    """Open *file*, at its beginning, as a `pyarrow.parquet.ParquetFile`; it is closed by the caller.

    Raises:
        CorruptOutputError: here or in the block: the output *name* is not a whole Parquet file.
        MissingExtraError: pyarrow is not installed.
        OSError: here or in the block: it can't be read.
    """
    pyarrow, parquet = import_pyarrow(), import_pyarrow("pyarrow.parquet")
    try:
        with _native(pyarrow, file) as source, parquet.ParquetFile(source) as opened:
            yield opened
    except (pyarrow.ArrowException, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise corrupt(name, f"not a whole Parquet file ({error})") from error


def _native(pyarrow: Any, file: BinaryIO) -> Any:
    """Return a file of pyarrow's own with the bytes of *file*: opened once more, or copied to memory.

    A thread of pyarrow may let go of what it has read from a little later. Were that a Python object, and
    the interpreter exiting, the process would be aborted.
    """
    if isinstance(file, io.BufferedReader) and isinstance(cast("Any", file).raw, io.FileIO):
        path = f"/proc/self/fd/{file.fileno()}"  # the file itself, should another one have its name by now
        return pyarrow.OSFile(path if os.path.exists(path) else os.fsdecode(file.name))
    copy = pyarrow.BufferOutputStream()
    while part := file.read(_PART):
        copy.write(part)
    return pyarrow.BufferReader(copy.getvalue())


def _missing(problem: str) -> MissingExtraError:
    return MissingExtraError(f"{problem}; run pip install 'asflow[parquet]'")


# ------------------------------------------------------------------------------------------- columns


def plain_type(kind: Any) -> Any:
    """Return the plainest type that holds the same values: string for large_string or string_view."""
    pyarrow = import_pyarrow()
    types = pyarrow.types
    if types.is_large_string(kind) or types.is_string_view(kind):
        return pyarrow.string()
    if types.is_large_binary(kind) or types.is_binary_view(kind):
        return pyarrow.binary()
    if types.is_list(kind) or types.is_large_list(kind):
        field = kind.value_field
        return pyarrow.list_(field.with_type(plain_type(field.type)).with_name("element"))
    if types.is_struct(kind):
        return pyarrow.struct([field.with_type(plain_type(field.type)) for field in kind.fields])
    if types.is_dictionary(kind):
        return pyarrow.dictionary(kind.index_type, plain_type(kind.value_type), kind.ordered)
    return kind


def check_times(kind: Any, values: Iterable[Any]) -> None:
    """Refuse dates and times that Arrow would truncate to put them into one column.

    Raises:
        ValueError: dates beside datetimes, datetimes with a zone beside some without, or times with a zone.
    """
    types = import_pyarrow().types
    present = (value for value in values if value is not None)
    if types.is_list(kind):
        check_times(kind.value_type, (item for value in present for item in value))
    elif types.is_struct(kind):
        rows = list(present)
        for field in kind:
            check_times(field.type, (row.get(field.name) for row in rows))
    elif types.is_time(kind):
        if any(_has_zone(value) for value in present):
            raise ValueError("a time with a zone would lose it")
    elif types.is_date(kind) or types.is_timestamp(kind):
        forms = {(isinstance(value, datetime.datetime), _has_zone(value)) for value in present}
        if len(forms) > 1:
            raise ValueError("dates beside datetimes, or datetimes with and without a zone")


def _has_zone(value: object) -> bool:
    return getattr(value, "tzinfo", None) is not None


def with_all_digits(column: Any) -> Any:
    """Return decimals with Arrow's full precision: later records may need more digits than the first."""
    pyarrow = import_pyarrow()
    if pyarrow.types.is_decimal128(column.type):
        return column.cast(pyarrow.decimal128(38, column.type.scale))
    return column


def widened(column: Any, kind: Any, values: list[object] | None = None) -> Any:
    """Return *column*, which holds *values* if they are known, as *kind* if that holds all of it.

    `pyarrow.array(values, type=kind)` alone loses values: it truncates 1.5 to 1 and drops new keys.

    Raises:
        ValueError, ArrowException: it does not.
    """
    if column.type == kind:
        return column
    pyarrow = import_pyarrow()
    found = _in_zones_of(kind, column.type)
    both = [pyarrow.schema([("it", kind)]), pyarrow.schema([("it", found)])]
    widest = pyarrow.unify_schemas(both, promote_options="permissive").field("it").type
    if widest != kind:
        raise ValueError(f"it would have to become {widest}")
    if values is not None and pyarrow.types.is_nested(kind):
        return pyarrow.array(values, type=kind)  # a cast breaks nulls in structs in lists, as of pyarrow 26
    return (column if found == column.type else column.cast(found)).cast(kind)


def _in_zones_of(kind: Any, found: Any) -> Any:
    """Return the type *found* with the zones of *kind*, if both have one: the instants stay the same."""
    pyarrow = import_pyarrow()
    types = pyarrow.types
    if kind is None or found == kind:
        return found
    if types.is_timestamp(found) and types.is_timestamp(kind) and None not in (found.tz, kind.tz):
        return pyarrow.timestamp(found.unit, kind.tz)
    if types.is_list(found) and types.is_list(kind):
        return pyarrow.list_(found.value_field.with_type(_in_zones_of(kind.value_type, found.value_type)))
    if types.is_struct(found) and types.is_struct(kind):
        known = {field.name: field.type for field in kind}
        fields = [field.with_type(_in_zones_of(known.get(field.name), field.type)) for field in found]
        return pyarrow.struct(fields)
    return found
