"""How a value of a type is kept in a format, and why it can't be: what `save=` checks at decoration."""

from __future__ import annotations

import dataclasses
import datetime
import decimal
from types import NoneType, UnionType
from typing import (
    TYPE_CHECKING,
    Annotated,
    Any,
    ForwardRef,
    Literal,
    NamedTuple,
    TypeVar,
    Union,
    cast,
    get_args,
    get_origin,
)

from asflow._labels import short
from asflow.errors import DefinitionTypeError
from asflow.writers._columns import bare, columns_of, unaliased
from asflow.writers._encoding import has_private_fields
from asflow.writers._suffixes import split_suffixes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from asflow.writers._format import Format
    from asflow.writers._suffixes import FormatName

Shape = Literal["document", "list", "stream", "frame", "text", "bytes", "one"]
"""How a value and its file correspond."""

_FRAMES = {"polars": "DataFrame", "pandas": "DataFrame", "pyarrow": "Table"}
_STREAMS = ("Iterator", "Generator", "AsyncIterator", "AsyncGenerator", "Iterable", "AsyncIterable")


class Kind(NamedTuple):
    """How the values of a type are kept.

    Attributes:
        shape: how a value and its file correspond.
        type: the type of the value; of a list or stream, that of a record.
    """

    shape: Shape
    type: Any


def kind_of(task: str, suffix: str, annotation: object, custom: Format[Any] | None = None) -> Kind:
    """Return how a value of type *annotation* is kept in an output with this *suffix*, or in *custom*.

    Raises:
        DefinitionTypeError: the format can't return a value of this type; *task* is named.
    """
    form = "registered" if custom is not None else split_suffixes(suffix).format
    annotation = any_json(annotation)
    try:
        if custom is not None and custom.reader is None:
            raise _Refusal(annotation, f"give {custom!r} a reader, or use on=")
        kind = _kind_of(form, annotation)
        kind = kind._replace(type=unaliased(kind.type))
        if form == "registered":
            _check_converted(kind.type)
        elif kind.shape in ("document", "list", "stream"):
            _check_type(kind.type)
        if kind.shape in ("list", "stream") and form in ("csv", "tsv", "parquet"):
            _check_record(kind.type, form)
    except _Refusal as refusal:
        odd = name_of(refusal.kind)
        inside = "" if refusal.kind is annotation else f" (in {name_of(annotation)})"
        raise DefinitionTypeError(
            f"task {task}(): save= can't keep {odd}{inside} as {suffix or 'text'} and return it; "
            f"{refusal.remedy}"
        ) from None
    return kind


class _Refusal(Exception):  # noqa: N818 - it does not leave this module
    """*kind* can't be kept; *remedy* says what to do."""

    def __init__(self, kind: object, remedy: str) -> None:
        self.kind = kind
        self.remedy = remedy


def _kind_of(form: FormatName, annotation: object) -> Kind:
    plain = bare(annotation)
    streamed = _stream_of(plain)
    if plain in (None, NoneType):
        raise _Refusal(annotation, "use on= for a body that writes its output and returns None")
    _check_known(plain, "the body returns")
    if form == "json":
        if streamed is not None:
            raise _Refusal(annotation, "name the output .jsonl to keep one record a line")
        return Kind("document", annotation)
    if form == "registered" and streamed is None and get_origin(plain) is not list and plain is not list:
        return Kind("one", annotation)
    if plain is str and form != "parquet":
        return Kind("text", str)
    if plain is bytes and form != "parquet":
        return Kind("bytes", bytes)
    if form == "raw":
        raise _Refusal(annotation, "return str or bytes, or name the output .json")
    if streamed is not None:
        return Kind("stream", streamed[0])
    if plain is list or get_origin(plain) is list:
        return Kind("list", (get_args(plain) or (Any,))[0])
    if form == "parquet" and _is_frame(plain):
        return Kind("frame", plain)
    frame = ", or a DataFrame or Table" if form == "parquet" else ""
    raise _Refusal(annotation, f"return list[Record] or Iterator[Record]{frame}, or name the output .json")


def _stream_of(kind: object) -> tuple[object] | None:
    """Return the type of the records of an iterator type, Any if it is not said; None for any other type."""
    origin: Any = get_origin(kind) or kind
    if getattr(origin, "__module__", "") in ("collections.abc", "typing") and (
        getattr(origin, "__name__", "") in _STREAMS
    ):
        return ((get_args(kind) or (Any,))[0],)
    return None


def _is_frame(kind: object) -> bool:
    package = getattr(kind, "__module__", "").partition(".")[0]
    return _FRAMES.get(package) == getattr(kind, "__name__", None)


# ------------------------------------------------------------------------------------- any JSON value

_SCALARS = (bool, int, float, str, NoneType)
_ANY_JSON: Any = bool | int | float | str | list[Any] | dict[str, Any] | None


def any_json(kind: object, within: tuple[object, ...] = ()) -> Any:
    """Return *kind* with `JsonValue`, or a user's own recursive alias of all that JSON holds, made plain.

    msgspec decodes no type that contains itself. This one means any JSON value, so there is nothing to check
    below its first lists and dicts. Any other recursive alias stays, and is refused by name.
    """
    if type(kind).__name__ == "TypeAliasType" and kind not in within:
        plain = any_json(getattr(kind, "__value__", None), (*within, kind))
        return _ANY_JSON if plain is _ANY_JSON else kind
    arguments = get_args(kind)
    if get_origin(kind) in (Union, UnionType):
        parts = [each for each in arguments if each not in _SCALARS]
        if len(arguments) - len(parts) == len(_SCALARS) and all(_is_json(each, within) for each in parts):
            return _ANY_JSON
        changed = tuple(any_json(each, within) for each in arguments)
        return kind if changed == arguments else Union[changed]  # noqa: UP007 - it is a tuple
    origin: Any = get_origin(kind)
    if origin in (list, dict, tuple):
        changed = tuple(any_json(each, within) for each in arguments)
        return kind if changed == arguments else origin[changed]  # pyright: ignore[reportInvalidTypeArguments] - it is bare
    return kind


def _is_json(kind: object, within: tuple[object, ...]) -> bool:
    """Whether *kind* is the list or the dict of a recursive alias of all that JSON holds."""
    origin, arguments = get_origin(kind), get_args(kind)
    if origin not in (list, dict) or (origin is dict and arguments[0] is not str):
        return False
    item = arguments[-1]
    return isinstance(item, (str, ForwardRef)) or item in within or any_json(item, within) is _ANY_JSON


def _check_known(kind: object, what: str) -> None:
    if kind is Any or kind is object or isinstance(kind, TypeVar):
        raise _Refusal(kind, f"annotate the type that {what}")


def _check_type(kind: Any) -> None:
    """Refuse a type of values or records that can't be decoded, such as a client or a plain class."""
    from asflow.writers._decoding import decode_errors, json_decoder

    _check_known(bare(kind), "a record has")
    if not isinstance(kind, type) and getattr(kind, "__parameters__", None):
        raise _Refusal(kind, "annotate types that are known here, without type variables")
    try:
        json_decoder(kind)
    except decode_errors() as error:
        raise _Refusal(kind, f"annotate a type that msgspec decodes ({error})") from None
    for odd, is_whole in _classes_in(kind):
        if is_whole or dataclasses.is_dataclass(odd):
            continue
        if has_private_fields(odd):
            raise _Refusal(odd, "rename its fields that begin with an underscore, which would be lost")
        if not hasattr(odd, "__attrs_attrs__") and not _is_known(odd):
            remedy = "annotate a dataclass, TypedDict, msgspec, attrs or pydantic class, or plain values"
            raise _Refusal(odd, remedy)


def _check_converted(kind: Any) -> None:
    """Refuse a type of records that can't be made from what a reader returns."""
    from asflow.writers._decoding import decode_errors, value_converter

    _check_known(bare(kind), "a record has")
    try:
        value_converter(kind, strict=True)
    except decode_errors() as error:
        raise _Refusal(kind, f"annotate a type that msgspec converts to ({error})") from None


def _classes_in(kind: object) -> Iterator[tuple[Any, bool]]:
    """Yield the classes within *kind* that msgspec may not decode, and whether they are written by fields."""
    import msgspec.inspect as shapes

    if callable(getattr(kind, "model_validate_json", None)):
        return
    try:
        top = shapes.type_info(kind)
    except TypeError:  # a union of pydantic's models, which pydantic decodes
        return
    outermost = [option for each in _options(top) for option in (each, *_options(_item(each)))]
    waiting: list[object] = [top]
    seen: set[int] = set()
    while waiting:
        shape = waiting.pop()
        if id(shape) in seen:
            continue
        seen.add(id(shape))
        if isinstance(shape, (shapes.CustomType, shapes.DataclassType)):
            is_whole = isinstance(shape, shapes.DataclassType) and any(shape is each for each in outermost)
            yield shape.cls, is_whole
        for name in getattr(shape, "__struct_fields__", ()):
            part = cast("object", getattr(shape, name))
            parts = cast("tuple[object, ...]", part) if isinstance(part, tuple) else (part,)
            waiting += [each for each in parts if isinstance(each, (shapes.Type, shapes.Field))]


def _options(shape: object) -> tuple[object, ...]:
    return getattr(shape, "types", (shape,))


def _item(shape: object) -> object:
    """Return the shape of a list's items, whose fields are written as those of a record are."""
    return getattr(shape, "item_type", None)


def _is_known(kind: Any) -> bool:
    """Whether a value of class *kind* is made from its JSON value again."""
    if kind is object or callable(getattr(kind, "model_validate_json", None)):
        return True
    package = kind.__module__.partition(".")[0]
    if package == "numpy":
        return bool(kind.__name__ != "ndarray")
    if package == "pandas":
        return issubclass(kind, (datetime.date, datetime.timedelta))
    return issubclass(kind, (str, int, float, bytes, decimal.Decimal)) or hasattr(kind, "__fspath__")


# ---------------------------------------------------------------------------- records in columns


def _check_record(kind: object, form: FormatName) -> None:
    """Refuse a type of records that CSV or Parquet has no columns for."""
    remedy = "annotate a dataclass, TypedDict, NamedTuple, dict[str, int] or the like, or name it .jsonl"
    if get_origin(bare(kind)) in (Union, UnionType):
        raise _Refusal(kind, "annotate one class of records, or name the output .jsonl")
    try:
        columns = columns_of(kind)
    except TypeError as error:
        raise _Refusal(kind, f"{remedy} ({error})") from None
    if getattr(bare(kind), "__pydantic_root_model__", False):
        raise _Refusal(kind, remedy)
    if columns.kind == "row":
        if form == "parquet" or not _is_sequence(kind):
            raise _Refusal(kind, remedy)
        return
    if not columns.names and not _is_mapping(kind):
        raise _Refusal(kind, remedy)
    if form == "parquet":
        from asflow.writers._schema import mixed_field

        if (mixed := mixed_field(kind)) is not None:
            raise _Refusal(kind, f"annotate one type for {mixed!r}, as a column has, or name it .jsonl")
        return
    untyped = [name for name in columns.names if columns.column(name).untyped]
    if untyped or (not columns.names and columns.other.untyped):
        which = f"of {untyped[0]!r}" if untyped else "of its columns, as in dict[str, str]"
        raise _Refusal(kind, f"annotate the type {which}, since CSV has only text, or name the output .jsonl")


def _is_sequence(kind: object) -> bool:
    import msgspec.inspect as shapes

    shape = shapes.type_info(bare(kind))
    sets = (shapes.SetType, shapes.FrozenSetType)
    return isinstance(shape, (shapes.CollectionType, shapes.TupleType)) and not isinstance(shape, sets)


def _is_mapping(kind: object) -> bool:
    import msgspec.inspect as shapes

    return isinstance(shapes.type_info(bare(kind)), shapes.DictType)


# ----------------------------------------------------------------------------------------- messages


def name_of(kind: object) -> str:
    """Return *kind* as a person writes it: `Weather`, `list[Row]`, `int | None`."""
    if kind is None or kind is NoneType:
        return "None"
    origin, arguments = get_origin(kind), get_args(kind)
    if origin in (Union, UnionType):
        return " | ".join(map(name_of, arguments))
    if origin is Annotated:
        return name_of(arguments[0])
    if origin is Literal:
        return f"Literal[{', '.join(map(short, arguments))}]"
    if kind is ...:
        return "..."
    name = getattr(origin or kind, "__qualname__", None) or getattr(kind, "__name__", None)
    if not isinstance(name, str):
        return str(kind).replace("typing.", "")
    name = name.rpartition("<locals>.")[2]
    return f"{name}[{', '.join(map(name_of, arguments))}]" if arguments else name
