"""Lines that stay below the cursor of a terminal while everything else is written above them.

How it works: the cursor always stands where the program's own output goes on. A frame is drawn below
it, with the cursor saved and restored, so the terminal itself knows where that is: a resize, a prompt,
an unfinished line or output of a subprocess find the cursor where they expect it. `write` of the
streams that lead to the same terminal is replaced on the stream objects themselves (not `sys.stderr`
by another object), so that a logging handler made long ago passes here too; it takes the frame away,
writes, and draws it anew. Without a frame the streams are as they were.

Source: the control sequences are those of ECMA-48 and the DEC VT100 (VT, CUU, DECSC, DECRC, EL, ED, DECAWM,
DECTCEM), which every terminal of today has.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Screen", "device"]

_HIDE, _SHOW = "\x1b[?25l", "\x1b[?25h"
_SAVE, _RESTORE = "\x1b7", "\x1b8"
_CLEAR_RIGHT, _CLEAR_BELOW = "\x1b[K", "\x1b[J"
_NO_WRAP, _WRAP = "\x1b[?7l", "\x1b[?7h"

_PENDING_LIMIT = 8192  # as much as a stream buffers itself
_FLOOD_SECONDS = 0.005
_REDRAW_SECONDS = 0.03


def device(stream: IO[str]) -> int | None:
    """Return what identifies the terminal that *stream* leads to, or None if it leads to none."""
    try:
        number = stream.fileno()
        return os.fstat(number).st_rdev if os.isatty(number) else None
    except (AttributeError, OSError, ValueError):  # no descriptor, or closed
        return None


class _Tap:
    """The replaced `write` and `flush` of one stream."""

    def __init__(self, screen: Screen, stream: IO[str]) -> None:
        self.stream = stream
        self.write: Callable[[str], int] = stream.write
        self.flush: Callable[[], object] = stream.flush
        self._screen = screen
        # What each thread has written since its last line break; a terminal's stream holds that back too.
        self._pending: dict[int, str] = {}
        self._hooks: dict[str, object] = {"write": self._hear_write, "flush": self._hear_flush}
        self._before: dict[str, object] = {}

    def install(self) -> None:
        """Put the replacements on the stream object; where it takes none, its output is not heard of."""
        try:
            names = vars(self.stream)
        except TypeError:
            return
        self._before = {name: names[name] for name in self._hooks if name in names}
        names.update(self._hooks)

    def remove(self) -> None:
        """Take them off, unless somebody has replaced them meanwhile, and write what is pending."""
        try:
            names = vars(self.stream)
        except TypeError:
            return
        for name, hook in self._hooks.items():
            if names.get(name) is hook:
                if name in self._before:
                    names[name] = self._before[name]
                else:
                    del names[name]
        pending, self._pending = "".join(self._pending.values()), {}
        if pending:
            self.write(pending)

    def discard(self) -> None:
        """Forget what is pending: another process writes it."""
        self._pending = {}

    def _hear_write(self, text: str, /) -> int:
        with self._screen.lock:
            if not self._screen.is_open or not isinstance(text, str):  # pyright: ignore[reportUnnecessaryIsInstance]
                return self.write(text)
            thread = threading.get_ident()
            whole = self._pending.pop(thread, "") + text
            cut = max(whole.rfind("\n"), whole.rfind("\r")) + 1
            if len(whole) - cut > _PENDING_LIMIT:
                cut = len(whole)
            if cut < len(whole):
                self._pending[thread] = whole[cut:]
            if cut:
                self._screen.pass_on(self, whole[:cut])
            return len(text)

    def _hear_flush(self) -> None:
        with self._screen.lock:
            pending = self._pending.pop(threading.get_ident(), "")
            if pending and self._screen.is_open:
                self._screen.pass_on(self, pending)
            elif pending:
                self.write(pending)
            self.flush()


class Screen:
    """The terminal behind one stream. Safe from any thread.

    Attributes:
        stream: the stream that frames are written to.
        lock: held while the terminal is written to.
        is_open: whether the streams pass through here, and a frame may stand on the terminal.
    """

    def __init__(self, stream: IO[str]) -> None:
        """Prepare for *stream*; nothing is written or replaced before the first frame."""
        self.stream = stream
        # Reentrant: a signal handler or a finalizer may print in the middle of a write.
        self.lock: threading.RLock = threading.RLock()
        self.is_open: bool = False
        self._taps: list[_Tap] = []
        self._lines: list[str] = []
        self._busy = False
        self._partial = False
        self._drawn = False
        self._drawn_at = self._said_at = 0.0

    def draw(self, lines: list[str]) -> None:
        """Show *lines* below the cursor instead of what was there. Opens the screen if need be.

        Args:
            lines: fewer than the terminal has rows, each narrower than the terminal.
        """
        with self.lock:
            if self._busy:
                return
            if not self.is_open:
                self._open()
            self._lines = lines
            self._write(self._taps[0], "")

    def write_line(self, text: str) -> None:
        """Write *text* as a line of its own, above the frame."""
        with self.lock:
            if self.is_open:
                self.pass_on(self._taps[0], ("\n" if self._partial else "") + text + "\n")
            else:
                self.stream.write(text + "\n")
                self.stream.flush()

    def pass_on(self, tap: _Tap, text: str) -> None:
        """Write *text* to the stream of *tap*, where the program's output goes on."""
        if self._busy:
            tap.write(text)
            tap.flush()
            return
        self._write(tap, text)

    def close(self) -> None:
        """Take the frame away and give the streams back; does nothing on a closed screen."""
        with self.lock:
            if not self.is_open:
                return
            self._lines = []
            try:
                self._write(self._taps[0], "")
            finally:
                self._release()

    def forget(self) -> None:
        """Give the streams back without touching the terminal, which belongs to the parent process."""
        self.lock = threading.RLock()
        self._busy = False
        for tap in self._taps:
            tap.discard()
        self._release()

    def _open(self) -> None:
        """Replace `write` and `flush` of every known stream that leads to this terminal."""
        home = device(self.stream)
        streams = [self.stream]
        for stream in (sys.stderr, sys.stdout, sys.__stderr__, sys.__stdout__):
            if stream is not None and home is not None and device(stream) == home:
                streams += [] if any(stream is other for other in streams) else [stream]
        self._taps = [_Tap(self, stream) for stream in streams]
        self._partial = self._drawn = False
        self.is_open = True
        for tap in self._taps:
            tap.flush()
            tap.install()

    def _release(self) -> None:
        taps, self._taps = self._taps, []
        self.is_open = False
        self._lines = []
        for tap in taps:
            try:
                tap.remove()
            except (OSError, ValueError):  # the terminal is gone, or the stream closed
                continue

    def _write(self, tap: _Tap, text: str) -> None:
        """Write *text* with the frame out of its way, and the frame below it."""
        self._busy = True
        try:
            home = self._taps[0]
            before = self._erased() if text else ""
            self._drawn = self._drawn and not text
            if tap is not home and before:
                home.write(before)
                home.flush()
                before = ""
            after = self._note(text)
            if tap is home:
                home.write(before + text + after)
            else:
                tap.write(text)
                tap.flush()
                home.write(after)
            home.flush()
        finally:
            self._busy = False

    def _note(self, text: str) -> str:
        """Note how the cursor stands after *text*, and return the frame to draw then."""
        rest = text[text.rfind("\n") + 1 :]
        self._partial = bool(rest.strip("\r")) or (self._partial and "\n" not in text)
        now = time.monotonic()
        # A flood of lines does without the frame now and then; the next refresh brings it back.
        flood = text and now - self._said_at < _FLOOD_SECONDS and now - self._drawn_at < _REDRAW_SECONDS
        if text:
            self._said_at = now
        if flood:
            return ""
        frame = self._frame()
        self._drawn, self._drawn_at = bool(self._lines), now
        return frame

    def _erased(self) -> str:
        """Return what takes the frame away and leaves the cursor where it is."""
        if not self._drawn:
            return ""
        # What stands right of the cursor is a remnant, unless the line was begun (and perhaps ended by \\r).
        return f"{'' if self._partial else _CLEAR_RIGHT}{_SAVE}\x1b[B\r{_CLEAR_BELOW}{_RESTORE}"

    def _frame(self) -> str:
        """Return what draws the lines below the cursor and leaves the cursor where it is."""
        count = len(self._lines)
        if not count:
            return self._erased()
        # VT goes down without going left and scrolls where it must: it makes room before the cursor is saved.
        room = "\v" * count + f"\x1b[{count}A"
        begin = _SAVE + ("" if self._partial else _CLEAR_RIGHT) + "\x1b[0m" + _NO_WRAP
        lines = "".join(f"\r\n{line}{_CLEAR_RIGHT}" for line in self._lines)
        return _HIDE + room + begin + lines + _CLEAR_BELOW + _WRAP + _RESTORE + _SHOW
