"""How the threads of a body reach one writer: in turn, and not once the body has ended."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from asflow._runtime.runs import output_closed

if TYPE_CHECKING:
    from collections.abc import Callable

    from asflow.protocols import Writer

__all__ = ["Serialised", "close_put", "put_of"]


class Serialised:
    """Calls a writer from one thread at a time, and no more once closed."""

    __slots__ = ("_closed", "_lock", "_write")

    def __init__(self, write: Callable[[object], object]) -> None:
        self._write = write
        # Reentrant: a record's own encoding may write another record.
        self._lock = threading.RLock()
        self._closed = False

    def __call__(self, record: object) -> object:
        """Write *record* when it is its turn. Raises as the writer does; OutputClosedError once closed."""
        with self._lock:
            return output_closed(record) if self._closed else self._write(record)

    def close(self) -> None:
        """Wait for the write that is under way, if any, and refuse all later ones."""
        with self._lock:
            self._closed = True


def put_of(writer: Writer[object]) -> Callable[[object], object]:
    """Return what the body's writes go through: the writer's own method if that is safe in threads."""
    return writer.write if getattr(writer, "concurrent", False) else Serialised(writer.write)


def close_put(put: Callable[[object], object]) -> None:
    """Before the writer ends: wait for the write that is under way in *put*, and refuse all later ones.

    A writer that is safe in threads refuses them itself.
    """
    if isinstance(put, Serialised):
        put.close()
