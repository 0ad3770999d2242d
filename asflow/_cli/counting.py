"""How many records a file holds, and whether it is whole."""

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

if TYPE_CHECKING:
    from collections.abc import Generator
    from typing import BinaryIO

__all__ = ["count_records", "open_file", "read_whole"]

_CHUNK = 1 << 20


def open_file(path: str) -> BinaryIO:
    """Open the file *path* for reading bytes.

    Raises:
        CorruptOutputError: it is empty and of a format that never is.
        OSError: there is none, it can't be read, or something else stands in its place.
    """
    if is_void(path, os.stat(path).st_size):
        raise CorruptOutputError(f"{path!r} is empty, which no whole file of its format is")
    return LocalStore().open(path)


def count_records(path: str, *, thorough: bool = False) -> int | None:
    """Count the records of the file *path*.

    Args:
        path: the file.
        thorough: make objects of JSON, which looks into its texts too.

    Returns:
        Lines of JSON, items of a JSON list, rows below the header; None where the suffix names no format.

    Raises:
        CorruptOutputError: the file is cut, or does not decode.
        MissingExtraError: reading Parquet needs pyarrow.
        OSError: it can't be read.
    """
    match split_suffixes(path).format:
        case "json lines" | "json":
            with read_records(path, open_file(path), object if thorough else msgspec.Raw) as records:
                return sum(1 for _ in records)
        case "csv" | "tsv":
            return _count_rows(path)
        case "parquet":
            with _parquet(path) as file:
                return cast("int", file.metadata.num_rows)
        case "raw":
            return None


def read_whole(path: str) -> int | None:
    """Read the file *path* to its end; returns and raises what `count_records` does.

    A file that is cut is told by its compression, by its JSON, by Parquet's footer. Plain text has no end
    that could be missing; of plain CSV a last row that lacks cells and its line end is told.
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


def _count_rows(path: str) -> int:
    count = first = last = 0
    with read_records(path, open_file(path), list[str]) as rows:
        for row in rows:
            count += 1
            last = len(row)
            first = first or last
    if last < first and split_suffixes(path).compression == "none" and not _ends_its_line(path):
        raise CorruptOutputError(f"output {path!r} is cut short: its last row has {last} of {first} cells")
    return max(count - 1, 0)


def _ends_its_line(path: str) -> bool:
    with open_file(path) as file:
        file.seek(-1, os.SEEK_END)
        return file.read() == b"\n"


@contextmanager
def _parquet(path: str) -> Generator[Any]:
    with open_file(path) as file, open_parquet(path, file) as opened:
        yield opened
