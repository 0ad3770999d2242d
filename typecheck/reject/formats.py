"""Formats whose parts don't fit, and wrong use of them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, BinaryIO, TextIO, TypedDict

from asflow import Format, add_format, flow
from asflow.protocols import ByteStream
from asflow.testing import check_writer
from asflow.writers import as_file, by_path


class Row(TypedDict):
    name: str


class Rows:
    def __init__(self, stream: ByteStream) -> None: ...

    def write(self, record: Row) -> None: ...

    def commit(self) -> None: ...

    def abort(self) -> None: ...


class Async(Rows):
    async def write(self, record: Row) -> None: ...  # E


def read_rows(file: BinaryIO) -> Iterator[Row]:
    yield Row(name="")


def read_text(file: TextIO) -> Iterator[Row]:
    yield Row(name="")


async def read_later(file: BinaryIO) -> AsyncIterator[Row]:
    yield Row(name="")


def read_one(file: BinaryIO) -> int:
    return 1


def read_path(path: Path) -> Iterator[Row]:
    yield Row(name="")


def write_numbers(path: str, numbers: Iterator[int]) -> None: ...


def write_alone(path: Path) -> None: ...


Format("rows")  # E
Format(".rows", Rows(as_file), read_rows)  # E
Format(".rows", Rows, read_text)  # E
Format(".rows", Rows, read_later)  # E
Format(".rows", Rows, read_one)  # E
Format(".rows", Rows, read_path)  # E
Format(1, Rows)  # E
Format(".rows", Async, read_rows)  # E
Format(".rows", print)  # E
numbers: Format[int] = Format(".rows", Rows, read_rows)  # E
add_format(Rows)  # E
add_format(".rows", Rows)  # E
add_format(Format(".rows", Rows), replace="yes")  # E
by_path(write_numbers)  # E
by_path(write_alone)  # E
by_path(3)  # E
as_file("data.rows")  # E
check_writer(Format(".rows", Rows, read_rows), records=[1, 2])  # E


def use(form: Format[Row], stream: ByteStream, anything: Any) -> None:
    form("data.rows")  # E
    form(stream).write(3)  # E
    as_file(stream).write("text")  # E
    form.writer(anything)


@flow.task(save="{day}.rows", writer=Format(".rows", Rows))  # E
def fetch(day: str) -> list[Row]:
    return []
