"""The columns of a record type, for the formats that have columns: CSV and Parquet."""

from __future__ import annotations

from types import NoneType, UnionType
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple, Union, cast, get_args, get_origin

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import msgspec.inspect


def unaliased(kind: object) -> Any:
    """Return the type that *kind* is another name of (`type X = ...`, NewType), or *kind* itself."""
    while True:
        if type(kind).__name__ == "TypeAliasType":
            kind = getattr(kind, "__value__", None)
        elif (inner := getattr(kind, "__supertype__", None)) is not None:
            kind = inner
        else:
            return kind


def bare(kind: object) -> Any:
    """Return *kind* without the aliases and the `Annotated` around it."""
    kind = unaliased(kind)
    return bare(get_args(kind)[0]) if get_origin(kind) is Annotated else kind


def options_of(kind: object) -> tuple[object, ...]:
    """Return the members of a union, None left out; of any other type, that type alone."""
    kind = bare(kind)
    if get_origin(kind) not in (Union, UnionType):
        return (kind,)
    return tuple(option for each in get_args(kind) for option in options_of(each) if option is not NoneType)


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

    def either(self, other: Column) -> Column:
        """Return the column of a union, of which one type has this column and another has *other*."""
        return Column(
            self.nullable or other.nullable,
            self.textual or other.textual,
            self.required and other.required,
            self.untyped or other.untyped,
            self.nested and other.nested,
        )


class Columns(NamedTuple):
    """The columns of a record type.

    Attributes:
        kind: "mapping" by column names, "named row" for a named tuple, "row" for lists and tuples.
        by_name: the columns whose names the type declares, in order; of a pydantic model, also by alias.
        other: describes any other column.
        names: those that a record is written with, in order.
    """

    kind: str
    by_name: Mapping[str, Column]
    other: Column
    names: tuple[str, ...] = ()

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

    def either(self, other: Columns) -> Columns:
        """Return the columns of a union of this type and the *other* one."""
        if self.kind != "mapping" or other.kind != "mapping":
            return Columns("row", {}, _ANYTHING)
        by_name = dict(other.by_name)
        for name, column in self.by_name.items():
            by_name[name] = column.either(by_name[name]) if name in by_name else column
        names = tuple(dict.fromkeys(self.names + other.names))
        for name in set(self.names) ^ set(other.names):
            by_name[name] = by_name[name]._replace(required=False)
        return Columns("mapping", by_name, self.other.either(other.other), names)


_ANYTHING = Column(nullable=False, textual=True, required=True, untyped=True)


def columns_of(record_type: object) -> Columns:
    """Return the columns of *record_type*, and what an empty cell means in each.

    Raises:
        TypeError: msgspec can't inspect it.
    """
    first, *others = map(_columns_of, options_of(record_type) or (NoneType,))
    for other in others:
        first = first.either(other)
    return first


def _columns_of(record_type: object) -> Columns:
    if hasattr(record_type, "model_fields"):
        return _pydantic_columns(cast("Any", record_type))
    import msgspec.inspect as shapes

    if record_type is object:
        return Columns("mapping", {}, _ANYTHING)
    shape = shapes.type_info(record_type)
    if isinstance(
        shape, (shapes.TypedDictType, shapes.DataclassType, shapes.StructType, shapes.NamedTupleType)
    ):
        fields = fields_in_order(shape)
        by_name = {field.encode_name: column_of(field.type, required=field.required) for field in fields}
        is_row = isinstance(shape, shapes.NamedTupleType) or getattr(shape, "array_like", False)
        if (tag := getattr(shape, "tag_field", None)) is not None:
            is_text = isinstance(getattr(shape, "tag", None), str)
            by_name = {tag: Column(nullable=False, textual=is_text, required=False), **by_name}
        return Columns("named row" if is_row else "mapping", by_name, _ANYTHING, tuple(by_name))
    if isinstance(shape, shapes.DictType):
        return Columns("mapping", {}, column_of(shape.value_type, required=True))
    if isinstance(shape, (shapes.AnyType, shapes.CustomType)):
        return Columns("mapping", {}, _ANYTHING)
    return Columns("row", {}, _ANYTHING)


def fields_in_order(shape: Any) -> list[Any]:
    """Return the fields of a record class that msgspec inspects as *shape*, as they are written in it."""
    import msgspec.inspect as shapes

    fields = list(shape.fields)
    if isinstance(shape, shapes.TypedDictType):  # whose fields msgspec sorts
        order = list(getattr(get_origin(shape.cls) or shape.cls, "__annotations__", ()))
        fields.sort(key=lambda field: order.index(field.name) if field.name in order else len(order))
    return fields


def column_of(shape: msgspec.inspect.Type, *, required: bool) -> Column:
    """Return the column of a field that msgspec inspects as *shape*."""
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


# ------------------------------------------------------------------------------------------ pydantic


def _pydantic_columns(model: Any) -> Columns:
    columns: dict[str, Column] = {}
    for name, field in cast("Mapping[str, object]", model.model_fields).items():
        is_required = cast("Callable[[], bool]", getattr(field, "is_required", lambda: True))
        column = _annotated_column(getattr(field, "annotation", None), required=is_required())
        if any(type(mark).__name__ == "Json" for mark in getattr(field, "metadata", ())):
            column = column._replace(nested=False, textual=True)  # pydantic's Json decodes the text
        for label in (name, getattr(field, "alias", None), getattr(field, "validation_alias", None)):
            if isinstance(label, str):
                columns[label] = column
    return Columns("mapping", columns, _ANYTHING, tuple(pydantic_fields(model)))


def pydantic_fields(model: Any) -> dict[str, Any]:
    """Return the fields of a pydantic *model* by the names that `model_dump` uses."""
    by_alias = model.model_config.get("serialize_by_alias", False)
    return {
        (field.serialization_alias if by_alias and field.serialization_alias else name): field
        for name, field in model.model_fields.items()
        if not field.exclude
    }


def _annotated_column(annotation: object, *, required: bool) -> Column:
    import msgspec.inspect as shapes

    try:
        return column_of(shapes.type_info(annotation), required=required)
    except (TypeError, ValueError, NameError, AttributeError):
        # An annotation of pydantic's that msgspec can't inspect.
        options = (annotation, *get_args(annotation))
        return Column(type(None) in options, str in options, required)
