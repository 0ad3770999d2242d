"""Stores of outputs: on the local disk (the default), in memory, or in an object store (S3, GCS, Azure)."""

from typing import TYPE_CHECKING

from asflow.stores._local import LocalStore
from asflow.stores._memory import MemoryStore

if TYPE_CHECKING:
    from asflow.stores._objects.store import ObjectStore

__all__ = ["LocalStore", "MemoryStore", "ObjectStore"]


def __getattr__(name: str) -> object:
    # Imported on first use: importing asflow must be cheap.
    if name == "ObjectStore":
        from asflow.stores._objects.store import ObjectStore

        return ObjectStore
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
