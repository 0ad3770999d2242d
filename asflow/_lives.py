"""The `close()` of sinks and stores: called once when nothing uses one any more, at the latest at exit."""

from __future__ import annotations

import sys
import threading
import weakref
from typing import TYPE_CHECKING, Final

from asflow import _forks
from asflow._tracebacks import log_error

if TYPE_CHECKING:
    from collections.abc import Callable

_lock = _forks.renewed(sys.modules[__name__], "_lock", threading.RLock)


class Life:
    """The use of a sink or a store: while an instance exists, the part is in use. Made by `life_of`."""

    __slots__ = ("__weakref__", "_end", "part")

    def __init__(self, part: object) -> None:
        self.part: Final = part
        close: Callable[[], object] | None = getattr(part, "close", None)
        # By weakref rather than by `__del__`: called at exit, too, even if the part is still referred to.
        self._end = weakref.finalize(self, _close, close, type(part).__name__) if callable(close) else None

    def close(self) -> None:
        """Close the part now, unless that has been done."""
        if self._end is not None:
            self._end()


_lives: weakref.WeakValueDictionary[int, Life] = weakref.WeakValueDictionary()


def life_of(part: object) -> Life:
    """Return the use of *part*, the same one for all its users; keep it for as long as you use the part."""
    with _lock:
        life = _lives.get(id(part))
        if life is None:
            # Its id can't be another part's: a part lives for as long as its `Life`.
            life = _lives[id(part)] = Life(part)
        return life


def _close(close: Callable[[], object], name: str) -> None:
    try:
        close()
    except Exception as error:  # noqa: BLE001 - there is no caller that could handle it
        import logging

        logger = logging.getLogger("asflow")
        log_error(logger, logging.WARNING, error, "%s.close(): raised; what it held may be left open", name)
