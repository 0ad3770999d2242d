"""The most bytes of one record that are held in memory on reading: a small file may unpack to any size.

A megabyte of `.zst` can hold a terabyte of zeros. Unpacking is streamed, so such a file does no harm by
itself; a record without an end would. What is read as records is therefore bounded by the record: a line, a
row of CSV, or a JSON document. `text()` and `bytes()` return all of an output, however much that is.
"""

from __future__ import annotations

import io
import os
from typing import TYPE_CHECKING, BinaryIO

from asflow._labels import short
from asflow.errors import DefinitionValueError, RecordLimitError

if TYPE_CHECKING:
    from typing_extensions import Buffer

LIMIT = "ASFLOW_RECORD_LIMIT"
"""The environment variable that raises, or lowers, the limit."""

_DEFAULT = 1 << 30
_SMALL, _CHUNK = 1 << 16, 1 << 20


def record_limit() -> int:
    """Return the most bytes of one record.

    Raises:
        DefinitionValueError: the environment variable holds something else than a number of bytes.
    """
    text = os.environ.get(LIMIT, "").strip()
    if not text:
        return _DEFAULT
    # At most 18 digits: what follows fits into the counters of any library.
    if not (text.isascii() and text.isdigit() and len(text) <= 18 and int(text)):
        raise DefinitionValueError(
            f"environ(): {LIMIT} takes a number of bytes above 0, not {short(text)}; "
            f"set for example {LIMIT}={_DEFAULT}, or unset it"
        )
    return int(text)


def too_long(name: str, what: str, limit: int) -> RecordLimitError:
    """Return the error for a record of the output *name* that is longer than *limit* bytes."""
    return RecordLimitError(
        f"output {name!r}: {what} has more than {limit:,} bytes, which is the most that is read into memory; "
        f"set {LIMIT} to a larger number of bytes if it is right, or read it with open()"
    )


def read_document(name: str, reader: BinaryIO) -> bytes:
    """Return all bytes of *reader*, a document that is one record.

    Raises:
        RecordLimitError: there are more than the limit.
    """
    limit = record_limit()
    # Most documents are small, and need no megabyte for the first read.
    parts = [reader.read(min(_SMALL, limit + 1))]
    held = len(parts[0])
    while held <= limit and (part := reader.read(min(_CHUNK, limit + 1 - held))):
        parts.append(part)
        held += len(part)
    if held > limit:
        raise too_long(name, "its document", limit)
    return parts[0] if len(parts) == 1 else b"".join(parts)


class BoundedRows(io.BufferedIOBase):
    """Passes bytes on to a reader of rows, which says where a row ends by setting `held` to 0.

    Attributes:
        held: bytes read since then: those of the row, and at most one chunk of the next ones.
    """

    def __init__(self, name: str, reader: BinaryIO) -> None:
        self._name = name
        self._reader = reader
        self._limit = record_limit()
        self.held: int = 0

    def readable(self) -> bool:
        return True

    def read(self, size: int | None = -1, /) -> bytes:
        data = self._reader.read(-1 if size is None else size)
        self.held += len(data)
        if self.held > self._limit:
            raise too_long(self._name, "one of its rows", self._limit)
        return data

    def read1(self, size: int = -1, /) -> bytes:
        return self.read(size)

    def readinto(self, buffer: Buffer, /) -> int:
        view = memoryview(buffer).cast("B")
        data = self.read(len(view))
        view[: len(data)] = data
        return len(data)

    def close(self) -> None:
        self._reader.close()
        super().close()
