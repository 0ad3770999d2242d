"""What this process has open, as far as a test is concerned with it."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

__all__ = ["open_below"]

_OPEN = Path("/proc/self/fd")


def open_below(folder: Path) -> list[str]:
    """Return what is open in *folder* and below it, by name; nothing where there is no `/proc`.

    Not a count of all descriptors: what other tests have left (sockets of a server, a loop that is garbage)
    is closed by threads and collections of their own, at any time.
    """
    found: list[str] = []
    for link in _OPEN.iterdir() if _OPEN.is_dir() else ():
        with suppress(OSError):  # the one by which this directory was read
            found.append(os.readlink(link))
    return sorted(name for name in found if Path(name).is_relative_to(folder.resolve()))
