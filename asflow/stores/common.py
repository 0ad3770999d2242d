"""What every store of ours agrees on: which names are taken, and when a file counts as an output."""

from __future__ import annotations

from typing import NamedTuple

from asflow.errors import OutputNameError

__all__ = ["PART", "Info", "check_name", "is_void"]

PART = ".part"
"""What the name of work in progress ends in."""

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
