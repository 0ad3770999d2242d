"""One output in the making: a locked `NAME.part` that becomes NAME, or a failure, or is removed.

The steps of an output, and what a `kill -9` leaves after each:

    lock NAME.part                  an empty NAME.part, which the next claim removes
    write                           NAME.part, the same
    sync (not for "atomic")         the same
    link the descriptor to NAME     NAME, whole; NAME.part is a second name of it
    unlink NAME.part                NAME

A link count of 2 marks the leftover name, which the next `status` removes. A claim removes every NAME.part
that it finds without a lock, and never writes into it: not every file system counts links.
A file that appears at NAME in the meantime is another program's, or the body's own by mistake: it is never
replaced, nor taken for the output without an error.
To replace an existing NAME the descriptor is linked to NAME.part.part, which is then renamed over NAME.
Renaming NAME.part itself would leave a gap: if another program removed it and a third process claimed it
again, that one's unfinished bytes would be published. It is done only if linking is refused (a file system
without hard links, no /proc, a name too long for NAME.part.part), after a check that NAME.part is still ours.
"""

from __future__ import annotations

import contextlib
import errno
import os
import threading
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING, Literal

from asflow.errors import ClaimLostError, OutputPlaceError
from asflow.stores._common import (
    PART,
    ClaimState,
    closed_error,
    fork_error,
    is_void,
    may_publish,
    write_all,
)
from asflow.stores._disk_wait import DiskWait
from asflow.stores._local_part import Part, drop, remove
from asflow.stores._local_scan import forget_scans
from asflow.stores._posix import (
    Mark,
    fork_count,
    is_at,
    look,
    make_folder,
    mark_of,
    name_file,
    rename,
    replace,
    set_times,
    sync_file,
    sync_folder,
    unlink,
)

if TYPE_CHECKING:
    from collections.abc import Iterator


_SUBJECT = "LocalStore()"

_RECENTLY = 0.1
"""Seconds: a file last written to at most this long before its publishing keeps the time of that write."""

Durability = Literal["data", "full", "atomic"]
"""What is on the disk before an output is published: see `asflow.stores.LocalStore`."""


class LocalClaim:
    """The exclusive right to make one file; see `asflow.protocols.Claim`. Returned by `LocalStore.claim`.

    Threads: safe; a write that is under way when the claim ends is finished first. In a forked child the
    claim refuses to write and to publish, and leaves the parent's file alone. A claim that is
    garbage-collected without an end is aborted.

    Args:
        name, failure: absolute paths.
        part: what `lock_part` has returned.
        replaces: whether a whole output existed when the claim was made, to be replaced.
        forgets: whether publishing deletes an older failure.
        durability, known: the store's.

    Attributes:
        size: the bytes written so far.
    """

    __slots__ = (
        "__weakref__", "_descriptor", "_durability", "_failure", "_file", "_forgets", "_forks", "_known",
        "_lock", "_mark", "_modified", "_name", "_part", "_replaces", "_spoiled", "_state", "_touched",
        "size",
    )  # fmt: skip

    def __init__(
        self,
        name: str,
        failure: str,
        part: Part,
        *,
        replaces: bool,
        forgets: bool,
        durability: Durability,
        known: set[Mark],
    ) -> None:
        self._name = name
        self._failure = failure
        self._part = name + PART
        assert part.mark is not None
        self._file, self._descriptor, self._mark = part, part.number, part.mark
        self._replaces = replaces
        self._forgets = forgets
        self._durability = durability
        self._known = known
        self._forks = fork_count()
        # Reentrant: Python 3.14 handles Ctrl-C between lock and `with`, and then the claim is aborted. Not
        # renewed after a fork, which takes a hundredth of a call: a child refuses before it takes the lock.
        self._lock = threading.RLock()
        self._state: ClaimState = "open"
        self.size: int = 0
        self._spoiled = 0
        self._touched = 0.0
        self._modified: float | None = None

    def __repr__(self) -> str:
        return f"<LocalClaim of {self._name!r}, {self._state}>"

    def __del__(self) -> None:
        # At interpreter exit the globals used here may be gone; then the next run takes the file over.
        try:
            if self._state != "ended":
                self.abort()
        except Exception:  # noqa: BLE001 - no caller could receive it
            pass

    def write(self, data: bytes | bytearray | memoryview, /) -> int:
        """Append all of *data*; return the number of its bytes.

        Raises:
            OutputClosedError: the claim has ended, or this is a forked child.
            OSError: the disk refused (ENOSPC, EIO, EDQUOT, ...). The bytes may be cut then, so the claim
                can't be published any more.
        """
        self._refuse_fork()
        view = memoryview(data)
        with self._lock:
            if self._state != "open":
                raise closed_error(_SUBJECT, self._name)
            try:
                written = os.write(self._descriptor, view)
                if written != view.nbytes:
                    self._write_all(view, written)
            except BaseException as error:
                self._spoiled = (error.errno or errno.EIO) if isinstance(error, OSError) else errno.EINTR
                name_file(error, self._name)
                raise
            self._touched = monotonic()
            self.size += view.nbytes
        return view.nbytes

    def set_modified(self, seconds: float | None, /) -> float:
        """Set the time that the output gets, in POSIX seconds; None is now, by the file system's clock.

        Returns:
            The time as the file system keeps it: a coarse one rounds it down.

        Raises:
            OutputClosedError: the claim has ended, or this is a forked child.
        """
        self._refuse_fork()
        with self._lock:
            if self._state != "open":
                raise closed_error(_SUBJECT, self._name)
            set_times(self._descriptor, self._part, seconds)
            self._modified = os.fstat(self._descriptor).st_mtime
            return self._modified

    def publish(self) -> None:
        """Publish the bytes under the output's name, whole and in one step, and end the claim.

        An output that existed when the claim was made with `replace` is replaced, and an older recorded
        failure deleted. An empty file of a format that is never empty is replaced too.

        Raises:
            ClaimLostError: the file in progress was removed or replaced; nothing was published.
            OutputPlaceError: the output's name now belongs to a folder or the like, or to a file that has
                appeared since the claim was made. That file is left alone.
            OSError: the disk refused. Nothing was published, with one exception: with `durability="full"`
                the new output stays, whole, if syncing its folder fails after it has replaced an older
                one, or if it can't be removed either.
            OutputClosedError: this is a forked child, or publishing has failed before.
        """
        self._refuse_fork()
        with self._lock:
            for wait in self.publishing():
                wait.run()

    def publishing(self) -> Iterator[DiskWait]:
        """Publish as `publish` does, but yield each wait for the disk, to be run before the next step.

        For a caller that waits in another thread. From the first step on the claim is that caller's alone;
        dropped in between, it is still held. Raises as `publish` does, in any step.
        """
        self._refuse_fork()
        with self._lock:
            if not may_publish(_SUBJECT, self._state, self._name):
                return
            self._state = "sealed"
        if self._spoiled:
            raise OSError(
                self._spoiled,
                f"{_SUBJECT}: a write failed before, so the output would be cut; run the task again",
                self._name,
            )
        forget = self._failure if self._forgets else None
        yield from self._finishing(self._name, forget=forget, replace=self._replaces)

    def fail(self, report: bytes, /) -> None:
        """Discard the bytes, record *report* under the failure's name, as durably as an output, and end.

        An older report is replaced. Raises as `publish` does; then no report was recorded. A file that has
        appeared under the output's name is such an error: it would count as done.
        """
        self._refuse_fork()
        with self._lock:
            if self._state == "ended":
                return
            self._state = "sealed"
            if not self._replaces:
                self._refuse_strangers(self._name)
            try:
                # The report is written to the same file: it is ours and locked, so a kill leaves no more
                # behind than at any other moment.
                os.ftruncate(self._descriptor, 0)
                os.lseek(self._descriptor, 0, os.SEEK_SET)
                self._write_all(memoryview(report))
                if os.path.dirname(self._failure) != os.path.dirname(self._name):
                    make_folder(self._failure, self._known)
            except OSError as error:
                name_file(error, self._failure)
                raise
            older = look(self._failure) is not None
            for wait in self._finishing(self._failure, forget=None, replace=older):
                wait.run()

    def abort(self) -> None:
        """Discard the bytes and end the claim. Never raises; folders made by the claim may stay.

        A file that has appeared under the output's name is left alone, and logged: it counts as done.
        """
        if self._forks == fork_count():
            with self._lock:
                if self._state == "open" and not self._replaces:
                    self._warn_of_strangers()
                self._end()

    def _refuse_strangers(self, target: str) -> None:
        """Refuse a whole file at *target* that is not this claim's: nothing says that it is the output."""
        found = look(target)
        if found is None or is_void(target, found.st_size) or mark_of(found) == self._mark:
            return
        if not is_at(self._mark, self._part):  # then it may be that of the process which has the claim now
            raise self._file.lost()
        raise OutputPlaceError(
            errno.EEXIST,
            f"{_SUBJECT}: a file appeared under the output's name while its task ran, so nothing was "
            f"published; move it away, and write with flow.task.write() or to flow.task.path(), never to the "
            f"output's own path",
            target,
        )

    def _warn_of_strangers(self) -> None:
        try:
            self._refuse_strangers(self._name)
        except OutputPlaceError as error:
            if error.errno == errno.EEXIST and os.path.isfile(self._name):
                import logging

                logging.getLogger("asflow").warning(
                    "%s: a file appeared under the output's name while its task ran and failed; "
                    "it will be taken for the output unless it is moved away: %r",
                    _SUBJECT,
                    self._name,
                )
        except (OSError, ClaimLostError):
            pass

    def _refuse_fork(self) -> None:
        if self._forks != fork_count():
            raise fork_error(_SUBJECT, self._name)

    def _write_all(self, view: memoryview, done: int = 0) -> None:
        write_all(lambda rest: os.write(self._descriptor, rest), view, done)

    def _finishing(self, target: str, *, forget: str | None, replace: bool) -> Iterator[DiskWait]:
        """Sync the bytes, name them *target*, and end. After an error nothing has that name."""
        try:
            if self._modified is not None and target is self._name:
                set_times(self._descriptor, self._part, self._modified)
            elif monotonic() - self._touched > _RECENTLY:
                # An empty output, or one last written to earlier, also gets the time of its publishing.
                with contextlib.suppress(OSError):
                    set_times(self._descriptor, self._part, None)
            if self._durability != "atomic":
                wait = DiskWait(partial(sync_file, self._descriptor))
                yield wait
                wait.check()
            replaces = replace and os.path.lexists(target)
            if replace:
                self._put_over(target, forget)
            else:
                self._put_new(target, forget)
            if self._durability == "full":
                with contextlib.suppress(OSError):  # a second name of a whole file: the next look removes it
                    drop(self._mark, self._part)
                folder = os.path.dirname(target)
                wait = DiskWait(partial(sync_folder, folder, self._known), folder)
                yield wait
                self._check_name(wait, target, undo=not replaces)
        except OSError as error:
            name_file(error, target)
            raise
        self._end()

    def _put_new(self, target: str, forget: str | None) -> None:
        """Name the file *target*; refuse if a whole file has that name already. Delete *forget* before."""
        if forget is not None:
            self._refuse_strangers(target)
            remove(forget)
        while True:
            try:
                if self._file.link(target):
                    return
                if look(target) is None:
                    rename(self._part, target)
                    return
            except FileExistsError:
                pass
            found = look(target)
            if found is not None:
                if mark_of(found) != self._mark:
                    self._refuse_strangers(target)
                    self._put_over(target, None)
                return

    def _put_over(self, target: str, forget: str | None) -> None:
        """Name the file *target*, replacing any file of that name; delete the failure *forget*."""
        staged = self._file.stage()
        try:
            if forget is not None:
                # Before the rename: a kill in between costs one more run. After it, a kill would leave an
                # old failure beside the new output.
                remove(forget)
            replace(staged, target)
        except BaseException as error:
            if staged != self._part:
                with contextlib.suppress(OSError):
                    unlink(staged)
            if isinstance(error, FileNotFoundError):
                raise self._file.lost() from None
            look(target)
            raise

    def _check_name(self, wait: DiskWait, target: str, *, undo: bool) -> None:
        """Make sure that *target* is a name of the file on the disk: raise what *wait* has raised."""
        try:
            wait.check()
        except OSError:
            if undo and is_at(self._mark, target):
                with contextlib.suppress(OSError):
                    unlink(target)
                    forget_scans()
            raise

    def _end(self) -> None:
        if self._state != "ended":
            self._state = "ended"
            self._file.end()
