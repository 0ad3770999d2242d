"""One failure and all the nodes that failed with it: its path notes, and its one report.

A dependent fails with the same exception object as its dependency. So whether the exception was retrieved
and which path it took belong to the exception, not to one task. Both are kept here by the exception's
identity for as long as a task that failed with it is alive.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Final

from asflow._labels import clean

MAX_NOTES: Final = 8
"""Paths noted on one exception; the others are counted."""

EDGE_NAMES: Final = 4
"""Names shown at each end of a long path."""

PREFIX: Final = "asflow graph: "


class Path:
    """The names of the nodes that a failure passed through; a long one keeps its ends and a count."""

    __slots__ = ("first", "last", "omitted")

    def __init__(self, first: tuple[str, ...], omitted: int = 0, last: tuple[str, ...] = ()) -> None:
        self.first: tuple[str, ...] = first
        self.omitted: int = omitted
        self.last: tuple[str, ...] = last

    def then(self, name: str) -> Path:
        """Return this path with *name* at its end, in constant time and space."""
        if len(self.first) < EDGE_NAMES:
            return Path((*self.first, name))
        if len(self.last) < EDGE_NAMES:
            return Path(self.first, self.omitted, (*self.last, name))
        return Path(self.first, self.omitted + 1, (*self.last[1:], name))

    def __str__(self) -> str:
        """Join the names with arrows."""
        between = (f"({self.omitted:,} more)",) if self.omitted else ()
        return clean(" → ".join((*self.first, *between, *self.last)))


class Failure:
    """What the nodes that failed with one exception share. Used on their event loop's thread only."""

    # Never the exception or its traceback: their frames hold the tasks, which would then never be freed.
    __slots__ = ("members", "retrieved", "unnoted")

    def __init__(self) -> None:
        self.members: int = 0
        self.retrieved: bool = False
        self.unnoted: int = 0

    def note(self, error: BaseException, before: Path, after: Path) -> None:
        """Note on *error* that it went on from *before* to *after*: at most one note a path."""
        # An exception may refuse notes, as a frozen dataclass does.
        with suppress(Exception):
            self._note(error, before, after)

    def _note(self, error: BaseException, before: Path, after: Path) -> None:
        notes: list[str] = getattr(error, "__notes__", [])
        text, extended = f"{PREFIX}{after}", f"{PREFIX}{before}"
        if text in notes:
            return
        if extended in notes:
            notes[notes.index(extended)] = text
        elif sum(note.startswith(PREFIX) for note in notes) < MAX_NOTES:
            error.add_note(text)
        else:
            self._count(error, notes)

    def _count(self, error: BaseException, notes: list[str]) -> None:
        counted = f"({self.unnoted:,} more paths in the graph)"
        self.unnoted += 1
        text = f"({self.unnoted:,} more paths in the graph)"
        if counted in notes:
            notes[notes.index(counted)] = text
        else:
            error.add_note(text)


_failures: dict[int, Failure] = {}
"""By the id of the exception, which is unique as long as a member's task holds the exception."""


def register(error: BaseException) -> Failure:
    """Return what is known of *error*, an empty record at first. The caller holds *error*."""
    failure = _failures.get(id(error))
    if failure is None:
        failure = _failures[id(error)] = Failure()
    return failure


def forget(error: BaseException) -> None:
    """Drop what is known of *error*: no task that failed with it is left."""
    _failures.pop(id(error), None)
