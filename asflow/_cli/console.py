"""Output of the command: results on standard output, complaints on standard error."""

from __future__ import annotations

import json
import re
import sys
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from asflow._labels import clean, cut

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import cyclopts

    from asflow.sinks._words import Piece


MESSAGE = 4_000
REASON = 200
"""Characters of a complaint, and of an exception in a listing."""


class UsageError(Exception):
    """Bad usage, with a message for the user; the exit code is 2."""


class Terminal:
    """The process's output streams, with colors on a terminal.

    `NO_COLOR` turns colors off, `FORCE_COLOR` turns them on.

    Attributes:
        problems: the number of complaints so far that make the exit code 1.
    """

    def __init__(self) -> None:
        """Use the current standard output and standard error."""
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
        """Write a message to standard error, after the name of the program."""
        if isinstance(message, OSError) and message.strerror and message.filename is not None:
            message = f"{message.filename!r}: {message.strerror}"
        self.note(("asflow: ", "bold red"), (printable(str(message), MESSAGE), ""))

    def problem(self, message: object) -> None:
        """Complain, and make the exit code 1."""
        self.problems += 1
        self.complain(message)

    def json(self, rows: Iterable[Mapping[str, object]]) -> None:
        """Write *rows* as one JSON array, one line per row, without collecting them."""
        opened = False
        for row in rows:
            self.line((",\n" if opened else "[", ""), (json.dumps(row), ""), end="")
            opened = True
        self.line(("]" if opened else "[]", ""))


# How a sentence with the remedy begins in cyclopts' messages.
_HINT = re.compile(r"\. (?=(?:Available commands|Choose from|Did you mean|Must be)\b)")


def refusal(error: cyclopts.CycloptsError, command: str) -> str:
    """Return cyclopts' message in the form of ours, with a pointer to the help of *command*."""
    problem, *hints = _HINT.split(str(error).strip().removesuffix("."))
    text = "; ".join(_lowered(each) for each in (problem, *hints))
    return f"{text} (see {command} --help)" if hints else f"{text}; see {command} --help"


def _lowered(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:] if sentence[1:2].islower() else sentence


def escape_odd_text() -> None:
    """Escape what a stream can't encode: a file name of odd bytes must not end a listing."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")


def _write(console: Console, pieces: Iterable[Piece], end: str) -> None:
    if console.is_terminal:
        console.print(Text.assemble(*pieces), end=end)
    else:  # rich is slow for a million lines
        console.file.write("".join(text for text, _ in pieces) + end)


def printable(text: str, longest: int | None = None) -> str:
    """Return *text* clean and on one line; what is beyond *longest* characters is left out."""
    return clean(text if longest is None else cut(text, longest, "…"))


def age(modified: float) -> str:
    """Return how long ago *modified* (POSIX seconds) was, in one unit: `41 s`, `3 min`, `2 h`, `5 d`."""
    seconds = max(0, int(time.time() - modified))
    for unit, size, limit in (("s", 1, 60), ("min", 60, 3600), ("h", 3600, 48 * 3600)):
        if seconds < limit:
            return f"{seconds // size} {unit}"
    return f"{seconds // 86400:,} d"


def moment(modified: float) -> str:
    """Return *modified* (POSIX seconds) in ISO 8601, in UTC."""
    try:
        return datetime.fromtimestamp(modified, UTC).isoformat(timespec="seconds")
    except (OverflowError, OSError, ValueError):  # a file system may hold years that a datetime does not
        return datetime.max.isoformat(timespec="seconds") + "+00:00"
