"""JSON: one document in an output."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from asflow.writers._encoding import (
    ENCODE_ERRORS,
    as_mapping,
    has_private_fields,
    is_raw,
    json_encoder,
    raw_bytes,
)
from asflow.writers._refusals import refuse_value, refused

if TYPE_CHECKING:
    from collections.abc import Sequence

    from asflow.protocols import ByteStream


class JsonDocumentWriter:
    """Writes its only record as a strict JSON document and a newline, or raw text as that document.

    Encoding follows `asflow.writers._encoding.json_encoder`. An output without a record is empty.

    Threads: one call at a time, any thread.
    """

    __slots__ = ("_stream", "_task", "_written")

    concurrent = False

    def __init__(self, stream: ByteStream, *, task: str = "") -> None:
        """Write to *stream*; *task* is the task's name, for messages."""
        self._stream = stream
        self._task = task
        self._written = False

    def write(self, record: object, /) -> None:
        """Write *record* as the document.

        Raises:
            RecordTypeError: the record, or something in it, has no JSON form.
            RecordValueError: a document has been written already, a text is not UTF-8, or a record holds
                itself.
            OSError: the store can't take the bytes.
        """
        if self._written:
            reason = "would be a second document in a .json output; write one list, or name the output .jsonl"
            raise refuse_value(record, reason, self._task)
        if is_raw(record):
            data = raw_bytes(record, self._task)
        else:
            try:
                data = json_encoder().encode(_with_private_fields(record)) + b"\n"
            except ENCODE_ERRORS as error:
                raise refused(record, error, self._task) from error
        self._stream.write(data)
        self._written = True

    def commit(self) -> None:
        """Do nothing: all is written already."""

    def abort(self) -> None:
        """Do nothing: nothing is buffered."""


def _with_private_fields(record: object) -> object:
    """Return *record*, or the items of a list, with the private fields that msgspec leaves out."""
    if has_private_fields(type(record)):
        return as_mapping(record)
    if not isinstance(record, (list, tuple)):
        return record
    items = cast("Sequence[object]", record)
    private = {kind for kind in set(map(type, items)) if has_private_fields(kind)}
    return [as_mapping(item) if type(item) in private else item for item in items] if private else items
