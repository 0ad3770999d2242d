"""The surfaces that a display draws on: a terminal, a notebook, or plain lines."""

from __future__ import annotations

import importlib
import sys
import threading
from typing import IO, TYPE_CHECKING, Protocol, cast

from asflow import _forks
from asflow._labels import clean
from asflow.sinks._live.layout import Layout, fold
from asflow.sinks._live.model import first_values
from asflow.sinks._live.rows import rows_of
from asflow.sinks._live.screen import Screen
from asflow.sinks._words import (
    Counts,
    amount,
    call_title,
    clock,
    join,
    plain,
    rate,
    time_of_day,
    to_ascii,
    took,
    wait_words,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rich.console import Console
    from rich.text import Text

    from asflow.events import Tally
    from asflow.sinks._live.model import FlowView, Forest
    from asflow.sinks._words import Piece

_MOST_TASKS = 6  # in one plain line
_MOST_FLOWS = 4  # with a plain line at one refresh
_NOTEBOOK_WIDTH = 96  # columns that fit a cell
_NOTEBOOK_STYLES = {"bar.back": "grey62"}  # on a white page too, the rest of a bar is fainter than the bar
_UNCHANGED = 6  # a flow without changes gets a line at every sixth refresh


def supports_unicode(stream: IO[str]) -> bool:
    """Return whether *stream* can encode the characters of the display."""
    encoding = getattr(stream, "encoding", None)
    if encoding is None:  # as in io.StringIO
        return True
    try:
        "━╸╺─…".encode(encoding)
    except (LookupError, UnicodeEncodeError):
        return False
    return True


class _Stamp:
    """The time of day before a log line, shown once per second as in rich's log."""

    def __init__(self) -> None:
        self._last = ""

    def __call__(self) -> Piece:
        now = time_of_day()
        repeated, self._last = now == self._last, now
        return (" " * len(now) if repeated else now) + " ", "log.time"


class TerminalSurface:
    """A terminal that supports cursor movements, with the colors of a rich console."""

    first: float = 0.1
    waits_for_tracebacks: bool = True

    def __init__(self, console: Console, every: float) -> None:
        """Show on the terminal of *console*, refreshed every *every* seconds."""
        from rich.cells import cell_len

        self.every = every
        self._console = console
        self._cell_len = cell_len
        self._screen = Screen(console.file)
        self._unicode = supports_unicode(console.file)
        colored = console.color_system is not None and not console.no_color
        self._layout = Layout(cell_len, color=colored and self._unicode)
        self._styles: dict[str, tuple[str, str]] = {}
        self._stamp = _Stamp()

    def begin(self, title: str) -> None:
        """Announce nothing: the flow will be visible."""

    def line(self, pieces: list[Piece], below: Sequence[list[Piece]] = ()) -> None:
        """Write a line above the frame, or at the cursor if there is no frame."""
        with self._screen.lock:
            stamp = self._stamp()
            margin = " " * len(stamp[0])
            width = self._console.width - len(margin)
            lines = fold(pieces, width, self._cell_len)
            text = f"\n{margin}".join(self._painted(line) for line in lines)
            margin = margin if width > 48 else "  "
            width = self._console.width - len(margin)
            for each in below:
                hang = "    " if width > 20 else ""
                first, *others = fold(each, width, self._cell_len, len(hang))
                text += f"\n{margin}{self._painted(first)}"
                text += "".join(f"\n{margin}{hang}{self._painted(line)}" for line in others)
            self._screen.write_line(self._painted([stamp]) + text)

    def show(self, forest: Forest, stopped: Callable[[], bool]) -> None:
        """Draw a frame. The flows are read before the terminal is locked, since a user's repr may print."""
        width, height = self._console.size
        height = max(1, height - 2)
        lines = self._layout.lines(rows_of(forest, height), width, forest.now())
        if (over := len(lines) - height) > 0:  # some rows took two lines
            lines = self._layout.lines(rows_of(forest, max(1, height - over)), width, forest.now())[:height]
        painted = [self._painted(line) for line in lines]
        lengths = [sum(self._cell_len(text) for text, _ in line) for line in lines]
        with self._screen.lock:
            if not stopped():
                self._screen.draw(painted, lengths, width)

    def expect(self, seconds: float) -> None:
        self._screen.expect(seconds)

    def close(self) -> None:
        self._screen.close()

    def after_fork(self) -> None:
        self._screen.forget()

    def _painted(self, pieces: list[Piece]) -> str:
        painted: list[str] = []
        for text, style in pieces:
            before, after = self._style(style) if style else ("", "")
            painted += [before, text if self._unicode else to_ascii(text), after]
        return "".join(painted)

    def _style(self, name: str) -> tuple[str, str]:
        """Return the sequences that switch the style *name* of the console's theme on and off."""
        if name not in self._styles:
            from rich.color import ColorSystem

            systems = {
                "standard": ColorSystem.STANDARD,
                "256": ColorSystem.EIGHT_BIT,
                "truecolor": ColorSystem.TRUECOLOR,
            }
            style = self._console.get_style(name, default="")
            style = style.without_color if self._console.no_color else style
            before, _, after = style.render(
                "x", color_system=systems.get(self._console.color_system or "")
            ).partition("x")
            self._styles[name] = before, after
        return self._styles[name]


class _Handle(Protocol):
    """An output area of a notebook, as `IPython.display.display(..., display_id=True)` returns it."""

    def update(self, obj: object, /) -> object:
        """Replace the content by *obj*."""
        ...


def _new_area(content: object) -> _Handle:
    """Make an output area in the running cell. IPython is running, so it can be imported."""
    display = cast("Callable[..., _Handle]", importlib.import_module("IPython.display").display)
    return display(content, display_id=True)


class NotebookSurface:
    """An output area of a notebook cell, updated in place. In the end it has the summary, which is saved."""

    first: float = 0.1
    waits_for_tracebacks: bool = False

    def __init__(self, console: Console, every: float) -> None:
        """Show in the running cell, refreshed every *every* seconds."""
        from rich.cells import cell_len

        self.every = every
        self._console = console
        self._cell_len = cell_len
        self._width = min(console.width, _NOTEBOOK_WIDTH)
        self._layout = Layout(cell_len, color=True)
        self._lock = _forks.renewed(self, "_lock", threading.Lock)
        self._handle: _Handle | None = None
        self._ended: _Handle | None = None  # of a flow that has ended, for its summary
        self._stamp = _Stamp()

    def begin(self, title: str) -> None:
        """Announce nothing: the flow will be visible."""
        self._ended = None

    def line(self, pieces: list[Piece], below: Sequence[list[Piece]] = ()) -> None:
        stamp = self._stamp()
        margin = (" " * len(stamp[0]), "")
        width = self._width - len(stamp[0])
        lines = [fold(each, width, self._cell_len, 4) for each in (pieces, *below)]
        folded = [
            [margin, ("    ", "") if n else ("", ""), *line] for each in lines for n, line in enumerate(each)
        ]
        text = self._text([[stamp, *folded[0][1:]], *folded[1:]])
        with self._lock:
            handle, self._ended = self._ended, None
        if handle is None:
            self._console.print(text, soft_wrap=True)
        else:
            handle.update(text)

    def show(self, forest: Forest, stopped: Callable[[], bool]) -> None:
        """Update the output area, or make it."""
        lines = self._layout.lines(rows_of(forest, self._console.height), self._width, forest.now())
        text = self._text(lines)
        with self._lock:
            if stopped():
                return
            if self._handle is None:
                self._ended = None
                self._handle = _new_area(text)
            else:
                self._handle.update(text)

    def expect(self, seconds: float) -> None:
        """Do nothing: nothing else writes to the output area."""

    def close(self) -> None:
        """Empty the output area; the next flow gets a new one, in the cell that is running then."""
        with self._lock:
            handle, self._handle = self._handle, None
            if handle is not None:
                self._ended = handle
                handle.update(self._text([]))

    def after_fork(self) -> None:
        self._handle = self._ended = None

    def _text(self, lines: list[list[Piece]]) -> Text:
        from rich.text import Text

        shown = ([(text, _NOTEBOOK_STYLES.get(style, style)) for text, style in line] for line in lines)
        return Text("\n").join(Text.assemble(*line) for line in shown)


class PlainSurface:
    """Plain lines for logs and pipes: when a flow starts, every few seconds, and when it ends."""

    def __init__(self, stream: IO[str], every: float) -> None:
        """Write to *stream*, a line about each running flow every *every* seconds."""
        self.waits_for_tracebacks: bool = stream is sys.stderr
        self.first: float = every
        self.every: float = every
        self._stream = stream
        self._unicode = supports_unicode(stream)
        self._stamp = _Stamp()
        self._lock = _forks.renewed(self, "_lock", threading.RLock)
        # By flow: its last line, and how often that was omitted since.
        self._last: dict[int, tuple[str, int]] = {}

    def begin(self, title: str) -> list[Piece]:
        return [(f"Flow {title} started", "")]

    def line(self, pieces: list[Piece], below: Sequence[list[Piece]] = ()) -> None:
        with self._lock:
            stamp = self._stamp()
            margin = (" " * len(stamp[0]), "")
            text = "\n".join(plain(line) for line in ([stamp, *pieces], *([margin, *line] for line in below)))
            self._stream.write((text if self._unicode else to_ascii(text)) + "\n")
            self._stream.flush()

    def show(self, forest: Forest, stopped: Callable[[], bool]) -> None:
        """Write a line for each of the first flows that has changed."""
        roots, more = forest.roots(_MOST_FLOWS)
        last: dict[int, tuple[str, int]] = {}
        for view in roots:
            states = _flow_states(view, forest.now())
            counts = "; ".join(state for state, _ in states)
            before, omitted = self._last.get(view.flow_id, ("", 0))
            omit = counts == before and omitted + 1 < _UNCHANGED
            last[view.flow_id] = counts, omitted + 1 if omit else 0
            if not omit and not stopped():
                text = "; ".join(", ".join(filter(None, state)) for state in states)
                self.line([(f"Flow {view.title}: {text}", "")])
        self._last = last
        if more and not stopped():
            self.line([(f"… and {more:,} more flows", "")])

    def expect(self, seconds: float) -> None:
        """Do nothing: lines stay."""

    def close(self) -> None:
        self._last = {}

    def after_fork(self) -> None:
        self._last = {}


def _flow_states(view: FlowView, now: float) -> list[tuple[str, str]]:
    """Describe a flow in parts: counts, and what changes with time."""
    progress = view.progress(now)
    states = _states(view, now)
    if view.live.completed is not None or view.live.total:
        share = "" if not progress.total else f" ({int(progress.done * 100 / progress.total)}%)"
        states.insert(0, (amount(progress.done, progress.total) + share, ""))
    return [*states, ("" if states else "running", f"{took(progress.elapsed)} so far")]


def _states(view: FlowView, now: float, prefix: str = "") -> list[tuple[str, str]]:
    """Describe the tasks of a flow and of the flows that it called: `extract 23/870 (2%), 4 running`."""
    states: list[tuple[str, str]] = []
    for tally in first_values(view.tallies, _MOST_TASKS + 1):
        if len(states) == _MOST_TASKS:
            states.append(("…", ""))
            break
        counts, timing = _state(view, tally, now)
        states.append((prefix + counts, timing))
    running = [child for child in first_values(view.children, len(view.children)) if not child.hidden]
    for child in running[:_MOST_FLOWS]:
        states += _states(child, now, f"{prefix}{child.name}/")
    if len(running) > _MOST_FLOWS:
        states.append((f"… and {len(running) - _MOST_FLOWS:,} more flows", ""))
    return states


def _state(view: FlowView, tally: Tally, now: float) -> tuple[str, str]:
    """Return the counts of a task, and what changes with time."""
    counts = Counts()
    counts.add(tally)
    running = len(tally.active)
    progress = view.task_progress(tally, now)
    share = "" if not progress.total else f" ({int(progress.done * 100 / progress.total)}%)"
    words = [f"{clean(tally.task)} {amount(progress.done, progress.total)}{share}"]
    if running:
        words.append(f"{running:,} running")
    if waiting := len(tally.waiting):
        first = first_values(tally.waiting, 20)
        makers = [wait.detail for wait in first if wait.reason == "owner" and wait.detail]
        words.append(f"{waiting:,} waiting" + (f" (for {clean(makers[0])})" if makers else ""))
    if others := plain(join(counts.words(done=False))):
        words.append(others)
    timing = [rate(progress.rate)] if progress.rate else []
    if progress.left:
        timing.append(f"{clock(progress.left)} left")
    first = first_values(tally.waiting, 1)
    timing += [f"{call_title(wait.call)} {wait_words(wait, view.since(now))}" for wait in first]
    return ", ".join(words), ", ".join(timing)
