"""The file that `TraceSink` writes: a JSON array that is closed whenever nothing runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import IO, TYPE_CHECKING

from asflow._descriptors import open_above_standard

if TYPE_CHECKING:
    import os

_EMPTY_ARRAY = b"[]"


class TraceFile:
    """A JSON array of events, alone or embedded in a page, that is appended to. Threads: one at a time."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        """Write to *path*, made absolute now; a page if it ends in `.html`."""
        self.path: Path = Path(path).absolute()
        self._head, self._tail = b"[", b"\n]\n"
        if self.path.suffix.lower() in {".html", ".htm"}:
            page = Path(__file__).with_name("_trace_page.html").read_bytes()
            before, _, after = page.rpartition(_EMPTY_ARRAY)  # the data comes last
            self._head, self._tail = before + self._head, self._tail + after
        self._file: IO[bytes] | None = None
        self._end: int | None = None  # position of the next event
        self._origin: float | None = None

    def write(
        self,
        phase: str,
        at: float,
        flow_id: int | None,
        *,
        lane: int = 0,
        end: float | None = None,
        **rest: object,
    ) -> None:
        """Add an event.

        Args:
            phase: the field `ph`.
            at: start in monotonic seconds; that of the first event becomes time 0.
            flow_id: the flow, shown as a process; None: outside any flow.
            lane: shown as a thread of that process.
            end: end in monotonic seconds; None for an event without a duration.
            rest: the other fields.
        """
        if self._origin is None:
            self._origin = at
        event = {
            "ph": phase,
            "ts": round((at - self._origin) * 1e6, 1),
            "pid": flow_id or 0,
            "tid": lane,
            **rest,
        }
        if end is not None:
            event["dur"] = round((end - at) * 1e6, 1)
        # "</script>" would end the data of a page; "\u003c" is the same text in JSON.
        line = json.dumps(event, separators=(",", ":")).replace("<", "\\u003c")
        first = self._end is None
        self._opened().write((b"\n" if first else b",\n") + line.encode())

    def close_array(self) -> None:
        """Close the array and the file; the next event reopens both."""
        if self._file is not None:
            self._end = self._file.tell()
            self._file.write(self._tail)
            self._file.close()
            self._file = None

    def _opened(self) -> IO[bytes]:
        if self._file is None and self._end is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._file = open(self.path, "wb", opener=open_above_standard)  # noqa: SIM115 - closed in close
            self._file.write(self._head)
            self._end = 0
        elif self._file is None:
            self._file = open(self.path, "r+b", opener=open_above_standard)  # noqa: SIM115 - closed in close
            self._file.seek(self._end or 0)
            self._file.truncate()
        return self._file
