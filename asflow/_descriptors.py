"""Descriptors of files that we write to: never 0, 1 or 2.

If a program runs with its standard error closed, the next file that is opened gets its number, and what
the C code of some library prints there ends up in that file.
"""

from __future__ import annotations

import os
import sys
from typing import BinaryIO, cast

if sys.platform == "win32":

    def _duplicate(descriptor: int) -> int:
        return os.dup(descriptor)

else:
    import fcntl

    def _duplicate(descriptor: int) -> int:
        return fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, 3)


def above_standard(descriptor: int) -> int:
    """Return *descriptor*, or if it is 0, 1 or 2 a higher one of the same open file, and close it."""
    low: list[int] = []
    try:
        while descriptor < 3:  # once, but on Windows, where the number of a copy can't be chosen
            low.append(descriptor)
            descriptor = _duplicate(descriptor)
    finally:
        for each in low:
            os.close(each)
    return descriptor


def open_above_standard(path: str, flags: int, mode: int = 0o666) -> int:
    """Open *path* as `os.open` does, on a descriptor above 2; an opener for `open`."""
    return above_standard(os.open(path, flags, mode))


def lifted(file: BinaryIO) -> BinaryIO:
    """Return the unbuffered *file*, or if its descriptor is 0, 1 or 2 another one of the same open file."""
    if file.fileno() > 2:
        return file
    with file:
        return cast("BinaryIO", open(above_standard(os.dup(file.fileno())), "r+b", buffering=0))
