"""A user's own writer instead of a format, and what `open_writer` returns."""

import io
import re
from collections.abc import Callable
from typing import Any

import pyarrow  # type: ignore[import-untyped]
import pytest

from asflow.errors import DefinitionTypeError, DefinitionValueError, OutputClosedError, RecordError
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
    with pytest.raises(OutputClosedError, match=r"^task get\(\): the output is closed"):
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
    """Lacks one method; another is not callable."""

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
def test_an_object_that_is_not_a_writer_is_refused_at_once(made: Any, match: str) -> None:
    with pytest.raises(
        DefinitionTypeError, match=rf"^task get\(\): writer must return a Writer, not .*{match}; "
    ):
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


@pytest.mark.parametrize(
    ("name", "records"),
    [
        ("x.jsonl", [object()]),
        ("x.jsonl", ["\ud800"]),
        ("x.json", [1, 2]),
        ("x.csv", [5]),
        ("x.csv", [{1: 1, "1": 1}]),
        ("x.csv", [{}]),
        ("x.csv", [[]]),
        ("x.csv", ["raw", {"a": 1}]),
        ("x.csv", [{"a": 1}, [1]]),
        ("x.csv", [{"a": 1}, {"b": 1}]),
        ("x.txt", [5]),
        ("x.parquet", ["raw"]),
        ("x.parquet", [5]),
        ("x.parquet", [{}]),
        ("x.parquet", [{1: 1, "1": 1}]),
        ("x.parquet", [{"a": 1}, {"a": "x"}]),
        ("x.parquet", [pyarrow.table({"a": [1]}), {"a": "x"}]),
        ("x.parquet", [pyarrow.table({"a": [1]}), {"b": 1}]),
    ],
)
@pytest.mark.parametrize("task", ["get", ""])
def test_every_refused_record_is_named_with_a_remedy(
    written: Callable[..., bytes], name: str, records: list[object], task: str
) -> None:
    """`task NAME(): the record VALUE of type TYPE ...; what to do`, without a full stop."""
    with pytest.raises(RecordError) as caught:
        written(name, *records, task=task)
    subject = r"task get\(\)" if task else r"open_writer\(\)"
    assert re.fullmatch(rf"{subject}: the record [^;]+ of type [^;]+; [^;]+[^;.]", str(caught.value))


def test_a_level_is_checked_before_anything_is_opened() -> None:
    with pytest.raises(DefinitionValueError, match=r"^open_writer\(\): level takes None .*, not 5"):
        open_writer("x.jsonl", io.BytesIO(), level=5)


def test_the_package_is_imported_without_the_libraries_that_it_uses() -> None:
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
        getattr(asflow.writers, "nothing_such")  # noqa: B009 - checkers know that it is not there
