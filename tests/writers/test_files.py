"""`as_file` and the seekable file that a reader gets: like any file, and passed on when whole."""

from __future__ import annotations

import gc
import io
import random
import tempfile
import weakref
import zipfile
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asflow.errors import OutputClosedError
from asflow.writers import as_file
from asflow.writers._files import IN_MEMORY, seekable


class Stream:
    """Keeps what it is given."""

    def __init__(self, capacity: int | None = None) -> None:
        self.data = b""
        self.calls = 0
        self.capacity = capacity

    def write(self, data: bytes | bytearray | memoryview, /) -> int:
        self.calls += 1
        if self.capacity is not None and len(self.data) + len(data) > self.capacity:
            raise OSError(28, "No space left on device")
        self.data += bytes(data)
        return len(data)


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("write"), st.binary(max_size=20)),
        st.tuples(st.just("read"), st.one_of(st.none(), st.integers(-1, 30))),
        st.tuples(st.just("seek"), st.integers(0, 40)),
        st.tuples(st.just("end"), st.integers(0, 3)),
        st.tuples(st.just("truncate"), st.one_of(st.none(), st.integers(0, 40))),
        st.tuples(st.just("flush"), st.none()),
    ),
    max_size=20,
)


def act(file: Any, step: tuple[str, Any]) -> object:
    name, value = step
    if name == "end":
        return file.seek(-value if file.seek(0, 2) >= value else 0, 2)
    if name == "flush":
        return file.flush()
    return (getattr(file, name)(value), file.tell()) if value is not None else getattr(file, name)()


@given(steps=STEPS)
def test_it_is_like_a_file_on_disk(steps: list[tuple[str, object]]) -> None:
    stream = Stream()
    file = as_file(stream)
    with tempfile.TemporaryFile() as real:
        for step in steps:
            assert act(file, step) == act(real, step), step
        assert file.seekable()
        assert file.readable()
        assert file.writable()
        assert stream.calls == 0
        file.close()
        real.seek(0)
        assert stream.data == real.read()


def test_a_large_file_waits_on_the_disk() -> None:
    stream = Stream()
    file = as_file(stream)
    block = random.Random(1).randbytes(1 << 20)
    for _ in range((IN_MEMORY >> 20) + 2):
        file.write(block)
    spool: Any = file._spool
    assert spool._rolled
    file.seek(3)
    assert file.read(5) == block[3:8]
    assert file.readinto(buffer := bytearray(4)) == 4
    assert bytes(buffer) == block[8:12]
    file.close()
    assert len(stream.data) == IN_MEMORY + (2 << 20)


def test_without_seeking_bytes_are_passed_on_at_once() -> None:
    stream = Stream()
    file = as_file(stream, seekable=False)
    assert file.write(memoryview(b"abc")) == 3
    file.flush()
    assert stream.data == b"abc"
    assert file.tell() == 3
    assert not file.seekable()
    assert not file.readable()
    for call in (lambda: file.seek(0), file.read, file.truncate):
        with pytest.raises(io.UnsupportedOperation, match="pass seekable=True"):
            call()
    file.close()
    assert stream.data == b"abc"


@pytest.mark.parametrize("can_seek", [True, False])
def test_a_closed_file_refuses_and_closes_again_without_effect(can_seek: bool) -> None:
    stream = Stream()
    file = as_file(stream, seekable=can_seek)
    file.write(b"abc")
    file.close()
    file.close()
    assert file.closed
    assert stream.data == b"abc"
    with pytest.raises(OutputClosedError):
        file.write(b"late")
    with pytest.raises(OutputClosedError):
        file.tell()


def test_an_aborted_or_forgotten_file_passes_nothing_on() -> None:
    stream = Stream()
    file = as_file(stream)
    file.write(b"abc")
    file.abort()
    file.close()
    forgotten = as_file(stream)
    forgotten.write(b"abc")
    gone = weakref.ref(forgotten)
    del forgotten
    gc.collect()
    assert gone() is None
    assert stream.calls == 0


def test_a_full_store_is_an_error_of_close() -> None:
    file = as_file(Stream(capacity=2))
    file.write(b"abc")
    with pytest.raises(OSError, match="No space left"):
        file.close()
    assert file.closed
    file.close()


@pytest.mark.parametrize("can_seek", [True, False])
def test_libraries_take_it(can_seek: bool) -> None:
    stream = Stream()
    file = as_file(stream, seekable=can_seek)
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("a.txt", "text")
    text: Any = io.TextIOWrapper(cast("Any", file), "utf-8")
    text.flush()
    text.detach()
    file.close()
    with zipfile.ZipFile(io.BytesIO(stream.data)) as archive:
        assert archive.read("a.txt") == b"text"


# ------------------------------------------------------------------ reading


class Pipe(io.RawIOBase):
    """Reads like a decompressor: forward only, a little at a time."""

    def __init__(self, data: bytes) -> None:
        self.rest = io.BytesIO(data)
        self.read_bytes = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray, /) -> int:  # type: ignore[override]
        data = self.rest.read(min(len(buffer), 7))
        buffer[: len(data)] = data
        self.read_bytes += len(data)
        return len(data)


@given(
    steps=st.lists(st.tuples(st.integers(0, 120), st.integers(0, 2), st.integers(-1, 50)), max_size=10),
    data=st.binary(max_size=100),
)
def test_a_reader_may_seek_in_what_can_not(steps: list[tuple[int, int, int]], data: bytes) -> None:
    plain = io.BytesIO(data)
    with seekable(io.BufferedReader(cast("Any", Pipe(data)), 10)) as file:
        for offset, whence, size in steps:
            if whence == 2:
                offset = -min(offset, len(data))
            assert file.seek(offset, whence) == plain.seek(offset, whence)
            assert file.read(size) == plain.read(size)
            assert file.tell() == plain.tell()


def test_it_reads_no_further_than_it_must() -> None:
    pipe = Pipe(bytes(1_000_000))
    with seekable(io.BufferedReader(cast("Any", pipe), 10)) as file:
        file.read(10)
        assert pipe.read_bytes < 200_000  # Python 3.14 reads 128 KiB at once


def test_a_file_that_can_seek_is_given_as_it_is() -> None:
    plain = io.BytesIO(b"abc")
    with seekable(plain) as file:
        assert file is plain
    assert not plain.closed
