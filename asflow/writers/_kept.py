"""What `save=` keeps: a returned value becomes an output, and the output the value again.

    suffix                                   a body annotated to return       shape
    .json                                    what msgspec or pydantic decodes document
    .jsonl .ndjson .csv .tsv .parquet        list[Record]                     list
                                             Iterator[Record], AsyncIterator  stream
    .parquet                                 a DataFrame or Table             frame
    any other, and text formats              str, bytes                       text, bytes
    a registered `Format` with a reader      list, Iterator of records        list, stream
                                             anything else: its one record    one

JSON is decoded from its own bytes before it is published, so that a value which would not come back as its
annotation raises. Values of the other formats are read back from the file: their records are checked before
(`_round_trips`). A str or bytes that is a JSON object or array itself is a `.json` document as it is.
"""

from __future__ import annotations

import io
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, cast

from asflow._labels import short
from asflow.errors import CorruptOutputError, RecordTypeError, RecordValueError
from asflow.writers._refusals import refused, type_name
from asflow.writers._suffixes import split_suffixes

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import BinaryIO

    import msgspec

    from asflow.writers._format import Format
    from asflow.writers._reading import RecordReader
    from asflow.writers._shapes import Shape
    from asflow.writers._suffixes import FormatName

_BATCH = 256  # records that are encoded at once

IN_FILE: Final = object()
"""What `Kept.keep` returns if the value is to be read from the published file."""


class Kept:
    """How the values of one task are kept: the type that its body returns, in the format of its outputs.

    Picklable, as worker processes encode what a body returns. May be used from any thread.

    Attributes:
        task: the task's name, for messages.
        suffix: the literal suffixes of its outputs.
        shape: how value and file correspond.
        kind: the type of the value; of a list or stream, that of a record.

    Args:
        custom: the format, if it is not one of asflow's own; None: the one that *suffix* names.

    Raises:
        DefinitionTypeError: the format can't return a value of this type.
    """

    __slots__ = (
        "_check",
        "_compression",
        "_custom",
        "_decode",
        "_encode",
        "_format",
        "kind",
        "shape",
        "suffix",
        "task",
    )

    def __init__(self, task: str, suffix: str, annotation: object, custom: Format[Any] | None = None) -> None:
        from asflow.writers._shapes import kind_of

        if custom is None and split_suffixes(suffix).format == "registered":
            from asflow.writers._registry import format_of

            custom = format_of(suffix, f"task {task}()")
        self._set(task, suffix, *kind_of(task, suffix, annotation, custom), custom)

    def _set(self, task: str, suffix: str, shape: Shape, kind: object, custom: Format[Any] | None) -> None:
        self.task: str = task
        self.suffix: str = suffix
        self.shape: Shape = shape
        self.kind: Any = kind
        self._custom = custom
        suffixes = split_suffixes(suffix)
        self._format: FormatName = "registered" if custom is not None else suffixes.format
        self._compression = suffixes.compression
        # Made when first used: a task that only skips its outputs needs none of them.
        self._decode: Callable[[bytes], object] | None = None
        self._encode: Callable[[object], bytes] | None = None
        self._check: Callable[[object], str | None] | None = None

    def __reduce__(self) -> tuple[object, ...]:
        import copyreg

        import msgspec

        copyreg.pickle(msgspec.Meta, _reduced_meta)  # it may be in an Annotated
        return _again, (self.task, self.suffix, self.shape, self.kind, self._custom)

    @property
    def record_type(self) -> Any:
        """The type of the records of an output, for `open_writer`; None if it does not hold records."""
        return self.kind if self.shape in ("list", "stream") else None

    # ------------------------------------------------------------------------------------ keeping

    def keep(self, value: object, put: Callable[[object], object]) -> object:
        """Write *value*, which a body returned, through *put*.

        Returns:
            The value as its file holds it, or `IN_FILE`: read the published file.

        Raises:
            RecordTypeError, RecordValueError: the file would not return the value.
        """
        match self.shape:
            case "document":
                data, kept = self._checked(value)
                put(data)
                return kept
            case "list":
                return self._keep_list(value, put)
            case "stream":
                return IN_FILE  # its records are written as the body yields them
            case "one":
                put(self.record(value))
                return IN_FILE
            case "text" | "bytes" | "frame":
                if not isinstance(value, self.kind):
                    raise self._refused(value, f"is not a {self._kind_name}", RecordTypeError)
                put(value)
                return value if self._format == "raw" and type(value) is self.kind else IN_FILE

    def record(self, record: object) -> object:
        """Return what to write for one record of a list or stream, checked to come back as its type.

        Raises:
            RecordTypeError, RecordValueError: it would not come back.
        """
        if self._format == "json lines":
            return self._checked(record)[0]
        if self._check is None:
            from asflow.writers._round_trips import check_for

            self._check = check_for(self._format, self.kind)
        if (reason := self._check(record)) is not None:
            raise self._refused(record, reason)
        return record

    def _keep_list(self, value: object, put: Callable[[object], object]) -> object:
        if not isinstance(value, list):
            raise self._refused(value, f"is not a list[{self._kind_name}]", RecordTypeError)
        records = cast("list[object]", value)
        if self._format != "json lines":
            for record in records:
                put(self.record(record))
            return IN_FILE
        from asflow.writers._round_trips import lines_for

        kept: list[object] = []
        lines = lines_for(self.kind)
        for start in range(0, len(records), _BATCH):
            batch = records[start : start + _BATCH]
            if (encoded := lines(batch)) is None:
                for record in batch:
                    data, same = self._checked(record)
                    put(data)
                    kept.append(same)
            else:
                put(encoded[0])
                kept += encoded[1]
        return kept

    def _checked(self, value: object) -> tuple[bytes, object]:
        """Return the JSON of *value* and what it decodes to."""
        from asflow.writers._decoding import decode_errors, reason_of
        from asflow.writers._encoding import ENCODE_ERRORS

        try:
            data = self._encoder()(value)
        except ENCODE_ERRORS as error:
            raise refused(value, error, self.task) from error
        try:
            return data, self._decoder()(data)
        except decode_errors() as error:
            reason = f"would not come back as {self._kind_name}: {reason_of(error)}"
            raise self._refused(value, reason) from error

    def _refused(
        self, value: object, reason: str, kind: type[RecordTypeError | RecordValueError] = RecordValueError
    ) -> RecordTypeError | RecordValueError:
        return kind(
            f"task {self.task}(): the value {short(value)} of type {type_name(value)} {reason}; "
            "return what the annotation says, or change it"
        )

    @property
    def _kind_name(self) -> str:
        from asflow.writers._shapes import name_of

        return name_of(self.kind)

    def _encoder(self) -> Callable[[object], bytes]:
        if self._encode is None:
            from asflow.writers._round_trips import json_encoder_for

            self._encode = json_encoder_for(self.kind if self.shape == "document" else None)
        return self._encode

    # ------------------------------------------------------------------------------------ reading

    def read(self, name: str, raw: BinaryIO) -> object:
        """Return the value that the output *name* holds, and close *raw*. Not for a stream.

        Raises:
            CorruptOutputError: the output is cut, or no longer fits the type.
            RecordLimitError: its JSON document is too long to be read into memory.
        """
        match self.shape:
            case "document":
                return self._document(name, raw)
            case "text":
                from asflow.writers._reading import read_text

                return read_text(name, raw, suffix=self.suffix)
            case "bytes":
                return self._bytes(name, raw)
            case "frame":
                from asflow.writers._round_trips import read_frame

                with raw:
                    return read_frame(name, raw, self.kind)
            case "one":
                return self._only_record(name, raw)
            case _:
                return list(self.records(name, raw))

    def value_of(self, name: str, data: bytes) -> object:
        """Return the value of the output *name*, whose stored bytes are *data*. Raises as `read` does."""
        if self._compression != "none" or self.shape != "document":
            return self.read(name, io.BytesIO(data))
        from asflow.writers._bounds import record_limit, too_long
        from asflow.writers._reading import without_bom

        if len(data) > (limit := record_limit()):
            raise too_long(name, "its document", limit)
        return self._decoded(name, without_bom(data))

    def records(self, name: str, raw: BinaryIO) -> RecordReader[Any]:
        """Return an iterator over the records that the output *name* holds; *raw* is closed at its end.

        Raises:
            CorruptOutputError: from the iterator: the output is cut, or a record no longer fits the type.
        """
        from asflow.writers._reading import open_records

        return open_records(
            name, raw, self.kind, suffix=self.suffix, misfit=self._bad_record, custom=self._custom
        )

    def _only_record(self, name: str, raw: BinaryIO) -> object:
        with self.records(name, raw) as records:
            found = list(islice(records, 2))
        if len(found) != 1:
            raise self.misfit(name, f"it holds {'more than one' if found else 'no'} record, not one value")
        return found[0]

    def misfit(self, name: str, reason: str) -> CorruptOutputError:
        """Return the error for an output that no longer fits the type, with what can be done about it."""
        return CorruptOutputError(
            f"task {self.task}(): output {name!r} does not fit {self._kind_name}: {reason}; change the "
            f"annotation, pass refresh=datetime(...) to make older outputs again, or delete it"
        )

    def _bad_record(self, name: str, number: int, error: Exception) -> CorruptOutputError:
        from asflow.writers._decoding import reason_of

        return self.misfit(name, f"{reason_of(error)}, in record {number}")

    def _document(self, name: str, raw: BinaryIO) -> object:
        from asflow.writers._bounds import read_document
        from asflow.writers._compression import open_reader
        from asflow.writers._reading import without_bom

        with open_reader(name, raw, suffix=self.suffix) as reader:
            return self._decoded(name, without_bom(read_document(name, reader)))

    def _decoded(self, name: str, data: bytes) -> object:
        try:
            return self._decoder()(data)
        except Exception as error:
            from asflow.writers._decoding import decode_errors, reason_of

            if not isinstance(error, decode_errors()):
                raise
            raise self.misfit(name, reason_of(error)) from error

    def _bytes(self, name: str, raw: BinaryIO) -> bytes:
        from asflow.writers._compression import open_reader

        with open_reader(name, raw, suffix=self.suffix) as reader:
            return reader.read()

    def _decoder(self) -> Callable[[bytes], object]:
        if self._decode is None:
            from asflow.writers._round_trips import json_decoder_for

            self._decode = json_decoder_for(self.kind, is_document=self.shape == "document")
        return self._decode


_META = (
    *("gt", "ge", "lt", "le", "multiple_of", "pattern", "min_length", "max_length", "tz"),
    *("title", "description", "examples", "extra_json_schema", "extra"),
)


def _reduced_meta(meta: msgspec.Meta) -> tuple[Callable[..., msgspec.Meta], tuple[dict[str, Any]]]:
    given = {name: value for name in _META if (value := getattr(meta, name, None)) is not None}
    return _meta, (given,)


def _meta(given: dict[str, Any]) -> msgspec.Meta:
    import msgspec

    return msgspec.Meta(**given)


def _again(task: str, suffix: str, shape: Shape, kind: object, custom: Format[Any] | None) -> Kept:
    kept = object.__new__(Kept)
    kept._set(task, suffix, shape, kind, custom)  # pyright: ignore[reportPrivateUsage] - it is being made
    return kept
