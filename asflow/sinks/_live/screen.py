"""Lines that stay at the end of a terminal's output while all other output is written above them.

A frame is drawn where the program's own output continues, and the cursor is left below it, so that the shell
goes on below the frame when the program is killed or stopped (`kill -9`, Ctrl-Z). The next write moves up,
erases the frame, writes, and draws it again. Two kinds of output don't pass through here and need the cursor
where the program's output continues: what follows an unfinished line (a prompt), and what a subprocess
writes. While there is either, the frame is drawn below the cursor, which is saved and restored, so the
terminal itself keeps track of the position. `write` and `flush` are replaced on the stream objects that lead
to the terminal (`sys.stderr` stays the same object), so that a logging handler that already holds the stream
is covered too. While there is no frame, the streams are untouched.

Source: the control sequences are those of ECMA-48 and the DEC VT100 (VT, CUU, DECSC, DECRC, EL, ED, DECAWM,
DECTCEM), which all current terminals support.
"""

from __future__ import annotations

import os
import sys
import threading
import time
import weakref
from typing import IO, TYPE_CHECKING

from asflow import _forks
from asflow.sinks._live.stops import Stops

if TYPE_CHECKING:
    from collections.abc import Callable

_HIDE, _SHOW = "\x1b[?25l", "\x1b[?25h"
_SAVE, _RESTORE = "\x1b7", "\x1b8"
_CLEAR_RIGHT, _CLEAR_BELOW = "\x1b[K", "\x1b[J"
_NO_WRAP, _WRAP = "\x1b[?7l", "\x1b[?7h"

_PENDING_LIMIT = 8192  # the size of a stream's own buffer
_FLOOD_SECONDS = 0.005  # between two writes of a flood, at most
_REDRAW_SECONDS = 0.03  # between two frames during a flood, at least
_SPAWNING = 0.3  # seconds after which a subprocess that is being started is there

# What starts a process that may write to the terminal; names of audit events.
_SPAWNS = frozenset({"subprocess.Popen", "os.system", "os.posix_spawn", "os.spawn", "os.fork", "os.forkpty"})
# Set by terminals that wrap what is there again if they become narrower (others cut it).
_REFLOWING = (
    *("TMUX", "VTE_VERSION", "KITTY_WINDOW_ID", "WEZTERM_PANE", "ALACRITTY_WINDOW_ID"),
    *("TERM_PROGRAM", "WT_SESSION", "KONSOLE_VERSION"),
)


def device(stream: IO[str]) -> int | None:
    """Return the device number of the terminal that *stream* leads to, or None if it isn't a terminal."""
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
        # What each thread has written since its last line break; line-buffered streams hold that back too.
        self._pending: dict[int, str] = {}
        self._hooks: dict[str, object] = {"write": self._on_write, "flush": self._on_flush}
        self._before: dict[str, object] = {}

    def install(self) -> None:
        """Set the replacements on the stream object, if it has a `__dict__`; otherwise do nothing."""
        try:
            names = vars(self.stream)
        except TypeError:
            return
        self._before = {name: names[name] for name in self._hooks if name in names}
        names.update(self._hooks)

    def remove(self) -> None:
        """Undo `install`, unless other code has replaced them since, and write what is pending."""
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
        """Forget what is pending: the parent process writes it."""
        self._pending = {}

    def _on_write(self, text: str, /) -> int:
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

    def _on_flush(self) -> None:
        with self._screen.lock:
            pending = self._pending.pop(threading.get_ident(), "")
            if pending and self._screen.is_open:
                self._screen.pass_on(self, pending)
            elif pending:
                self.write(pending)
            self.flush()


class Screen:
    """The terminal behind one stream. Threads: safe from any.

    Attributes:
        stream: the stream that frames are written to.
        lock: held while the terminal is written to.
        is_open: whether `write` of the streams is replaced, and a frame may be on the terminal.
    """

    def __init__(self, stream: IO[str]) -> None:
        """Nothing is written or replaced before the first frame."""
        self.stream = stream
        # Reentrant: a signal handler or a finalizer may print during a write.
        self.lock: threading.RLock = _forks.renewed(self, "lock", threading.RLock)
        self.is_open: bool = False
        self._taps: list[_Tap] = []
        self._lines: list[str] = []
        self._busy = False
        self._partial = False
        self._drawn = False
        self._below = False  # whether the cursor is below the frame
        self._shared_until = 0.0
        self._lengths: list[int] = []  # of the lines that are drawn
        self._next: list[int] = []
        self._width = 0
        self._drawn_at = self._written_at = 0.0
        self._stops = Stops()

    def draw(self, lines: list[str], lengths: list[int], width: int) -> None:
        """Replace the frame by *lines*. Opens the screen if necessary.

        Args:
            lines: fewer than the rows of the terminal, each narrower than the terminal.
            lengths: how many columns each takes.
            width: the columns of the terminal.
        """
        with self.lock:
            if self._busy:
                return
            if _in_background(self.stream):  # the terminal is the shell's
                self._drawn = False
                return
            self._width = width
            if not self.is_open:
                self._open()
            self._lines, self._next = lines, lengths
            self._write(self._taps[0], "")

    def expect(self, seconds: float) -> None:
        """The next `draw` is due in *seconds*; a write that comes much later notices that we were stopped."""
        with self.lock:
            self._leave_if_stopped()
            self._stops.expect(seconds)

    def make_way(self) -> None:
        """Put the cursor above the frame: another process is about to write there."""
        with self.lock:
            self._shared_until = time.monotonic() + _SPAWNING
            if self.is_open and self._drawn and self._below and not self._busy:
                self._write(self._taps[0], "")

    def write_line(self, text: str) -> None:
        """Write *text* as a separate line above the frame."""
        with self.lock:
            if self.is_open:
                self.pass_on(self._taps[0], ("\n" if self._partial else "") + text + "\n")
            else:
                self.stream.write(text + "\n")
                self.stream.flush()

    def pass_on(self, tap: _Tap, text: str) -> None:
        """Write *text* to the stream of *tap*, above the frame."""
        if self._busy:
            tap.write(text)
            tap.flush()
            return
        self._write(tap, text)

    def close(self) -> None:
        """Erase the frame and restore the streams. Does nothing on a closed screen."""
        with self.lock:
            if not self.is_open:
                return
            self._lines = []
            try:
                self._write(self._taps[0], "")
            finally:
                self._release()

    def forget(self) -> None:
        """In a forked child process: restore the streams and leave the terminal to the parent."""
        self._busy = False
        for tap in self._taps:
            tap.discard()
        self._release()

    def _open(self) -> None:
        """Replace `write` and `flush` of the stream, and of the standard streams of the same terminal."""
        home = device(self.stream)
        streams = [self.stream]
        for stream in (sys.stderr, sys.stdout, sys.__stderr__, sys.__stdout__):
            if stream is not None and home is not None and device(stream) == home:
                streams += [] if any(stream is other for other in streams) else [stream]
        self._taps = [_Tap(self, stream) for stream in streams]
        self._partial = self._drawn = False
        self._lengths = []
        self.is_open = True
        for tap in self._taps:
            tap.flush()
            tap.install()
        _watch(self)
        # Blanks for one line: if the program has left a line unfinished, they lead to the next one.
        self._taps[0].write(" " * self._width + "\r")

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
        """Erase the frame, write *text*, and draw the frame below it."""
        self._busy = True
        try:
            self._leave_if_stopped()
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
            self._stops.wrote()
            self._busy = False

    def _leave_if_stopped(self) -> None:
        """Leave the frame where it is, if the program was stopped: the shell has written below it."""
        if self._stops.noticed():
            self._drawn = self._drawn and not self._below

    def _note(self, text: str) -> str:
        """Keep track of the cursor after *text*, and return what draws the frame."""
        rest = text[text.rfind("\n") + 1 :]
        self._partial = bool(rest.strip("\r")) or (self._partial and "\n" not in text)
        now = time.monotonic()
        # During a flood of lines most frames are omitted; the next refresh draws it again.
        flood = text and now - self._written_at < _FLOOD_SECONDS and now - self._drawn_at < _REDRAW_SECONDS
        if text:
            self._written_at = now
        if flood:
            return ""
        frame = self._frame()
        self._drawn, self._drawn_at = bool(self._lines), now
        return frame

    def _erased(self) -> str:
        """Return what erases the frame and leaves the cursor where the program's output continues."""
        if not self._drawn:
            return ""
        if self._below:
            return f"{self._up()}{_CLEAR_BELOW}"
        # Text right of the cursor is a remnant, unless the program began that line (perhaps followed by \\r).
        return f"{'' if self._partial else _CLEAR_RIGHT}{_SAVE}\x1b[B\r{_CLEAR_BELOW}{_RESTORE}"

    def _up(self) -> str:
        """Return what moves the cursor from below the frame to its beginning."""
        count = len(self._lengths)
        if any(length > self._width for length in self._lengths) and any(map(os.environ.get, _REFLOWING)):
            count = sum(max(1, -(-length // self._width)) for length in self._lengths)
        return f"\x1b[{count}A\r" if count else "\r"

    def _frame(self) -> str:
        """Return what draws the lines, from where the program's output continues or over the last frame."""
        below = not self._partial and not self._is_shared()
        before = self._erased() if self._drawn and below != self._below else ""
        if not self._lines:
            return before or self._erased()
        over = self._up() if self._drawn and below and not before else ""
        self._below, self._lengths = below, self._next
        if below:
            lines = "".join(f"{line}{_CLEAR_RIGHT}\r\n" for line in self._lines)
            return f"{_HIDE}{before}{over}\x1b[0m{_NO_WRAP}{lines}{_CLEAR_BELOW}{_WRAP}{_SHOW}"
        # VT moves down in the same column and scrolls if needed: the rows exist before the cursor is saved.
        count = len(self._lines)
        rows = "\v" * count + f"\x1b[{count}A"
        begin = _SAVE + ("" if self._partial else _CLEAR_RIGHT) + "\x1b[0m" + _NO_WRAP
        lines = "".join(f"\r\n{line}{_CLEAR_RIGHT}" for line in self._lines)
        return f"{_HIDE}{before}{rows}{begin}{lines}{_CLEAR_BELOW}{_WRAP}{_RESTORE}{_SHOW}"

    def _is_shared(self) -> bool:
        """Whether a subprocess may be writing to the terminal."""
        if not self._shared_until:
            return False
        if time.monotonic() > self._shared_until and not _has_children():
            self._shared_until = 0.0
        return self._shared_until > 0


def _has_children() -> bool:
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    except (AttributeError, OSError):  # Windows
        return True
    return True


def _in_background(stream: IO[str]) -> bool:
    """Whether a shell runs this program in the background of the terminal."""
    try:
        return os.tcgetpgrp(stream.fileno()) != os.getpgrp()
    except (AttributeError, OSError, ValueError):  # not this program's terminal; Windows
        return False


_screens: weakref.WeakSet[Screen] = weakref.WeakSet()
_watching: list[bool] = []


def _watch(screen: Screen) -> None:
    """Let *screen* make way for the subprocesses of this program."""
    _screens.add(screen)
    if not _watching:
        _watching.append(True)
        sys.addaudithook(_on_audit)


def _on_audit(event: str, args: tuple[object, ...]) -> None:
    if event in _SPAWNS:
        for screen in list(_screens):
            try:
                screen.make_way()
            except Exception:  # noqa: BLE001 - it would keep the process from being started
                continue
