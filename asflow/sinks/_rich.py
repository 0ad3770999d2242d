"""The default sink: a live display on terminals and in notebooks, plain lines elsewhere."""

from __future__ import annotations

import math
import os
import sys
from typing import IO, TYPE_CHECKING, final

from asflow.sinks._base import StreamSink
from asflow.sinks._live.screen import device
from asflow.sinks._live.surfaces import NotebookSurface, PlainSurface, TerminalSurface

if TYPE_CHECKING:
    from collections.abc import Hashable

    from rich.console import Console

    from asflow.sinks._live.display import Surface

__all__ = ["RichSink"]

_LINES_EVERY = 10.0
_NOTEBOOK_EVERY = 0.5


@final
class RichSink(StreamSink):
    """Shows flows as they run, on standard error.

    On a terminal and in a notebook: one line per flow, one bar per task, one line for each of its first
    running calls, and a summary line that stays. All sinks of the process that write to the same
    terminal share one display; `print` and `logging` pass above it. Where the output is no terminal (a
    pipe, CI, `TERM=dumb`), plain lines without escape codes: the start, how far it is each 10 seconds,
    and the summary. A task outside a flow leaves a log line when it ends.

    Threads: `emit` may be called from any thread and doesn't raise. The display's own thread lives only
    while a flow is shown. The environment is heeded: `NO_COLOR`, `TERM`, `COLUMNS`, and, for plain lines
    on a terminal too, `CI` or `TTY_INTERACTIVE=0` (1 overrules `CI`).
    """

    def __init__(
        self,
        *,
        verbose: bool | None = None,
        display: bool = True,
        console: Console | None = None,
        refresh_per_second: float = 6.0,
    ) -> None:
        """Make a sink; nothing is shown or imported before the first event.

        Args:
            verbose: which finished tasks leave a line: those outside flows (None), all (True), none (False).
            display: False for log lines alone: flows are neither shown nor summed up.
            console: where to show; None: standard error as it is at the time.
            refresh_per_second: frames a second on a terminal, 0.1 to 60; fewer where a frame is costly.

        Raises:
            ValueError: *refresh_per_second* is out of range.
        """
        super().__init__(verbose, flows=display)
        if not (math.isfinite(refresh_per_second) and 0.1 <= refresh_per_second <= 60):
            raise ValueError(f"refresh_per_second must be between 0.1 and 60, not {refresh_per_second!r}")
        self._console = console
        self._every = 1 / refresh_per_second

    def _stream(self) -> IO[str] | None:
        # sys.stderr is None in a program without a console (pythonw)
        return sys.stderr if self._console is None else self._console.file

    def _key(self, stream: IO[str]) -> Hashable:
        """Two streams that lead to one terminal share a display."""
        terminal = device(stream)
        return ("stream", id(stream)) if terminal is None else ("terminal", terminal)

    def _surface(self, stream: IO[str]) -> Surface:
        from rich.console import Console

        console = self._console or Console(file=stream)
        if console.is_jupyter:
            return NotebookSurface(console, max(self._every, _NOTEBOOK_EVERY))
        if _can_redraw(console) and (self._console is not None or _wanted_live(stream)):
            return TerminalSurface(console, self._every)
        return PlainSurface(stream, _LINES_EVERY)


def _can_redraw(console: Console) -> bool:
    """Tell whether lines on *console* can be drawn anew."""
    return (
        console.is_terminal
        and console.is_interactive
        and not console.is_dumb_terminal
        and not console.legacy_windows
    )


def _wanted_live(stream: IO[str]) -> bool:
    """Tell whether *stream* is a terminal that a person sees: some CI services log it all."""
    ci = os.environ.get("CI", "").lower() not in {"", "0", "false"}
    return device(stream) is not None and (not ci or os.environ.get("TTY_INTERACTIVE") == "1")
