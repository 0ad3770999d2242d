"""Stores of outputs: on the local disk (the default), in memory, or in an object store (S3, GCS, Azure)."""

from typing import TYPE_CHECKING

from asflow._names import lazily, set_homes
from asflow.stores._local import LocalStore
from asflow.stores._memory import MemoryStore

if TYPE_CHECKING:
    from asflow.stores._objects.store import ObjectStore
    from asflow.stores._wrapper import ClaimWrapper, StoreWrapper
else:
    # Imported on first use, because importing asflow must be fast.
    __getattr__, __dir__ = lazily(
        __name__,
        {
            "ClaimWrapper": "._wrapper",
            "ObjectStore": "._objects.store",
            "StoreWrapper": "._wrapper",
        },
    )

__all__ = ["ClaimWrapper", "LocalStore", "MemoryStore", "ObjectStore", "StoreWrapper"]

set_homes(__name__, (LocalStore, MemoryStore))
