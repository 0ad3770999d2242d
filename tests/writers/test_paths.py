"""`by_path`: a function writes a file of its own, whose bytes are passed on when it has returned."""

from __future__ import annotations

import contextvars
import os
import pickle
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from asflow import Flow, MemoryStore
from asflow.errors import DefinitionTypeError, DefinitionValueError, RecordValueError
from asflow.protocols import Writer
from asflow.sinks import NullSink
from asflow.testing import check_writer
from asflow.writers import by_path


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Temporary files go here; none may be left."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    before = threading.active_count()
    yield tmp_path
    assert list(tmp_path.iterdir()) == []
    assert threading.active_count() == before


class Stream:
    def __init__(self) -> None:
        self.data = b""

    def write(self, data: bytes | bytearray | memoryview, /) -> int:
        self.data += bytes(data)
        return len(data)


@by_path
def write_lines(path: Path, records: Iterator[str]) -> None:
    """Write lines."""
    with path.open("w") as file:
        for record in records:
            file.write(f"{record}\n")


def lines(data: bytes) -> list[str]:
    return data.decode().splitlines()


@pytest.mark.parametrize("count", [2, 64, 65, 500])
def test_it_passes_the_kit(count: int) -> None:
    """Also with more records than are held at once."""
    check_writer(write_lines, records=[str(number) for number in range(count)], read=lines)


def written(writer: Writer[str], count: int) -> None:
    for number in range(count):
        writer.write(str(number))


def written_to_the_end(writer: Writer[str], count: int) -> None:
    written(writer, count)
    writer.commit()


def test_few_records_wait_for_each_other_and_many_do_not() -> None:
    seen: list[tuple[int, str]] = []

    def write_all(path: Path, records: Iterator[int]) -> None:
        for record in records:
            seen.append((record, threading.current_thread().name))  # noqa: PERF401 - one after the other
        path.touch()

    few = by_path(write_all)(Stream())
    for number in range(64):
        few.write(number)
    assert seen == []
    few.commit()
    assert {name for _, name in seen} == {threading.current_thread().name}
    seen.clear()
    many = by_path(write_all)(Stream())
    for number in range(1000):
        many.write(number)
        assert number - len(seen) <= 66
    many.commit()
    assert [number for number, _ in seen] == [*range(1000)]
    assert {name for _, name in seen} == {"asflow-by-path"}


def test_the_thread_has_the_context_of_the_task() -> None:
    place = contextvars.ContextVar("place", default="none")
    found: list[str] = []

    def write_all(path: Path, records: Iterator[str]) -> None:
        found.append(place.get())
        path.write_text("".join(records))

    place.set("here")
    writer = by_path(write_all)(Stream())
    written(writer, 100)
    writer.commit()
    assert found == ["here"]


def raises_at(number: str) -> Callable[[Any], Writer[str]]:
    def write_all(path: Path, records: Iterator[str]) -> None:
        for record in records:
            if record == number:
                raise LookupError(number)
        path.touch()

    return by_path(write_all)


@pytest.mark.parametrize("number", [3, 63])
def test_what_the_function_raises_at_the_end_is_raised_by_commit(number: int) -> None:
    writer = raises_at(str(number))(Stream())
    written(writer, 64)
    with pytest.raises(LookupError, match=str(number)):
        writer.commit()
    writer.abort()


@pytest.mark.parametrize("number", [3, 64, 300])
def test_what_the_function_raises_meanwhile_is_raised_by_a_later_write(number: int) -> None:
    writer = raises_at(str(number))(Stream())
    with pytest.raises(LookupError, match=str(number)):
        written(writer, 100_000)
    with pytest.raises(LookupError, match=str(number)):
        writer.commit()
    writer.abort()


def test_in_a_task_it_is_the_error_of_the_call() -> None:
    flow = Flow(store=MemoryStore(), sink=NullSink())

    @flow.task(on="{count}.txt", writer=raises_at("70"))
    def count_up(count: int) -> None:
        for number in range(count):
            flow.task.write(str(number))

    count_up(70)
    assert flow.task.output(count_up, 70).status == "complete"
    for count in (71, 1000):
        with pytest.raises(LookupError, match="70"):
            count_up(count)
        assert flow.task.output(count_up, count).status == "absent"


@pytest.mark.parametrize("count", [0, 5, 1000])
def test_abort_ends_the_function_and_removes_its_file(count: int, folder: Path) -> None:
    ended: list[str] = []

    def write_all(path: Path, records: Iterator[str]) -> None:
        path.touch()
        try:
            for _ in records:
                pass
            ended.append("whole")
        finally:
            ended.append("closed")

    stream = Stream()
    writer = by_path(write_all)(stream)
    written(writer, count)
    writer.abort()
    assert ended == (["closed"] if count > 64 else [])
    assert stream.data == b""


@pytest.mark.parametrize("count", [10, 1000])
def test_a_function_that_stops_early_would_lose_records(count: int) -> None:
    def first_only(path: Path, records: Iterator[str]) -> None:
        path.write_text(next(records))

    writer = by_path(first_only)(Stream())
    with pytest.raises(RecordValueError, match="returned before it took every record; iterate to the end"):
        written_to_the_end(writer, count)
    writer.abort()


def test_a_function_without_a_file_is_refused() -> None:
    def forgets(path: Path, records: Iterator[str]) -> None:
        list(records)

    writer = by_path(forgets)(Stream())
    with pytest.raises(RecordValueError, match="returned without a file at its path; write one there"):
        writer.commit()
    writer.abort()


def test_the_path_ends_as_asked() -> None:
    seen: list[Path] = []

    def write_all(path: Path, records: Iterator[str]) -> None:
        seen.append(path)
        path.write_text("".join(records))

    by_path(write_all, suffix=".xlsx")(Stream()).commit()
    by_path(write_all)(Stream()).commit()
    assert [path.suffix for path in seen] == [".xlsx", ""]
    assert not seen[0].exists()


def test_it_can_be_pickled() -> None:
    assert pickle.loads(pickle.dumps(write_lines)) is write_lines
    plain = by_path(plainly, suffix=".txt")
    again = pickle.loads(pickle.dumps(plain))
    assert repr(again) == repr(plain) == "by_path(plainly)"


def plainly(path: Path, records: Iterator[str]) -> None:
    path.write_text(os.linesep.join(records))


async def later(path: Path, records: Iterator[str]) -> None: ...


def yields(path: Path, records: Iterator[str]) -> Iterator[str]:
    yield from records


@pytest.mark.parametrize("function", [3, None, later, yields])
def test_what_is_no_plain_function_is_refused(function: Any) -> None:
    with pytest.raises(DefinitionTypeError, match=r"^by_path\(\): takes a plain function of a path"):
        by_path(function)


@pytest.mark.parametrize("suffix", ["xlsx", "./x", ".a\\b"])
def test_a_suffix_that_is_none_is_refused(suffix: str) -> None:
    with pytest.raises(
        DefinitionValueError, match=r"^by_path\(\): suffix takes what the file's name ends in"
    ):
        by_path(plainly, suffix=suffix)
