"""Classes that are no Writer, or a Writer of something else."""

from __future__ import annotations

from typing import Any, BinaryIO, TypedDict

from asflow import Writer, flow
from asflow.protocols import ByteStream


class Row(TypedDict):
    name: str


class Rows:
    def __init__(self, stream: ByteStream) -> None:
        self._stream = stream

    def write(self, record: Row) -> None:
        self._stream.write(record["name"].encode())

    def commit(self) -> None: ...

    def abort(self) -> None: ...


class NoCommit:
    def __init__(self, stream: ByteStream) -> None: ...

    def write(self, record: object) -> None: ...

    def abort(self) -> None: ...


class NoWrite:
    def __init__(self, stream: ByteStream) -> None: ...

    def commit(self) -> None: ...

    def abort(self) -> None: ...


class TwoRecords:
    def __init__(self, stream: ByteStream) -> None: ...

    def write(self, record: object, other: object) -> None: ...

    def commit(self) -> None: ...

    def abort(self) -> None: ...


class CommitTakesMore:
    def __init__(self, stream: ByteStream) -> None: ...

    def write(self, record: object) -> None: ...

    def commit(self, sync: bool) -> None: ...

    def abort(self) -> None: ...


class Async:
    def __init__(self, stream: ByteStream) -> None: ...

    async def write(self, record: object) -> None: ...

    async def commit(self) -> None: ...

    async def abort(self) -> None: ...


class AsyncCommit(Rows):
    async def commit(self) -> None: ...  # E


async def opens_later(stream: ByteStream) -> Rows:
    return Rows(stream)


class NoStream:
    def write(self, record: object) -> None: ...

    def commit(self) -> None: ...

    def abort(self) -> None: ...


class ForPaths(NoStream):
    def __init__(self, path: str) -> None: ...


class TextStream:
    def write(self, data: str, /) -> None: ...


def opened() -> BinaryIO:
    raise NotImplementedError


no_commit: Writer[object] = NoCommit(print)  # E
rows_of_text: Writer[str] = Rows(TextStream())  # E
on_text = Rows(TextStream())  # E
wider: Writer[object] = Rows(opened())  # E


@flow.task(on="data/{day}.a", writer=NoCommit)  # E
def without_commit(day: str) -> None: ...


@flow.task(on="data/{day}.b", writer=NoWrite)  # E
def without_write(day: str) -> None: ...


@flow.task(on="data/{day}.c", writer=TwoRecords)  # E
def with_two_records(day: str) -> None: ...


@flow.task(on="data/{day}.h", writer=Async)  # E
def with_async_methods(day: str) -> None: ...


@flow.task(on="data/{day}.i", writer=AsyncCommit)  # E
def with_an_async_commit(day: str) -> None: ...


@flow.task(on="data/{day}.j", writer=opens_later)  # E
def with_an_async_function(day: str) -> None: ...


@flow.task(on="data/{day}.d", writer=CommitTakesMore)  # E
def with_argument(day: str) -> None: ...


@flow.task(on="data/{day}.e", writer=NoStream)  # E
def without_stream(day: str) -> None: ...


@flow.task(on="data/{day}.f", writer=ForPaths)  # E
def for_paths(day: str) -> None: ...


@flow.task(on="data/{day}.g", writer=Rows(opened()))  # E
def an_instance(day: str) -> None: ...


class Explicit(Writer[Row]):
    def write(self, record: int, /) -> None: ...  # E

    def commit(self) -> None: ...

    def abort(self) -> None: ...


def use(writer: Writer[Row], anything: Any) -> None:
    writer.write(3)  # E
    writer.write({"nam": "a"})  # E
    writer.flush()  # E
    writer.write(anything)
