"""The items of a map on their way in, if the outputs of many of them may exist: those are passed over."""

from __future__ import annotations

from collections.abc import Sized
from contextlib import suppress
from itertools import chain, islice, takewhile
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from asflow._runtime.calls import FlowCall, TaskCall
    from asflow._runtime.skipping import Skips
    from asflow.stores._local_scan import Scans

_IN_MEMORY: frozenset[type] = frozenset((list, tuple, range, dict, set, frozenset))
"""What holds all its items already: to pull some early neither waits nor takes memory."""

_AHEAD = 256
"""How many items of these are pulled early, to be looked for at once."""


class Passing:
    """Pulls items, and passes over those whose outputs exist; for one thread at a time.

    Args:
        skips: finds items whose calls have nothing to do.
        run: what the map runs in.
        items: to be pulled from nowhere else.
        scans_for: makes scans for a number of looks, at names behind a text; and for items that are texts, if
            so.

    Attributes:
        is_in_memory: whether *items* holds all of them already.
        was_absent: whether the output of the item that `next` has just returned is certainly not there.
    """

    __slots__ = ("_ahead", "_items", "_run", "_scans", "_skips", "is_in_memory", "was_absent")

    def __init__(
        self,
        skips: Skips,
        run: TaskCall | FlowCall | None,
        items: object,
        scans_for: Callable[[int, str, bool], Scans | None],
    ) -> None:
        self._skips = skips
        self._run = run
        # A chain knows that it has ended; the iterator inside may not.
        self._items: Iterator[Any] = chain(cast("Iterable[Any]", items))
        self._ahead: list[Any] = []
        self.is_in_memory: bool = type(items) in _IN_MEMORY
        self.was_absent: bool = False
        self._scans: Scans | None = None
        if isinstance(items, Sized):
            of_texts = self.is_in_memory and type(next(iter(cast("Iterable[Any]", items)), None)) is str
            self._scans = scans_for(len(items), skips.start(run), of_texts)

    def step(self) -> bool:
        """Go on with a scan of a folder that is under way; True if it is not complete."""
        return self._scans is not None and self._scans.step()

    def next(self, passed: list[Any], places: int) -> tuple[Any, ...]:
        """Pull items and add them to *passed* while their outputs exist, *places* at most; count these.

        Returns:
            The item that came then, alone, for which the task is to be called. Empty if there are fewer than
            *places* items left, or as many have been passed over.
        """
        try:
            return self._next(passed, places)
        finally:
            if passed:
                self._skips.count(self._run, len(passed))

    def _next(self, passed: list[Any], places: int) -> tuple[Any, ...]:
        self.was_absent = False
        is_there = self._skips.check(self._run, self._scans)
        if is_there is None:
            return tuple(islice(self._rest(), 1))
        scans = self._scans
        if scans is not None and self.is_in_memory and (scans.names or scans.texts):
            return self._next_known(scans, is_there, passed, places)
        for item in islice(self._rest(), places):
            if not (there := is_there(item)):
                self.was_absent = there is None
                return (item,)
            passed.append(item)
        return ()

    def _rest(self) -> Iterator[Any]:
        if self._ahead:
            self._items, self._ahead = chain(self._ahead, self._items), []
        return self._items

    def _next_known(
        self, scans: Scans, is_there: Callable[[object], bool | None], passed: list[Any], places: int
    ) -> tuple[Any, ...]:
        """Do as `_next` does, without a step in Python for each item whose output the *scans* have seen."""
        ahead, locate = self._ahead, self._skips.locate
        is_name, is_text = scans.names.__contains__, scans.texts.__contains__
        while (wanted := places - len(passed)) > 0:
            if not ahead:
                ahead.extend(islice(self._items, _AHEAD))
                if not ahead:
                    break
            known, some = list[object](), islice(ahead, wanted)
            # Not of subclasses: as a part of a name, theirs may be another text.
            if scans.texts and list(map(type, ahead)).count(str) == len(ahead):
                known.extend(takewhile(is_text, some))
            else:
                with suppress(Exception):  # an error of `locate` is raised by the call
                    known.extend(takewhile(is_name, map(locate, some)))
            passed += ahead[: len(known)]
            del ahead[: len(known)]
            if len(known) < wanted and ahead:
                item = ahead.pop(0)
                if not (there := is_there(item)):
                    self.was_absent = there is None
                    return (item,)
                passed.append(item)
        return ()
