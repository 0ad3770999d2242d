"""The words of a call's life: what happened (`Event`) and what to do next (`Action`).

Two closed unions of frozen values. Events are past, actions imperative; each action says which events
answer it. `asflow.engine.lifecycle` has the table of what follows on what.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from asflow.events import Outcome

__all__ = [
    "Abort",
    "Acquire",
    "Acquired",
    "Action",
    "AskDelay",
    "AwaitOwner",
    "Broke",
    "Busy",
    "Call",
    "Claim",
    "Claimed",
    "Closing",
    "Commit",
    "Delayed",
    "Done",
    "Ending",
    "Event",
    "Fail",
    "Finish",
    "Found",
    "FoundFailure",
    "Look",
    "Missing",
    "Raised",
    "RecordFailure",
    "Release",
    "Returned",
    "Stale",
    "Started",
    "Wait",
    "Waited",
]


class _Plain:
    """A value that says all by its class; a dataclass would do the same, at 0.3 ms of import time each."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self)

    def __hash__(self) -> int:
        return hash(type(self))

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


# ------------------------------------------------------------------ what happened


class Started(_Plain):
    """The task was called."""

    __slots__ = ()


class Found(_Plain):
    """The output exists."""

    __slots__ = ()


class Stale(_Plain):
    """The output exists, but `refresh=` says that it is to be made anew."""

    __slots__ = ()


class FoundFailure(_Plain):
    """A suppressed failure of an earlier call is on record."""

    __slots__ = ()


class Missing(_Plain):
    """Neither the output nor a failure exists."""

    __slots__ = ()


class Acquired(_Plain):
    """A slot of the limit was granted."""

    __slots__ = ()


class Claimed(_Plain):
    """The output is this call's to make."""

    __slots__ = ()


class Busy(_Plain):
    """Somebody else is making the output."""

    __slots__ = ()


class Returned(_Plain):
    """The body returned."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Raised:
    """The body raised *error*; *draw* is a uniform random number, 0 <= draw < 1, for the backoff."""

    error: Exception
    draw: float


@dataclass(frozen=True, slots=True)
class Delayed:
    """The user's `delay` answered: seconds to wait, or None for the formula."""

    seconds: float | None


class Waited(_Plain):
    """The wait is over."""

    __slots__ = ()


class Done(_Plain):
    """The action was carried out, and there is nothing to tell about it."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Broke:
    """The action could not be carried out: the store (or the user's `delay`) raised *error*."""

    error: Exception


Event = (
    Started
    | Found
    | Stale
    | FoundFailure
    | Missing
    | Acquired
    | Claimed
    | Busy
    | Returned
    | Raised
    | Delayed
    | Waited
    | Done
    | Broke
)

# ------------------------------------------------------------------ what to do


class Look(_Plain):
    """See whether the output exists. Answer: Found, Stale, FoundFailure, Missing or Broke."""

    __slots__ = ()


class Acquire(_Plain):
    """Wait for a slot of the limit. Answer: Acquired."""

    __slots__ = ()


class Claim(_Plain):
    """Claim the output, looking again. Answer: Claimed, Found, FoundFailure, Busy or Broke."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Call:
    """Call the body, for the *attempt*-th time. Answer: Returned or Raised."""

    attempt: int


class Release(_Plain):
    """Give the slot back. Answer: Done."""

    __slots__ = ()


class Commit(_Plain):
    """Publish the output. Answer: Done or Broke."""

    __slots__ = ()


class Abort(_Plain):
    """Discard the output. Answer: Done or Broke."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class RecordFailure:
    """Discard the output and record *error* in its place. Answer: Done or Broke."""

    error: Exception


@dataclass(frozen=True, slots=True)
class AskDelay:
    """Ask the user's `delay` about *error* before retry *retry*; *otherwise* is the formula's answer.

    Answer: Delayed or Broke.
    """

    error: Exception
    retry: int
    otherwise: float


@dataclass(frozen=True, slots=True)
class Wait:
    """Wait *seconds* before retry *retry*, since *error* was raised. Answer: Waited."""

    seconds: float
    retry: int
    error: Exception


class AwaitOwner(_Plain):
    """Wait until whoever is making the output has ended. Answer: Waited."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Finish:
    """Return: the body's value where *outcome* is "completed", else None."""

    outcome: Outcome
    error: Exception | None = None


@dataclass(frozen=True, slots=True)
class Fail:
    """Raise *error*, the very object."""

    error: Exception


Closing = Commit | Abort | RecordFailure
Ending = Finish | Fail | Wait | AskDelay | AwaitOwner
Action = Look | Acquire | Claim | Call | Release | Closing | Ending
