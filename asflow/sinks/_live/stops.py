"""Whether the program was stopped and continues (Ctrl-Z, then `fg`): the shell has written in between."""

from __future__ import annotations

import math
import time

_STOPPED_SECONDS = 0.7  # that a refresh comes too late: the program was stopped, unless it was busy


class Stops:
    """Knows when the next refresh is due, and takes one that comes much too late for a stop.

    No signal handler is needed, which only the main thread may set and the user's program may want. A busy
    program is late, too, but uses its processor. Threads: the caller holds a lock.
    """

    def __init__(self) -> None:
        self._due = math.inf
        self._used = 0.0

    def expect(self, seconds: float) -> None:
        """The next refresh is due in *seconds*."""
        self._due = time.monotonic() + seconds
        self._used = time.process_time()

    def wrote(self) -> None:
        """Count from now on, if the refresh is due: a terminal may hold a write back for long (Ctrl-S)."""
        if (now := time.monotonic()) > self._due:
            self._due = now
            self._used = time.process_time()

    def noticed(self) -> bool:
        """Return whether the program was stopped since the last `expect` or `wrote`."""
        late = time.monotonic() - self._due
        return late > _STOPPED_SECONDS and time.process_time() - self._used < late / 3
