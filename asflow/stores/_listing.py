"""Walk the outputs below a folder, in the order of their names."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from asflow.stores._common import PART, is_void
from asflow.stores._posix import Mark, mark_of

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["walk"]


def walk(prefix: str) -> Iterator[str]:
    """Yield the names of all outputs and failures that start with *prefix*, in the order of `sorted`.

    Folders are read as the walk reaches them, links to folders are followed unless they lead back to
    where the walk is. What appears or goes in the meantime may be told or not. Raises PermissionError for
    a folder that can't be read.
    """
    tail = os.path.basename(prefix)
    head = prefix[: len(prefix) - len(tail)]
    # A stack and no recursion: a path may have more folders than Python has frames.
    heads = [head]
    marks = [_mark(head)]
    levels = [iter(_entries(head, tail))]
    while levels:
        entry = next(levels[-1], None)
        if entry is None:
            levels.pop()
            heads.pop()
            marks.pop()
        elif not entry.endswith("/"):
            yield heads[-1] + entry
        else:
            folder = heads[-1] + entry
            mark = _mark(folder)
            if mark is not None and mark not in marks:
                heads.append(folder)
                marks.append(mark)
                levels.append(iter(_entries(folder, "")))


def _mark(folder: str) -> Mark | None:
    try:
        return mark_of(os.stat(folder or "."))
    except (FileNotFoundError, NotADirectoryError):
        return None


def _entries(folder: str, start: str) -> list[str]:
    """Read the names in *folder* that begin with *start*, folders with a '/', sorted as their paths sort."""
    names: list[str] = []
    try:
        with os.scandir(folder or ".") as entries:
            for entry in entries:
                if entry.name.startswith(start):
                    names.extend(_shown(entry))
    except (FileNotFoundError, NotADirectoryError):
        return []
    names.sort()
    return names


def _shown(entry: os.DirEntry[str]) -> tuple[str, ...]:
    """Return the entry's name if the walk wants it: whole files and folders, not a file in progress."""
    try:
        if entry.is_dir():
            return (entry.name + "/",)
        if entry.name.endswith(PART) or not entry.is_file():
            return ()
        # The size costs a system call: it is asked for only where it can matter.
        if is_void(entry.name, 0) and is_void(entry.name, entry.stat().st_size):
            return ()
    except OSError:  # a link in a circle, a file that has just gone: nothing to tell about
        return ()
    return (entry.name,)
