"""What the folders of many outputs hold, in one scan each instead of a look at each output.

A scan sees names and kinds of files, and nothing else of them. So it answers only for regular files without
a `NAME.part` beside them, in formats that may be empty, and not in a folder where outputs were marked as out
of date (`asflow refresh`): the mark is a file's time. All else takes a look of its own.
"""

from __future__ import annotations

import errno
import os
from itertools import islice
from time import monotonic
from typing import TYPE_CHECKING

from asflow.stores._common import PART

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_LASTS = 1.0
"""Seconds after which a scan does not count any more."""

_HITS = 64
"""How many looks have to find an output in a folder before that is scanned: a scan costs as much as 30."""

_MOST_NAMES = 200_000
"""How many names all scans together may read, and keep: 150 bytes each."""

_MOST_FOLDERS = 1000
"""In how many folders hits are counted."""

_AT_ONCE = 2000
"""How many of them in one step: a millisecond and a half."""

_MARKS = "user.asflow.refresh"
"""The extended attribute of a folder in which outputs were marked as out of date."""

_UNSUPPORTED = frozenset({errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS})

_deletions = 0


def forget_scans() -> None:
    """Let no scan count that was made before: this process has deleted or marked an output."""
    global _deletions
    _deletions += 1


def note_marks(name: str) -> None:
    """Note in the folder of the output *name* that outputs in it are marked, for the scans of all processes.

    To be called before that is done. On a file system that can't note it, scans don't count.

    Raises:
        OSError: the folder can't be written to.
    """
    if hasattr(os, "setxattr"):
        try:
            os.setxattr(os.path.dirname(os.path.realpath(name)), _MARKS, b"1")
        except OSError as error:
            if error.errno not in _UNSUPPORTED:
                raise


def _may_hold_marks(folder: str) -> bool:
    if not hasattr(os, "getxattr"):
        return True
    try:
        os.getxattr(folder, _MARKS)
    except OSError as error:
        return error.errno != errno.ENODATA
    return True


class Scans:
    """The outputs that scans of their folders have seen, for the looks of one map.

    Args:
        looks: how many will follow, at most. The scans read twice as many names in all, so that they cost
            less than they save, or little.
        start: what all names begin with; together they have to be absolute.
        suffix: given if each name is that of one folder, a text and this; None: texts are not known.
        now: returns the time in seconds, of a clock that never goes back.

    Attributes:
        names: outputs that exist, and are whole, without *start*. Valid until the next `step`.
        texts: texts whose outputs exist as well, of ASCII letters, digits, `-` and `_`: in names they are as
            they are, so that to look for them no name has to be made.

    Threads: for one at a time.
    """

    __slots__ = (
        "_deletions",
        "_hits",
        "_left",
        "_now",
        "_scan",
        "_start",
        "_suffix",
        "_until",
        "names",
        "texts",
    )

    def __init__(
        self,
        looks: int,
        start: str = "",
        suffix: str | None = None,
        *,
        now: Callable[[], float] = monotonic,
    ) -> None:
        self.names: set[str] = set()
        self.texts: set[str] = set()
        self._start = start
        self._suffix = suffix
        self._now = now
        self._left = min(2 * looks, _MOST_NAMES)
        self._hits: dict[str, int] = {}
        self._scan: Iterator[None] | None = None
        self._until = 0.0
        self._deletions = _deletions

    def found(self, name: str) -> None:
        """Note that a look has found the output *name*. After some, its folder is scanned."""
        if self._left <= 0 or not (self._start or name).startswith("/"):
            return
        folder = name[: name.rfind("/") + 1]
        hits = self._hits[folder] = self._hits.get(folder, 0) + 1
        if hits >= _HITS and self._scan is None:
            self._hits.clear()
            self._scan = self._scanned(folder)
        elif len(self._hits) > _MOST_FOLDERS:
            self._hits.clear()

    def step(self) -> bool:
        """Drop what is too old, and go on with a scan that is under way; True if it is not complete.

        Call it before some looks that take a few milliseconds.
        """
        if self._deletions != _deletions:
            self.names, self.texts, self._scan, self._deletions = set(), set(), None, _deletions
        elif (self.names or self.texts) and self._now() > self._until:
            self.names, self.texts = set(), set()
        if self._scan is not None:
            try:
                next(self._scan)
            except (StopIteration, OSError):  # an error is for a look to find
                self._scan = None
        return self._scan is not None

    def _scanned(self, folder: str) -> Iterator[None]:
        """Read the *folder*, which ends in a `/` and begins behind `start`, step by step."""
        until = self._now() + _LASTS
        place = self._start + folder
        if not place.endswith("/") or _may_hold_marks(place):
            return
        names: set[str] = set()
        texts: set[str] = set()
        parts: list[str] = []
        with os.scandir(place) as entries:
            while batch := list(islice(entries, _AT_ONCE)):
                self._left -= len(batch)
                if self._left < 0:
                    return  # reading the rest would cost more than it saves
                files = [entry.name for entry in batch if entry.is_file(follow_symlinks=False)]
                if PART in "".join(files):  # a tenth of the time that asking each takes
                    parts += [name for name in files if name.endswith(PART)]
                if self._suffix is not None:
                    plain, files = texts_in(files, self._suffix)
                    texts.update(plain)
                names.update([folder + name for name in files])
                yield
        # The second name of a killed writer: a look removes it.
        outputs = [name.removesuffix(PART) for name in parts]
        names.difference_update([folder + name for name in (*parts, *outputs)])
        texts.difference_update([name.removesuffix(self._suffix or "") for name in outputs])
        self._until = min(self._until, until) if self.names or self.texts else until
        self.names = self.names | names if self.names else names
        self.texts = self.texts | texts if self.texts else texts


_LONGEST_PLAIN = 150
"""Bytes of a name; of longer ones it is not known here from where on they are cut."""


def texts_in(files: list[str], suffix: str) -> tuple[list[str], list[str]]:
    """Return the texts before *suffix* in names of *files* that have them as they are; and other names."""
    most = _LONGEST_PLAIN - len(suffix.encode())
    texts = ("\n".join(files) + "\n").split(suffix + "\n")
    if not texts.pop() and len(texts) == len(files) and _are_plain(texts, most):
        return texts, []
    texts, others = list[str](), list[str]()
    for name in files:
        text = name.removesuffix(suffix)
        if len(text) < len(name) and _are_plain([text], most):
            texts.append(text)
        else:
            others.append(name)
    return texts, others


def _are_plain(texts: list[str], most: int) -> bool:
    if "" in texts or max(map(len, texts)) > most:
        return False
    letters = "".join(texts).replace("-", "").replace("_", "")
    return letters.isascii() and (letters.isalnum() or not letters)
