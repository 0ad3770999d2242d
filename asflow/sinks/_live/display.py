"""The one display of a stream, shared by all sinks that write to it, and the thread that refreshes it.

A display draws on a `Surface`: a terminal, a notebook, or plain lines. The thread starts with the first flow
to be shown and ends with the last.
"""

from __future__ import annotations

import atexit
import sys
import threading
import time
import weakref
from typing import TYPE_CHECKING, Protocol

from asflow import _forks
from asflow._digest import digest_lines
from asflow._tracebacks import log_error
from asflow.sinks._live.model import Forest
from asflow.sinks._live.quiet import Quiet
from asflow.sinks._words import flow_summary

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence

    from asflow.events import FlowFinished, FlowStarted
    from asflow.sinks._words import Piece

_CPU_SHARE = 0.02  # of a core, at most, is spent on refreshing
_LONGEST_WAIT = 2.0  # seconds between two refreshes that are expensive
_JOIN_SECONDS = 1.0
_HELD_SECONDS = 1.0  # that a summary waits for the traceback of what has ended its flow


class Surface(Protocol):
    """What a display draws on."""

    @property
    def first(self) -> float:
        """Seconds until a flow is shown for the first time; a shorter one leaves only its summary."""
        ...

    @property
    def every(self) -> float:
        """Seconds between two refreshes."""
        ...

    def begin(self, title: str, /) -> list[Piece] | None:
        """Return the line that announces a flow, or None if the flow will be visible anyway."""
        ...

    @property
    def waits_for_tracebacks(self) -> bool:
        """Whether the summary of a flow that has raised follows the traceback that ends the program."""
        ...

    def line(self, pieces: list[Piece], below: Sequence[list[Piece]] = (), /) -> None:
        """Write a permanent line, after the time of day, and lines that belong to it."""
        ...

    def show(self, forest: Forest, stopped: Callable[[], bool], /) -> None:
        """Show the running flows as they are now, unless *stopped* returns True."""
        ...

    def expect(self, seconds: float, /) -> None:
        """Note that the next `show` is due in *seconds*: what comes much later was stopped in between."""
        ...

    def close(self) -> None:
        """Remove what `show` has shown. May be called repeatedly, and while `show` is running."""
        ...

    def after_fork(self) -> None:
        """In a forked child process: forget what the parent still shows."""
        ...


class Display:
    """Shows flows and log lines on one surface. Threads: safe from any. No method raises."""

    def __init__(self, surface: Surface) -> None:
        self._surface = surface
        self._forest = Forest(time.monotonic)
        self._lock = _forks.renewed(self, "_lock", threading.Lock)
        self._poller: _Poller | None = None
        self._muted = False
        self._quiet = Quiet()
        self._held: list[tuple[list[Piece], Sequence[list[Piece]]]] = []
        _displays.add(self)

    def start(self, event: FlowStarted) -> None:
        self._release()
        with self._lock:
            view = self._forest.start(event)
            if self._forest.visible and self._poller is None and not self._muted:
                self._poller = _Poller(self._surface, self._forest)
                self._poller.start()
        if not view.hidden and view.parent is None and not event.brief:
            pieces = self._surface.begin(view.title)
            if pieces is not None:
                self.line(pieces)

    def finish(self, event: FlowFinished, *, nested: bool = False) -> None:
        """Remove a flow that has ended, and write its summary.

        A flow called by another one is part of that one's summary; it gets its own only with *nested*. A
        brief one may leave none, see `Quiet`.
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
            with self._lock:
                if not nested and self._quiet.omits(event, counts):
                    return
                more = self._quiet.noted(event)
            summary = flow_summary(view.title, event.outcome, event.error, counts, event.seconds)
            pieces, digest = [*summary, *more], event.digest
            below = digest_lines(digest.groups, digest.left_out, digest.folder) if view.parent is None else []
            if event.outcome != "completed" and view.parent is None and self._surface.waits_for_tracebacks:
                self._hold(pieces, below)
            else:
                self.line(pieces, below)

    def line(self, pieces: list[Piece], below: Sequence[list[Piece]] = ()) -> None:
        self._release()
        _guarded(lambda: self._surface.line(pieces, below))

    def _hold(self, pieces: list[Piece], below: Sequence[list[Piece]]) -> None:
        """Write a summary a little later, or when the program ends: so it comes after the traceback."""
        self._held.append((pieces, below))
        timer = threading.Timer(_HELD_SECONDS, self._release)
        timer.daemon = True
        timer.name = "asflow-summary"
        timer.start()

    def _release(self) -> None:
        while self._held:
            try:
                pieces, below = self._held.pop(0)
            except IndexError:  # another thread was faster
                return
            _guarded(lambda: self._surface.line(pieces, below))  # noqa: B023 - called at once

    def end(self) -> None:
        """Stop at the exit of the process, and restore the terminal."""
        with self._lock:
            poller, self._poller = self._poller, None
            self._muted = True
        if poller is not None:
            poller.stop()
        self._release()

    def after_fork(self) -> None:
        """Start over in a forked child process, which shows no display while its parent does."""
        self._muted = self._poller is not None or self._muted
        self._poller = None
        self._held = []
        self._forest = Forest(time.monotonic)
        self._surface.after_fork()


class _Poller:
    """The thread that refreshes a surface until it is stopped."""

    def __init__(self, surface: Surface, forest: Forest) -> None:
        self._surface = surface
        self._forest = forest
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="asflow-display", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Remove the display. The thread has ended on return, unless the terminal blocks it."""
        self._stopping.set()
        _guarded(self._surface.close)
        if self._thread is not threading.current_thread():
            self._thread.join(_JOIN_SECONDS)

    def _run(self) -> None:
        wait = min(self._surface.first, threading.TIMEOUT_MAX)  # 49 days on Windows
        while self._waited(wait):
            if not self._forest.visible:  # the call of `stop` was interrupted
                _guarded(self._surface.close)
                return
            started = time.thread_time()
            if not _guarded(lambda: self._surface.show(self._forest, self._stopping.is_set)):
                _guarded(self._surface.close)
                return
            cost = time.thread_time() - started
            wait = min(max(self._surface.every, min(_LONGEST_WAIT, cost / _CPU_SHARE)), threading.TIMEOUT_MAX)

    def _waited(self, seconds: float) -> bool:
        """Wait for the next refresh, and return whether there is one."""
        _guarded(lambda: self._surface.expect(seconds))
        return not self._stopping.wait(seconds)


def _guarded(act: Callable[[], None]) -> bool:
    """Call *act* and return whether it succeeded: a failing display must not harm the flow."""
    try:
        act()
    except OSError:  # the terminal is gone
        return False
    except Exception as error:  # noqa: BLE001 - the flow goes on without a display
        if not (isinstance(error, ValueError) and "closed file" in str(error)):
            import logging

            logger = logging.getLogger("asflow.sinks")
            log_error(logger, logging.WARNING, error, "asflow's display failed; the flow goes on without it")
        return False
    return True


_displays: weakref.WeakSet[Display] = weakref.WeakSet()
_shared: weakref.WeakValueDictionary[Hashable, Display] = weakref.WeakValueDictionary()
_lock = _forks.renewed(sys.modules[__name__], "_lock", threading.Lock)


def shared(key: Hashable, make: Callable[[], Surface]) -> Display:
    """Return the display of *key*, created on first use. It lives as long as a sink refers to it."""
    with _lock:
        display = _shared.get(key)
        if display is None:
            display = _shared[key] = Display(make())
        return display


def _after_fork() -> None:
    for display in list(_displays):
        display.after_fork()


def _at_exit() -> None:
    for display in list(_displays):
        display.end()


atexit.register(_at_exit)
_forks.after_fork(_after_fork)
