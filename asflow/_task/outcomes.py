"""What became of one item of `flow.task.map(..., on_error="collect")`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

__all__ = ["Completed", "Failed"]

T_co = TypeVar("T_co", covariant=True)
R_co = TypeVar("R_co", covariant=True)


@dataclass(frozen=True, slots=True)
class Completed(Generic[T_co, R_co]):
    """The call for *item* returned *value* (None too where it was cached, skipped or suppressed)."""

    item: T_co
    value: R_co


@dataclass(frozen=True, slots=True)
class Failed(Generic[T_co]):
    """The call for *item* raised *error*, the very object."""

    item: T_co
    error: Exception
