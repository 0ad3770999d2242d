"""Commits of small outputs by async calls: on the loop's own thread, but for the waits for the disk.

In another thread, the GIL would change hands with the event loop at each of a commit's eight system calls.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, cast

from asflow._runtime.disk import DiskWait, waited
from asflow.protocols import Claim

if TYPE_CHECKING:
    from asyncio import CancelledError
    from collections.abc import Iterator

    from asflow._engine import vocabulary as words
    from asflow._runtime.calls import TaskCall


class Stepwise(Claim, Protocol):
    """A claim that can be published in steps; `LocalStore` has such.

    Attributes:
        size: the bytes written so far.
    """

    @property
    def size(self) -> int: ...

    def publishing(self) -> Iterator[DiskWait]:
        """Publish the output as `publish` does; yield each wait, which is to be run before the next step."""
        ...


def as_stepwise(claim: Claim | None) -> Stepwise | None:
    """Return *claim* if it can be published in steps; a wrapped one can't."""
    return cast("Stepwise", claim) if hasattr(claim, "publishing") else None


class Committed(Protocol):
    """An output whose commit has two halves; `asflow._runtime.making.Making` is one."""

    def begin_commit(self, run: TaskCall, /) -> Claim | None:
        """Do all but publishing; None if the call was cancelled. Raises what ends the commit."""
        ...

    def end_commit(self, run: TaskCall, error: BaseException | None, /) -> words.Event:
        """Note that the claim was published, or that *error* was raised; it is raised if no Exception."""
        ...


async def commit_in_steps(making: Committed, run: TaskCall) -> words.Event:
    """Commit the output of *run*; only its waits for the disk are in other threads.

    Cancellation: the commit is finished, and the cancellation then re-raised, as in `threads.in_thread`.
    """
    failure: BaseException | None = None
    cancelled: CancelledError | None = None
    try:
        claim = as_stepwise(making.begin_commit(run))
        if claim is not None:
            for wait in claim.publishing():
                cancelled = await waited(wait) or cancelled
    except BaseException as error:  # noqa: BLE001 - `end_commit` decides what it means
        failure = error
    try:
        event = making.end_commit(run, failure)
    finally:
        del failure  # its traceback holds this frame
    if cancelled is not None:
        raise cancelled
    return event


# ------------------------------------------------------------------ what is small

_SCALARS = frozenset({int, float, bool, type(None)})
_FEW = 256  # items
_SHORT = 64 * 1024  # characters or bytes of all texts in a value


def is_small(value: object) -> bool:
    """Return whether *value* is encoded in a moment: a short text, or few of them in plain containers."""
    left, room, waiting = _FEW, _SHORT, [value]
    while waiting:
        if len(waiting) > left:
            return False
        item = waiting.pop()
        kind, left = type(item), left - 1
        if kind is str or kind is bytes:
            room -= len(cast("str | bytes", item))
            if room < 0:
                return False
        elif kind is dict or kind is list or kind is tuple:
            items = cast("dict[object, object] | list[object]", item)
            if len(items) > left:
                return False
            waiting += items
            if isinstance(items, dict):
                waiting += items.values()
        elif kind not in _SCALARS:
            return False
    return True
