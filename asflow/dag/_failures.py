"""One failure and all the nodes that failed with it: its path notes, and its one report.

A dependent fails with the very exception object of its dependency. So whether "somebody looked at it"
and "which path it took" belong to the exception, not to one task. They are kept here by the exception's
identity for as long as a task that failed with it is alive.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from types import CodeType, TracebackType

__all__ = ["Failure", "Path", "forget", "register", "without_frames_of"]

MAX_NOTES: Final = 8
"""Paths noted on one exception; the others are counted."""

EDGE_NAMES: Final = 4
"""Names shown at each end of a long path."""

PREFIX: Final = "asflow graph: "


class Path:
    """The names of the nodes that a failure went through; a long one keeps its ends and a count."""

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
        """Draw it with arrows."""
        between = (f"({self.omitted:,} more)",) if self.omitted else ()
        return " → ".join((*self.first, *between, *self.last))


class Failure:
    """What the nodes that failed with one exception share. Used on their event loop's thread only."""

    # Never the exception or its traceback: their frames hold the tasks, which then would never go.
    __slots__ = ("looked_at", "members", "unnoted")

    def __init__(self) -> None:
        self.members: int = 0
        self.looked_at: bool = False
        self.unnoted: int = 0

    def note(self, error: BaseException, before: Path, after: Path) -> None:
        """Tell *error* that it went on from *before* to *after*: at most one note for each end it reached."""
        # One that takes no notes, as a frozen dataclass, goes on without.
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
"""By the identity of the exception, which stays its own as long as a member's task holds it."""


def register(error: BaseException) -> Failure:
    """Return what is known of *error*, newly made where it is seen first. The caller holds *error*."""
    failure = _failures.get(id(error))
    if failure is None:
        failure = _failures[id(error)] = Failure()
    return failure


def forget(error: BaseException) -> None:
    """Drop what is known of *error*: nothing that failed with it is left."""
    _failures.pop(id(error), None)


def without_frames_of(code: CodeType, traceback: TracebackType | None) -> TracebackType | None:
    """Return *traceback* from where the function of *code* was left: the user's own frames.

    Each dependent raises the same exception again, and each raise adds a frame of *code* at the front;
    left alone, a long path would pile them up. Frames of those who awaited it in between go too.
    """
    step = traceback
    while step is not None and step.tb_frame.f_code is not code:
        step = step.tb_next
    while step is not None and step.tb_frame.f_code is code:
        step = step.tb_next
    return step or traceback
