"""A store of our own: outputs in memory, counted by folder."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import BinaryIO

from asflow import MemoryStore
from asflow.protocols import Claim, ClaimRefusal, OutputInfo, OutputStatus


class Counted:
    """Passes everything on to a store in memory, and counts what is claimed."""

    def __init__(self) -> None:
        self._inner = MemoryStore()
        self.claimed: Counter[str] = Counter()

    @property
    def blocking(self) -> bool:
        """Memory is as fast as a local file."""
        return False

    def status(self, name: str, failure: str, /) -> OutputStatus:
        """Tell whether an output is there."""
        return self._inner.status(name, failure)

    def info(self, name: str, /) -> OutputInfo | None:
        """Tell its size and age."""
        return self._inner.info(name)

    def claim(self, name: str, failure: str, /, *, replace: bool = False) -> Claim | ClaimRefusal:
        """Begin to make one."""
        claim = self._inner.claim(name, failure, replace=replace)
        if not isinstance(claim, str):
            self.claimed[name.rpartition("/")[0]] += 1
        return claim

    def open(self, name: str, /) -> BinaryIO:
        """Read one."""
        return self._inner.open(name)

    def list(self, prefix: str, /) -> Iterator[str]:
        """Name all."""
        return self._inner.list(prefix)

    def delete(self, name: str, /) -> bool:
        """Delete one."""
        return self._inner.delete(name)
