"""What Parquet makes of a record type: the types of its columns, and nulls that mean nothing.

A column has the type that its field is annotated with, so that it is the same in every output, regardless of
its records. In the types of this module `null` marks what the annotation leaves open and the values decide;
the zone "?" marks a datetime that may have a zone or none.
"""

from __future__ import annotations

import datetime
import decimal
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from asflow.writers._arrow import import_pyarrow, plain_type
from asflow.writers._columns import column_of, fields_in_order, options_of, pydantic_fields

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping


_OPEN_ZONE = "?"
_DIGITS, _SCALE = 38, 18  # of a Decimal, as Spark has them

# Types of pydantic's fields that are not the classes of their values.
_PYDANTIC_TIMES = {"AwareDatetime": "UTC", "NaiveDatetime": None, "PastDatetime": "?", "FutureDatetime": "?"}
_PYDANTIC_DATES = ("PastDate", "FutureDate")


def types_of(record_type: object) -> Mapping[str, Any]:
    """Return the Arrow type of each column that *record_type* declares; none if it declares no columns."""
    try:
        return _types_of(record_type)
    except TypeError:  # it has a mark that can't be hashed
        return _types_of.__wrapped__(record_type)


@lru_cache(maxsize=64)
def _types_of(record_type: object) -> Mapping[str, Any]:
    null = import_pyarrow().null()
    found: dict[str, Any] = {}
    for option in options_of(record_type):
        for name, kind in _Types().of_record(option).items():
            found[name] = kind if found.get(name, kind) == kind else null
    return {name: plain_type(kind) for name, kind in found.items()}


def settled(kind: Any, inferred: Any) -> Any:
    """Return the type *kind* of `types_of` with what it leaves open taken from the type *inferred* of values.

    A zone that stays open, as no value shows it, is UTC.
    """
    pyarrow = import_pyarrow()
    types = pyarrow.types
    if types.is_null(kind):
        return inferred
    if types.is_timestamp(kind) and kind.tz == _OPEN_ZONE:
        has_none = types.is_timestamp(inferred) and inferred.tz is None
        return pyarrow.timestamp(kind.unit, None if has_none else "UTC")
    if types.is_list(kind):
        item = inferred.value_type if types.is_list(inferred) else pyarrow.null()
        return pyarrow.list_(kind.value_field.with_type(settled(kind.value_type, item)))
    if types.is_struct(kind):
        others = {field.name: field.type for field in inferred} if types.is_struct(inferred) else {}
        fields = [
            field.with_type(settled(field.type, others.pop(field.name, pyarrow.null()))) for field in kind
        ]
        return pyarrow.struct([*fields, *(pyarrow.field(name, other) for name, other in others.items())])
    return kind


def mixed_field(record_type: object) -> str | None:
    """Return the name of a field that can't be a column, as its values may be of two types; else None."""
    types = _Types()
    for option in options_of(record_type):
        types.of_record(option)
    return types.mixed[0] if types.mixed else None


class _Types:
    """Finds the types of one record type. Not reused: it remembers where it is.

    Attributes:
        mixed: the fields that can't be columns, as their values may be of two types.
    """

    def __init__(self) -> None:
        self._pyarrow = import_pyarrow()
        self._null = self._pyarrow.null()
        self._classes: list[object] = []
        self._fields: list[str] = []
        self.mixed: list[str] = []

    def of_record(self, kind: object) -> dict[str, Any]:
        """Return the type of each column of the record class *kind*; none if it has no fields."""
        return self._of_fields(_shape_of(kind))

    def _of_fields(self, shape: Any) -> dict[str, Any]:
        kind = getattr(shape, "cls", None)
        if kind in self._classes:  # it has no end, and no Arrow type
            return {}
        self._classes.append(kind)
        found: dict[str, Any] = {}
        if (tag := getattr(shape, "tag_field", None)) is not None:
            found[tag] = self._of_values([shape.tag])
        for name, field, _ in fields_of(shape):
            self._fields.append(name)
            found[name] = self._of(field)
            self._fields.pop()
        self._classes.pop()
        return found

    def _of(self, shape: Any) -> Any:
        import msgspec.inspect as shapes

        match shape:
            case shapes.Metadata():
                return self._of(shape.type)
            case shapes.DateTimeType():
                zone = {True: "UTC", False: None, None: _OPEN_ZONE}[shape.tz]
                return self._pyarrow.timestamp("us", zone)
            case shapes.EnumType():
                return self._of_values(member.value for member in cast("Any", shape.cls))
            case shapes.LiteralType():
                return self._of_values(shape.values)
            case shapes.UnionType():
                options = (option for option in shape.types if not isinstance(option, shapes.NoneType))
                return self._one_of(map(self._of, options))
            case shapes.CollectionType():
                return self._pyarrow.list_(self._of(shape.item_type))
            case shapes.TupleType():
                return self._pyarrow.list_(self._one_of(map(self._of, shape.item_types)))
            case shapes.CustomType() if not hasattr(shape.cls, "model_fields"):
                return self._of_class(shape.cls)
            case _ if fields_of(shape):
                fields = self._of_fields(shape)
                if is_row(shape):
                    return self._pyarrow.list_(self._one_of(fields.values()))
                return self._pyarrow.struct(list(fields.items())) if fields else self._null
            case _:
                return _plain_types().get(shape.__class__, self._null)

    def _one_of(self, found: Iterable[Any]) -> Any:
        """Return the type that holds values of each type that was *found*, or note that there is none."""
        kinds = set(found)
        if kinds == {self._pyarrow.int64(), self._pyarrow.float64()}:
            return self._pyarrow.float64()
        if len(kinds) == 1:
            return kinds.pop()
        kinds.discard(self._null)
        # Records of two classes may share a column, which then has the fields of both.
        if len(kinds) > 1 and not all(map(self._pyarrow.types.is_struct, kinds)):
            self.mixed += self._fields[:1]
        return self._null

    def _of_values(self, values: Iterable[object]) -> Any:
        """Return the type of the values of an Enum or Literal, None left out."""
        return self._one_of({self._of_class(type(value)) for value in values if value is not None})

    def _of_class(self, kind: type[Any]) -> Any:
        """Return the type of a class that msgspec does not know, by what `encode_unknown` makes of it."""
        pyarrow = self._pyarrow
        package, name = kind.__module__.partition(".")[0], kind.__name__
        if package in ("pydantic", "pydantic_core"):
            if name in _PYDANTIC_TIMES:
                return pyarrow.timestamp("us", _PYDANTIC_TIMES[name])
            if name in _PYDANTIC_DATES:
                return pyarrow.date32()
            return pyarrow.string() if name.endswith(("Url", "EmailStr")) else self._null
        if issubclass(kind, datetime.datetime):
            return pyarrow.timestamp("us", _OPEN_ZONE)
        if hasattr(kind, "__fspath__"):
            return pyarrow.string()
        names = {each.__name__ for each in kind.__mro__} if package == "numpy" else set[str]()
        for base, numpy_name, made in _class_types():
            if issubclass(kind, base) or numpy_name in names:
                return made
        return self._null


@lru_cache
def _plain_types() -> dict[type, Any]:
    """Return the Arrow types of what msgspec decodes to plain values, by its shapes."""
    import msgspec.inspect as shapes

    arrow = import_pyarrow()
    return {
        shapes.BoolType: arrow.bool_(),
        shapes.IntType: arrow.int64(),
        shapes.FloatType: arrow.float64(),
        shapes.StrType: arrow.string(),
        shapes.UUIDType: arrow.string(),
        shapes.BytesType: arrow.binary(),
        shapes.ByteArrayType: arrow.binary(),
        shapes.MemoryViewType: arrow.binary(),
        shapes.DateType: arrow.date32(),
        shapes.TimeType: arrow.time64("us"),
        shapes.TimeDeltaType: arrow.duration("us"),
        shapes.DecimalType: arrow.decimal128(_DIGITS, _SCALE),
    }


@lru_cache
def _class_types() -> list[tuple[type, str, Any]]:
    """Return the Arrow types of subclasses, and of numpy's classes by the name of a base."""
    arrow = import_pyarrow()
    return [
        (bool, "bool", arrow.bool_()),
        (int, "integer", arrow.int64()),
        (float, "floating", arrow.float64()),
        (str, "str_", arrow.string()),
        (bytes, "bytes_", arrow.binary()),
        (datetime.date, "", arrow.date32()),
        (datetime.time, "", arrow.time64("us")),
        (datetime.timedelta, "", arrow.duration("us")),
        (decimal.Decimal, "", arrow.decimal128(_DIGITS, _SCALE)),
    ]


# --------------------------------------------------------------------------------------------- shapes


def _shape_of(kind: object) -> Any:
    import msgspec.inspect as shapes

    try:
        return shapes.type_info(kind)
    except (TypeError, ValueError, NameError, AttributeError):
        return shapes.AnyType()


def fields_of(shape: Any) -> list[tuple[str, Any, bool]]:
    """Return name and shape of each field of a record class, and whether it is required."""
    import msgspec.inspect as shapes

    records = (shapes.TypedDictType, shapes.DataclassType, shapes.StructType, shapes.NamedTupleType)
    if isinstance(shape, records):
        return [(field.encode_name, field.type, field.required) for field in fields_in_order(shape)]
    if not hasattr(getattr(shape, "cls", None), "model_fields"):
        return []
    return [
        (name, shapes.AnyType() if _is_json(field) else _shape_of(field.annotation), field.is_required())
        for name, field in pydantic_fields(shape.cls).items()
    ]


def is_row(shape: Any) -> bool:
    """Whether a record that is not the outermost one is a list of its values."""
    import msgspec.inspect as shapes

    return isinstance(shape, shapes.NamedTupleType) or bool(getattr(shape, "array_like", False))


def _is_json(field: Any) -> bool:
    return any(type(mark).__name__ == "Json" for mark in field.metadata)


# ------------------------------------------------------------------------------------------- reading


def cleaner_of(record_type: object) -> Callable[[dict[str, object]], dict[str, object]]:
    """Return what removes the nulls that mean nothing from a row, and from the records inside it.

    Records in one column share all their fields, and mappings all their keys: one that lacks a field has
    null there, which its type may not allow.
    """
    options = options_of(record_type)
    clean = _cleaner(_shape_of(options[0]), ()) if len(options) == 1 else None
    return cast("Callable[[dict[str, object]], dict[str, object]]", clean or dict)


def _cleaner(shape: Any, within: tuple[object, ...]) -> _Clean | None:
    import msgspec.inspect as shapes

    match shape:
        case shapes.Metadata():
            return _cleaner(shape.type, within)
        case shapes.UnionType():
            options = [option for option in shape.types if not isinstance(option, shapes.NoneType)]
            return _cleaner(options[0], within) if len(options) == 1 else None
        case shapes.CollectionType():
            item = _cleaner(shape.item_type, within)
            return None if item is None else _each_item(item)
        case shapes.DictType():
            drops = column_of(shape.value_type, required=False).drops_none()
            value = _cleaner(shape.value_type, within)
            return _each_value(value, drops=drops) if drops or value is not None else None
        case _:
            pass
    if getattr(shape, "cls", None) in within:
        return None
    fields = fields_of(shape)
    within = (*within, getattr(shape, "cls", None))
    cleaners = {name: clean for name, kind, _ in fields if (clean := _cleaner(kind, within)) is not None}
    dropped = {name for name, kind, required in fields if column_of(kind, required=required).drops_none()}
    return _fields(cleaners, frozenset(dropped)) if cleaners or dropped else None


_Clean: TypeAlias = "Callable[[object], object]"


def _each_item(clean: _Clean) -> _Clean:
    def items(value: object) -> object:
        return list(map(clean, cast("list[object]", value))) if isinstance(value, list) else value

    return items


def _each_value(clean: _Clean | None, *, drops: bool) -> _Clean:
    def values(value: object) -> object:
        if not isinstance(value, dict):
            return value
        pairs = cast("dict[str, object]", value).items()
        return {
            name: each if clean is None else clean(each)
            for name, each in pairs
            if each is not None or not drops
        }

    return values


def _fields(cleaners: Mapping[str, _Clean], dropped: frozenset[str]) -> _Clean:
    def fields(value: object) -> object:
        if not isinstance(value, dict):
            return value
        pairs = cast("dict[str, object]", value).items()
        return {
            name: cleaners[name](each) if name in cleaners else each
            for name, each in pairs
            if each is not None or name not in dropped
        }

    return fields
