"""Bytes that wait on this machine until they are published: in memory, or in a file."""

from __future__ import annotations

import contextlib
import io
import os
from typing import TYPE_CHECKING, cast

from asflow._descriptors import lifted, open_above_standard
from asflow.stores._common import write_all

if TYPE_CHECKING:
    from typing import IO, BinaryIO


class Spool:
    """Appends bytes, and reads them back from the beginning.

    Unlike `tempfile.SpooledTemporaryFile` it keeps no buffer in front of a file: a forked child shares the
    position in the file, and would write its copy of the buffer too when it ends.

    Threads: one at a time.

    Args:
        limit: how many bytes stay in memory; beyond, all are in an unnamed temporary file.
        path: a file to create for the bytes instead. If that fails, the spool does without it.

    Attributes:
        path: the file that holds the bytes; None if they are in memory or in an unnamed file.
    """

    __slots__ = ("_file", "_in_memory", "_limit", "path")

    def __init__(self, limit: int, path: str | None = None) -> None:
        self._limit = limit
        self._file: IO[bytes] = io.BytesIO()
        self._in_memory = True
        self.path: str | None = None
        if path is not None:
            with contextlib.suppress(OSError):
                self._file = cast("IO[bytes]", open(path, "xb", buffering=0, opener=open_above_standard))  # noqa: SIM115 - closed in close
                self._in_memory, self.path = False, path

    def write(self, data: bytes | bytearray | memoryview, /) -> int:
        """Append all of *data*; return the number of its bytes. Raises OSError, as for a full disk."""
        with memoryview(data) as view:  # released even if a profiler still holds this frame
            if self._in_memory and self._file.tell() + view.nbytes > self._limit:
                self._spill()
            write_all(self._file.write, view)
            return view.nbytes

    def rewound(self) -> IO[bytes]:
        """Return the file of the bytes at its beginning; it must not be written to any more."""
        self._file.seek(0)
        return self._file

    def close(self) -> None:
        """Close the file; what is at `path` stays."""
        self._file.close()

    def discard(self) -> None:
        """Close the file and remove what is at `path`. Never raises."""
        with contextlib.suppress(OSError):
            self._file.close()
        if self.path is not None:
            with contextlib.suppress(OSError):
                os.unlink(self.path)

    def _spill(self) -> None:
        from tempfile import TemporaryFile

        kept = cast("io.BytesIO", self._file)
        file = lifted(cast("BinaryIO", TemporaryFile(prefix="asflow-", buffering=0)))  # noqa: SIM115 - closed in close
        try:
            # A copy: an error's traceback would keep a view alive, and a viewed buffer can't be closed.
            write_all(file.write, memoryview(kept.getvalue()))
        except BaseException:
            file.close()
            raise
        self._file, self._in_memory = file, False
