"""A kit that checks writers."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from asflow.testing._promises import broken, expect_no_awaitable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from asflow.protocols import ByteStream, Writer

__all__ = ["check_writer"]

T = TypeVar("T")

_CHUNKS = 20


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
        records: records that it takes, at least two, in one output.
        read: decodes the bytes of a whole output to its records; None: only the bytes are compared.
        refused: records that it must refuse with a TypeError or ValueError after the first of *records* (a
            misfit, for a checker too: ignore its complaint). As an output's first record it may take them.

    Raises:
        AssertionError: a promise is broken; the message says which.

    Example:
        ```python
        check_writer(LinesWriter, records=["a", "b"], read=lambda data: data.decode().splitlines())
        ```
    """
    _expect(len(records) >= 2, "the kit is given two records at least")
    stream = _Bytes()
    whole = _written(factory, records, stream)
    _expect(len(whole) > 0, "records make bytes, and those are passed on by the end of commit()")
    _expect(_written(factory, records) == whole, "equal records make equal bytes")
    reusing = _Bytes(reuse=True)
    _expect(_written(factory, records, reusing) == whole, "each chunk is passed on before it is changed")
    if read is not None:
        _expect(list(read(whole)) == list(records), "the records come back as they were, in their order")
        _expect(not list(read(_written(factory, ()))), "an output without a record holds none")
    _check_abort(factory, records)
    for record in refused:
        _check_refusal(factory, records, record, whole)
        _check_refusal_at_first(factory, records, record, whole)
    _check_full_disk(factory, records, whole, stream.ends)


def _expect(kept: bool, promise: str) -> None:
    if not kept:
        raise broken("writer", promise)


class _Bytes:
    """A stream that keeps what it is given. It may stop taking it, or refuse one chunk and take the next."""

    def __init__(
        self, *, room: int | None = None, refused_chunk: int | None = None, reuse: bool = False
    ) -> None:
        self.data = bytearray()
        self.ends: list[int] = []
        self.asked = 0
        self.closed = False
        self._room = room
        self._refused_chunk = refused_chunk
        self._reuse = reuse

    def write(self, data: bytes | bytearray | memoryview, /) -> int:
        self.asked += 1
        if self._room is not None and len(self.data) + len(data) > self._room:
            raise OSError(28, "No space left on device")
        if self.asked - 1 == self._refused_chunk:
            raise OSError(5, "Input/output error")
        self.data += data
        self.ends.append(len(self.data))
        if self._reuse and isinstance(data, bytearray):
            data[:] = bytes(len(data))  # a stream may be handed a buffer; then it is the writer's to reuse
        return len(data)

    def close(self) -> None:
        self.closed = True


def _put(writer: Writer[T], record: T) -> None:
    expect_no_awaitable("writer", "write", writer.write(record))


def _finish(writer: Writer[T], records: Sequence[T], stream: _Bytes) -> bytes:
    for record in records:
        _put(writer, record)
    expect_no_awaitable("writer", "commit", writer.commit())
    _expect(not stream.closed, "the stream is not the writer's to close")
    return bytes(stream.data)


def _written(
    factory: Callable[[ByteStream], Writer[T]], records: Sequence[T], stream: _Bytes | None = None
) -> bytes:
    stream = stream or _Bytes()
    return _finish(factory(stream), records, stream)


def _abort(writer: Writer[T], stream: _Bytes, when: str) -> None:
    before = stream.asked
    try:
        answer = writer.abort()
    except Exception as error:
        raise broken("writer", f"abort() does not raise {when}, not even {error!r}") from error
    expect_no_awaitable("writer", "abort", answer)
    _expect(stream.asked == before, f"abort() writes nothing {when}")
    _expect(not stream.closed, "the stream is not the writer's to close")


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
        wanted = f"a TypeError or ValueError for {record!r}, not {error!r}"
        raise broken("writer", wanted) from error
    return False


def _check_refusal(
    factory: Callable[[ByteStream], Writer[T]], records: Sequence[T], record: T, whole: bytes
) -> None:
    stream = _Bytes()
    writer = factory(stream)
    _put(writer, records[0])
    _expect(_is_refused(writer, record), f"a TypeError or ValueError for {record!r}")
    written = _finish(writer, records[1:], stream)
    _expect(written == whole, f"a record that is refused, {record!r}, leaves nothing behind")


def _check_refusal_at_first(
    factory: Callable[[ByteStream], Writer[T]], records: Sequence[T], record: T, whole: bytes
) -> None:
    stream = _Bytes()
    writer = factory(stream)
    if not _is_refused(writer, record):
        return  # only what stands before it makes it a misfit, as other columns do
    written = _finish(writer, records, stream)
    _expect(written == whole, f"a first record that is refused, {record!r}, leaves nothing behind")


def _check_full_disk(
    factory: Callable[[ByteStream], Writer[T]], records: Sequence[T], whole: bytes, ends: list[int]
) -> None:
    """Let the stream fail in each chunk of *whole* (which end at *ends*): for good, and once."""
    chunks = [*range(len(ends))]
    chosen = chunks if len(chunks) <= 2 * _CHUNKS else chunks[:_CHUNKS] + chunks[-_CHUNKS:]
    rooms = {0, len(whole) // 2, len(whole) - 1, *(ends[chunk] - 1 for chunk in chosen)}
    for room in sorted(room for room in rooms if 0 <= room < len(whole)):
        _check_fault(factory, records, whole, _Bytes(room=room), f"of a disk full after {room} bytes")
    for chunk in chosen:
        stream = _Bytes(refused_chunk=chunk)
        _check_fault(factory, records, whole, stream, f"in chunk {chunk + 1} of {len(chunks)}")


def _check_fault(
    factory: Callable[[ByteStream], Writer[T]], records: Sequence[T], whole: bytes, stream: _Bytes, where: str
) -> None:
    promise = f"an OSError of its stream ({where}) reaches its caller"
    try:
        writer = factory(stream)
    except OSError:
        return  # from a header that is written at once
    try:
        written = _finish(writer, records, stream)
    except OSError:
        _abort(writer, stream, "after an OSError")
    except AssertionError:
        raise
    except Exception as error:
        raise broken("writer", f"{promise} as it is, not as {error!r}") from error
    else:
        _expect(written == whole, promise)  # it may have tried again
