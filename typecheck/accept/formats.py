"""Formats of the user's own: a writer and a reader of one type of records."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, TypedDict, assert_type

from asflow import Format, Writer, add_format, flow
from asflow.protocols import ByteStream
from asflow.testing import check_writer
from asflow.writers import OutputFile, as_file, by_path


class Row(TypedDict):
    name: str


class Rows:
    def __init__(self, stream: ByteStream, separator: bytes = b"\n") -> None:
        self._file = as_file(stream)
        self._separator = separator

    def write(self, record: Row) -> None:
        self._file.write(record["name"].encode() + self._separator)

    def commit(self) -> None:
        self._file.close()

    def abort(self) -> None:
        self._file.abort()


def read_rows(file: BinaryIO) -> Iterator[Row]:
    for line in file:
        yield Row(name=line.decode().strip())


def read_list(file: BinaryIO) -> list[Row]:
    return list(read_rows(file))


class Anything(Rows):
    def write(self, record: object) -> None: ...


@by_path
def write_numbers(path: Path, numbers: Iterator[int]) -> None:
    path.write_text("".join(map(str, numbers)))


def write_iterable(path: Path, numbers: Iterable[int]) -> int:
    return path.write_text("".join(map(str, numbers)))


assert_type(Format(".rows", Rows, read_rows), Format[Row])
assert_type(Format(".rows", Rows), Format[Row])
assert_type(Format(".rows", Rows, read_list), Format[Row])
numbers: Format[int] = Format(".numbers", write_numbers)  # OK
rows: Format[Row] = Format(".rows", partial(Rows, separator=b","), read_rows)  # OK
wider: Format[Row] = Format(".rows", Anything, read_rows)  # OK
assert_type(write_numbers, Callable[[ByteStream], Writer[int]])
assert_type(by_path(write_iterable, suffix=".txt"), Callable[[ByteStream], Writer[int]])
assert_type(add_format(rows), None)
assert_type(add_format(numbers, replace=True), None)
assert_type(rows.suffix, str)
check_writer(rows, records=[Row(name="a"), Row(name="b")])  # OK
check_writer(Rows, records=[Row(name="a")], read=lambda data: [Row(name="a")], same_bytes=False)  # OK


@flow.task(on="{day}.rows", writer=rows)
async def download(day: str) -> None:
    flow.task.write(Row(name=day))


@flow.task(on="{day}.numbers", writer=write_numbers)
def count(day: str) -> None: ...


@flow.task(save="{day}.rows")
def fetch(day: str) -> list[Row]:
    return [Row(name=day)]


assert_type(fetch("a"), list[Row])
assert_type(flow.task.output(fetch, "a").value(), list[Row])
assert_type(flow.task.output(download, "a").records(Row), Iterator[Row])


def streams(stream: ByteStream, anything: Any) -> None:
    assert_type(as_file(stream), OutputFile)
    assert_type(as_file(stream, seekable=False).write(b"a"), int)
    file: BinaryIO = anything
    assert_type(rows(stream), Writer[Row])
    print(rows.reader and list(rows.reader(file)))  # OK
