"""What the formats share: raw text, values that JSON does not know, and how a record is refused."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, TypeGuard

from asflow._labels import short
from asflow.errors import RecordTypeError, RecordValueError

if TYPE_CHECKING:
    from collections.abc import Callable

    import msgspec

__all__ = [
    "ENCODE_ERRORS",
    "RawData",
    "encode_unknown",
    "is_raw",
    "json_encoder",
    "raw_bytes",
    "refuse_type",
    "refuse_value",
    "refused",
    "type_name",
]

ENCODE_ERRORS = (TypeError, ValueError, RecursionError, OverflowError)
"""What an encoder raises for a record that it can't encode."""

RawData = str | bytes | bytearray | memoryview
"""What every format takes as raw text or bytes, unencoded."""


def is_raw(record: object) -> TypeGuard[RawData]:
    """Tell whether *record* is raw text or bytes. A member of a str enum is a value, not text."""
    return isinstance(record, (str, bytes, bytearray, memoryview)) and not isinstance(record, enum.Enum)


def raw_bytes(record: RawData, task: str) -> bytes | bytearray | memoryview:
    """Return raw text as UTF-8, raw bytes as they are (a memoryview as flat bytes).

    Raises:
        RecordValueError: the text holds half of a surrogate pair, which UTF-8 can't hold.
    """
    if isinstance(record, str):
        try:
            return record.encode()
        except UnicodeEncodeError as error:
            raise refused(record, error, task) from error
    if isinstance(record, memoryview):
        return record.cast("B") if record.c_contiguous else record.tobytes()
    return record


def json_encoder() -> msgspec.json.Encoder:
    """Make an encoder to strict JSON: NaN and the infinities become null, bytes base64, tuples lists.

    Decimal, UUID, date, time, datetime (ISO 8601) and timedelta (ISO 8601 duration) become strings, an
    Enum its value, a set a list, a named tuple a list (as which it is read back). An attrs object inside
    a record loses its fields that begin with `_`, which msgspec leaves out; one that is a record keeps them.
    Source: https://jcristharif.com/msgspec/supported-types.html
    """
    import msgspec

    return msgspec.json.Encoder(enc_hook=encode_unknown)


def encode_unknown(value: object) -> object:
    """Return *value*, of a type that msgspec does not know, as one that it does.

    Knows subclasses of str, int, float, bytes, Decimal and of dates, times and durations (pandas' too),
    paths, pydantic models, numpy's scalars and arrays (and whatever else has `tolist`), and any mapping.

    Raises:
        TypeError: the type is not known here either, or *value* is a key, which JSON has as text only.
    """
    import os
    from collections.abc import Mapping, Set

    from asflow.writers._times import BASES, is_numpy_time, plain_base, plain_numpy_time

    if _has_form(value):
        raise TypeError(f"{short(value)} of type {type_name(value)} can't be a key in JSON")
    if isinstance(value, BASES):
        return plain_base(value)
    if is_numpy_time(value):
        return plain_numpy_time(value)
    if _is_pandas_na(value):
        return None
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value)
    if isinstance(value, bytes):
        return bytes(value)
    if isinstance(value, os.PathLike):
        return os.fspath(value)  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
    method: Callable[..., object] | None = getattr(value, "model_dump", None)
    if callable(method) and not isinstance(value, type):
        return method(mode="json")
    method = getattr(value, "tolist", None)
    if callable(method) and not isinstance(value, type):
        plain_value = method()
        if type(plain_value) is not type(value):
            return plain_value
    if isinstance(value, Mapping):
        return dict(value)  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
    if isinstance(value, Set):
        return list(value)  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
    raise TypeError(f"{short(value)} of type {type_name(value)} has no JSON form")


def _has_form(value: object) -> bool:
    # msgspec knows these itself, and asks for them only where they are keys.
    return value is None or isinstance(value, (tuple, list, frozenset))


def _is_pandas_na(value: object) -> bool:
    """Tell whether *value* is `pandas.NA`, which shares no base with anything."""
    kind = type(value)
    return kind.__name__ == "NAType" and kind.__module__.partition(".")[0] == "pandas"


def refused(record: object, error: Exception, task: str) -> RecordTypeError | RecordValueError:
    """Return the error to raise for *record*, which an encoder refused with *error*."""
    if isinstance(error, UnicodeEncodeError):
        return refuse_value(record, "holds half of a surrogate pair, which UTF-8 can't hold", task)
    if isinstance(error, (ValueError, RecursionError, OverflowError)):
        return refuse_value(record, f"can't be encoded: {error}", task)
    advice = "Convert it first, for example to a dict, a dataclass, a str or a number"
    return refuse_type(record, f"can't be encoded: {error}. {advice}", task)


def refuse_type(record: object, reason: str, task: str) -> RecordTypeError:
    """Return the error for a record of a type that the format has no use for."""
    return RecordTypeError(_message(record, reason, task))


def refuse_value(record: object, reason: str, task: str) -> RecordValueError:
    """Return the error for a record that the format can't take, or not now."""
    return RecordValueError(_message(record, reason, task))


def _message(record: object, reason: str, task: str) -> str:
    where = f"task {task}: " if task else ""
    return f"{where}the record {short(record)} of type {type_name(record)} {reason}."


def type_name(value: object) -> str:
    """Return the name of the type of *value*, with its module unless that is builtins."""
    kind = type(value)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
