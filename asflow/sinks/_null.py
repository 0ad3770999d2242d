"""A sink that tells nobody."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, final

if TYPE_CHECKING:
    from asflow.events import Event

__all__ = ["NullSink"]


@final
class NullSink:
    """Shows nothing: no display, no log lines. `wants_tasks` is `"none"`, so calls cost nothing here."""

    wants_tasks: Literal["none"] = "none"

    def emit(self, event: Event, /) -> None:
        """Do nothing with *event*."""

    def __repr__(self) -> str:
        return "NullSink()"
