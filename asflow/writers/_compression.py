"""The stream between a format and the store: buffered and compressed on writing, checked on reading."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, BinaryIO, cast

from asflow._checks import closed_error
from asflow.writers._refusals import corrupt, raise_again, subject_of
from asflow.writers._suffixes import DEFAULT_LEVELS, check_level, split_suffixes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from typing_extensions import Buffer

    from asflow.errors import CorruptOutputError
    from asflow.protocols import ByteStream
    from asflow.writers._codecs import Compressor
    from asflow.writers._suffixes import Compression

CHUNK = 65536
"""Bytes that are gathered before they are compressed and passed on: 0.3 ms of work at zstd's level 3."""

_DIRECT = CHUNK // 2  # bytes; a write of this size skips the buffer once compression has begun
_SLICE = 4 * CHUNK  # a bigger write is compressed in pieces of this size, so that memory stays flat


class OutputStream:
    """A `ByteStream` that gathers, compresses and passes bytes on to another stream.

    Memory is constant: a buffer of 64 KiB and the compressor. The stream raises the error of a failed
    write again on every later write and on `finish`, so that a body that swallows it can't publish an
    output with a hole in it.

    After its end the stream refuses bytes, which a user's own writer may still send: one that is safe in
    threads and was encoding a record when the body ended, or one that keeps a thread of its own.

    Threads: one call at a time, any thread.
    """

    __slots__ = (
        "_begun",
        "_buffer",
        "_closed",
        "_compression",
        "_compressor",
        "_failure",
        "_level",
        "_sink",
        "_task",
    )

    def __init__(
        self, sink: ByteStream, compression: Compression, level: int | None = None, *, task: str = ""
    ) -> None:
        """Open a stream to *sink*.

        Args:
            sink: where the bytes go; it is left open at the end.
            compression: "gzip", "zstd" or "none".
            level: as `check_suffix` takes it; None for the default.
            task: the task's name, for messages.

        Raises:
            DefinitionTypeError: *level* is not an int.
            DefinitionValueError: *level* is out of range, or given without compression.
        """
        self._sink = sink
        self._compression: Compression = compression
        self._level = (
            DEFAULT_LEVELS[compression]
            if level is None
            else check_level(compression, level, subject_of(task))
        )
        self._task = task
        self._buffer = bytearray()
        self._begun = False  # whether bytes were passed on
        # Made by the first full buffer: most outputs are small and compressed in one call.
        self._compressor: Compressor | None = None
        self._closed = False
        self._failure: BaseException | None = None

    def write(self, data: bytes | bytearray | memoryview, /) -> int:
        """Take all of *data*; the caller may reuse its buffer afterwards.

        Returns:
            The number of bytes taken.

        Raises:
            OutputClosedError: the output has ended.
            OSError: the store can't take the bytes.
        """
        if self._closed or self._failure is not None:
            self.check_open()
        view = memoryview(data).cast("B")
        try:
            if len(view) < (_DIRECT if self._begun else CHUNK):
                self._buffer += view
                if len(self._buffer) >= CHUNK:
                    self._pass_on(self._buffer)
            else:
                if self._buffer:
                    self._pass_on(self._buffer)
                self._pass_on(view)
        except BaseException as error:
            self._failure = error
            raise
        return len(view)

    def check_open(self) -> None:
        """Raise what `write` would raise because of what happened before.

        Raises:
            OutputClosedError: the output has ended.
            OSError: an earlier write failed.
        """
        if self._closed:
            raise closed_error(subject_of(self._task))
        if self._failure is not None:
            raise_again(self._failure, self._task)

    def finish(self) -> None:
        """Compress and pass on what is left, end the frame, and take nothing more. The sink stays open.

        Raises:
            OutputClosedError: the output has ended already.
            OSError: the store can't take the bytes, now or in an earlier write.
        """
        self.check_open()
        self._closed = True
        try:
            if self._compressor is None and self._compression == "zstd":
                from asflow.writers._zstd import compress_at_once

                self._sink.write(compress_at_once(self._buffer, self._level))
                self._buffer = bytearray()
                return
            compressor = self._open_compressor()
            self._pass_on(self._buffer)
            if compressor is not None:
                self._sink.write(compressor.flush())
        except BaseException as error:
            self._failure = error
            raise
        finally:
            self._compressor = None

    def abort(self) -> None:
        """Drop the buffer and the compressor; take nothing more. Writes nothing, raises nothing."""
        self._closed = True
        self._compressor = None
        self._buffer = bytearray()

    def _pass_on(self, data: bytearray | memoryview) -> None:
        self._begun = True
        compressor = self._open_compressor()
        if compressor is None:
            if data:
                self._sink.write(data)
        else:
            with memoryview(data) as view:
                for start in range(0, len(view), _SLICE):
                    packed = compressor.compress(view[start : start + _SLICE])
                    if packed:
                        self._sink.write(packed)
        if data is self._buffer:
            # Not cleared: a profiler that looks at frames (each of Dask's workers has one) may still hold a
            # view of it, and a viewed buffer can't be resized.
            self._buffer = bytearray()

    def _open_compressor(self) -> Compressor | None:
        if self._compressor is not None or self._compression == "none":
            return self._compressor
        if self._compression == "zstd":
            from asflow.writers._zstd import compressor

            self._compressor = compressor(self._level)
        else:
            import zlib

            # 31: a gzip header without a file name or a time, so equal records make equal bytes.
            self._compressor = cast("Compressor", zlib.compressobj(self._level, zlib.DEFLATED, 31))
        return self._compressor


# ------------------------------------------------------------------------------------------- reading


def open_reader(name: str, raw: BinaryIO, *, suffix: str | None = None) -> BinaryIO:
    """Open the bytes of an output for reading, decompressed.

    The end is checked: an output that is cut anywhere, or has other bytes after its last frame, raises
    when the reader reaches that point. Files of several frames (zstd) or members (gzip) are whole files.
    Memory is constant.

    Args:
        name: the output's name, for messages.
        raw: the stored bytes; closed together with the reader.
        suffix: the suffixes that name the compression, if *name* does not end in them.

    Returns:
        A buffered reader; *raw* itself if nothing is compressed. One thread at a time.

    Raises:
        CorruptOutputError: while reading: the output is empty, cut, or not a gzip or zstd file.
    """
    compression = split_suffixes(name if suffix is None else suffix).compression
    if compression == "none":
        return raw
    source = _Source(name, raw)
    pieces = _unpack_zstd(source) if compression == "zstd" else _unpack_gzip(source)
    return io.BufferedReader(_Pieces(pieces, raw), CHUNK)


class _Source:
    """Reads exact amounts of bytes from a stored output."""

    def __init__(self, name: str, raw: BinaryIO) -> None:
        self._name = name
        self._raw = raw

    def some(self, size: int) -> bytes:
        """Return 1 to *size* bytes, or no bytes at the end."""
        return self._raw.read(size)

    def up_to(self, size: int) -> bytes:
        """Return *size* bytes, or fewer at the end."""
        data = self._raw.read(size)
        while len(data) < size and (more := self._raw.read(size - len(data))):
            data += more
        return data

    def exactly(self, size: int) -> bytes:
        """Return *size* bytes.

        Raises:
            CorruptOutputError: the output ends before that.
        """
        data = self.up_to(size)
        if len(data) < size:
            raise self.corrupt("cut short")
        return data

    def skip(self, size: int) -> None:
        """Read *size* bytes (4 GiB at most) and drop them; raises as `exactly` does."""
        while size:
            size -= len(self.exactly(min(size, CHUNK)))

    def corrupt(self, reason: str) -> CorruptOutputError:
        return corrupt(self._name, reason)


class _Pieces(io.RawIOBase):
    """A readable file over an iterator of pieces."""

    def __init__(self, pieces: Iterator[bytes], raw: BinaryIO) -> None:
        self._pieces = pieces
        self._raw = raw
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Buffer, /) -> int:
        while not self._rest:
            piece = next(self._pieces, None)
            if piece is None:
                return 0
            self._rest = memoryview(piece)
        target = memoryview(buffer).cast("B")
        count = min(len(target), len(self._rest))
        target[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count

    def close(self) -> None:
        self._raw.close()
        super().close()


_FRAME = 0xFD2FB528
_WINDOW_LOG = 27  # the default limit of other readers, and the most that our levels ask for
_SKIPPABLE = range(0x184D2A50, 0x184D2A60)


def _unpack_zstd(source: _Source) -> Iterator[bytes]:
    """Yield what the frames hold, a block (128 KiB at most) at a time.

    Walks the frames itself: both libraries take a frame that is cut between two blocks for a whole one, and
    a block at a time keeps memory flat at any ratio.
    Source: RFC 8878, section 3.1.
    """
    from asflow.writers._zstd import ZstdError

    start = source.up_to(4)
    if not start:
        raise source.corrupt("empty, so not a zstd file")
    while start:
        magic = int.from_bytes(start, "little")
        if len(start) < 4:
            raise source.corrupt("cut short, or with other bytes after its last zstd frame")
        if magic in _SKIPPABLE:
            source.skip(int.from_bytes(source.exactly(4), "little"))
        elif magic == _FRAME:
            try:
                yield from _unpack_frame(source, start)
            except ZstdError as error:
                raise source.corrupt(f"does not decompress ({error})") from error
        else:
            raise source.corrupt("not a zstd file, or with other bytes after its last frame")
        start = source.up_to(4)


def _unpack_frame(source: _Source, magic: bytes) -> Iterator[bytes]:
    from asflow.writers._zstd import decompressor

    descriptor = source.exactly(1)
    flags = descriptor[0]
    single_segment, checksum = flags & 0x20, flags & 0x04
    size_bytes = (1 if single_segment else 0, 2, 4, 8)[flags >> 6]
    header = source.exactly((not single_segment) + (0, 1, 2, 4)[flags & 3] + size_bytes)
    frame = decompressor(_WINDOW_LOG)
    frame.decompress(magic + descriptor + header)
    last = False
    while not last:
        block = source.exactly(3)
        fields = int.from_bytes(block, "little")
        last = bool(fields & 1)
        run_length = (fields >> 1) & 3 == 1
        piece = frame.decompress(block + source.exactly(1 if run_length else fields >> 3))
        if piece:
            yield piece
    if checksum:
        piece = frame.decompress(source.exactly(4))
        if piece:
            yield piece
    if not frame.eof:
        raise source.corrupt("a zstd frame has no end")


def _unpack_gzip(source: _Source) -> Iterator[bytes]:
    """Yield what the members hold. Source: RFC 1952."""
    import zlib

    data = source.some(CHUNK)
    if not data:
        raise source.corrupt("empty, so not a gzip file")
    while data:
        member = zlib.decompressobj(31)
        while not member.eof:
            try:
                piece = member.decompress(data, 2 * CHUNK)
            except zlib.error as error:
                reason = f"not a gzip file, or with other bytes after its end ({error})"
                raise source.corrupt(reason) from error
            if piece:
                yield piece
            data = member.unconsumed_tail
            if not data and not member.eof:
                data = source.some(CHUNK)
                if not data and not piece:
                    raise source.corrupt("cut short")
        data = member.unused_data or source.some(CHUNK)
