"""A sink that writes plain lines: for logs, CI and pipes."""

from __future__ import annotations

import math
import sys
from typing import IO, TYPE_CHECKING, final

from asflow.sinks._base import StreamSink
from asflow.sinks._live.surfaces import PlainSurface

if TYPE_CHECKING:
    from collections.abc import Hashable

    from asflow.sinks._live.display import Surface

__all__ = ["LineSink"]


@final
class LineSink(StreamSink):
    """Writes a line when a flow starts, one each so many seconds while it runs, and one when it ends.

    No escape codes, no colors. Flows within flows are part of the outer one's lines. Sinks on one stream
    with the same *every* share their thread, which lives only while a flow runs.

    Threads: `emit` may be called from any thread and doesn't raise.
    """

    def __init__(
        self, stream: IO[str] | None = None, *, every: float = 10.0, verbose: bool | None = None
    ) -> None:
        """Make a sink; nothing is written before the first event.

        Args:
            stream: where to write; None: standard error as it is at the time.
            every: seconds between two lines about a running flow, > 0; fewer come where nothing changes.
            verbose: which finished tasks leave a line: those outside flows (None), all (True), none (False).

        Raises:
            ValueError: *every* is not above 0.
        """
        super().__init__(verbose)
        if not (math.isfinite(every) and every > 0):
            raise ValueError(f"every must be a number of seconds above 0, not {every!r}")
        self._given = stream
        self._every = every

    def _stream(self) -> IO[str] | None:
        # sys.stderr is None in a program without a console (pythonw)
        return sys.stderr if self._given is None else self._given

    def _key(self, stream: IO[str]) -> Hashable:
        return "lines", id(stream), self._every

    def _surface(self, stream: IO[str]) -> Surface:
        return PlainSurface(stream, self._every)
