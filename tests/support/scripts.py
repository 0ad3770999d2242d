"""Scripted bodies: what a body is to do at its 1st, 2nd, ... call, and what a test may draw at random."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from hypothesis import strategies as st

from asflow._engine.policy import Retry, TaskPolicy

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["ERRORS", "BadError", "GoneError", "OtherError", "Script", "policies"]


class BadError(Exception):
    """One of the errors that scripts raise."""


class GoneError(BadError):
    """A subclass, so that matching is by isinstance."""


class OtherError(Exception):
    """One that is no BadError."""


ERRORS: tuple[type[Exception], ...] = (BadError, GoneError, OtherError, TimeoutError)


@dataclass
class Script:
    """A body that plays its steps: an exception class or instance is raised, anything else is returned."""

    steps: list[object]
    before: Callable[[], object] = field(default=lambda: None)
    calls: int = 0
    raised: list[BaseException] = field(default_factory=list[BaseException])

    def play(self) -> object:
        step = self.steps[min(self.calls, len(self.steps) - 1)]
        self.calls += 1
        self.before()
        if isinstance(step, type) and issubclass(step, BaseException):
            step = step("scripted")
        if isinstance(step, BaseException):
            self.raised.append(step)
            raise step
        return step

    async def play_async(self) -> object:
        return self.play()


def _classes() -> st.SearchStrategy[tuple[type[BaseException], ...]]:
    listed: tuple[type[BaseException], ...] = (*ERRORS, Exception, BaseException, KeyboardInterrupt)
    return st.lists(st.sampled_from(listed), max_size=2).map(tuple)


def _delay(error: Exception, retry: int) -> float | None:
    if isinstance(error, GoneError) and retry == 2:
        raise OtherError("from delay")
    return None if retry % 2 else 0.25 * retry


@st.composite
def policies(draw: st.DrawFn) -> TaskPolicy:
    """Draw any policy."""
    retry = draw(
        st.none()
        | st.builds(
            Retry,
            total=st.integers(0, 3),
            backoff_factor=st.sampled_from([0.0, 0.5]),
            backoff_jitter=st.sampled_from([0.0, 1.0]),
            exceptions=st.none() | _classes(),
            delay=st.none() | st.just(_delay),
        )
    )
    return TaskPolicy(
        persistent=(kept := draw(st.integers(0, 2))) > 0,
        saved=kept > 1,
        limited=draw(st.booleans()),
        skip=draw(_classes()),
        suppress=draw(_classes()),
        retry=retry,
    )
