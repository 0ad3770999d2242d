"""What becomes of an item under `flow.task.map(..., on_error="collect")`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, Literal, TypeVar

from asflow._names import set_homes

if TYPE_CHECKING:
    from dataclasses import dataclass
else:
    from asflow._frozen import dataclass


T_co = TypeVar("T_co", covariant=True)
R_co = TypeVar("R_co", covariant=True)


@dataclass(frozen=True, slots=True)
class Completed(Generic[T_co, R_co]):
    """The call for *item* returned *value*.

    Attributes:
        item: the item.
        value: what the call returned; None if it was skipped or suppressed, or found an output of `on=`.
        outcome: `"completed"`: the body ran; `"cached"`: the output was there already; `"skipped"` or
            `"suppressed"`: an exception ended the call quietly, now or, if it is on record, earlier.
    """

    item: T_co
    value: R_co
    outcome: Literal["completed", "cached", "skipped", "suppressed"] = "completed"


@dataclass(frozen=True, slots=True)
class Failed(Generic[T_co]):
    """The call for *item* raised *error*, this very object."""

    item: T_co
    error: Exception


set_homes("asflow", (Completed, Failed))
