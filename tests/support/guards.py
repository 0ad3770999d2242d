"""Locks that know nothing of asflow: which body of which process is at an output right now."""

from __future__ import annotations

import fcntl
import os
import threading

__all__ = ["Guards"]


class Guards:
    """Tell of two bodies of one name at the same time, by a file in `violations/`.

    The locks are record locks, which end as soon as a killed process closes its files: before the flock of
    any claim, which ends with the last reference to its file. (Linux lets go of references once all files
    are closed, the last one first. With a flock for a guard, the next body could begin while the guard of
    the killed one was still to end.) All threads of a process share its record locks, so the names that
    are held here are remembered as well.
    """

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._held: dict[str, int] = {}
        self._lock = threading.Lock()
        for each in ("guards", "violations"):
            os.makedirs(f"{folder}/{each}", exist_ok=True)

    def enter(self, name: str) -> None:
        """Say that a body of *name* begins, and note if there is another one."""
        with self._lock:
            if name in self._held:
                self.violation(f"two-bodies-{name}")
                return
            guard = self._held[name] = os.open(f"{self._folder}/guards/{name}", os.O_CREAT | os.O_RDWR)
            try:
                fcntl.lockf(guard, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                self.violation(f"two-bodies-{name}")

    def leave(self, name: str) -> None:
        """Say that it ends; before asflow is told that it failed, as the next one may begin at once."""
        with self._lock:
            guard = self._held.pop(name, None)
            if guard is not None:  # the other body of a violation may have left before
                os.close(guard)

    def violation(self, what: str) -> None:
        """Leave word of *what* should not have been."""
        open(f"{self._folder}/violations/{what}-{os.getpid()}", "w").close()
