"""Writing and reading an output in memory."""

import io
from collections.abc import Callable

import pytest

from asflow.writers import open_writer, read_records, read_text


class Stored:
    """A byte stream that keeps what it is given, as a store would."""

    def __init__(self) -> None:
        self.data = bytearray()

    def write(self, data: bytes | bytearray | memoryview) -> int:
        self.data += data
        return len(data)


@pytest.fixture
def written() -> Callable[..., bytes]:
    """Return a function that writes records to an output of that name and returns its bytes."""

    def write(name: str, *records: object, level: int | None = None, task: str = "") -> bytes:
        stored = Stored()
        writer = open_writer(name, stored, level=level, task=task)
        for record in records:
            writer.write(record)
        writer.commit()
        return bytes(stored.data)

    return write


@pytest.fixture
def text(written: Callable[..., bytes]) -> Callable[..., str]:
    """Return a function that writes records to an output of that name and reads it back as text."""

    def write_and_read(name: str, *records: object) -> str:
        return read_text(name, io.BytesIO(written(name, *records)))

    return write_and_read


@pytest.fixture
def back(written: Callable[..., bytes]) -> Callable[..., list[object]]:
    """Return a function that writes records and reads them back as records of a type."""

    def write_and_read(name: str, record_type: type, *records: object) -> list[object]:
        return list(read_records(name, io.BytesIO(written(name, *records)), record_type))

    return write_and_read
