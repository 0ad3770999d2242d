"""A writer of our own: one aligned line a day."""

from __future__ import annotations

from asflow.protocols import ByteStream

from weather.records import Day


class Aligned:
    """Writes days as text in columns."""

    def __init__(self, stream: ByteStream) -> None:
        self._stream = stream
        self._lines = 0

    def write(self, day: Day) -> None:
        """Write one line."""
        self._stream.write(f"{day.city:<10}{day.date:<12}{day.highest:>6.1f}{day.lowest:>6.1f}\n".encode())
        self._lines += 1

    def commit(self) -> None:
        """End with how many lines there are."""
        self._stream.write(f"{self._lines} days\n".encode())

    def abort(self) -> None:
        """Nothing is buffered."""
