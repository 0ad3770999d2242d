"""From stored values back to typed records."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar, cast, get_args

from asflow.errors import CorruptOutputError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import msgspec.inspect

__all__ = [
    "Column",
    "Columns",
    "bad_record",
    "columns_of",
    "convert_unknown",
    "decode_errors",
    "json_decoder",
    "value_converter",
]

T = TypeVar("T")


def json_decoder(record_type: type[T]) -> Callable[[bytes], T]:
    """Return a function that decodes and validates the JSON of one record.

    Args:
        record_type: whatever msgspec decodes (TypedDict, dataclass, NamedTuple, attrs, Struct, dict[...],
            unions), pydantic models, these nested, and classes that take their JSON value as the only
            argument (Path).

    Returns:
        A function that raises one of `decode_errors` for bytes that don't fit.
    """
    validate = getattr(record_type, "model_validate_json", None)
    if callable(validate):
        return cast("Callable[[bytes], T]", validate)
    import msgspec

    return msgspec.json.Decoder(_known(record_type), dec_hook=convert_unknown).decode


def value_converter(record_type: type[T], *, strict: bool) -> Callable[[object], T]:
    """Return a function that turns plain values (dicts, lists, texts) into a record.

    Args:
        record_type: as `json_decoder` takes it.
        strict: False where numbers, booleans and None may come as texts, as they do from CSV.

    Returns:
        A function that raises one of `decode_errors` for values that don't fit.
    """
    validate = getattr(record_type, "model_validate", None)
    if callable(validate):
        return cast("Callable[[object], T]", validate)
    import msgspec

    known = _known(record_type)

    def convert(value: object) -> T:
        return msgspec.convert(value, known, strict=strict, dec_hook=convert_unknown)

    return convert


def convert_unknown(kind: type, value: object) -> object:
    """Make a value of a class that msgspec does not know from its JSON value.

    Raises:
        ValueError: the value does not fit; the message of the class is kept.
    """
    validate = getattr(kind, "model_validate_json", None)
    if callable(validate):
        import msgspec

        # From JSON, since a strict model takes a text for a date only there.
        return validate(msgspec.json.encode(value))
    if isinstance(value, kind):
        return value
    try:
        return kind(value)
    except Exception as error:
        raise ValueError(f"no {kind.__qualname__} can be made from {value!r:.60}: {error}") from error


def _known(record_type: type[T]) -> type[T]:
    # msgspec takes `object` for a class of the user's; everybody else for "anything".
    return cast("type[T]", Any) if record_type is object else record_type


def decode_errors() -> tuple[type[Exception], ...]:
    """Return the exceptions by which a decoder says that bytes or values don't fit."""
    import msgspec

    # MsgspecError is a ValueError in newer versions of msgspec only.
    return (ValueError, TypeError, RecursionError, msgspec.MsgspecError)


def bad_record(name: str, number: int, error: Exception) -> CorruptOutputError:
    """Return the error for record *number* (from 1) of the output *name*."""
    advice = "Read it as another type, or delete it to have it made again."
    return CorruptOutputError(f"output {name!r}, record {number}: {error}. {advice}")


class Column(NamedTuple):
    """What an empty cell means in a column."""

    nullable: bool
    textual: bool
    required: bool

    def drop_or_fill(self) -> tuple[bool, str | None]:
        """Return whether an empty cell is left out, and else its value.

        It is None where the column may be None, an empty text where it may be a text, left out where
        there is a default, and else an empty text, which will be refused.
        """
        if self.nullable:
            return False, None
        return (True, None) if not self.textual and not self.required else (False, "")


class Columns(NamedTuple):
    """The shape of a record, as far as a table needs to know it.

    Attributes:
        kind: "mapping" by column names, "named row" for a named tuple, "row" for lists and tuples.
        by_name: the columns with names that are known beforehand, in order.
        other: what holds for any other column.
    """

    kind: str
    by_name: Mapping[str, Column]
    other: Column


_ANYTHING = Column(nullable=False, textual=True, required=True)


def columns_of(record_type: object) -> Columns:
    """Tell which columns *record_type* has and what an empty cell means in each."""
    if (fields := getattr(record_type, "model_fields", None)) is not None:
        return Columns("mapping", _pydantic_columns(cast("Mapping[str, object]", fields)), _ANYTHING)
    import msgspec.inspect as shapes

    if record_type is object:
        return Columns("mapping", {}, _ANYTHING)
    shape = shapes.type_info(record_type)
    if isinstance(
        shape, (shapes.TypedDictType, shapes.DataclassType, shapes.StructType, shapes.NamedTupleType)
    ):
        by_name = {field.encode_name: _column(field.type, required=field.required) for field in shape.fields}
        kind = "named row" if isinstance(shape, shapes.NamedTupleType) else "mapping"
        return Columns(kind, by_name, _ANYTHING)
    if isinstance(shape, shapes.DictType):
        return Columns("mapping", {}, _column(shape.value_type, required=True))
    if isinstance(shape, (shapes.AnyType, shapes.CustomType)):
        return Columns("mapping", {}, _ANYTHING)
    return Columns("row", {}, _ANYTHING)


def _column(shape: msgspec.inspect.Type, *, required: bool) -> Column:
    import msgspec.inspect as shapes

    while isinstance(shape, shapes.Metadata):
        shape = shape.type
    options = shape.types if isinstance(shape, shapes.UnionType) else (shape,)
    return Column(
        nullable=any(isinstance(option, shapes.NoneType) for option in options),
        textual=any(isinstance(option, (shapes.StrType, shapes.AnyType)) for option in options),
        required=required,
    )


def _pydantic_columns(fields: Mapping[str, object]) -> dict[str, Column]:
    columns: dict[str, Column] = {}
    for name, field in fields.items():
        annotation: object = getattr(field, "annotation", None)
        options = (annotation, *get_args(annotation))
        is_required = cast("Callable[[], bool]", getattr(field, "is_required", lambda: True))
        column = Column(type(None) in options, str in options, is_required())
        columns[str(getattr(field, "alias", None) or name)] = column
    return columns
