"""Stores of outputs: on the local disk (the default), in memory, or in an object store (S3, GCS, Azure)."""

from typing import TYPE_CHECKING

from asflow._names import lazily, set_homes
from asflow.stores._local import LocalStore
from asflow.stores._memory import MemoryStore

if TYPE_CHECKING:
    from asflow.stores._objects.store import ObjectStore
else:
    # Imported on first use, because importing asflow must be fast.
    __getattr__, __dir__ = lazily(__name__, {"ObjectStore": "._objects.store"})

__all__ = ["LocalStore", "MemoryStore", "ObjectStore"]

set_homes(__name__, (LocalStore, MemoryStore))
