"""Records with named fields, whatever their class, as mappings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["as_mapping", "has_private_fields"]


def has_private_fields(kind: type) -> bool:
    """Tell whether *kind* is an attrs class with fields that begin with `_`, which msgspec leaves out."""
    fields = cast("Iterable[object]", getattr(kind, "__attrs_attrs__", ()))
    return any(str(getattr(field, "name", "")).startswith("_") for field in fields)


def as_mapping(record: object) -> Mapping[object, object] | None:
    """Return the names and values of a record with named fields, or None where it has none."""
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
    return cast("Mapping[object, object]", dump()) if callable(dump) else None


def _attributes(record: object, fields: Iterable[object]) -> dict[object, object]:
    names = [field if isinstance(field, str) else str(getattr(field, "name", field)) for field in fields]
    labels: Iterable[object] = getattr(record, "__struct_encode_fields__", names)
    return {label: getattr(record, name) for label, name in zip(labels, names, strict=True)}
