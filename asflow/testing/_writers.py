"""A kit that checks writers."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from io import BytesIO
from typing import TYPE_CHECKING, BinaryIO, Generic, TypeVar, cast

from asflow._labels import short
from asflow.testing._promises import expect_no_awaitable, failure

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from asflow.protocols import ByteStream, Writer

T = TypeVar("T")
R = TypeVar("R")

_CHUNKS = 20
_KIT = "check_writer"
_ONE_EACH = "keep what it holds on the instance"
_LEAVES_NOTHING = "encode a record before any of its bytes are passed on"


def check_writer(
    factory: Callable[[ByteStream], Writer[T]],
    /,
    *,
    records: Sequence[T],
    read: Callable[[bytes], Iterable[T]] | None = None,
    refused: Sequence[T] = (),
    same_bytes: bool = True,
) -> None:
    """Check that a writer keeps the promises of `asflow.protocols.Writer`.

    Args:
        factory: the task's `writer=` option: takes a `ByteStream`, returns a new writer. A `Format` is one.
        records: at least two records of one output; one for a format whose files are one value.
        read: decodes the bytes of a whole output to its records; None: the reader of a `Format`, and for a
            plain function only the bytes are compared.
        refused: records that it must refuse with a TypeError or ValueError after the first of *records*; as
            an output's first record it may take them. A type checker rightly complains: ignore it.
        same_bytes: whether equal records make equal bytes. False for a format that adds ids or times: then
            what *read* returns is compared.

    Raises:
        AssertionError: a promise is broken; the message says which.

    Example:
        ```python
        check_writer(LinesWriter, records=["a", "b"], read=lambda data: data.decode().splitlines())
        ```
    """
    reader = cast("Callable[[BinaryIO], Iterable[T]] | None", getattr(factory, "reader", None))
    if read is None and reader is not None:
        read = partial(_read_with, reader)
    _expect(len(records) >= 1, "records is empty", "pass two records, or one if a file is one value")
    _expect(same_bytes or read is not None, "same_bytes=False leaves nothing to compare", "pass read")
    stream = _Bytes()
    whole = _first_written(factory, records, stream)
    _expect(len(whole) > 0, "the stream is empty after commit()", "pass on what is buffered in commit()")
    kit = _Kit(factory, list(records), whole, read, same_bytes)
    if read is not None:
        _check_reading(kit, read)
    _expect(
        kit.is_same(_written(factory, records)),
        "equal records make different bytes",
        "let the bytes depend on the records alone, or pass same_bytes=False",
    )
    kit.expect_same(
        _written(factory, records, _Bytes(reuse=True)),
        "a buffer is used again after it was passed on",
        "fill it again first",
    )
    _check_two_at_once(kit)
    _check_threads(kit)
    _check_batch(kit)
    _check_abort(factory, records)
    for record in refused:
        _check_refusal(kit, record)
        _check_refusal_at_first(kit, record)
    _check_full_disk(kit, stream.ends)


class _Kit(Generic[T]):
    """What is checked: the writer, and what it made of the records at first."""

    def __init__(
        self,
        factory: Callable[[ByteStream], Writer[T]],
        records: list[T],
        whole: bytes,
        read: Callable[[bytes], Iterable[T]] | None,
        same_bytes: bool,
    ) -> None:
        self.factory = factory
        self.records = records
        self.whole = whole
        self._read = read
        self._same_bytes = same_bytes

    def is_same(self, data: bytes) -> bool:
        """Whether *data* is a whole output of the records."""
        if self._same_bytes or self._read is None:
            return data == self.whole
        try:
            return list(self._read(data)) == self.records
        except Exception:  # noqa: BLE001 - it does not decode, so it is another
            return False

    def expect_same(self, data: bytes, problem: str, remedy: str) -> None:
        _expect(self.is_same(data), problem, remedy)


def _read_with(reader: Callable[[BinaryIO], Iterable[T]], data: bytes) -> list[T]:
    return list(reader(BytesIO(data)))


def _first_written(factory: Callable[[ByteStream], Writer[T]], records: Sequence[T], stream: _Bytes) -> bytes:
    try:
        return _written(factory, records, stream)
    except AttributeError as error:
        if isinstance(error.obj, _Bytes):
            problem = f"the stream has no {error.name}(), only write()"
            raise failure(_KIT, problem, "give the library asflow.writers.as_file(stream)") from error
        raise


def _check_reading(kit: _Kit[T], read: Callable[[bytes], Iterable[T]]) -> None:
    found = list(read(kit.whole))
    order = "write every record, in order"
    _expect(found == kit.records, f"the records read back as {short(found)}", order)
    if len(kit.records) >= 2:
        found = list(read(_written(kit.factory, ())))
        _expect(not found, f"an output without records reads back as {short(found)}", "write no record")


def _check_two_at_once(kit: _Kit[T]) -> None:
    """Two outputs are written in turns, as two calls of a task do."""
    streams = _Bytes(), _Bytes()
    one, other = (kit.factory(stream) for stream in streams)
    for record in kit.records:
        _put(one, record)
        _put(other, record)
    for writer, stream in ((one, streams[0]), (other, streams[1])):
        data = _finish(writer, (), stream)
        kit.expect_same(data, "two writers that are open at once mix their records", _ONE_EACH)
    aborted, kept = _Bytes(), _Bytes()
    one, other = kit.factory(aborted), kit.factory(kept)
    _put(one, kit.records[0])
    _put(other, kit.records[0])
    _abort(one, aborted, "of one of two writers")
    data = _finish(other, kit.records[1:], kept)
    kit.expect_same(data, "abort() of one writer changes the output of another", _ONE_EACH)


def _check_threads(kit: _Kit[T]) -> None:
    """The records come from other threads than the one that opens and ends the output."""
    stream = _Bytes()
    remedy = "let any thread call it; as_file and by_path help with a library that minds"
    try:
        writer = kit.factory(stream)
        for record in kit.records:
            _in_a_thread(partial(_put, writer, record))
        data = _finish(writer, (), stream)
    except AssertionError:
        raise
    except Exception as error:
        raise failure(_KIT, f"a call from another thread raised {error!r}", remedy) from error
    kit.expect_same(data, "calls from several threads, one at a time, change the output", remedy)


def _in_a_thread(call: Callable[[], R]) -> R:
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(call).result()


def _check_batch(kit: _Kit[T]) -> None:
    """The optional `write_batch` writes what `write` does."""
    stream = _Bytes()
    writer = kit.factory(stream)
    write_batch = cast("Callable[[list[T]], object] | None", getattr(writer, "write_batch", None))
    if write_batch is None:
        writer.abort()
        return
    for start in range(0, len(kit.records), 2):
        answer = write_batch(kit.records[start : start + 2])
        expect_no_awaitable(_KIT, "write_batch", answer)
        is_size = answer is None or (isinstance(answer, int) and answer >= 1)
        _expect(is_size, f"write_batch() returned {short(answer)}", "return a number of records, or None")
    data = _finish(writer, (), stream)
    kit.expect_same(data, "write_batch() writes other bytes than write()", "write each as write() does")


def _expect(kept: bool, problem: str, remedy: str) -> None:
    if not kept:
        raise failure(_KIT, problem, remedy)


class _Bytes:
    """A stream in memory that can run out of space, or refuse one chunk and take the next."""

    def __init__(
        self, *, capacity: int | None = None, refused_chunk: int | None = None, reuse: bool = False
    ) -> None:
        self.data = bytearray()
        self.ends: list[int] = []
        self.calls = 0
        self.closed = False
        self._capacity = capacity
        self._refused_chunk = refused_chunk
        self._reuse = reuse

    def write(self, data: bytes | bytearray | memoryview, /) -> int:
        self.calls += 1
        if self._capacity is not None and len(self.data) + len(data) > self._capacity:
            raise OSError(28, "No space left on device")
        if self.calls - 1 == self._refused_chunk:
            raise OSError(5, "Input/output error")
        self.data += data
        self.ends.append(len(self.data))
        if self._reuse and isinstance(data, bytearray):
            data[:] = bytes(len(data))  # a writer must not count on what it passed on
        return len(data)

    def close(self) -> None:
        self.closed = True


def _put(writer: Writer[T], record: T) -> None:
    expect_no_awaitable(_KIT, "write", writer.write(record))


def _finish(writer: Writer[T], records: Sequence[T], stream: _Bytes) -> bytes:
    for record in records:
        _put(writer, record)
    expect_no_awaitable(_KIT, "commit", writer.commit())
    _expect_open(stream, "commit")
    return bytes(stream.data)


def _expect_open(stream: _Bytes, method: str) -> None:
    _expect(not stream.closed, f"{method}() closed the stream", "leave that to the store")


def _written(
    factory: Callable[[ByteStream], Writer[T]], records: Sequence[T], stream: _Bytes | None = None
) -> bytes:
    stream = stream or _Bytes()
    return _finish(factory(stream), records, stream)


def _abort(writer: Writer[T], stream: _Bytes, when: str) -> None:
    before = stream.calls
    try:
        result = writer.abort()
    except Exception as error:
        raise failure(_KIT, f"abort() {when} raised {error!r}", "only drop what is buffered") from error
    expect_no_awaitable(_KIT, "abort", result)
    _expect(stream.calls == before, f"abort() {when} wrote to the stream", "only drop what is buffered")
    _expect_open(stream, "abort")


def _check_abort(factory: Callable[[ByteStream], Writer[T]], records: Sequence[T]) -> None:
    for count in (0, len(records)):
        stream = _Bytes()
        writer = factory(stream)
        for record in records[:count]:
            _put(writer, record)
        _abort(writer, stream, f"after {count} records")


def _is_refused(writer: Writer[T], record: T) -> bool:
    try:
        _put(writer, record)
    except (TypeError, ValueError):
        return True
    except AssertionError:
        raise
    except Exception as error:
        raised = f"write({short(record)}) raised {error!r}"
        raise failure(_KIT, raised, "raise TypeError or ValueError to refuse a record") from error
    return False


def _check_refusal(kit: _Kit[T], record: T) -> None:
    stream = _Bytes()
    writer = kit.factory(stream)
    _put(writer, kit.records[0])
    taken = f"write({short(record)}) took a record that it must refuse"
    _expect(_is_refused(writer, record), taken, "raise TypeError or ValueError")
    written = _finish(writer, kit.records[1:], stream)
    kit.expect_same(written, f"the refused record {short(record)} changed the output", _LEAVES_NOTHING)


def _check_refusal_at_first(kit: _Kit[T], record: T) -> None:
    stream = _Bytes()
    writer = kit.factory(stream)
    if not _is_refused(writer, record):
        return  # it is refused after other records only, for example for its columns
    written = _finish(writer, kit.records, stream)
    kit.expect_same(written, f"the refused first record {short(record)} changed the output", _LEAVES_NOTHING)


def _check_full_disk(kit: _Kit[T], ends: list[int]) -> None:
    """Let the stream fail in each chunk of the output (which end at *ends*): for good, and once."""
    whole = kit.whole
    chunks = [*range(len(ends))]
    chosen = chunks if len(chunks) <= 2 * _CHUNKS else chunks[:_CHUNKS] + chunks[-_CHUNKS:]
    sizes = {0, len(whole) // 2, len(whole) - 1, *(ends[chunk] - 1 for chunk in chosen)}
    for size in sorted(size for size in sizes if 0 <= size < len(whole)):
        _check_fault(kit, _Bytes(capacity=size), f"disk full after {size} bytes")
    for chunk in chosen:
        stream = _Bytes(refused_chunk=chunk)
        _check_fault(kit, stream, f"chunk {chunk + 1} of {len(chunks)}")


def _check_fault(kit: _Kit[T], stream: _Bytes, where: str) -> None:
    fault, remedy = f"an OSError of the stream ({where})", "let it reach the caller unchanged"
    try:
        writer = kit.factory(stream)
    except OSError:
        return  # a header is written at once
    try:
        written = _finish(writer, kit.records, stream)
    except OSError:
        _abort(writer, stream, "after an OSError")
    except AssertionError:
        raise
    except Exception as error:
        raise failure(_KIT, f"{fault} became {error!r}", remedy) from error
    else:
        kit.expect_same(written, f"{fault} was swallowed", remedy)  # a retry that succeeds is fine
