"""What is fetched, and what becomes of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple, TypedDict

City = Literal["Paris", "Seattle"]


class Reading(TypedDict):
    """One hour, as the service gives it."""

    city: City
    hour: int
    celsius: float


@dataclass(frozen=True)
class Day:
    """One day of one city."""

    city: City
    date: str
    highest: float
    lowest: float


class Key(NamedTuple):
    """What a day is asked for with."""

    city: City
    date: str
