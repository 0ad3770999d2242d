"""What a call does before it makes its output: look whether it exists, and read it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NoReturn

from asflow._engine import vocabulary as words
from asflow._labels import short

if TYPE_CHECKING:
    from collections.abc import Mapping

    from asflow._runtime.spec import Outputs
    from asflow.protocols import Store

LARGE = 256 * 1024
"""Bytes, as stored, from which on a value is read and decoded in a thread rather than on the event loop."""

ABSENT: Final = object()
"""Instead of the value of an output that is certainly not there."""


class Looking:
    """The output of one call, which may exist.

    Methods that return an event carry out the action of the same name, and may block: the async driver
    calls them in a thread if the store is slow.

    Attributes:
        outputs: where and how the task keeps them.
        store: the store of these.
        blocking: whether steps may be slow, so that the async driver calls them in a thread.
        value: what the body returned, or the output holds.
    """

    __slots__ = ("_args", "_failure", "_kwargs", "_name", "_stale", "blocking", "outputs", "store", "value")

    def __init__(
        self, outputs: Outputs, name: str, args: tuple[object, ...], kwargs: Mapping[str, object]
    ) -> None:
        self.outputs: Outputs = outputs
        self.store: Store = outputs.store  # once: a call asks for it a dozen times
        self.blocking: bool = self.store.blocking
        self._args = args
        self._kwargs = kwargs
        self._stale = False
        # From here on independent of the current directory.
        self._name = outputs.absolute(name)
        self._failure = outputs.failure_of(self._name)
        self.value: object = None

    def look(self) -> words.Event:
        """Check whether the output exists."""
        outputs = self.outputs
        self._stale = False
        try:
            match self.store.status(self._name, self._failure):
                case "complete":
                    if not outputs.is_stale(self._name, self._args, self._kwargs):
                        return words.Found()
                    # An attempt to make it again may have been suppressed; it is not tried again.
                    if self.store.info(self._failure) is not None:
                        return words.FoundFailure()
                    self._stale = True
                    return words.Stale()
                case "suppressed":
                    return words.FoundFailure()
                case "absent":
                    return words.Missing()
                case other:  # pyright: ignore[reportUnnecessaryComparison] - a user's store may return anything
                    refuse_answer(self.store, "status", other)
        except Exception as error:  # noqa: BLE001 - the engine decides what it means
            return words.Broke(error)

    def recall(self) -> words.Event:
        """Read the value that the output holds."""
        try:
            self.value = self.outputs.recall(self._name)
        except FileNotFoundError:
            return words.Missing()
        except Exception as error:  # noqa: BLE001 - as above
            return words.Broke(error)
        return words.Recalled()

    def is_large(self) -> bool:
        """Whether reading the value may hold up an event loop."""
        info = None if self.blocking else self.store.info(self._name)
        return self.blocking or (info is not None and info.size > LARGE)


def refuse_answer(store: object, method: str, answer: object) -> NoReturn:
    """Refuse what *method* of a store has returned."""
    raise TypeError(
        f"{type(store).__name__}.{method}(): returns one of the values in asflow.protocols, "
        f"not {short(answer)}; see Store.{method}"
    )
