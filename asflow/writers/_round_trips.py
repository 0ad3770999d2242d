"""Whether a value comes back from its file as it was: the encoders, decoders and checks of `Kept`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, BinaryIO, cast

from asflow._labels import short
from asflow.writers._columns import bare, columns_of
from asflow.writers._decoding import decode_errors, json_decoder, reason_of, value_converter
from asflow.writers._delimited import cell_text
from asflow.writers._encoding import as_mapping, encode_unknown, json_encoder
from asflow.writers._json_document import leaves_out, whole
from asflow.writers._reading import named_cells
from asflow.writers._shapes import name_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from asflow.writers._suffixes import FormatName

# ---------------------------------------------------------------------------------------------- JSON


def json_encoder_for(kind: object) -> Callable[[object], bytes]:
    """Return what encodes a value to a line of JSON.

    A whole document of *kind* str or bytes that is a JSON object or array itself, such as what a server
    sent, is written as it is rather than as a text with JSON in it.
    """
    encode = json_encoder().encode
    plain: Any = bare(kind)
    as_they_are: set[type] = set()  # classes that need no `whole`

    def encode_line(value: object) -> bytes:
        if type(value) in as_they_are:
            return encode(value) + b"\n"
        if type(value) not in (list, tuple) and not leaves_out(value):
            as_they_are.add(type(value))
        return encode(whole(value)) + b"\n"

    def encode_text(value: object) -> bytes:
        if not isinstance(value, (str, bytes)) or not isinstance(value, plain):
            raise TypeError(f"it is not {name_of(plain)}")
        data = value.encode() if isinstance(value, str) else value
        return data if _is_json(data) else encode_line(value)

    return encode_text if plain is str or plain is bytes else encode_line


def json_decoder_for(kind: Any, *, is_document: bool) -> Callable[[bytes], object]:
    """Return what decodes the JSON that an encoder of `json_encoder_for` makes."""
    decode = json_decoder(kind)
    plain = bare(kind)
    if not is_document or plain not in (str, bytes):
        return decode

    def decode_text(data: bytes) -> object:
        if not data.lstrip().startswith((b"{", b"[")):
            return decode(data)
        return data.decode() if plain is str else data

    return decode_text


def lines_for(kind: Any) -> Callable[[list[object]], tuple[bytes, list[object]] | None]:
    """Return what makes JSON Lines of records, and the records that they decode to: all of them at once.

    It returns None if one of them needs to be looked at by itself, or is refused.
    """
    import msgspec

    decoder: object = getattr(json_decoder(kind), "__self__", None)
    encode = json_encoder().encode_lines
    as_they_are: set[type] = set()

    def lines(records: list[object]) -> tuple[bytes, list[object]] | None:
        if not isinstance(decoder, msgspec.json.Decoder):
            return None  # pydantic's
        kinds = {type(record): record for record in records}
        if not as_they_are.issuperset(kinds):
            if any(leaves_out(record) or kind in (list, tuple) for kind, record in kinds.items()):
                return None
            as_they_are.update(kinds)
        try:
            data = encode(records)
            return data, cast("list[object]", decoder.decode_lines(data))
        except decode_errors():
            return None

    return lines


def _is_json(data: bytes) -> bool:
    import msgspec

    try:
        return data.lstrip().startswith((b"{", b"[")) and bool(
            data.decode() and msgspec.json.decode(data, type=msgspec.Raw)
        )
    except decode_errors():
        return False


# ---------------------------------------------------------------------------------- CSV and Parquet


def check_for(form: FormatName, kind: Any) -> Callable[[object], str | None]:
    """Return what says why a record of type *kind* would not come back; None if it would."""
    if form == "registered":
        return _registered_check(kind)
    return _parquet_check(kind) if form == "parquet" else _cells_check(kind)


def _registered_check(kind: Any) -> Callable[[object], str | None]:
    convert = value_converter(kind, strict=True)
    name = name_of(kind)

    def check(record: object) -> str | None:
        try:
            convert(record)
        except decode_errors() as error:
            return f"would not come back as {name}: {reason_of(error)}"
        return None

    return check


def _parquet_check(kind: Any) -> Callable[[object], str | None]:
    import msgspec

    from asflow.writers._parquet import KEPT_TYPES

    convert = value_converter(kind, strict=True)
    name = name_of(kind)

    def check(record: object) -> str | None:
        try:
            convert(
                msgspec.to_builtins(
                    whole(record), builtin_types=KEPT_TYPES, str_keys=True, enc_hook=encode_unknown
                )
            )
        except decode_errors() as error:
            return f"would not come back as {name}: {reason_of(error)}"
        return None

    return check


def _cells_check(kind: Any) -> Callable[[object], str | None]:
    """Write each record to cells and read it from them: CSV has one empty cell for all that is empty."""
    columns = columns_of(kind)
    convert = value_converter(kind, strict=False)
    name, plain = name_of(kind), _plain_values()
    encode = json_encoder().encode

    def cells_of(record: object) -> object:
        mapping = None if columns.kind == "row" else as_mapping(record)
        if mapping is None:
            return [cell_text(value, encode) for value in cast("Sequence[object]", record)]
        cells = {cell_text(key, encode): cell_text(value, encode) for key, value in mapping.items()}
        header = list(dict.fromkeys((*columns.names, *cells)))
        return named_cells(header, [cells.get(key, "") for key in header], columns)

    def check(record: object) -> str | None:
        try:
            again = convert(cells_of(record))
        except decode_errors() as error:
            return f"would not come back as {name}: {reason_of(error)}"
        return _difference(plain(record), plain(again), columns.names)

    return check


def _plain_values() -> Callable[[object], object]:
    """Return what makes a value comparable: as JSON has it, where NaN is null, with sets in one order."""
    import msgspec

    encoder = msgspec.json.Encoder(enc_hook=encode_unknown, order="deterministic")
    decoder: msgspec.json.Decoder[object] = msgspec.json.Decoder()

    def plain(value: object) -> object:
        return decoder.decode(encoder.encode(whole(value)))

    return plain


def _difference(before: object, after: object, names: Sequence[str]) -> str | None:
    old, new = _by_name(before, names), _by_name(after, names)
    if old is None or new is None:
        return None if before == after else f"would come back from CSV as {short(after)}"
    for key in {**old, **new}:
        if names and key not in names:
            continue  # the type does not know it, and passes it over
        if key not in old or key not in new or old[key] != new[key]:
            was, now = (short(part[key]) if key in part else "nothing" for part in (old, new))
            return f"has {was} in {key!r}, which CSV would return as {now}"
    return None


def _by_name(value: object, names: Sequence[str]) -> Mapping[str, object] | None:
    if isinstance(value, list) and names:  # of a named tuple
        return dict(zip(names, cast("list[object]", value), strict=False))
    return cast("Mapping[str, object]", value) if isinstance(value, dict) else None


# -------------------------------------------------------------------------------------------- frames


def read_frame(name: str, raw: BinaryIO, kind: type) -> object:
    """Return the Parquet file *raw* as a DataFrame or Table of class *kind*.

    Raises:
        CorruptOutputError: it is not a whole Parquet file.
    """
    from asflow.writers._arrow import open_parquet

    with open_parquet(name, raw) as file:
        table: Any = file.read()
    match kind.__module__.partition(".")[0]:
        case "polars":
            import polars

            return cast("Any", polars).from_arrow(table)
        case "pandas":
            return table.to_pandas()
        case _:
            return table
