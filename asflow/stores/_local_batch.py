"""Publishing several outputs of local files together: the disk writes all of them while one is waited for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from asflow.stores._posix import Mark, sync_folder

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from asflow.stores._local_claim import LocalClaim


class Batch:
    """What claims that are published together share: a folder is synced once, after all of their names."""

    __slots__ = ("_synced",)

    def __init__(self) -> None:
        self._synced: dict[str, OSError | None] = {}

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


def publish_many(claims: Sequence[LocalClaim]) -> list[BaseException | None]:
    """Publish each of *claims*, of any stores of local files, and return what its `publish` would raise.

    Threads: all locks of the claims are taken by this one at the same time, in their order; so two calls
    must have no claim in common.
    """
    batch = Batch() if len(claims) > 1 else None
    errors: list[BaseException | None] = [None] * len(claims)
    left = [(number, claim.publishing(batch)) for number, claim in enumerate(claims)]
    while left:
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
