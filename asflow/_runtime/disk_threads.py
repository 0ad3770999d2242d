"""The threads that wait for the disk: started as they are needed, and never ended."""

from __future__ import annotations

import atexit
import threading
from queue import SimpleQueue
from typing import TYPE_CHECKING, Protocol

from asflow import _forks

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Self

THREADS = 16
"""How many at most, and waits that begin together: more gain nothing (measured on ext4 and one SSD)."""


class Batch(Protocol):
    """Waits that begin together; `asflow._runtime.disk` has such."""

    def __len__(self) -> int: ...

    def help(self, call_others: Callable[[Self], object], /) -> bool:
        """Run one wait, after calling others for the rest; False if none is left. Never raises."""
        ...


class _Crew:
    """The threads and their queue."""

    __slots__ = ("_exits", "_queue", "_threads")

    def __init__(self) -> None:
        # Its calls can't be interrupted halfway, as those of a lock and a list could by Ctrl-C.
        self._queue: SimpleQueue[Batch] = SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._exits = False

    def take(self, batch: Batch) -> None:
        """Take a batch; run it here if the interpreter is exiting, or there can be no thread."""
        all_are_busy = not self._queue.empty()
        wanted = min(max(len(batch), len(self._threads) + all_are_busy), THREADS)
        while not self._exits and len(self._threads) < wanted and self._start():
            pass
        if self._threads and not self._exits:
            self._queue.put(batch)
        else:
            while batch.help(_call_nobody):
                pass

    def _start(self) -> bool:
        # A daemon, since it waits for ever.
        thread = threading.Thread(target=_work, args=(self._queue,), name="asflow-disk", daemon=True)
        try:
            thread.start()
        except RuntimeError:  # there can be no more
            return False
        self._threads.append(thread)
        return True

    def exit(self) -> None:
        """Take no more: soon the threads will stand still."""
        self._exits = True

    def forget(self) -> None:
        """Forget all of it in a forked child, which has none of its parent's threads."""
        self._queue, self._threads = SimpleQueue(), []


def _work(queue: SimpleQueue[Batch]) -> None:
    while True:
        queue.get().help(queue.put)


def _call_nobody(batch: Batch) -> None:
    """Do nothing: no thread could come."""


crew = _Crew()
_forks.after_fork(crew.forget)
atexit.register(crew.exit)
