"""JSON: one document in an output."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from asflow.writers._encoding import (
    ENCODE_ERRORS,
    as_mapping,
    has_private_fields,
    is_labelled,
    is_raw,
    json_encoder,
    raw_bytes,
)
from asflow.writers._refusals import refuse_empty, refuse_value, refused

if TYPE_CHECKING:
    from collections.abc import Sequence

    from asflow.protocols import ByteStream


class JsonDocumentWriter:
    """Writes its only record as a strict JSON document and a newline, or raw text as that document.

    Encoding follows `asflow.writers._encoding.json_encoder`. An output without a document is refused.

    Threads: one call at a time, any thread.
    """

    __slots__ = ("_has_document", "_stream", "_task", "_written")

    concurrent = False

    def __init__(self, stream: ByteStream, *, task: str = "") -> None:
        """Write to *stream*; *task* is the task's name, for messages."""
        self._stream = stream
        self._task = task
        self._written = self._has_document = False

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
            self._has_document = bool(data) and not bytes(data).isspace()
        else:
            try:
                data = json_encoder().encode(whole(record)) + b"\n"
            except ENCODE_ERRORS as error:
                raise refused(record, error, self._task) from error
            self._has_document = True
        self._stream.write(data)
        self._written = True

    def commit(self) -> None:
        """Check that a document has been written.

        Raises:
            RecordValueError: there is none: an empty file is not JSON.
        """
        if not self._has_document:
            raise refuse_empty(self._task)

    def abort(self) -> None:
        """Do nothing: nothing is buffered."""


def whole(record: object) -> object:
    """Return *record*, or the items of a list, with what msgspec leaves out: private fields, labels."""
    if not isinstance(record, (list, tuple)):
        return as_mapping(record) if leaves_out(record) else record
    items = cast("Sequence[object]", record)
    special = {kind for kind, item in {type(item): item for item in items}.items() if leaves_out(item)}
    return [as_mapping(item) if type(item) in special else item for item in items] if special else items


def leaves_out(record: object) -> bool:
    """Whether msgspec leaves something of *record* out, or can't encode it, which `as_mapping` keeps."""
    return type(record) is not dict and (has_private_fields(type(record)) or is_labelled(record))
