"""The sinks that installed packages offer, as entry points of the group `asflow.sinks`.

An entry point is a class, or a function, that is called without arguments and makes a sink. The sinks are
added to all flows when the first flow is called, or the first event is reported: importing asflow finds none.
"""

from __future__ import annotations

import sys
import threading
from typing import TYPE_CHECKING, cast

from asflow import _forks, _reporter
from asflow._tracebacks import log_error

if TYPE_CHECKING:
    from collections.abc import Callable
    from importlib.metadata import EntryPoint

    from asflow.protocols import ProgressSink

GROUP = "asflow.sinks"


class _State:
    """What has happened in this process.

    Attributes:
        loaded: whether the entry points were looked for.
        named: the names of those that were added by name.
    """

    __slots__ = ("loaded", "named")

    def __init__(self) -> None:
        self.loaded = False
        self.named: set[str] = set()


state = _State()
_lock = _forks.renewed(sys.modules[__name__], "_lock", threading.RLock)


def load() -> None:
    """Add the sinks of all entry points, once per process; one that can't be made is logged and left out."""
    with _lock:
        if state.loaded:
            return
        state.loaded = True  # before the rest: making a sink may call a flow
    for point in points():
        if point.name in state.named:
            continue
        try:
            _reporter.add(maker(point)(), None, f"entry point {point.name} of {GROUP}:")
        except Exception as error:  # noqa: BLE001 - a display must never fail the work that it shows
            import logging

            message = "entry point %s of %s: can't be used; repair or remove the package %s"
            package = "?" if point.dist is None else point.dist.name
            log_error(logging.getLogger("asflow"), logging.ERROR, error, message, point.name, GROUP, package)


def points() -> list[EntryPoint]:
    """Return the entry points."""
    from importlib.metadata import entry_points

    return list(entry_points(group=GROUP))


def maker(point: EntryPoint) -> Callable[..., ProgressSink]:
    """Import what *point* names. Raises what that raises."""
    return cast("Callable[..., ProgressSink]", point.load())
