"""A sink that shows nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, final

if TYPE_CHECKING:
    from asflow.events import Event


@final
class NullSink:
    """Shows nothing: no display, no log lines. `wants_tasks` is `"none"`, so calls cost nothing."""

    wants_tasks: Literal["none"] = "none"

    def emit(self, event: Event, /) -> None:
        """Ignore *event*."""

    def __repr__(self) -> str:
        return "NullSink()"
