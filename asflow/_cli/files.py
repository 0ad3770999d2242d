"""Find the files that a command is about."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING, Literal, NamedTuple

from asflow._cli.console import UsageError
from asflow._naming.parsing import FAILURE
from asflow.stores._common import PART
from asflow.writers._suffixes import split_suffixes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from asflow._cli.console import Terminal

Kind = Literal["output", "failure", "part"]


class Found(NamedTuple):
    """A file and its kind, according to its name."""

    path: str
    kind: Kind


def find(terminal: Terminal, path: str, *, every: bool, links: bool = True) -> Iterator[Found]:
    """Iterate over files that asflow may have written, folder by folder, sorted by name.

    Args:
        terminal: reports folders that can't be read, each as a problem.
        path: a file of any name, or a folder, with all folders below it.
        every: in folders, include hidden names and files whose suffix is neither a format nor a compression.
        links: go into folders that links below *path* lead to.

    Raises:
        UsageError: *path* does not exist, or is neither a file nor a folder.
        OSError: *path* can't be read.
    """
    try:
        mode = os.stat(path).st_mode
    except (FileNotFoundError, NotADirectoryError, ValueError):  # ValueError: a zero byte in the name
        raise UsageError(f"there is no file or folder {path!r}; see asflow ls") from None
    if stat.S_ISDIR(mode):
        return _walk(terminal, path, every=every, links=links)
    if stat.S_ISREG(mode):
        return iter([Found(path, _kind(path))])
    raise UsageError(f"{path!r} is neither a file nor a folder; give one of these")


def _walk(terminal: Terminal, top: str, *, every: bool, links: bool) -> Iterator[Found]:
    seen: set[tuple[int, int]] = set()
    for folder, folders, files in os.walk(top, onerror=terminal.problem, followlinks=links):
        try:
            mark = os.stat(folder)
        except OSError as error:  # deleted since it was listed
            terminal.problem(error)
            continue
        if (mark.st_dev, mark.st_ino) in seen:  # a link that leads back
            folders.clear()
            continue
        seen.add((mark.st_dev, mark.st_ino))
        folders[:] = sorted(name for name in folders if every or not name.startswith("."))
        for name in sorted(files):
            path = os.path.join(folder, name)
            if every or _is_ours(name):
                yield Found(path.removeprefix("./") if top == "." else path, _kind(name))


def _kind(name: str) -> Kind:
    if name.endswith(PART):
        return "part"
    return "failure" if name.endswith(FAILURE) else "output"


def _is_ours(name: str) -> bool:
    """Return whether asflow may have written a file of this name; files of other programs are left alone."""
    if name.startswith("."):
        return False
    while name.endswith(PART):
        name = name.removesuffix(PART)
    suffixes = split_suffixes(name)
    return name.endswith(FAILURE) or suffixes.format != "raw" or suffixes.compression != "none"
