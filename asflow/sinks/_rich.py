"""The default sink: a live display on terminals and in notebooks, plain lines elsewhere."""

from __future__ import annotations

import os
import sys
from typing import IO, TYPE_CHECKING, final

from asflow._checks import check_flag
from asflow._labels import short
from asflow.errors import DefinitionTypeError
from asflow.sinks._base import StreamSink, checked_rate
from asflow.sinks._live.screen import device
from asflow.sinks._live.surfaces import NotebookSurface, PlainSurface, TerminalSurface

if TYPE_CHECKING:
    from collections.abc import Hashable

    from rich.console import Console

    from asflow.sinks._live.display import Surface

_LINES_EVERY = 10.0
_NOTEBOOK_EVERY = 0.5


@final
class RichSink(StreamSink):
    """Shows flows as they run, on standard error.

    On a terminal and in a notebook: one line per flow, one bar per task, one line for each of its first
    running calls, and a summary line that stays. All sinks of the process that write to the same
    terminal share one display; output of `print` and `logging` appears above it. Elsewhere (a pipe, CI,
    `TERM=dumb`): plain lines without escape codes for the start, the progress every 10 seconds, and the
    summary. A call outside any flow is logged when it ends.

    Threads: `emit` may be called from any thread and doesn't raise. The display's own thread lives only
    while a flow is shown. The environment variables `NO_COLOR`, `TERM` and `COLUMNS` are respected; `CI` or
    `TTY_INTERACTIVE=0` asks for plain lines on a terminal too, `TTY_INTERACTIVE=1` overrides `CI`.
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
            verbose: which finished calls are logged: those outside flows (None), all (True), none (False).
            display: False for log lines only: flows are neither shown nor summarized.
            console: where to show; None: standard error, looked up at each event.
            refresh_per_second: frames per second on a terminal, 0.1 to 60; fewer if a frame is expensive.

        Raises:
            TypeError: an argument has the wrong type.
            ValueError: *refresh_per_second* is out of range.
        """
        check_flag("RichSink()", "display", display)
        if console is not None and not hasattr(console, "is_terminal"):
            raise DefinitionTypeError(
                f"RichSink(): console takes a rich.console.Console, not {short(console)}; "
                f"write for example Console(stderr=True)"
            )
        super().__init__(verbose, flows=display)
        self._console = console
        self._every = 1 / checked_rate("RichSink()", "refresh_per_second", refresh_per_second, 60)

    def _stream(self) -> IO[str] | None:
        # sys.stderr is None in a program without a console (pythonw)
        return sys.stderr if self._console is None else self._console.file

    def _key(self, stream: IO[str]) -> Hashable:
        """Return one key for all streams that lead to one terminal."""
        terminal = device(stream)
        return ("stream", id(stream)) if terminal is None else ("terminal", terminal)

    def _surface(self, stream: IO[str]) -> Surface:
        from rich.console import Console

        console = self._console or Console(file=stream)
        if console.is_jupyter:
            return NotebookSurface(console, max(self._every, _NOTEBOOK_EVERY))
        if _can_redraw(console) and (self._console is not None or _is_watched(stream)):
            return TerminalSurface(console, self._every)
        return PlainSurface(stream, _LINES_EVERY)


def _can_redraw(console: Console) -> bool:
    return (
        console.is_terminal
        and console.is_interactive
        and not console.is_dumb_terminal
        and not console.legacy_windows
    )


def _is_watched(stream: IO[str]) -> bool:
    """Whether *stream* is a terminal that a person looks at: some CI services record one."""
    ci = os.environ.get("CI", "").lower() not in {"", "0", "false"}
    return device(stream) is not None and (not ci or os.environ.get("TTY_INTERACTIVE") == "1")
