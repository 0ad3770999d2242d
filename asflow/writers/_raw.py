"""Raw text and bytes, for every suffix that names no format."""

from __future__ import annotations

from typing import TYPE_CHECKING

from asflow.writers._encoding import is_raw, raw_bytes
from asflow.writers._refusals import refuse_type

if TYPE_CHECKING:
    from asflow.protocols import ByteStream


class RawWriter:
    """Writes text as UTF-8 and bytes as they are; nothing is added.

    Threads: one call at a time, any thread.
    """

    __slots__ = ("_stream", "_task")

    concurrent = False

    def __init__(self, stream: ByteStream, *, task: str = "") -> None:
        """Write to *stream*; *task* is the task's name, for messages."""
        self._stream = stream
        self._task = task

    def write(self, record: object, /) -> None:
        """Write *record* (str, bytes, bytearray or memoryview).

        Raises:
            RecordTypeError: the record is something else.
            RecordValueError: a text that is not UTF-8.
            OSError: the store can't take the bytes.
        """
        if not is_raw(record):
            reason = (
                "is not str or bytes, and the output's suffix names no format; "
                "write records to .jsonl, .json, .csv, .tsv or .parquet"
            )
            raise refuse_type(record, reason, self._task)
        self._stream.write(raw_bytes(record, self._task))

    def commit(self) -> None:
        """Do nothing: all is written already."""

    def abort(self) -> None:
        """Do nothing: nothing is buffered."""
