"""What publishing waits for: a call that may take as long as the disk does."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class DiskWait:
    """One wait for the disk: made in one thread, run in that or any other one, and checked in the first.

    Args:
        call: waits.
        key: equal for waits of which one does for all that are asked for before it runs; None for one alone.

    Attributes:
        key: the same.
    """

    __slots__ = ("_call", "_error", "key")

    def __init__(self, call: Callable[[], None], key: str | None = None) -> None:
        self._call = call
        self._error: BaseException | None = None
        self.key: str | None = key

    def run(self) -> None:
        """Wait. Never raises."""
        try:
            self._call()
        except BaseException as error:  # noqa: BLE001 - `check` raises it, perhaps in another thread
            self._error = error

    def take(self, other: DiskWait, /) -> None:
        """Take the outcome of *other*, which has the same key and was run instead of this one."""
        error = self._error = other._error
        if isinstance(error, OSError):  # one for each: it gets the name of the output
            self._error = OSError(error.errno, error.strerror, error.filename)

    def check(self) -> None:
        """Raise what the wait has raised."""
        if self._error is not None:
            raise self._error
