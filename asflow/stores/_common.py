"""Rules that all stores share: which names are valid, what counts as an output, when a claim refuses.

A *subject* is the store as its user wrote it, as in `LocalStore()`: messages begin with it.
"""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Literal, NamedTuple

from asflow._labels import short
from asflow.errors import OutputClosedError, OutputNameError

if TYPE_CHECKING:
    from collections.abc import Callable

PART = ".part"
"""Suffix of work in progress."""

NO_FAILURE = ".err~"
"""The end of a failure's name that no failure has: of a task without `suppress`, which records none."""

MARKED = 315_630_246
"""The time of an output that `asflow refresh` has marked as out of date: 1980-01-02 03:04:06 UTC.

A second that every file system can hold (those of FAT begin in 1980, and are even), and a time that neither a
clock nor an archive tool sets by itself.
"""

ClaimState = Literal["open", "sealed", "ended"]
"""A claim takes bytes; it takes no more, because an end has begun and may have failed; it has ended."""

NEVER_EMPTY = (".gz", ".zst", ".parquet")
"""Suffixes of formats in which even an empty document takes some bytes."""


class Info(NamedTuple):
    """Size and age of a stored output.

    Args:
        size: bytes, as stored.
        modified: when it was published, in POSIX seconds.
    """

    size: int
    modified: float


def is_void(name: str, size: int) -> bool:
    """Return whether *size* bytes are too few for a whole file of this name.

    In these formats even an empty document takes some bytes. An empty file is what a power cut leaves.
    """
    return size == 0 and name.endswith(NEVER_EMPTY)


def check_name(subject: str, name: str) -> None:
    """Refuse a name that no output can have.

    Raises:
        OutputNameError: it is empty, is a folder's, or is reserved for work in progress.
    """
    if not name or name.endswith(("/", PART)):
        raise OutputNameError(
            f"{subject}: an output needs a file name that does not end in '/' or {PART!r}, "
            f"not {short(name)}; rename the output"
        )


def may_publish(subject: str, state: ClaimState, name: str) -> bool:
    """Return whether a claim on *name* can still be published; False after its end.

    Raises:
        OutputClosedError: publishing it has failed before.
    """
    if state == "sealed":
        raise OutputClosedError(
            f"{subject}: {name!r} was not published before; abort this claim and make a new one"
        )
    return state == "open"


def closed_error(subject: str, name: str) -> OutputClosedError:
    """Return the error of a write to a claim on *name* after its end."""
    return OutputClosedError(
        f"{subject}: {name!r} takes no more bytes, its task has ended; write before the task returns"
    )


def fork_error(subject: str, name: str) -> OutputClosedError:
    """Return the error of using a claim on *name* in a forked child of the process that made it."""
    return OutputClosedError(f"{subject}: {name!r} was claimed by the parent of this process; write it there")


def write_all(write: Callable[[memoryview], int | None], view: memoryview, done: int = 0) -> None:
    """Write *view* but for its first *done* bytes: a full disk or a file size limit may take only a part.

    Raises:
        OSError: as *write* does; EIO if it takes nothing and reports no error.
    """
    while done < view.nbytes:
        written = write(view.cast("B")[done:])
        if not written:
            raise OSError(errno.EIO, "the disk takes no bytes and reports no error; check the disk")
        done += written
