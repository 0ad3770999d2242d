"""The vocabulary of a call's life: what happened (`Event`) and what to do next (`Action`).

Two closed unions of immutable values. Events are in the past tense, actions in the imperative; each action
names the events that answer it. The table of `asflow._engine.lifecycle` says what follows on what.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from asflow.events import Outcome


class _Value:
    """Equal if class and fields are.

    Written by hand: a frozen dataclass does the same, but adds 0.3 ms of import time per class and takes
    three times as long to create, at each step of each call.
    """

    __slots__ = ()

    def _fields(self) -> tuple[object, ...]:
        names: tuple[str, ...] = getattr(self, "__match_args__", ())
        return tuple(getattr(self, name) for name in names)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Value) and type(other) is type(self) and self._fields() == other._fields()

    def __hash__(self) -> int:
        return hash((type(self), self._fields()))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(map(repr, self._fields()))})"


# ------------------------------------------------------------------ what happened


class Started(_Value):
    """The task was called."""

    __slots__ = ()


class Found(_Value):
    """The output exists."""

    __slots__ = ()


class Stale(_Value):
    """The output exists, but is out of date."""

    __slots__ = ()


class FoundFailure(_Value):
    """A suppressed failure of an earlier call is recorded."""

    __slots__ = ()


class Recalled(_Value):
    """The value that the output holds has been read."""

    __slots__ = ()


class Missing(_Value):
    """Neither the output nor a failure exists."""

    __slots__ = ()


class Acquired(_Value):
    """A slot of the limit was granted."""

    __slots__ = ()


class Claimed(_Value):
    """The output is this call's to make."""

    __slots__ = ()


class Busy(_Value):
    """Another call or process is making the output: this one passes it over, and comes back to it."""

    __slots__ = ()


class Returned(_Value):
    """The body returned."""

    __slots__ = ()


class Raised(_Value):
    """The body raised *error*; *draw* is a uniform random number, 0 <= draw < 1, for the backoff."""

    __match_args__ = ("error", "draw")
    __slots__ = __match_args__

    def __init__(self, error: Exception, draw: float) -> None:
        self.error: Final = error
        self.draw: Final = draw


class Unchanged(_Value):
    """The body raised *error*, which says that the existing output stays."""

    __match_args__ = ("error",)
    __slots__ = __match_args__

    def __init__(self, error: Exception) -> None:
        self.error: Final = error


class Delayed(_Value):
    """The user's `delay` returned: seconds to wait, or None for the formula."""

    __match_args__ = ("seconds",)
    __slots__ = __match_args__

    def __init__(self, seconds: float | None) -> None:
        self.seconds: Final = seconds


class Waited(_Value):
    """The wait is over."""

    __slots__ = ()


class Done(_Value):
    """The action was carried out, and has no result to report."""

    __slots__ = ()


class Broke(_Value):
    """The action could not be carried out: the store (or the user's `delay`) raised *error*."""

    __match_args__ = ("error",)
    __slots__ = __match_args__

    def __init__(self, error: Exception) -> None:
        self.error: Final = error


Event = (
    Started
    | Found
    | Stale
    | FoundFailure
    | Missing
    | Recalled
    | Acquired
    | Claimed
    | Busy
    | Returned
    | Raised
    | Unchanged
    | Delayed
    | Waited
    | Done
    | Broke
)

# ------------------------------------------------------------------ what to do


class Look(_Value):
    """Check whether the output exists. Answered by Found, Stale, FoundFailure, Missing, Busy or Broke."""

    __slots__ = ()


class Recall(_Value):
    """Read the value that the output holds. Answered by Recalled, Missing or Broke."""

    __slots__ = ()


class Acquire(_Value):
    """Wait for a slot of the limit. Answered by Acquired."""

    __slots__ = ()


class Claim(_Value):
    """Claim the output, and check again. Answered by Claimed, Found, FoundFailure, Busy or Broke."""

    __slots__ = ()


class Call(_Value):
    """Call the body for the *attempt*-th time. Answered by Returned, Raised, Unchanged or Broke."""

    __match_args__ = ("attempt",)
    __slots__ = __match_args__

    def __init__(self, attempt: int) -> None:
        self.attempt: Final = attempt


class Release(_Value):
    """Give the slot back and, if it is *unused*, the start that the rate counted. Answered by Done."""

    __match_args__ = ("unused",)
    __slots__ = __match_args__

    def __init__(self, unused: bool = False) -> None:
        self.unused: Final = unused


class Commit(_Value):
    """Publish the output. Answered by Done or Broke."""

    __slots__ = ()


class Abort(_Value):
    """Discard the output. Answered by Done or Broke."""

    __slots__ = ()


class RecordFailure(_Value):
    """Discard the output and record *error*. Answered by Done or Broke."""

    __match_args__ = ("error",)
    __slots__ = __match_args__

    def __init__(self, error: Exception) -> None:
        self.error: Final = error


class Renew(_Value):
    """Discard what was written, and renew the time of the existing output.

    Answered by Done or Broke; by Broke with *error*, which the body raised, if there is no output.
    """

    __match_args__ = ("error",)
    __slots__ = __match_args__

    def __init__(self, error: Exception) -> None:
        self.error: Final = error


class AskDelay(_Value):
    """Ask the user's `delay` about *error* before retry *retry*; *otherwise* is what the formula returns.

    Answered by Delayed or Broke.
    """

    __match_args__ = ("error", "retry", "otherwise")
    __slots__ = __match_args__

    def __init__(self, error: Exception, retry: int, otherwise: float) -> None:
        self.error: Final = error
        self.retry: Final = retry
        self.otherwise: Final = otherwise


class Wait(_Value):
    """Wait *seconds* before retry *retry*, because of *error*. Answered by Waited."""

    __match_args__ = ("seconds", "retry", "error")
    __slots__ = __match_args__

    def __init__(self, seconds: float, retry: int, error: Exception) -> None:
        self.seconds: Final = seconds
        self.retry: Final = retry
        self.error: Final = error


class AwaitOwner(_Value):
    """Wait until the owner of the claim has ended, without a slot or a worker. Answered by Waited."""

    __slots__ = ()


class Finish(_Value):
    """Return: the body's value if *outcome* is "completed", else None."""

    __match_args__ = ("outcome", "error")
    __slots__ = __match_args__

    def __init__(self, outcome: Outcome, error: Exception | None = None) -> None:
        self.outcome: Final = outcome
        self.error: Final = error


class Fail(_Value):
    """Raise *error*, the same object."""

    __match_args__ = ("error",)
    __slots__ = __match_args__

    def __init__(self, error: Exception) -> None:
        self.error: Final = error


Closing = Commit | Abort | RecordFailure | Renew
Ending = Finish | Fail | Wait | AskDelay | AwaitOwner | Recall
Action = Look | Acquire | Claim | Call | Release | Closing | Ending
