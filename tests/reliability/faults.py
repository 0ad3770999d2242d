"""Faults in what asflow asks of the operating system: the N-th call about one folder fails.

The functions of `os` and `fcntl` that the local store uses stand behind a counter; everything above them,
and the disk below them, is real. (tests/stores does the same to single claims with strace, from outside.)
"""

from __future__ import annotations

import fcntl
import os
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from pathlib import Path

    import pytest

    Call = Callable[..., object]

CALLS = (
    "open", "write", "fsync", "link", "rename", "replace", "unlink", "mkdir", "stat", "lstat", "fstat",
    "ftruncate", "lseek", "utime",
)  # fmt: skip


class Faults:
    """Counts calls that name something below a folder, or a descriptor that was opened there."""

    def __init__(self, folder: Path) -> None:
        self.folder = str(folder)
        self.calls: list[str] = []
        self.failed: list[str] = []
        self._armed: tuple[int, int, bool] | None = None
        self._only: str | None = None
        self._descriptors: set[int] = set()
        self._lock = threading.Lock()

    def arm(self, number: int, code: int, *, always: bool, only: str | None = None) -> None:
        """From now on the *number*-th call (from 1), or with *always* each from there, fails with *code*.

        With *only* that is each call of this name, and the others are noted.
        """
        self.calls, self.failed, self._only = [], [], only
        self._armed = (number, code, always)

    def disarm(self) -> None:
        self._armed = None

    def _concerns(self, args: tuple[object, ...]) -> bool:
        return any(
            (type(arg) is int and arg in self._descriptors)
            or (isinstance(arg, (str, os.PathLike)) and str(cast("object", arg)).startswith(self.folder))
            for arg in args[:2]
        )

    def wrap(self, name: str, call: Call) -> Call:
        def counted(*args: object, **kwargs: object) -> object:
            if self._armed is not None and self._concerns(args):
                number, code, always = self._armed
                with self._lock:
                    self.calls.append(name)
                    hit = len(self.calls) >= number if always else len(self.calls) == number
                    hit = hit and self._only in {None, name}
                    if hit:
                        self.failed.append(name)
                if hit:
                    path = args[0] if isinstance(args[0], str) else None
                    raise OSError(code, os.strerror(code), path)
            result = call(*args, **kwargs)
            if name == "open" and self._concerns(args):
                self._descriptors.add(cast("int", result))
            return result

        return counted

    def closed(self, close: Call) -> Call:
        def forget(descriptor: int) -> None:
            self._descriptors.discard(descriptor)
            close(descriptor)

        return forget


@contextmanager
def faults(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[Faults]:
    made = Faults(folder)
    with monkeypatch.context() as patch:
        for name in CALLS:
            patch.setattr(os, name, made.wrap(name, cast("Call", getattr(os, name))))
        patch.setattr(os, "close", made.closed(os.close))
        patch.setattr(fcntl, "flock", made.wrap("flock", fcntl.flock))
        yield made
