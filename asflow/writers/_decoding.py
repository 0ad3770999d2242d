"""From stored values back to typed records."""

from __future__ import annotations

from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any, TypeVar, cast, get_args

from asflow._labels import clean, short

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from typing_extensions import TypeForm

T = TypeVar("T")

# pydantic models are written with the names of their fields; other tools may write the aliases. Before 2.11
# pydantic accepts aliases only, unless the model sets `populate_by_name`.
_ANY_NAME = {"by_alias": True, "by_name": True}


def json_decoder(record_type: TypeForm[T]) -> Callable[[bytes], T]:
    """Return a function that decodes and validates the JSON of one record.

    Args:
        record_type: any type that msgspec decodes (TypedDict, dataclass, NamedTuple, attrs, Struct,
            dict[...], unions, Literal, Annotated), pydantic models, these nested, and classes that take
            their JSON value as the only argument (Path).

    Returns:
        A function that raises one of `decode_errors` for bytes that don't fit.

    Raises:
        TypeError: neither msgspec nor pydantic decodes this type.
    """
    validate = getattr(record_type, "model_validate_json", None)
    if callable(validate):
        return cast("Callable[[bytes], T]", partial(validate, **_known_options(validate, **_ANY_NAME)))
    import msgspec

    try:
        decoder: msgspec.json.Decoder[T] = msgspec.json.Decoder(_known(record_type), dec_hook=convert_unknown)
    except TypeError:
        if not _has_models(record_type):
            raise
        validate = _adapter(cast("Any", record_type)).validate_json
        return cast("Callable[[bytes], T]", partial(validate, **_known_options(validate, **_ANY_NAME)))
    return decoder.decode


def value_converter(record_type: TypeForm[T], *, strict: bool) -> Callable[[object], T]:
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
        return msgspec.convert(value, known, strict=strict, str_keys=True, dec_hook=convert_unknown)

    try:
        msgspec.json.Decoder(known, dec_hook=convert_unknown)  # `convert` would refuse the type too late
    except TypeError:
        if not _has_models(record_type):
            raise
        validate = _adapter(cast("Any", record_type)).validate_python
        options = _known_options(validate, strict=False, **_ANY_NAME)
        return cast("Callable[[object], T]", partial(validate, **options))
    return convert


def convert_unknown(kind: type, value: object) -> object:
    """Make a value of a class that msgspec does not know from its JSON value.

    Raises:
        ValueError: the value does not fit; the message includes that of the class.
    """
    validate = getattr(kind, "model_validate_json", None)
    if callable(validate):
        import msgspec

        try:
            # From JSON, because only there does a strict model accept a text as a date.
            return validate(msgspec.json.encode(value), **_known_options(validate, **_ANY_NAME))
        except ValueError as error:
            raise ValueError(reason_of(error)) from error
    if isinstance(value, kind):
        return value
    try:
        return kind(value)
    except Exception as error:
        raise ValueError(f"{short(value)} does not make a {kind.__qualname__}: {error}") from error


def _has_models(kind: object) -> bool:
    """Whether pydantic's models, of which msgspec takes no unions, are among the parts of *kind*."""
    return hasattr(kind, "model_validate_json") or any(map(_has_models, get_args(kind)))


@lru_cache
def _adapter(kind: Any) -> Any:
    import pydantic

    return pydantic.TypeAdapter(kind)


@lru_cache
def _known_options(method: Callable[..., object], **options: bool) -> dict[str, bool]:
    """Return those *options* that *method* of a pydantic model has: older versions lack some."""
    from inspect import signature

    known = signature(method).parameters
    return {name: value for name, value in options.items() if name in known}


def _known(record_type: TypeForm[T]) -> type[T]:
    # To msgspec `object` is a user's class; here it means any value.
    return cast("type[T]", Any if record_type is object else record_type)


def decode_errors() -> tuple[type[Exception], ...]:
    """Return the exceptions that a decoder raises for bytes or values that don't fit."""
    import msgspec

    # Only in newer versions of msgspec is MsgspecError a ValueError.
    return (ValueError, TypeError, RecursionError, OverflowError, msgspec.MsgspecError)


def reason_of(error: Exception) -> str:
    """Return what a decoder says, on one line: what was expected, what was found, and where."""
    list_errors = getattr(error, "errors", None)
    if not callable(list_errors):
        return clean(str(error))
    found = cast("Sequence[Mapping[str, Any]]", list_errors())
    first = found[0]
    place = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in first["loc"])
    got = "" if first["type"] == "missing" else f", got `{type(first['input']).__name__}`"
    more = f", and {len(found) - 1} more" if len(found) > 1 else ""
    return clean(f"{first['msg']}{got} - at `${place}`{more}")
