"""A limit for all processes of one machine, as a `Limiter`: see `machine`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from asflow._runtime.clock import is_real
from asflow._runtime.limiters import LOOK_AGAIN, Limiter
from asflow._runtime.machine import Machine

if TYPE_CHECKING:
    from asflow._engine.rates import Rate


class MachineLimiter(Limiter):
    """The slots of this process, which waits with each for a place among those of all processes.

    While `asflow.testing.fake_clock` is in use it bounds this process only: others have another time.

    Args:
        name: of the limit.
        total: bodies at once; 0 means no bound.
        rate: bounds the starts; None means no bound.
    """

    __slots__ = ("_machine",)

    def __init__(self, name: str, total: int, rate: Rate | None) -> None:
        super().__init__(total, rate)
        self._machine = self.machine = Machine(name, total, rate)

    @property
    def paced(self) -> bool:
        """True: another process may hold the starts."""
        return True

    def hold(self, seconds: float) -> None:
        """Let no body start for the next *seconds*, in any process."""
        super().hold(seconds)
        if is_real():
            self._machine.hold(seconds)

    def give_back(self, at: float) -> None:
        """Forget the last start."""
        super().give_back(at)
        if is_real():
            self._machine.give_back()

    def _start(self) -> float:
        if not is_real():
            return super()._start()
        return min(self._machine.start(), LOOK_AGAIN)
