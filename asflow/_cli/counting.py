"""Count the records of a file, and check that it is whole."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

import msgspec

from asflow.errors import CorruptOutputError
from asflow.stores import LocalStore
from asflow.stores._common import is_void
from asflow.writers import open_reader, read_records, split_suffixes
from asflow.writers._arrow import open_parquet
from asflow.writers._registry import format_of

if TYPE_CHECKING:
    from collections.abc import Generator
    from typing import BinaryIO

_CHUNK = 1 << 20


def open_file(path: str) -> BinaryIO:
    """Open the file *path* for reading bytes.

    Raises:
        CorruptOutputError: it is empty, though its format never is.
        OSError: it does not exist, can't be read, or is not a regular file.
    """
    if is_void(path, os.stat(path).st_size):
        raise CorruptOutputError(
            f"output {path!r} is empty, so it is not a whole file of its format; delete it to make it again"
        )
    return LocalStore().open(path)


def count_records(path: str, *, thorough: bool = False) -> int | None:
    """Count the records of the file *path*.

    Args:
        path: the file.
        thorough: decode JSON into objects, which checks its strings too.

    Returns:
        The number of JSON lines, items of a JSON list, rows below the header, or records of a registered
        format; None for other formats.

    Raises:
        CorruptOutputError: the file is cut, or does not decode.
        RecordLimitError: one of its records is too long to be read into memory.
        MissingExtraError: reading Parquet needs pyarrow.
        OSError: it can't be read.
    """
    match split_suffixes(path).format:
        case "json lines" | "json" as form:
            with read_records(path, open_file(path), object if thorough else msgspec.Raw) as records:
                count = sum(1 for _ in records)
            if not count and form == "json":
                _refuse_blank(path)
            return count
        case "csv" | "tsv":
            return _count_rows(path)
        case "parquet":
            with _parquet(path) as file:
                return cast("int", file.metadata.num_rows)
        case "registered":
            return _count_registered(path)
        case "raw":
            return None


def read_whole(path: str) -> int | None:
    """Read the file *path* to its end; returns and raises as `count_records` does.

    A cut shows in the compression, in JSON, and in Parquet's footer. In plain text it can't be seen; in plain
    CSV it is a last row that lacks both cells and its line end.
    """
    suffixes = split_suffixes(path)
    if suffixes.format == "parquet":
        with _parquet(path) as file:
            return sum(cast("int", batch.num_rows) for batch in file.iter_batches())
    if suffixes.format == "raw":
        with open_reader(path, open_file(path)) as reader:
            while reader.read(_CHUNK):
                pass
    return count_records(path, thorough=True)


def _count_registered(path: str) -> int | None:
    form = format_of(path, f"output {path!r}")
    if form is None or form.reader is None:
        return None
    with read_records(path, open_file(path), object) as records:
        return sum(1 for _ in records)


def _refuse_blank(path: str) -> None:
    """Raise unless there is a document, which an empty list is: no task leaves a `.json` without one."""
    with open_reader(path, open_file(path)) as reader:
        if not reader.read(_CHUNK).strip():
            raise CorruptOutputError(
                f"output {path!r} holds no JSON document, so it is not whole; delete it to make it again"
            )


def _count_rows(path: str) -> int:
    count = first = last = 0
    with read_records(path, open_file(path), list[str]) as rows:
        for row in rows:
            count += 1
            last = len(row)
            first = first or last
    if last < first and split_suffixes(path).compression == "none" and not _ends_its_line(path):
        raise CorruptOutputError(
            f"output {path!r} is cut short: its last row has {last} of {first} cells; "
            "delete it to make it again"
        )
    return max(count - 1, 0)


def _ends_its_line(path: str) -> bool:
    with open_file(path) as file:
        file.seek(-1, os.SEEK_END)
        return file.read() == b"\n"


@contextmanager
def _parquet(path: str) -> Generator[Any]:
    with open_file(path) as file, open_parquet(path, file) as opened:
        yield opened
