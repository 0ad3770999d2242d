"""Compressed bytes: whole, checked at the end, and made in constant memory."""

import gzip
import io
import os
import random
import tracemalloc
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import zstandard

from asflow.errors import CorruptOutputError, OutputClosedError
from asflow.writers import open_reader, open_writer, read_records, read_text
from asflow.writers._compression import OutputStream
from asflow.writers._suffixes import Compression

SUFFIXES = [".gz", ".zst"]
COMPRESSIONS: tuple[Compression, ...] = ("none", "gzip", "zstd")


class Counting:
    """A stream that keeps nothing."""

    def __init__(self) -> None:
        self.size = 0
        self.largest = 0

    def write(self, data: bytes | bytearray | memoryview) -> int:
        self.size += len(data)
        self.largest = max(self.largest, len(data))
        return len(data)


class Trickle(io.RawIOBase):
    """A raw file that hands out a few bytes at a time."""

    def __init__(self, data: bytes) -> None:
        self._data = io.BytesIO(data)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        view = memoryview(buffer)  # type: ignore[arg-type]
        part = self._data.read(min(3, len(view)))
        view[: len(part)] = part
        return len(part)


def read(name: str, data: bytes) -> bytes:
    with open_reader(name, io.BytesIO(data)) as reader:
        return reader.read()


def noise(size: int) -> bytes:
    return random.Random(5).randbytes(size)


def pack(suffix: str, data: bytes) -> bytes:
    return gzip.compress(data) if suffix == ".gz" else zstandard.compress(data)


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("size", [0, 1, 65535, 65536, 65537, 300_000, 1_000_000])
def test_other_tools_read_what_was_written(written: Callable[..., bytes], suffix: str, size: int) -> None:
    payload = noise(size // 2) + b"a" * (size - size // 2)
    for parts in ([payload], [payload[i : i + 50_000] for i in range(0, size, 50_000)]):
        data = written("x.bin" + suffix, *parts)
        assert data, "an output without a record is a whole file too"
        if suffix == ".gz":
            assert gzip.decompress(data) == payload
        else:
            with zstandard.ZstdDecompressor().stream_reader(data) as reader:
                assert reader.read() == payload
        assert read("x" + suffix, data) == payload


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_cut_at_any_byte_is_refused(written: Callable[..., bytes], suffix: str) -> None:
    small = written("x" + suffix, "hello" * 20)
    empty = written("x" + suffix)
    data = small + empty + pack(suffix, noise(50))
    whole = {0: "never", len(small): "hello" * 20, len(small) + len(empty): "hello" * 20}
    for cut in range(len(data)):
        if cut in whole and cut:
            assert read_text("x" + suffix, io.BytesIO(data[:cut])) == whole[cut]
            continue
        with pytest.raises(CorruptOutputError, match=f"'x{suffix}'"):
            read("x" + suffix, data[:cut])
    assert read("x" + suffix, data) == b"hello" * 20 + noise(50)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_cut_between_blocks_is_refused(written: Callable[..., bytes], suffix: str) -> None:
    """Long outputs have block boundaries, where zstandard's own readers see nothing wrong."""
    payload = noise(400_000)
    data = written("x" + suffix, payload)
    for cut in sorted({*range(1, 40), *range(131_050, 131_120), *range(len(data) - 40, len(data))}):
        with pytest.raises(CorruptOutputError):
            read("x" + suffix, data[:cut])
    if suffix == ".zst":
        context = zstandard.ZstdCompressor().compressobj()
        flushed = context.compress(payload) + context.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK)
        with pytest.raises(CorruptOutputError, match="cut short"):
            read("x.zst", flushed)
        with pytest.raises(CorruptOutputError, match="cut short"):
            read("x.zst", data + data[:3])


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("garbage", [b"\0", b"\0" * 9, b"abc", b"garbage after the end"])
def test_garbage_after_the_end_is_refused(suffix: str, garbage: bytes) -> None:
    with pytest.raises(CorruptOutputError):
        read("x" + suffix, pack(suffix, b"data") + garbage)
    with pytest.raises(CorruptOutputError):
        read("x" + suffix, garbage)


def test_a_flipped_bit_is_refused(written: Callable[..., bytes]) -> None:
    for name in ("x.zst", "x.gz"):
        data = bytearray(written(name, noise(3000)))
        data[1500] ^= 4
        with pytest.raises(CorruptOutputError):
            read(name, bytes(data))


def test_frames_of_every_shape_are_read() -> None:
    """Checksums, content sizes, skippable frames, run-length blocks, several frames, long distances."""
    frames = b""
    payload = b""
    for checksum in (False, True):
        for content_size in (False, True):
            for part in (b"", b"a", b"z" * 300, b"z" * 300_000, noise(70_000)):
                context = zstandard.ZstdCompressor(write_checksum=checksum, write_content_size=content_size)
                frames += context.compress(part) + b"\x50\x2a\x4d\x18\x03\x00\x00\x00abc"
                payload += part
    assert read("x.zst", frames) == payload
    with open_reader("x.zst", io.BufferedReader(Trickle(frames))) as reader:
        assert reader.read() == payload
    long_distance = zstandard.ZstdCompressionParameters.from_level(3, window_log=27, enable_ldm=True)
    assert read("x.zst", zstandard.ZstdCompressor(compression_params=long_distance).compress(b"ab")) == b"ab"


def test_equal_records_make_equal_bytes(written: Callable[..., bytes]) -> None:
    for name in ("x.jsonl.gz", "x.jsonl.zst"):
        assert written(name, {"a": 1}) == written(name, {"a": 1})
    assert written("x.gz")[4:8] == b"\0\0\0\0", "no time in the header"


def test_levels_change_the_bytes(written: Callable[..., bytes]) -> None:
    payload = b"".join(b"%d," % (number * 7919 % 10007) for number in range(20_000))
    for name, low, high in (("x.gz", 0, 9), ("x.zst", -5, 19)):
        fast, small = written(name, payload, level=low), written(name, payload, level=high)
        assert len(small) < len(fast)
        assert read(name, fast) == read(name, small) == payload
        fast, small = (written(name, payload[:50_000], level=level) for level in (low, high))
        assert len(small) < len(fast), "small outputs too, made one after the other"


def test_a_failed_write_is_raised_again() -> None:
    class Full:
        def write(self, data: object) -> None:
            raise OSError(28, "No space left on device")

    for compression in COMPRESSIONS:
        stream = OutputStream(Full(), compression)
        with pytest.raises(OSError, match="No space"):
            stream.write(noise(2_000_000))
        for again in (lambda stream=stream: stream.write(b"a"), stream.finish):
            with pytest.raises(OSError, match="No space"):
                again()


def test_windows_stay_within_what_others_allow(written: Callable[..., bytes]) -> None:
    data = written("x.zst", noise(70_000), noise(70_000), level=22)
    assert zstandard.get_frame_parameters(data).window_size <= 1 << 27


def test_a_small_output_records_its_size(written: Callable[..., bytes]) -> None:
    """Compressed in one call, so that a reader can allocate at once."""
    for size in (0, 1, 50_000, 65_535):
        assert zstandard.frame_content_size(written("x.zst", noise(size))) == size


def test_small_outputs_share_a_context_in_each_thread() -> None:
    """Contexts are reused one after the other, never by two threads at once."""

    def make(number: int) -> bool:
        sink = io.BytesIO()
        stream = OutputStream(sink, "zstd", 1 + number % 3)
        stream.write(b"%d" % number * 1000)
        stream.finish()
        return zstandard.decompress(sink.getvalue()) == b"%d" % number * 1000

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(make, range(400)))


def test_a_stream_takes_nothing_after_its_end() -> None:
    for end in ("finish", "abort"):
        sink = io.BytesIO()
        stream = OutputStream(sink, "zstd", task="get")
        stream.write(b"a")
        getattr(stream, end)()
        size = len(sink.getvalue())
        with pytest.raises(OutputClosedError, match=r"^task get\(\): the output is closed"):
            stream.write(b"b")
        with pytest.raises(OutputClosedError):
            stream.finish()
        stream.abort()
        assert len(sink.getvalue()) == size
        assert not sink.closed


def test_a_callers_buffer_may_be_reused_at_once() -> None:
    for size in (10, 40_000, 70_000):
        sink = io.BytesIO()
        stream = OutputStream(sink, "none")
        buffer = bytearray(b"x" * size)
        stream.write(buffer)
        buffer[:] = b"y" * size
        buffer.clear()
        stream.finish()
        assert sink.getvalue() == b"x" * size


@pytest.mark.parametrize("suffix", ["", ".gz", ".zst"])
@pytest.mark.parametrize("records", [20_000, pytest.param(100_000, marks=pytest.mark.slow)])
def test_memory_is_constant_while_writing(suffix: str, records: int) -> None:
    """20 MB (or 100 MB) of varied records through a stream that keeps nothing."""
    parts = [[os.urandom(32).hex() for _ in range(4)] for _ in range(97)]
    sink = Counting()
    writer = open_writer("x.jsonl" + suffix, sink, level=1 if suffix else None)
    write = writer.write
    tracemalloc.start()
    try:
        for number in range(records):
            # Long records: many short ones would cost more time under tracemalloc than they show.
            write((number, parts[number % 97], parts[number % 89], parts[number % 83], parts[number % 79]))
        writer.commit()
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 3 << 20
    assert sink.largest < 1 << 20
    if not suffix:
        assert sink.size > records << 10


@pytest.mark.parametrize("suffix", ["", ".gz", ".zst"])
def test_memory_is_constant_while_reading(written: Callable[..., bytes], suffix: str) -> None:
    """100 MB that compress a thousandfold are read in small pieces."""
    line = b'{"number":1,"name":"' + b"x" * 80 + b'"}\n'
    sink = io.BytesIO()
    stream = OutputStream(sink, {"": "none", ".gz": "gzip", ".zst": "zstd"}[suffix])  # type: ignore[arg-type]
    for _ in range(100 if suffix else 20):
        stream.write(line * 10_000)
    stream.finish()
    sink.seek(0)
    tracemalloc.start()
    try:
        records = read_records("x.jsonl" + suffix, sink, dict[str, object])
        for _, _record in zip(range(20_000), records, strict=False):
            pass
        records.close()
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 4 << 20


@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_a_view_that_lives_on_disturbs_nothing(compression: Compression) -> None:
    """A profiler holds the frames that hold it."""
    kept: list[memoryview] = []

    class Sink(io.BytesIO):
        def write(self, data: Any, /) -> int:
            kept.append(memoryview(data))
            return super().write(data)

    sink = Sink()
    stream = OutputStream(sink, compression)
    for _ in range(5):
        stream.write(b"some text " * 20_000)
        stream.write(b"and more")
    stream.finish()
    assert kept
    assert b"".join(kept) == sink.getvalue()
