"""A user's own writer in the place of a format, and what `open_writer` gives."""

import io
from collections.abc import Callable
from typing import Any

import pytest

from asflow.errors import DefinitionTypeError, DefinitionValueError, OutputClosedError
from asflow.protocols import ByteStream, Writer
from asflow.writers import open_writer, read_text


class Upper:
    """A user's writer: buffers, and writes at the end."""

    def __init__(self, stream: ByteStream) -> None:
        self.stream = stream
        self.lines: list[str] = []
        self.aborted = False

    def write(self, record: str) -> None:
        self.lines.append(record.upper())

    def commit(self) -> None:
        for line in self.lines:
            self.stream.write(line.encode())

    def abort(self) -> None:
        self.aborted = True


@pytest.mark.parametrize("name", ["x.jsonl", "x.json.gz", "x.parquet.zst", "x"])
def test_a_factory_makes_the_format_and_the_suffix_the_compression(name: str) -> None:
    sink = io.BytesIO()
    writer = open_writer(name, sink, factory=Upper)
    writer.write("a")
    writer.write("b")
    writer.commit()
    assert read_text(name, io.BytesIO(sink.getvalue())) == "AB"
    assert not writer.concurrent


def test_a_users_writer_takes_nothing_after_the_end() -> None:
    made: list[Upper] = []

    def factory(stream: ByteStream) -> Upper:
        made.append(Upper(stream))
        return made[-1]

    writer = open_writer("x", io.BytesIO(), factory=factory, task="get")
    writer.abort()
    assert made[0].aborted
    with pytest.raises(OutputClosedError, match="task get"):
        writer.write("late")
    assert made[0].lines == []


def test_a_users_error_passes_unchanged() -> None:
    class Picky(Upper):
        concurrent = True

        def write(self, record: str) -> None:
            raise LookupError(record)

    writer = open_writer("x", io.BytesIO(), factory=Picky)
    assert writer.concurrent
    with pytest.raises(LookupError, match="mine"):
        writer.write("mine")


class Endless:
    """Lacks a method, and has a name in the place of another."""

    abort = None

    def write(self, record: object) -> None: ...

    def commit(self) -> None: ...


@pytest.mark.parametrize(
    ("made", "match"),
    [
        (None, "None of type NoneType, which has no method 'write'"),
        (io.BytesIO(), "BytesIO, which has no method 'commit'"),
        (Endless(), "Endless, which has no method 'abort'"),
    ],
)
def test_what_is_no_writer_is_refused_at_once(made: Any, match: str) -> None:
    with pytest.raises(DefinitionTypeError, match=rf"^task get: writer= returned .*{match}"):
        open_writer("x.jsonl", io.BytesIO(), factory=lambda stream: made, task="get")


@pytest.mark.parametrize(
    "name", ["x.jsonl", "x.json", "x.csv", "x.txt", "x.parquet", "x.jsonl.zst", "x.csv.gz"]
)
def test_every_format_is_a_writer_that_leaves_the_sink_open(name: str, text: Callable[..., str]) -> None:
    sink = io.BytesIO()
    writer = open_writer(name, sink)
    as_protocol: Writer[object] = writer
    as_protocol.write("text" if name == "x.txt" else {"a": 1})
    as_protocol.commit()
    assert not sink.closed
    assert sink.getvalue()
    with pytest.raises(OutputClosedError):
        as_protocol.commit()
    as_protocol.abort()
    assert sink.getvalue()


def test_a_level_is_checked_before_anything_is_opened() -> None:
    with pytest.raises(DefinitionValueError, match="level=5"):
        open_writer("x.jsonl", io.BytesIO(), level=5)


def test_the_room_is_imported_without_the_libraries_that_it_uses() -> None:
    import subprocess
    import sys

    heavy = "msgspec zstandard csv gzip zlib pyarrow pydantic numpy"
    code = f"import sys, asflow.writers; print([name for name in {heavy.split()} if name in sys.modules])"
    run = subprocess.run([sys.executable, "-S", "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
    import asflow.writers

    for name in asflow.writers.__all__:
        assert getattr(asflow.writers, name) is not None
    with pytest.raises(AttributeError, match="nothing_such"):
        asflow.writers.nothing_such  # noqa: B018
