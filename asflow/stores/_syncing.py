"""Syncing several files at once: a disk writes all of them in the time of one.

One after the other would take as many times as long: each `fsync` waits for the disk to empty its own cache,
which it does once for all that wait.
"""

from __future__ import annotations

import threading
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING

from asflow import _forks
from asflow.stores._posix import sync_file

if TYPE_CHECKING:
    from collections.abc import Sequence

    Ended = SimpleQueue[tuple[int, BaseException | None]]
    Jobs = SimpleQueue[tuple[int, int, Ended]]  # a descriptor, its number among the others, the way back

_THREADS = 15  # and the one that asks; more gain nothing (measured on ext4 and one SSD)


class _Helpers:
    """Threads that only wait for the disk. Daemons: a thread that needs them waits for what they do."""

    __slots__ = ("_jobs", "_threads")

    def __init__(self) -> None:
        self._jobs: Jobs = SimpleQueue()
        self._threads: list[threading.Thread] = []

    def forget(self) -> None:
        """Forget all threads in a forked child, which has none of them."""
        self._jobs, self._threads = SimpleQueue(), []

    def sync(self, descriptors: Sequence[int]) -> list[BaseException | None]:
        """See `sync_files`."""
        jobs, ended = self._jobs, SimpleQueue[tuple[int, BaseException | None]]()
        errors: list[BaseException | None] = [None] * len(descriptors)
        for number, descriptor in enumerate(descriptors[1:], 1):
            jobs.put((descriptor, number, ended))
        self._start(len(descriptors) - 1)
        _sync(descriptors[0], 0, ended)
        # This thread does more than its part if no helper does, as without any.
        while len(descriptors) > 1:
            try:
                _sync(*jobs.get_nowait())
            except Empty:
                break
        for _ in descriptors:
            number, error = ended.get()
            errors[number] = error
        return errors

    def _start(self, count: int) -> None:
        while len(self._threads) < min(count, _THREADS):
            thread = threading.Thread(target=_help, args=(self._jobs,), name="asflow-sync", daemon=True)
            try:
                thread.start()
            except RuntimeError:  # the interpreter is exiting, or there can be no more threads
                return
            self._threads.append(thread)


def _help(jobs: Jobs) -> None:
    while True:
        _sync(*jobs.get())


def _sync(descriptor: int, number: int, ended: Ended) -> None:
    failed: BaseException | None = None
    try:
        sync_file(descriptor)
    except BaseException as error:  # noqa: BLE001 - passed to the thread that asked
        failed = error
    ended.put((number, failed))


_helpers = _Helpers()
_forks.after_fork(_helpers.forget)


def sync_files(descriptors: Sequence[int]) -> list[BaseException | None]:
    """Wait until the bytes of all open files are on the disk; return what `sync_file` has raised for each.

    One alone wakes no other thread. Threads: safe.
    """
    return _helpers.sync(descriptors) if descriptors else []
