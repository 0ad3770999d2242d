"""Publishing several outputs that are local files together, in the time of one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from asflow.stores._posix import Mark, sync_folder
from asflow.stores._syncing import sync_files

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


class Batch:
    """What claims that are published together share.

    Their files are synced at the same time, and each folder once, after all names are in it.
    """

    __slots__ = ("_failed", "_files", "_synced")

    def __init__(self) -> None:
        self._files: list[int] = []
        self._failed: dict[int, BaseException] = {}
        self._synced: dict[str, OSError | None] = {}

    def add(self, descriptor: int) -> None:
        """Have an open file synced by `sync_files`."""
        self._files.append(descriptor)

    def sync_files(self) -> None:
        """Wait until the bytes of all files that were added are on the disk. Never raises."""
        files, self._files = self._files, []
        errors = sync_files(files) if files else ()
        self._failed.update((file, error) for file, error in zip(files, errors, strict=True) if error)

    def check(self, descriptor: int) -> None:
        """Raise what syncing the file has raised."""
        if descriptor in self._failed:
            raise self._failed[descriptor]

    def sync_folder(self, folder: str, known: set[Mark]) -> None:
        """Do what `asflow.stores._posix.sync_folder` does, once for each *folder*.

        Raises:
            OSError: also for all others, as the system reports a failed write only once.
        """
        if folder not in self._synced:
            try:
                sync_folder(folder, known)
                self._synced[folder] = None
            except OSError as error:
                self._synced[folder] = error
        failed = self._synced[folder]
        if failed is not None:
            raise OSError(failed.errno, failed.strerror, failed.filename)


class Stepwise(Protocol):
    """A claim that is published in steps; `asflow.stores._local_claim.LocalClaim` is one."""

    def publishing(self, batch: Batch, /) -> Iterator[None]:
        """Publish it, and pause where all can wait for the disk together. Raises as its `publish` does."""
        ...


def publish_many(claims: Sequence[Stepwise]) -> list[BaseException | None]:
    """Publish each of *claims*, of any stores of local files, and return what its `publish` would raise.

    Threads: all locks of the claims are taken by this one at the same time, in their order; so two calls
    must have no claim in common.
    """
    batch = Batch()
    errors: list[BaseException | None] = [None] * len(claims)
    left = [(number, claim.publishing(batch)) for number, claim in enumerate(claims)]
    while left:
        batch.sync_files()
        left = [(number, steps) for number, steps in left if _goes_on(steps, number, errors)]
    return errors


def _goes_on(steps: Iterator[None], number: int, errors: list[BaseException | None]) -> bool:
    """Take one step; False if it was the last one, or has failed."""
    try:
        next(steps)
    except StopIteration:
        return False
    except BaseException as error:  # noqa: BLE001 - that of one claim is not the others'
        errors[number] = error
        return False
    return True
