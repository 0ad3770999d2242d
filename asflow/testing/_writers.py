"""A kit that checks writers."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from asflow._labels import short
from asflow.testing._promises import expect_no_awaitable, failure

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from asflow.protocols import ByteStream, Writer

T = TypeVar("T")

_CHUNKS = 20
_KIT = "check_writer"
_LEAVES_NOTHING = "encode a record before any of its bytes are passed on"


def check_writer(
    factory: Callable[[ByteStream], Writer[T]],
    /,
    *,
    records: Sequence[T],
    read: Callable[[bytes], Sequence[T]] | None = None,
    refused: Sequence[T] = (),
) -> None:
    """Check that a writer keeps the promises of `asflow.protocols.Writer`.

    Args:
        factory: the task's `writer=` option: takes a `ByteStream`, returns a new writer.
        records: at least two records of one output.
        read: decodes the bytes of a whole output to its records; None: only the bytes are compared.
        refused: records that it must refuse with a TypeError or ValueError after the first of *records*; as
            an output's first record it may take them. A type checker rightly complains: ignore it.

    Raises:
        AssertionError: a promise is broken; the message says which.

    Example:
        ```python
        check_writer(LinesWriter, records=["a", "b"], read=lambda data: data.decode().splitlines())
        ```
    """
    _expect(len(records) >= 2, f"records takes at least two records, not {len(records)}", "pass one more")
    stream = _Bytes()
    whole = _written(factory, records, stream)
    _expect(len(whole) > 0, "the stream is empty after commit()", "pass on what is buffered in commit()")
    _expect(
        _written(factory, records) == whole,
        "equal records make different bytes",
        "let the bytes depend on the records alone",
    )
    reused = _written(factory, records, _Bytes(reuse=True))
    _expect(reused == whole, "a buffer is used again after it was passed on", "fill it again first")
    if read is not None:
        found = list(read(whole))
        order = "write every record, in order"
        _expect(found == list(records), f"the records read back as {short(found)}", order)
        found = list(read(_written(factory, ())))
        _expect(not found, f"an output without records reads back as {short(found)}", "write no record")
    _check_abort(factory, records)
    for record in refused:
        _check_refusal(factory, records, record, whole)
        _check_refusal_at_first(factory, records, record, whole)
    _check_full_disk(factory, records, whole, stream.ends)


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


def _check_refusal(
    factory: Callable[[ByteStream], Writer[T]], records: Sequence[T], record: T, whole: bytes
) -> None:
    stream = _Bytes()
    writer = factory(stream)
    _put(writer, records[0])
    taken = f"write({short(record)}) took a record that it must refuse"
    _expect(_is_refused(writer, record), taken, "raise TypeError or ValueError")
    written = _finish(writer, records[1:], stream)
    _expect(written == whole, f"the refused record {short(record)} changed the output", _LEAVES_NOTHING)


def _check_refusal_at_first(
    factory: Callable[[ByteStream], Writer[T]], records: Sequence[T], record: T, whole: bytes
) -> None:
    stream = _Bytes()
    writer = factory(stream)
    if not _is_refused(writer, record):
        return  # it is refused after other records only, for example for its columns
    written = _finish(writer, records, stream)
    _expect(written == whole, f"the refused first record {short(record)} changed the output", _LEAVES_NOTHING)


def _check_full_disk(
    factory: Callable[[ByteStream], Writer[T]], records: Sequence[T], whole: bytes, ends: list[int]
) -> None:
    """Let the stream fail in each chunk of *whole* (which end at *ends*): for good, and once."""
    chunks = [*range(len(ends))]
    chosen = chunks if len(chunks) <= 2 * _CHUNKS else chunks[:_CHUNKS] + chunks[-_CHUNKS:]
    sizes = {0, len(whole) // 2, len(whole) - 1, *(ends[chunk] - 1 for chunk in chosen)}
    for size in sorted(size for size in sizes if 0 <= size < len(whole)):
        _check_fault(factory, records, whole, _Bytes(capacity=size), f"disk full after {size} bytes")
    for chunk in chosen:
        stream = _Bytes(refused_chunk=chunk)
        _check_fault(factory, records, whole, stream, f"chunk {chunk + 1} of {len(chunks)}")


def _check_fault(
    factory: Callable[[ByteStream], Writer[T]], records: Sequence[T], whole: bytes, stream: _Bytes, where: str
) -> None:
    fault, remedy = f"an OSError of the stream ({where})", "let it reach the caller unchanged"
    try:
        writer = factory(stream)
    except OSError:
        return  # a header is written at once
    try:
        written = _finish(writer, records, stream)
    except OSError:
        _abort(writer, stream, "after an OSError")
    except AssertionError:
        raise
    except Exception as error:
        raise failure(_KIT, f"{fault} became {error!r}", remedy) from error
    else:
        _expect(written == whole, f"{fault} was swallowed", remedy)  # a retry that succeeds is fine
