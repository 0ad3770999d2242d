"""Where outputs live: on the local disk (the default) or in memory."""

from asflow.stores.local import LocalStore
from asflow.stores.memory import MemoryStore

__all__ = ["LocalStore", "MemoryStore"]
