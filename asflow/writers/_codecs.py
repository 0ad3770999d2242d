"""What compresses and decompresses, whichever library does it."""

from __future__ import annotations

from typing import Protocol


class Compressor(Protocol):
    """Compresses one gzip member or zstd frame."""

    def compress(self, data: memoryview | bytearray, /) -> bytes:
        """Take all of *data*; return what is ready."""
        ...

    def flush(self) -> bytes:
        """Return the rest, to the end."""
        ...


class Decompressor(Protocol):
    """Decompresses one zstd frame."""

    @property
    def eof(self) -> bool:
        """Whether the frame has ended."""
        ...

    def decompress(self, data: bytes, /) -> bytes:
        """Take all of *data*; return what is ready."""
        ...
