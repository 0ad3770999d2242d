"""The one display of a stream, shared by every sink that writes to it, and the thread that refreshes it.

A display tells what it knows through a `Surface`: a terminal, a notebook, or plain lines. The thread
starts with the first flow to be shown and ends with the last.
"""

from __future__ import annotations

import atexit
import os
import threading
import time
import weakref
from typing import TYPE_CHECKING, Protocol

from asflow.sinks._live.model import Forest
from asflow.sinks._words import flow_summary

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from asflow.events import FlowFinished, FlowStarted
    from asflow.sinks._words import Piece

__all__ = ["Display", "Surface", "shared"]

_SHARE = 0.02  # of a core, at the most, is spent on refreshing
_SLOWEST = 2.0


class Surface(Protocol):
    """Where a display shows itself."""

    @property
    def first(self) -> float:
        """Seconds until a flow is shown for the first time; shorter flows only leave their summary."""
        ...

    @property
    def every(self) -> float:
        """Seconds between two refreshes."""
        ...

    def begin(self, title: str, /) -> list[Piece] | None:
        """Return the line that announces a flow, or None where it is seen anyway."""
        ...

    def line(self, pieces: list[Piece], /) -> None:
        """Write a line that stays, behind the time of day."""
        ...

    def show(self, forest: Forest, stopped: Callable[[], bool], /) -> None:
        """Show the running flows as they are now, unless *stopped* says that it is too late."""
        ...

    def close(self) -> None:
        """Take away what `show` has shown. Called again after each time that `show` was."""
        ...

    def after_fork(self) -> None:
        """Let go, in a child process, of everything that the parent still shows."""
        ...


class Display:
    """Tells of flows and log lines on one surface. Safe from any thread; no method raises."""

    def __init__(self, surface: Surface) -> None:
        """Show on *surface*. Nothing happens before the first flow or line."""
        self._surface = surface
        self._forest = Forest(time.monotonic)
        self._lock = threading.Lock()
        self._poller: _Poller | None = None
        self._muted = False
        _displays.add(self)

    def start(self, event: FlowStarted) -> None:
        """Show a flow that was called."""
        with self._lock:
            view = self._forest.start(event)
            if self._forest.visible and self._poller is None and not self._muted:
                self._poller = _Poller(self._surface, self._forest)
                self._poller.start()
        if not view.hidden and view.parent is None:
            pieces = self._surface.begin(view.title)
            if pieces is not None:
                self.line(pieces)

    def finish(self, event: FlowFinished, *, nested: bool = False) -> None:
        """Take a flow away that has ended, and leave a line about it.

        A flow called by another adds to that one's line, and gets its own only with *nested*.
        """
        with self._lock:
            ended = self._forest.finish(event)
            poller = None
            if self._poller is not None and not self._forest.visible:
                poller, self._poller = self._poller, None
        if poller is not None:
            poller.stop()
        if ended is None:
            return
        view, counts = ended
        if not view.hidden and (nested or view.parent is None):
            self.line(flow_summary(view.title, event.outcome, event.error, counts, event.seconds))

    def line(self, pieces: list[Piece]) -> None:
        """Write a line that stays."""
        _guarded(lambda: self._surface.line(pieces))

    def end(self) -> None:
        """Stop at the end of the process: the terminal is left as it was."""
        with self._lock:
            poller, self._poller = self._poller, None
            self._muted = True
        if poller is not None:
            poller.stop()

    def after_fork(self) -> None:
        """Begin anew in a child process; where the parent is showing a display, the child shows none."""
        self._muted = self._poller is not None or self._muted
        self._poller = None
        self._lock = threading.Lock()
        self._forest = Forest(time.monotonic)
        self._surface.after_fork()


class _Poller:
    """The thread that refreshes a surface until it is stopped."""

    def __init__(self, surface: Surface, forest: Forest) -> None:
        self._surface = surface
        self._forest = forest
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="asflow-display", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Take the display away; the thread has ended on return, unless the terminal blocks it."""
        self._over.set()
        _guarded(self._surface.close)
        if self._thread is not threading.current_thread():
            self._thread.join(1.0)

    def _run(self) -> None:
        wait = self._surface.first
        while not self._over.wait(wait):
            if not self._forest.visible:  # whoever was to stop this was interrupted
                _guarded(self._surface.close)
                return
            begun = time.thread_time()
            if not _guarded(lambda: self._surface.show(self._forest, self._over.is_set)):
                _guarded(self._surface.close)
                return
            cost = time.thread_time() - begun
            wait = max(self._surface.every, min(_SLOWEST, cost / _SHARE))


def _guarded(act: Callable[[], None]) -> bool:
    """Do *act* and tell whether it went well: what a display can't do must not harm the flow."""
    try:
        act()
    except OSError:  # the terminal is gone: nobody is there to be told
        return False
    except Exception as error:  # whatever it is, the flow goes on without a display
        if not (isinstance(error, ValueError) and "closed file" in str(error)):
            import logging

            logging.getLogger("asflow.sinks").warning(
                "asflow's display has failed; the flow goes on", exc_info=True
            )
        return False
    return True


_displays: weakref.WeakSet[Display] = weakref.WeakSet()
_shared: weakref.WeakValueDictionary[Hashable, Display] = weakref.WeakValueDictionary()
_lock = threading.Lock()


def shared(key: Hashable, make: Callable[[], Surface]) -> Display:
    """Return the display of *key*, made on first use; it lives as long as a sink holds it."""
    with _lock:
        display = _shared.get(key)
        if display is None:
            display = _shared[key] = Display(make())
        return display


def _after_fork() -> None:
    global _lock  # the parent's lock may be held by a thread that the child doesn't have
    _lock = threading.Lock()
    for display in list(_displays):
        display.after_fork()


def _at_exit() -> None:
    for display in list(_displays):
        display.end()


atexit.register(_at_exit)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
