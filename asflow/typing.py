"""Types for annotations of your own: what `@flow(...)` and `@flow.task(...)` return, and JSON."""

from asflow._names import set_homes
from asflow._task.output import JsonValue
from asflow._task.typing import (
    Keep,
    MaybeNone,
    Saved,
    SavedKeyed,
    SavedMaybe,
    SavedMaybeKeyed,
    Writes,
    WritesKeyed,
)

__all__ = [
    "JsonValue",
    "Keep",
    "MaybeNone",
    "Saved",
    "SavedKeyed",
    "SavedMaybe",
    "SavedMaybeKeyed",
    "Writes",
    "WritesKeyed",
]

set_homes(
    __name__,
    (Keep, MaybeNone, Saved, SavedKeyed, SavedMaybe, SavedMaybeKeyed, Writes, WritesKeyed),
)
