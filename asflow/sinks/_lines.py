"""A sink that writes plain lines: for logs, CI and pipes."""

from __future__ import annotations

import sys
from typing import IO, TYPE_CHECKING, final

from asflow._checks import checked_seconds
from asflow._labels import short
from asflow.errors import DefinitionTypeError
from asflow.sinks._base import StreamSink
from asflow.sinks._live.surfaces import PlainSurface

if TYPE_CHECKING:
    from collections.abc import Hashable

    from asflow.sinks._live.display import Surface


@final
class LineSink(StreamSink):
    """Writes a line when a flow starts, one every few seconds while it runs, and one when it ends.

    No escape codes, no colors. Flows called by a flow are part of its lines. Sinks on one stream with the
    same *every* share a thread, which lives only while a flow runs.

    Threads: `emit` may be called from any thread and doesn't raise.
    """

    def __init__(
        self, stream: IO[str] | None = None, *, every: float = 10.0, verbose: bool | None = None
    ) -> None:
        """Make a sink; nothing is written before the first event.

        Args:
            stream: where to write; None: standard error, looked up at each event.
            every: seconds between two lines about a running flow, > 0; fewer while nothing changes.
            verbose: which finished calls are logged: those outside flows (None), all (True), none (False).

        Raises:
            TypeError: an argument has the wrong type.
            ValueError: *every* is not above 0.
        """
        if stream is not None and not hasattr(stream, "write"):
            raise DefinitionTypeError(
                f"LineSink(): stream takes a text stream, not {short(stream)}; write for example sys.stdout"
            )
        super().__init__(verbose)
        self._given = stream
        self._every = checked_seconds("LineSink()", "every", every, positive=True, longest=1e9)

    def _stream(self) -> IO[str] | None:
        # sys.stderr is None in a program without a console (pythonw)
        return sys.stderr if self._given is None else self._given

    def _key(self, stream: IO[str]) -> Hashable:
        return "lines", id(stream), self._every

    def _surface(self, stream: IO[str]) -> Surface:
        return PlainSurface(stream, self._every)
