"""A kit that checks writers."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from asflow.protocols import ByteStream, Writer

__all__ = ["check_writer"]

T = TypeVar("T")


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
        refused: records that it must refuse with a TypeError or ValueError (a misfit, for a checker too:
            ignore its complaint).

    Raises:
        AssertionError: a promise is broken; the message says which.

    Example:
        ```python
        check_writer(LinesWriter, records=["a", "b"], read=lambda data: data.decode().splitlines())
        ```
    """
    _expect(len(records) >= 2, "the kit is given two records at least")
    whole = _written(factory, records)
    _expect(_written(factory, records) == whole, "equal records make equal bytes")
    _expect(_written(factory, records, reuse=True) == whole, "each chunk is passed on before it is changed")
    if read is not None:
        _expect(list(read(whole)) == list(records), "the records come back as they were, in their order")
        _expect(not list(read(_written(factory, ()))), "an output without a record holds none")
    _check_abort(factory, records)
    for record in refused:
        _check_refusal(factory, records, record, whole)
    _check_full_disk(factory, records)


def _expect(kept: bool, promise: str) -> None:
    if not kept:
        raise AssertionError(f"the writer breaks a promise: {promise}")


class _Bytes:
    """A stream that keeps what it is given, and may stop taking it."""

    def __init__(self, room: int | None = None, *, reuse: bool = False) -> None:
        self.data = bytearray()
        self.closed = False
        self._room = room
        self._reuse = reuse

    def write(self, data: bytes | bytearray | memoryview, /) -> int:
        if self._room is not None and len(self.data) + len(data) > self._room:
            raise OSError(28, "No space left on device")
        self.data += data
        if self._reuse and isinstance(data, bytearray):
            data[:] = bytes(len(data))  # a stream may be handed a buffer; then it is the writer's to reuse
        return len(data)

    def close(self) -> None:
        self.closed = True


def _written(
    factory: Callable[[ByteStream], Writer[T]], records: Sequence[T], *, reuse: bool = False
) -> bytes:
    stream = _Bytes(reuse=reuse)
    writer = factory(stream)
    for record in records:
        writer.write(record)
    writer.commit()
    _expect(not stream.closed, "the stream is not the writer's to close")
    return bytes(stream.data)


def _check_abort(factory: Callable[[ByteStream], Writer[T]], records: Sequence[T]) -> None:
    for count in (0, len(records)):
        stream = _Bytes()
        writer = factory(stream)
        for record in records[:count]:
            writer.write(record)
        before = len(stream.data)
        try:
            writer.abort()
        except Exception as error:
            raise AssertionError("the writer breaks a promise: abort() does not raise") from error
        _expect(len(stream.data) == before, "abort() writes nothing")
        _expect(not stream.closed, "the stream is not the writer's to close")


def _check_refusal(
    factory: Callable[[ByteStream], Writer[T]], records: Sequence[T], record: T, whole: bytes
) -> None:
    stream = _Bytes()
    writer = factory(stream)
    writer.write(records[0])
    try:
        writer.write(record)
    except (TypeError, ValueError):
        pass
    else:
        raise AssertionError(f"the writer breaks a promise: a TypeError or ValueError for {record!r}")
    for rest in records[1:]:
        writer.write(rest)
    writer.commit()
    _expect(bytes(stream.data) == whole, "a record that is refused leaves nothing behind")


def _check_full_disk(factory: Callable[[ByteStream], Writer[T]], records: Sequence[T]) -> None:
    if not _written(factory, records):
        return
    writer = factory(_Bytes(room=0))
    try:
        for record in records:
            writer.write(record)
        writer.commit()
    except OSError:
        writer.abort()
    else:
        raise AssertionError("the writer breaks a promise: an OSError of its stream reaches its caller")
