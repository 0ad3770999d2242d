"""Writers of the user's own: classes that fit by their methods alone, with records of one type."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import TypedDict, TypeVar, assert_type

from asflow import Writer, flow
from asflow.protocols import ByteStream

T = TypeVar("T")


class Row(TypedDict):
    name: str


class Rows:
    """Writes rows, one a line."""

    concurrent = True

    def __init__(self, stream: ByteStream) -> None:
        self._stream = stream

    def write(self, record: Row) -> None:
        self._stream.write(record["name"].encode() + b"\n")

    def commit(self) -> None: ...

    def abort(self) -> None: ...


class Anything:
    """Takes any record; its methods return something, which nobody looks at."""

    def __init__(self, stream: ByteStream, separator: bytes = b"\n") -> None:
        self._stream = stream
        self._separator = separator

    def write(self, anything: object, /) -> int:
        data = repr(anything).encode() + self._separator
        self._stream.write(data)
        return len(data)

    def commit(self) -> bool:
        return True

    def abort(self) -> int:
        return 0


@dataclass
class Buffered:
    """A dataclass with more methods than a Writer needs."""

    stream: ByteStream
    lines: list[str] = field(default_factory=list[str])

    def write(self, record: str | bytes) -> None:
        self.lines.append(record if isinstance(record, str) else record.decode())

    def commit(self) -> None:
        self.stream.write("".join(self.lines).encode())

    def abort(self) -> None:
        self.lines.clear()

    def flush(self) -> None: ...


class Mapped(Writer[T]):
    """Says that it is a Writer, which it need not: the checker then sees to it where it is written."""

    def __init__(self, stream: ByteStream, encode: Callable[[T], bytes]) -> None:
        self._stream = stream
        self._encode = encode

    def write(self, record: T, /) -> None:
        self._stream.write(self._encode(record))

    def commit(self) -> None: ...

    def abort(self) -> None: ...


def open_rows(stream: ByteStream) -> Writer[Row]:
    return Rows(stream)


def encode(number: int) -> bytes:
    return bytes([number])


def open_mapped(stream: ByteStream) -> Mapped[int]:
    return Mapped(stream, encode)


class Stream:
    """A stream of the user's own, to try a writer on."""

    def write(self, data: bytes | bytearray | memoryview, /) -> None:
        print(bytes(data))


rows: Writer[Row] = Rows(Stream())  # OK
anything: Writer[object] = Anything(Stream())  # OK
buffered: Writer[str] = Buffered(Stream())  # OK
# A writer of anything is a writer of rows.
narrower: Writer[Row] = Anything(Stream())  # OK
narrower_too: Writer[bytes] = Buffered(Stream())  # OK
factory: Callable[[ByteStream], Writer[Row]] = Rows  # OK
assert_type(open_rows(Stream()), Writer[Row])


@flow.task(on="data/{day}.rows", writer=Rows)
async def by_class(day: str) -> None:
    flow.task.write(Row(name=day))


@flow.task(on="data/{day}.any", writer=partial(Anything, separator=b"\r\n"))
def by_partial(day: str) -> None: ...


@flow.task(on="data/{day}.dataclass", writer=Buffered)
def by_dataclass(day: str) -> None: ...


@flow.task(on="data/{day}.function", writer=open_rows)
def by_function(day: str) -> None: ...


@flow.task(on="data/{day}.generic", writer=open_mapped)
def by_generic(day: str) -> None: ...


@flow.task(on="data/{day}.lambda", writer=lambda stream: Anything(stream, b""))
def by_lambda(day: str) -> None: ...


async def calls() -> None:
    assert_type(await by_class("a"), None)
