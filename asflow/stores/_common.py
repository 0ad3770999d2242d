"""What the stores agree on: which names are taken, what counts as an output, how a claim ends."""

from __future__ import annotations

from typing import Literal, NamedTuple

from asflow.errors import OutputClosedError, OutputNameError

__all__ = [
    "PART",
    "ClaimState",
    "Info",
    "check_name",
    "is_void",
    "may_publish",
    "not_the_owner",
    "too_late",
]

PART = ".part"
"""What the name of work in progress ends in."""

ClaimState = Literal["open", "sealed", "ended"]
"""A claim takes bytes; it takes no more, for its end has begun and perhaps failed; it is given up."""

_NEVER_EMPTY = (".gz", ".zst", ".parquet")


class Info(NamedTuple):
    """Size and age of a stored output.

    Args:
        size: bytes, as stored.
        modified: when it was published, in POSIX seconds.
    """

    size: int
    modified: float


def is_void(name: str, size: int) -> bool:
    """Tell whether *size* bytes can't be a whole file of this name.

    Even an empty document takes some bytes in these formats. Nothing at all is what a power cut leaves.
    """
    return size == 0 and name.endswith(_NEVER_EMPTY)


def check_name(name: str) -> None:
    """Refuse a name that no output can have.

    Raises:
        OutputNameError: it is empty, names a folder, or is kept for work in progress.
    """
    if not name or name.endswith(("/", PART)):
        raise OutputNameError(
            f"no output can be called {name!r}: give a file name that does not end in '/' or {PART!r}"
        )


def may_publish(state: ClaimState, name: str) -> bool:
    """Tell whether a claim on *name* is still to be published; False after its end.

    Raises:
        OutputClosedError: publishing it has failed before.
    """
    if state == "sealed":
        raise OutputClosedError(f"{name!r} was not published before: abort this claim, make a new one")
    return state == "open"


def too_late(name: str) -> OutputClosedError:
    """Describe a write to a claim on *name* that takes no more bytes."""
    return OutputClosedError(f"{name!r} takes no more bytes: its task has ended")


def not_the_owner(name: str) -> OutputClosedError:
    """Describe the use of a claim on *name* in a forked child of the process that made it."""
    return OutputClosedError(f"{name!r} belongs to the parent of this process: only that can write it")
