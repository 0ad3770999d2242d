"""From stored values back to typed records."""

from __future__ import annotations

from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar, cast, get_args

from asflow._labels import short

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import msgspec.inspect

T = TypeVar("T")

# pydantic models are written with the names of their fields; other tools may write the aliases. Before 2.11
# pydantic accepts aliases only, unless the model sets `populate_by_name`.
_ANY_NAME = {"by_alias": True, "by_name": True}


def json_decoder(record_type: type[T]) -> Callable[[bytes], T]:
    """Return a function that decodes and validates the JSON of one record.

    Args:
        record_type: any type that msgspec decodes (TypedDict, dataclass, NamedTuple, attrs, Struct,
            dict[...], unions), pydantic models, these nested, and classes that take their JSON value as the
            only argument (Path).

    Returns:
        A function that raises one of `decode_errors` for bytes that don't fit.
    """
    validate = getattr(record_type, "model_validate_json", None)
    if callable(validate):
        return cast("Callable[[bytes], T]", partial(validate, **_known_options(validate, **_ANY_NAME)))
    import msgspec

    return msgspec.json.Decoder(_known(record_type), dec_hook=convert_unknown).decode


def value_converter(record_type: type[T], *, strict: bool) -> Callable[[object], T]:
    """Return a function that turns plain values (dicts, lists, texts) into a record.

    Args:
        record_type: as `json_decoder` takes it.
        strict: False if numbers, booleans and None may be texts, as they are in CSV. pydantic models are
            never strict here: a date may be a text, a set a list.

    Returns:
        A function that raises one of `decode_errors` for values that don't fit.
    """
    validate = getattr(record_type, "model_validate", None)
    if callable(validate):
        options = _known_options(validate, strict=False, **_ANY_NAME)
        return cast("Callable[[object], T]", partial(validate, **options))
    import msgspec

    known = _known(record_type)

    def convert(value: object) -> T:
        return msgspec.convert(value, known, strict=strict, dec_hook=convert_unknown)

    return convert


def convert_unknown(kind: type, value: object) -> object:
    """Make a value of a class that msgspec does not know from its JSON value.

    Raises:
        ValueError: the value does not fit; the message includes that of the class.
    """
    validate = getattr(kind, "model_validate_json", None)
    if callable(validate):
        import msgspec

        # From JSON, because only there does a strict model accept a text as a date.
        return validate(msgspec.json.encode(value), **_known_options(validate, **_ANY_NAME))
    if isinstance(value, kind):
        return value
    try:
        return kind(value)
    except Exception as error:
        raise ValueError(f"{short(value)} does not make a {kind.__qualname__}: {error}") from error


@lru_cache
def _known_options(method: Callable[..., object], **options: bool) -> dict[str, bool]:
    """Return those *options* that *method* of a pydantic model has: older versions lack some."""
    from inspect import signature

    known = signature(method).parameters
    return {name: value for name, value in options.items() if name in known}


def _known(record_type: type[T]) -> type[T]:
    # To msgspec `object` is a user's class; here it means any value.
    return cast("type[T]", Any) if record_type is object else record_type


def decode_errors() -> tuple[type[Exception], ...]:
    """Return the exceptions that a decoder raises for bytes or values that don't fit."""
    import msgspec

    # Only in newer versions of msgspec is MsgspecError a ValueError.
    return (ValueError, TypeError, RecursionError, msgspec.MsgspecError)


class Column(NamedTuple):
    """What the cells of a column may hold, and what an empty one means."""

    nullable: bool
    textual: bool
    required: bool
    untyped: bool = False
    nested: bool = False

    def drop_or_fill(self) -> tuple[bool, str | None]:
        """Return whether an empty cell is left out, and its value if it is not.

        The value is None if the column may be None, an empty text if it may be a text. A cell with a
        default is left out. Any other is an empty text, which will be refused.
        """
        if self.nullable:
            return False, None
        return (True, None) if not self.textual and not self.required else (False, "")

    def drops_none(self) -> bool:
        """Whether None can only mean a value that was left out, as it does in Parquet."""
        return not (self.nullable or self.required or self.untyped)

    def value_of(self, cell: str) -> object:
        """Return *cell* as it is, or decoded from JSON if the column has only lists or mappings."""
        if not self.nested:
            return cell
        import msgspec

        try:
            value: object = msgspec.json.decode(cell)
        except msgspec.MsgspecError:
            return cell  # the user's own validator may still accept it
        return cast("object", value) if isinstance(value, (list, dict)) else cell


class Columns(NamedTuple):
    """The columns of a record type.

    Attributes:
        kind: "mapping" by column names, "named row" for a named tuple, "row" for lists and tuples.
        by_name: the columns whose names the type declares, in order.
        other: describes any other column.
    """

    kind: str
    by_name: Mapping[str, Column]
    other: Column

    def column(self, name: str) -> Column:
        return self.by_name.get(name, self.other)

    def arrange(self, values: dict[str, object]) -> object:
        """Return *values* in the form that the record is made from: a list for a named tuple.

        Raises:
            ValueError: a named tuple lacks a value but has a later one.
        """
        if self.kind != "named row":
            return values
        given = [key for key in self.by_name if key in values]
        missing = [key for key in self.by_name if key not in values]
        if missing and missing != list(self.by_name)[len(given) :]:
            raise ValueError(f"column {missing[0]!r} is missing or empty")
        return [values[key] for key in given]


_ANYTHING = Column(nullable=False, textual=True, required=True, untyped=True)


def columns_of(record_type: object) -> Columns:
    """Return the columns of *record_type*, and what an empty cell means in each."""
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
    values = [option for option in options if not isinstance(option, shapes.NoneType)]
    return Column(
        nullable=len(values) < len(options),
        textual=any(isinstance(option, (shapes.StrType, shapes.AnyType)) for option in values),
        required=required,
        untyped=any(map(_is_untyped, values)),
        nested=bool(values) and all(map(_is_nested, values)),
    )


def _is_untyped(shape: msgspec.inspect.Type) -> bool:
    import msgspec.inspect as shapes

    # To msgspec `object` is a user's class.
    is_object = isinstance(shape, shapes.CustomType) and shape.cls is object
    return is_object or isinstance(shape, shapes.AnyType)


def _is_nested(shape: msgspec.inspect.Type) -> bool:
    import msgspec.inspect as shapes

    if isinstance(shape, shapes.CustomType):
        return hasattr(shape.cls, "model_validate_json")
    arrays = (shapes.CollectionType, shapes.TupleType, shapes.NamedTupleType)
    return isinstance(
        shape, (*arrays, shapes.DictType, shapes.TypedDictType, shapes.DataclassType, shapes.StructType)
    )


def _pydantic_columns(fields: Mapping[str, object]) -> dict[str, Column]:
    columns: dict[str, Column] = {}
    for name, field in fields.items():
        is_required = cast("Callable[[], bool]", getattr(field, "is_required", lambda: True))
        column = _annotated_column(getattr(field, "annotation", None), required=is_required())
        if any(type(mark).__name__ == "Json" for mark in getattr(field, "metadata", ())):
            column = column._replace(nested=False, textual=True)  # pydantic's Json decodes the text
        for label in (name, getattr(field, "alias", None), getattr(field, "validation_alias", None)):
            if isinstance(label, str):
                columns[label] = column
    return columns


def _annotated_column(annotation: object, *, required: bool) -> Column:
    import msgspec.inspect as shapes

    try:
        return _column(shapes.type_info(annotation), required=required)
    except (TypeError, ValueError, NameError, AttributeError):
        # An annotation of pydantic's that msgspec can't inspect.
        options = (annotation, *get_args(annotation))
        return Column(type(None) in options, str in options, required)
