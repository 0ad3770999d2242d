"""What the formats share: raw text, records with named fields, and values that JSON does not know."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeGuard, cast

from asflow._labels import short
from asflow.writers._refusals import refused, type_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    import msgspec

ENCODE_ERRORS = (TypeError, ValueError, RecursionError, OverflowError)
"""What an encoder raises for a record that it can't encode."""

RawData = str | bytes | bytearray | memoryview
"""What every text format takes as raw text or bytes, unencoded."""


def is_raw(record: object) -> TypeGuard[RawData]:
    """Whether *record* is raw text or bytes. A member of a str enum is a value, not text."""
    return isinstance(record, (str, bytes, bytearray, memoryview)) and not isinstance(record, enum.Enum)


def raw_bytes(record: RawData, task: str) -> bytes | bytearray | memoryview:
    """Return raw text as UTF-8, raw bytes as they are (a memoryview as flat bytes).

    Raises:
        RecordValueError: the text holds half of a surrogate pair, which UTF-8 can't encode.
    """
    if isinstance(record, str):
        try:
            return record.encode()
        except UnicodeEncodeError as error:
            raise refused(record, error, task) from error
    if isinstance(record, memoryview):
        return record.cast("B") if record.c_contiguous else record.tobytes()
    return record


# ------------------------------------------------------------------------------- records with fields


def has_private_fields(kind: type) -> bool:
    """Whether *kind* is an attrs class with fields that begin with `_`, which msgspec leaves out."""
    fields = cast("Iterable[object]", getattr(kind, "__attrs_attrs__", ()))
    return any(str(getattr(field, "name", "")).startswith("_") for field in fields)


def as_mapping(record: object) -> Mapping[object, object] | None:
    """Return the names and values of a record with named fields or labels, or None if it has none.

    Raises:
        ValueError: it has two values of one label.
    """
    if isinstance(record, Mapping):
        return cast("Mapping[object, object]", record)
    if isinstance(record, type):
        return None
    if isinstance(record, tuple):
        row = cast("tuple[object, ...]", record)
        names = cast("Iterable[object] | None", getattr(row, "_fields", None))
        return None if names is None else dict(zip(names, row, strict=True))
    import dataclasses

    if dataclasses.is_dataclass(record):
        return {field.name: getattr(record, field.name) for field in dataclasses.fields(record)}
    for kind in ("__struct_fields__", "__attrs_attrs__"):
        fields = cast("Iterable[object] | None", getattr(record, kind, None))
        if fields is not None:
            return _attributes(record, fields)
    dump = getattr(record, "model_dump", None)
    if callable(dump):
        dumped = dump()
        return cast("Mapping[object, object]", dumped) if isinstance(dumped, dict) else None
    return _labelled(record) if is_labelled(record) else None


def _attributes(record: object, fields: Iterable[object]) -> dict[object, object]:
    names = [field if isinstance(field, str) else str(getattr(field, "name", field)) for field in fields]
    labels: Iterable[object] = getattr(record, "__struct_encode_fields__", names)
    config: Any = getattr(record, "__struct_config__", None)
    tag = {} if config is None or config.tag is None else {config.tag_field: config.tag}
    return tag | {label: getattr(record, name) for label, name in zip(labels, names, strict=True)}


def is_labelled(record: object) -> bool:
    """Whether *record* labels its values like a mapping without being one: a pandas Series, a sqlite3.Row."""
    kind = type(record)
    return (
        callable(getattr(kind, "keys", None))
        and hasattr(kind, "__getitem__")
        and not isinstance(record, (Mapping, type))
        and getattr(record, "ndim", 1) == 1  # a frame has labels too: of its columns
        and not _has_fields(kind)
    )


def _labelled(record: Any) -> dict[object, object]:
    pairs: list[tuple[object, object]] = (
        list(record.items()) if hasattr(record, "items") else [(key, record[key]) for key in record.keys()]  # noqa: SIM118
    )
    values = dict(pairs)
    if len(values) < len(pairs):
        raise ValueError("it has two values of one label")
    if type(record).__module__.partition(".")[0] != "pandas":
        return values
    # To pandas NaN is what is missing, in a column of texts as well.
    return {label: None if isinstance(value, float) and value != value else value for label, value in pairs}


def _has_fields(kind: type) -> bool:
    marks = ("__dataclass_fields__", "__struct_fields__", "__attrs_attrs__", "model_dump", "_fields")
    return any(hasattr(kind, mark) for mark in marks)


def is_records(record: object) -> bool:
    """Whether *record* is a list or tuple of records: of mappings, or of objects with named fields."""
    if not isinstance(record, (list, tuple)):
        return False
    items = cast("Sequence[object]", record)
    return bool(items) and not hasattr(items, "_fields") and all(map(_is_record, items))


def _is_record(item: object) -> bool:
    return isinstance(item, Mapping) or _has_fields(type(item)) or is_labelled(item)


WRITE_ALL = "is a list of records, and write() takes one; pass it to flow.task.write_all(records)"
"""Why a list of records is refused by the formats that have a line for each."""


# ---------------------------------------------------------------------------------------------- JSON


@lru_cache
def json_encoder() -> msgspec.json.Encoder:
    """Return an encoder to strict JSON: NaN and the infinities become null, bytes base64, tuples lists.

    Decimal, UUID, date, time, datetime (ISO 8601) and timedelta (ISO 8601 duration) become strings, an
    Enum its value, a set a list, a named tuple a list (as which it is read back). An attrs object inside
    a record loses its fields that begin with `_`, which msgspec leaves out; one that is a record keeps them.
    Source: https://jcristharif.com/msgspec/supported-types.html

    Threads: it is the same for all, and may be used from any number of them.
    """
    import msgspec

    return msgspec.json.Encoder(enc_hook=encode_unknown)


def encode_unknown(value: object) -> object:
    """Return *value*, of a type that msgspec does not know, as one that it does.

    Knows subclasses of str, int, float, bytes, Decimal and of dates, times and durations (also pandas'),
    paths, pydantic models, numpy's scalars and arrays (anything that has `tolist`), and any mapping.

    Raises:
        TypeError: the type is not known here either, or *value* is a key, which JSON has as text only.
    """
    import os
    from collections.abc import Set

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
    if type(value).__module__.partition(".")[0] in ("pydantic", "pydantic_core"):
        import pydantic_core

        return pydantic_core.to_jsonable_python(value)  # a Url, a Secret
    raise TypeError(f"{short(value)} of type {type_name(value)} has no JSON form")


def _has_form(value: object) -> bool:
    # msgspec encodes these itself; it asks for them only as keys.
    return value is None or isinstance(value, (tuple, list, frozenset))


def _is_pandas_na(value: object) -> bool:
    """Whether *value* is `pandas.NA`, which shares no base class with anything else."""
    kind = type(value)
    return kind.__name__ == "NAType" and kind.__module__.partition(".")[0] == "pandas"
