"""Files for libraries that want one: seekable while writing and reading, and passed on when whole."""

from __future__ import annotations

import io
import tempfile
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO, cast, final

from asflow._checks import closed_error

if TYPE_CHECKING:
    from collections.abc import Generator

    from typing_extensions import Buffer

    from asflow.protocols import ByteStream

IN_MEMORY = 8 << 20
"""Bytes that wait in memory; a longer file is a temporary one on the disk."""

_COPIED = 1 << 20


def as_file(stream: ByteStream, /, *, seekable: bool = True) -> OutputFile:
    """Return a binary file over a writer's *stream*, for a library that writes to one.

        class SheetWriter:
            def __init__(self, stream: ByteStream) -> None:
                self.file = as_file(stream)
                self.book = Workbook(write_only=True)
                self.sheet = self.book.create_sheet()

            def write(self, record: list[str]) -> None:
                self.sheet.append(record)

            def commit(self) -> None:
                self.book.save(self.file)
                self.file.close()  # passes the bytes on

            def abort(self) -> None:
                self.file.abort()

    Args:
        stream: what the task's `writer=` function was called with.
        seekable: True: the library may seek, read back and truncate; the bytes wait in memory, from 8 MiB on
            in a temporary file, and are passed on by `close`. False: they are passed on at once.

    Returns:
        An open file.
    """
    return OutputFile(stream, tempfile.SpooledTemporaryFile(IN_MEMORY) if seekable else None)


@final
class OutputFile(io.BufferedIOBase):
    """A file of an output in the making, returned by `as_file`.

    `close` passes the bytes on and leaves the stream open; `abort` drops them, and so does losing the last
    reference. After either, a further `close` does nothing.

    Threads: one at a time.
    """

    def __init__(self, stream: ByteStream, spool: tempfile.SpooledTemporaryFile[bytes] | None) -> None:
        """Make a file over *stream* whose bytes wait in *spool*; None: they are passed on at once."""
        self._stream = stream
        self._spool = spool
        self._position = 0

    def __repr__(self) -> str:
        return f"<OutputFile, {'closed' if self.closed else 'open'}>"

    def write(self, data: Buffer, /) -> int:
        """Take all of *data* and return its number of bytes.

        Raises:
            OutputClosedError: the file is closed.
            OSError: the disk, or without `seekable` the store, can't take the bytes.
        """
        self._check_open()
        with memoryview(data) as view:
            flat = view.cast("B")
            if self._spool is None:
                self._stream.write(flat)
            else:
                self._spool.write(flat)
            self._position += len(flat)
            return len(flat)

    def read(self, size: int | None = -1, /) -> bytes:
        """Return *size* bytes from here on, fewer at the end; all for -1 or None."""
        return self._seekable_spool().read(-1 if size is None else size)

    def read1(self, size: int = -1, /) -> bytes:
        """Return *size* bytes, as `read` does."""
        return self.read(size)

    def seek(self, offset: int, whence: int = 0, /) -> int:
        """Move to *offset* and return the new position; *whence* as for any file.

        Raises:
            io.UnsupportedOperation: the file was opened with `seekable=False`.
        """
        spool = self._seekable_spool()
        spool.seek(offset, whence)
        return spool.tell()

    def tell(self) -> int:
        """Return the position: without `seekable`, the number of bytes written."""
        self._check_open()
        return self._position if self._spool is None else self._spool.tell()

    def truncate(self, size: int | None = None, /) -> int:
        """Cut the file after *size* bytes, by default here, or fill it up with zeros; return its new size."""
        spool = self._seekable_spool()
        wanted, here = spool.tell() if size is None else size, spool.tell()
        spool.truncate(wanted)
        spool.seek(0, 2)
        if (missing := wanted - spool.tell()) > 0:  # in memory `truncate` does not grow a file
            spool.write(bytes(missing))
        spool.seek(here)
        return wanted

    def flush(self) -> None:
        """Do nothing: `close` passes the bytes on."""

    def readable(self) -> bool:
        """Whether the file can be read back: True if it is seekable."""
        return self._spool is not None

    def seekable(self) -> bool:
        """Whether the file can seek: what `as_file` was called with."""
        return self._spool is not None

    def writable(self) -> bool:
        """Return True."""
        return True

    def close(self) -> None:
        """Pass the bytes on to the stream and close the file. Call it in the writer's `commit`.

        Raises:
            OSError: the store can't take the bytes. The file is closed.
        """
        if self.closed:
            return
        super().close()
        if self._spool is None:
            return
        with self._spool as spool:
            spool.seek(0)
            while chunk := spool.read(_COPIED):
                self._stream.write(chunk)

    def abort(self) -> None:
        """Drop the bytes and close the file. Call it in the writer's `abort`."""
        super().close()
        if self._spool is not None:
            self._spool.close()

    def __del__(self) -> None:  # a file that is forgotten must not write into an output that has ended
        self.abort()

    def _check_open(self) -> None:
        if self.closed:
            raise closed_error("as_file()")

    def _seekable_spool(self) -> tempfile.SpooledTemporaryFile[bytes]:
        self._check_open()
        if self._spool is None:
            raise io.UnsupportedOperation("as_file(): the file can't seek or read; pass seekable=True")
        return self._spool


# ------------------------------------------------------------------------------------------- reading


@contextmanager
def seekable(file: BinaryIO) -> Generator[BinaryIO]:
    """Make *file* seekable: itself if it is, else one that keeps what was read in a temporary file."""
    if file.seekable():
        yield file
        return
    with tempfile.SpooledTemporaryFile(IN_MEMORY) as spool:
        yield cast("BinaryIO", io.BufferedReader(_Rewindable(file, spool)))


class _Rewindable(io.RawIOBase):
    """Reads *source* as far as it is asked to, and keeps what it has read in *spool*."""

    def __init__(self, source: BinaryIO, spool: tempfile.SpooledTemporaryFile[bytes]) -> None:
        self._source = source
        self._spool = spool
        self._length = self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: Buffer, /) -> int:
        with memoryview(buffer) as view:
            target = view.cast("B")
            self._fill(self._position + len(target))
            self._spool.seek(self._position)
            data = self._spool.read(len(target))
            target[: len(data)] = data
        self._position += len(data)
        return len(data)

    def seek(self, offset: int, whence: int = 0, /) -> int:
        if whence == io.SEEK_END:
            self._fill(None)
        start = (0, self._position, self._length)[whence]
        if start + offset < 0:
            raise ValueError(f"negative seek position {start + offset}")
        self._position = start + offset
        return self._position

    def tell(self) -> int:
        return self._position

    def _fill(self, length: int | None) -> None:
        """Read on until the spool holds *length* bytes; None: to the end."""
        self._spool.seek(self._length)
        while length is None or self._length < length:
            missing = _COPIED if length is None else min(length - self._length, _COPIED)
            chunk = self._source.read(missing)
            if not chunk:
                return
            self._spool.write(chunk)
            self._length += len(chunk)
