"""What the sinks that write to a text stream have in common: which events they show, and on which display."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import IO, TYPE_CHECKING, Literal

from asflow._checks import check_flag
from asflow._labels import short
from asflow.errors import DefinitionTypeError, DefinitionValueError
from asflow.sinks._live.display import shared
from asflow.sinks._words import task_line, waiting_line

if TYPE_CHECKING:
    from collections.abc import Hashable

    from asflow.events import Event
    from asflow.sinks._live.display import Display, Surface
    from asflow.sinks._words import Piece


class StreamSink(ABC):
    """Base of the sinks that write to a text stream. It decides what is shown, a subclass decides where."""

    def __init__(self, verbose: bool | None, *, flows: bool = True) -> None:
        """Make a sink.

        Args:
            verbose: which finished calls are logged: those outside flows (None), all (True), none (False).
            flows: whether flows are shown.
        """
        check_flag(f"{type(self).__name__}()", "verbose", verbose, optional=True)
        self._verbose = verbose
        self._shows_flows = flows
        self._recent: tuple[IO[str], Display] | None = None
        self._flows: dict[int, Display] = {}

    @property
    def wants_tasks(self) -> Literal["all", "outside", "none"]:
        """Which calls this sink receives; it polls the counts of the others."""
        if self._verbose is None:
            return "outside"
        return "all" if self._verbose else "none"

    def emit(self, event: Event, /) -> None:
        """Show *event*, now or with the next refresh."""
        match event.kind:
            case "flow_started":
                display = self._display() if self._shows_flows else None
                if display is not None:
                    self._flows[event.flow_id] = display
                    display.start(event)
            case "flow_finished":
                display = self._flows.pop(event.flow_id, None)
                if display is not None:
                    display.finish(event, nested=self._verbose is True)
            case "task_finished":
                self._log(event.flow_id, task_line(event))
            case "task_waiting" if event.reason == "owner":
                self._log(event.flow_id, waiting_line(event))
            case _:
                pass

    def _log(self, flow_id: int | None, pieces: list[Piece]) -> None:
        """Write a line about a call of the flow *flow_id*, if such calls are logged."""
        logs = self._verbose is True or (self._verbose is None and flow_id is None)
        display = self._display() if logs else None
        if display is not None:
            display.line(pieces)

    @abstractmethod
    def _stream(self) -> IO[str] | None:
        """Return the stream to write to now, or None if there is none."""

    @abstractmethod
    def _key(self, stream: IO[str]) -> Hashable:
        """Return the key of the display: sinks with equal keys share one."""

    @abstractmethod
    def _surface(self, stream: IO[str]) -> Surface: ...

    def _display(self) -> Display | None:
        """Return the display of the current stream, or None if there is nothing to write to."""
        stream = self._stream()
        if stream is None or getattr(stream, "closed", False):
            return None
        recent = self._recent
        if recent is not None and recent[0] is stream:
            return recent[1]
        display = shared(self._key(stream), lambda: self._surface(stream))
        self._recent = stream, display
        return display

    def __repr__(self) -> str:
        return f"{type(self).__name__}(verbose={self._verbose})"


def checked_rate(subject: str, what: str, value: object, highest: float) -> float:
    """Return *value*, a number of refreshes per second from 0.1 to *highest*.

    Args:
        subject: what a message begins with, as in `RichSink()`.
        what: the option's name.
        value: what was passed for it.
        highest: the largest number that is accepted.

    Raises:
        DefinitionTypeError: *value* is not a number.
        DefinitionValueError: *value* is out of range.
    """
    refused: type[DefinitionTypeError | DefinitionValueError] = DefinitionTypeError
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        if 0.1 <= value <= highest:
            return float(value)
        refused = DefinitionValueError
    raise refused(
        f"{subject}: {what} takes a number from 0.1 to {highest}, not {short(value)}; "
        f"write for example {what}=4"
    )
