"""What the command writes: results to standard output, complaints to standard error."""

from __future__ import annotations

import json
import sys
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from asflow._labels import clean

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from asflow.sinks._words import Piece

__all__ = ["Terminal", "UsageError", "age", "escape_odd_text", "moment", "printable"]


class UsageError(Exception):
    """The command was called wrongly; its message is for the user, the exit code is 2."""


class Terminal:
    """Both streams of the process, with colors where a person reads them.

    Colors are left out where a stream is no terminal and where `NO_COLOR` is set; `FORCE_COLOR` wants them.

    Attributes:
        problems: complaints so far that make the exit code 1.
    """

    def __init__(self) -> None:
        """Write to what are standard output and standard error now."""
        escape_odd_text()
        self.out: Console = Console(highlight=False, markup=False, emoji=False, soft_wrap=True)
        self._err = Console(stderr=True, highlight=False, markup=False, emoji=False, soft_wrap=True)
        self.problems: int = 0

    @property
    def code(self) -> int:
        """The exit code: 1 if there was a problem, else 0."""
        return 1 if self.problems else 0

    def line(self, *pieces: Piece, end: str = "\n") -> None:
        """Write one line to standard output."""
        _write(self.out, pieces, end)

    def note(self, *pieces: Piece) -> None:
        """Write one line to standard error: a summary, which is not part of the result."""
        _write(self._err, pieces, "\n")

    def complain(self, message: object) -> None:
        """Write why something can't be done to standard error."""
        if isinstance(message, OSError) and message.strerror and message.filename is not None:
            message = f"{message.filename!r}: {message.strerror}"
        self.note(("asflow: ", "bold red"), (printable(str(message)), ""))

    def problem(self, message: object) -> None:
        """Complain, and let the exit code be 1."""
        self.problems += 1
        self.complain(message)

    def json(self, rows: Iterable[Mapping[str, object]]) -> None:
        """Write *rows* as one JSON array, a line each, as they come."""
        opened = False
        for row in rows:
            self.line((",\n" if opened else "[", ""), (json.dumps(row), ""), end="")
            opened = True
        self.line(("]" if opened else "[]", ""))


def escape_odd_text() -> None:
    """Let both streams escape what they can't encode: a name of odd bytes must not end its listing."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")


def _write(console: Console, pieces: Iterable[Piece], end: str) -> None:
    if console.is_terminal:
        console.print(Text.assemble(*pieces), end=end)
    else:  # rich takes its time over each line, and there may be a million
        console.file.write("".join(text for text, _ in pieces) + end)


def printable(text: str) -> str:
    """Return *text* without what moves the cursor, bytes that are no UTF-8 as escapes."""
    return clean(text.encode("utf-8", "backslashreplace").decode())


def age(modified: float) -> str:
    """Return how long ago *modified* (POSIX seconds) was, in one unit: `41 s`, `3 min`, `2 h`, `5 d`."""
    seconds = max(0, int(time.time() - modified))
    for unit, size, limit in (("s", 1, 60), ("min", 60, 3600), ("h", 3600, 48 * 3600)):
        if seconds < limit:
            return f"{seconds // size} {unit}"
    return f"{seconds // 86400:,} d"


def moment(modified: float) -> str:
    """Return *modified* (POSIX seconds) in ISO 8601, in UTC."""
    return datetime.fromtimestamp(modified, UTC).isoformat(timespec="seconds")
