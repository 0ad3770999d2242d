"""Bytes that wait on this machine for their upload: in memory, and beyond a size in a temporary file."""

from __future__ import annotations

import errno
import io
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from typing import IO

__all__ = ["Spool"]


class Spool:
    """Takes bytes one after the other, and gives them back from the beginning.

    Unlike `tempfile.SpooledTemporaryFile` it keeps no buffer in front of the file: a forked child shares the
    position in the file, and its copy of a buffer would be written, too, when the child ends.

    Threads: one at a time.

    Args:
        limit: how many bytes stay in memory.
    """

    __slots__ = ("_file", "_in_memory", "_limit")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._file: IO[bytes] = io.BytesIO()
        self._in_memory = True

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Append all of *data*. Raises OSError where the temporary folder is full, or the like."""
        view = memoryview(data)
        if self._in_memory and self._file.tell() + view.nbytes > self._limit:
            self._spill()
        _write_all(self._file, view)

    def rewound(self) -> IO[bytes]:
        """Return the file of the bytes, at its beginning; nothing more is to be written."""
        self._file.seek(0)
        return self._file

    def close(self) -> None:
        """Let go of the bytes."""
        self._file.close()

    def _spill(self) -> None:
        from tempfile import TemporaryFile

        kept = cast("io.BytesIO", self._file)
        file = cast("IO[bytes]", TemporaryFile(prefix="asflow-", buffering=0))  # noqa: SIM115 - closed in close
        try:
            # A copy: an error's traceback would hold on to a view, and what is viewed can't be closed.
            _write_all(file, memoryview(kept.getvalue()))
        except BaseException:
            file.close()
            raise
        self._file, self._in_memory = file, False


def _write_all(file: IO[bytes], view: memoryview) -> None:
    """Write all of *view*: of a file without a buffer a full disk may take only a part."""
    done = file.write(view)
    if done != view.nbytes:
        view = view.cast("B")
        while done < view.nbytes:
            written = file.write(view[done:])
            if not written:
                raise OSError(errno.EIO, "the disk takes no bytes and says nothing")
            done += written
