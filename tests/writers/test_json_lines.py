"""JSON Lines: what becomes a line, what is refused, and writes from many threads."""

import contextlib
import datetime
import decimal
import enum
import io
import json
import math
import pathlib
import sqlite3
import sys
import threading
import uuid
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple, TypedDict

import attrs
import msgspec
import numpy as np
import pandas
import pydantic
import pytest

from asflow.errors import OutputClosedError, RecordTypeError, RecordValueError
from asflow.writers import OutputWriter, open_writer, read_records
from asflow.writers._json_lines import JsonLinesWriter


class Snippet(TypedDict):
    text: str
    start: float


@dataclass
class Point:
    x: int
    y: object = None


@attrs.define
class Attrs:
    x: int


@attrs.define
class Hidden:
    _key: str


class Struct(msgspec.Struct):
    x: int


class Model(pydantic.BaseModel):
    x: int
    at: datetime.datetime


class Pair(NamedTuple):
    a: int
    b: str


class Colour(enum.Enum):
    RED = "red"


class Word(enum.StrEnum):
    RED = "red"


class Text(str):
    __slots__ = ()


class Number(int):
    pass


class Sink:
    """A byte stream that fails at one call."""

    def __init__(self, fail_at: int = 0) -> None:
        self.data = bytearray()
        self.calls = 0
        self.fail_at = fail_at

    def write(self, data: bytes | bytearray | memoryview) -> int:
        self.calls += 1
        if self.calls == self.fail_at:
            raise OSError(28, "No space left on device")
        self.data += data
        return len(data)


def fill(writer: OutputWriter | JsonLinesWriter) -> None:
    for number in range(1_000_000):
        writer.write({"number": number * 7919})


NOW = datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=datetime.UTC)
UID = uuid.UUID(int=5)


@pytest.mark.parametrize(
    ("record", "line"),
    [
        ({"a": 1, "b": [None, True, 1.5]}, '{"a":1,"b":[null,true,1.5]}'),
        (Snippet(text="é\n", start=0.5), '{"text":"é\\n","start":0.5}'),
        (Point(1, NOW), '{"x":1,"y":"2026-01-02T03:04:05Z"}'),
        (Point(1, datetime.date(2026, 1, 2)), '{"x":1,"y":"2026-01-02"}'),
        (Point(1, UID), f'{{"x":1,"y":"{UID}"}}'),
        (Point(1, decimal.Decimal("1.10")), '{"x":1,"y":"1.10"}'),
        (Point(1, Colour.RED), '{"x":1,"y":"red"}'),
        (Point(1, {3}), '{"x":1,"y":[3]}'),
        (Point(1, pathlib.PurePosixPath("a/b")), '{"x":1,"y":"a/b"}'),
        (Point(1, b"abc"), '{"x":1,"y":"YWJj"}'),
        (Point(1, 2**70), f'{{"x":1,"y":{2**70}}}'),
        (Point(1, [math.nan, math.inf, -math.inf]), '{"x":1,"y":[null,null,null]}'),
        (Point(1, Text("t")), '{"x":1,"y":"t"}'),
        (Point(1, Number(3)), '{"x":1,"y":3}'),
        (Point(1, deque([1])), None),
        (Point(1, MappingProxyType({"a": 1})), '{"x":1,"y":{"a":1}}'),
        (Point(1, {"a": 1}.keys()), '{"x":1,"y":["a"]}'),
        (Attrs(1), '{"x":1}'),
        (Struct(1), '{"x":1}'),
        (Model(x=1, at=NOW), '{"x":1,"at":"2026-01-02T03:04:05Z"}'),
        ([1, Model(x=1, at=NOW)], '[1,{"x":1,"at":"2026-01-02T03:04:05Z"}]'),
        (Pair(1, "b"), '[1,"b"]'),
        (np.float64(1.5), "1.5"),
        (np.float64("nan"), "null"),
        (np.int32(7), "7"),
        (np.bool_(True), "true"),
        (np.array([[1, 2], [3, 4]]), "[[1,2],[3,4]]"),
        ({"n": np.float32(0.5), "s": np.str_("q")}, '{"n":0.5,"s":"q"}'),
        (Colour.RED, '"red"'),
        (Word.RED, '"red"'),
        (None, "null"),
        (5, "5"),
        (NOW, '"2026-01-02T03:04:05Z"'),
    ],
)
def test_a_record_is_one_line_of_strict_json(
    text: Callable[..., str], record: object, line: str | None
) -> None:
    if line is None:
        with pytest.raises(RecordTypeError, match="deque"):
            text("x.jsonl", record)
    else:
        assert text("x.jsonl", record, record) == f"{line}\n{line}\n"


@pytest.mark.parametrize(
    ("raw", "lines"),
    [
        ("", ""),
        (b"", ""),
        ("\n", "\n"),
        ('{"a":1}', '{"a":1}\n'),
        ('{"a":1}\n', '{"a":1}\n'),
        ("1\n2\n3", "1\n2\n3\n"),
        ("1\n\n", "1\n\n"),
        (b"1\r\n", "1\r\n"),
        (bytearray(b"12"), "12\n"),
        (memoryview(b"x12x")[1:3], "12\n"),
        (memoryview(b"1x2x")[::2], "12\n"),
        (Text("sub"), "sub\n"),
        ("not json, é", "not json, é\n"),
    ],
)
def test_raw_text_is_lines_and_ends_its_last_one(text: Callable[..., str], raw: object, lines: str) -> None:
    assert text("x.jsonl", raw) == lines
    assert text("x.jsonl.zst", {"a": 1}, raw, {"b": 2}) == f'{{"a":1}}\n{lines}{{"b":2}}\n'


@pytest.mark.parametrize(
    ("record", "error", "match"),
    [
        (object(), RecordTypeError, "object"),
        ({"a": 1 + 2j}, RecordTypeError, r"complex.*; convert it"),
        (Point, RecordTypeError, "type"),
        ((x for x in [1]), RecordTypeError, "generator"),
        ({(1, 2): 3}, RecordTypeError, r"\(1, 2\) of type tuple can't be a key in JSON"),
        ({None: 1}, RecordTypeError, "None of type NoneType can't be a key in JSON"),
        ({frozenset([1]): 1}, RecordTypeError, "frozenset can't be a key in JSON"),
        ("\ud800", RecordValueError, "surrogate"),
        ({"a": "\ud800"}, RecordValueError, "surrogate"),
        ({"a" * 5000: object()}, RecordTypeError, r"^task get\(\): the record"),
    ],
)
def test_a_refused_record_is_named_and_leaves_nothing_behind(
    record: object, error: type[Exception], match: str
) -> None:
    sink = Sink()
    writer = open_writer("x.jsonl", sink, task="get")
    writer.write({"before": 1})
    with pytest.raises(error, match=match) as caught:
        writer.write(record)
    assert str(caught.value).startswith("task get(): ")
    assert len(str(caught.value)) < 500
    writer.write({"after": 2})
    writer.commit()
    assert bytes(sink.data) == b'{"before":1}\n{"after":2}\n'


def test_a_record_that_holds_itself_is_refused() -> None:
    endless: list[object] = []
    endless.append(endless)
    with pytest.raises(RecordValueError, match=r"recursion|Stack overflow"):
        open_writer("x.jsonl", Sink()).write(endless)


def test_writes_after_the_end_are_refused_and_reach_nothing() -> None:
    for end in ("commit", "abort"):
        sink = Sink()
        writer = open_writer("x.jsonl", sink, task="get")
        put = writer.write
        put({"a": 1})
        getattr(writer, end)()
        before = bytes(sink.data)
        for record in ({"a": 2}, "raw", ""):
            with pytest.raises(OutputClosedError, match=r"^task get\(\): the output is closed, .*; wait for"):
                put(record)
        assert bytes(sink.data) == before
        assert before == (b'{"a":1}\n' if end == "commit" else b"")
        with pytest.raises(OutputClosedError):
            writer.commit()


def test_an_output_with_a_hole_is_never_committed() -> None:
    """A body that swallows the disk's error still can't have its output published."""
    sink = Sink(fail_at=1)
    writer = open_writer("x.jsonl", sink)
    with pytest.raises(OSError, match="No space left") as caught:
        fill(writer)
    assert caught.value.errno == 28
    with pytest.raises(OSError, match="No space left"):
        writer.commit()
    writer.abort()


def test_a_writer_on_its_own_remembers_a_failure_too() -> None:
    """In front of a user's stream, which forgets what it refused."""
    sink = Sink(fail_at=1)
    writer = JsonLinesWriter(sink)
    with pytest.raises(OSError, match="No space left"):
        fill(writer)
    with pytest.raises(OSError, match="No space left"):
        writer.commit()
    assert not sink.data


def test_an_interrupted_write_is_never_committed() -> None:
    class Interrupted(Sink):
        def write(self, data: object) -> int:
            raise KeyboardInterrupt

    writer = open_writer("x.jsonl.gz", Interrupted())
    with pytest.raises(KeyboardInterrupt):
        fill(writer)
    with pytest.raises(OutputClosedError):
        writer.commit()


@pytest.fixture
def hasty_switches() -> Iterator[None]:
    """Let threads take turns as often as they can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("hasty_switches")
@pytest.mark.parametrize("name", ["x.jsonl", "x.jsonl.zst", "x.jsonl.gz"])
def test_threads_lose_and_tear_no_record_and_keep_their_order(
    name: str,
) -> None:
    sink = Sink()
    writer = open_writer(name, sink)
    assert writer.concurrent
    start = threading.Barrier(6)

    def hammer(thread: int) -> None:
        start.wait()
        for number in range(4000):
            if number % 7 == 0:
                writer.write(f'{{"thread":{thread},"number":{number}}}')
            elif number % 501 == 0:
                writer.write({"thread": thread, "number": number, "long": "x" * 9000})
            else:
                writer.write({"thread": thread, "number": number})

    threads = [threading.Thread(target=hammer, args=(thread,)) for thread in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    writer.commit()
    seen: dict[int, list[int]] = {thread: [] for thread in range(6)}
    for record in read_records(name, io.BytesIO(sink.data), dict[str, object]):
        seen[int(str(record["thread"]))].append(int(str(record["number"])))
    assert seen == {thread: list(range(4000)) for thread in range(6)}


def test_a_write_that_returned_before_the_end_is_in_the_output() -> None:
    """A thread that outlives its task is refused at some record; all before that one are there."""
    for _ in range(20):
        sink = Sink()
        writer = open_writer("x.jsonl", sink)
        done: list[int] = []
        running = threading.Event()

        def go_on(
            writer: object = writer, done: list[int] = done, running: threading.Event = running
        ) -> None:
            number = 0
            try:
                while True:
                    writer.write(number)  # type: ignore[attr-defined]
                    done.append(number)
                    number += 1
                    running.set()
            except OutputClosedError:
                pass

        thread = threading.Thread(target=go_on)
        thread.start()
        running.wait()
        writer.commit()
        thread.join()
        there = [int(line) for line in bytes(sink.data).split()]
        assert there[: len(done)] == done
        assert len(there) <= len(done) + 1


def test_encoding_may_write_too() -> None:
    """A record that writes while it is being encoded: both lines are whole."""
    sink = Sink()
    writer = JsonLinesWriter(sink)

    class Chatty:
        def tolist(self) -> list[int]:
            writer.write("inner")
            return [1]

    for _ in range(2000):
        writer.write({"chatty": Chatty()})
    writer.commit()
    assert bytes(sink.data) == b'inner\n{"chatty":[1]}\n' * 2000


@pytest.mark.parametrize("size", [1, 100])
def test_a_stream_may_write_too(size: int) -> None:
    """What a stream's own write writes to the output is not lost, and does not deadlock."""

    def fill(record: object) -> None:
        for _ in range(3000 // size):
            if size == 1:
                writer.write(record)
            else:
                writer.write_batch([record] * size)

    class Echo(Sink):
        def write(self, data: bytes | bytearray | memoryview) -> int:
            if self.calls == 0:
                self.calls = 1
                fill({"echo": 1})
            self.data += data
            return len(data)

    sink = Echo()
    writer = JsonLinesWriter(sink)
    fill({"a": 1})
    writer.commit()
    lines = bytes(sink.data).splitlines()
    assert writer.records == len(lines) == 6000
    assert {json.loads(line).popitem() for line in lines} == {("a", 1), ("echo", 1)}


@pytest.mark.parametrize("end", ["commit", "abort in a write", "abort in commit"])
def test_a_stream_may_not_write_once_the_output_ends(end: str) -> None:
    """It is refused at once like any other: it neither waits for itself nor is lost unnoticed."""

    class Echo(Sink):
        refused = 0

        def write(self, data: bytes | bytearray | memoryview) -> int:
            if end != "commit":
                writer.abort()  # by a signal handler, say
            for record in ({"echo": 1}, "raw"):
                with pytest.raises(OutputClosedError, match=r"task get\(\)"):
                    writer.write(record)
                self.refused += 1
            self.data += data
            return len(data)

    sink = Echo()
    writer = JsonLinesWriter(sink, task="get")

    def work() -> None:
        if end == "abort in a write":
            with pytest.raises(OutputClosedError):
                fill(writer)
        else:
            writer.write({"a": 1})
            writer.commit()
            assert bytes(sink.data) == b'{"a":1}\n'

    thread = threading.Thread(target=work, daemon=True)  # if it waits for itself, it ends with the tests
    thread.start()
    thread.join(30)
    assert not thread.is_alive()
    assert sink.refused == 2
    assert writer.gathered == []


def test_records_of_another_thread_do_not_pile_up_in_memory() -> None:
    """All writes from one other thread: the lines go on to the stream, long and short ones."""
    sink = Sink()
    writer = JsonLinesWriter(sink)
    most = 0
    watched = {9_000, *range(9_300, 11_100, 20), 15_000}

    def work() -> None:
        nonlocal most
        for number in range(20_000):
            writer.write("x" * 5 if number < 9_300 else ["x" * 3000] * 3)
            most = max(most, sum(map(len, writer.gathered)) if number in watched else 0)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert most < 4 << 20
    assert len(sink.data) > 85_000_000
    writer.commit()
    assert len(sink.data) == 9_300 * 6 + 10_700 * (3 * 3002 + 5)


def test_a_list_of_records_is_refused_with_what_to_call(written: Callable[..., bytes]) -> None:
    lists: list[object] = [
        [{"a": 1}, {"a": 2}],
        ({"a": 1},),
        [Point(1)],
        [Pair(1, "b"), Pair(2, "c")],
        [Struct(1), Attrs(1), Model(x=1, at=NOW)],
        [pandas.Series({"a": 1})],
    ]
    for name in ("x.jsonl", "x.ndjson.gz"):
        for records in lists:
            with pytest.raises(RecordTypeError) as caught:
                written(name, records, task="get")
            reason = "is a list of records, and write() takes one; pass it to flow.task.write_all(records)"
            assert str(caught.value).endswith(reason)
            assert str(caught.value).startswith("task get(): the record ")


@pytest.mark.parametrize("record", [[], [1, "x"], (1, None), [[1], [2]], [{"a": 1}, 5], [None]])
def test_a_list_of_values_is_a_line(text: Callable[..., str], record: object) -> None:
    assert json.loads(text("x.jsonl", record)) == json.loads(json.dumps(record))


def test_what_has_labels_is_a_record(text: Callable[..., str]) -> None:
    connection = sqlite3.connect(":memory:")
    connection.row_factory = sqlite3.Row
    with contextlib.closing(connection):
        [row] = connection.execute("select 1 as a, 'x' as b").fetchall()
        [double] = connection.execute("select 1 as a, 2 as a").fetchall()
    series = pandas.Series({"a": 1, "b": "x"})
    assert text("x.jsonl", row, series, {"a": 1, "b": "x"}) == '{"a":1,"b":"x"}\n' * 3
    for twice in (double, pandas.Series([1, 2], index=["a", "a"])):
        with pytest.raises(RecordValueError, match="two values of one label"):
            text("x.jsonl", twice)
    with pytest.raises(RecordTypeError, match="DataFrame"):
        text("x.jsonl", pandas.DataFrame({"a": [1]}))


def batches(records: list[object], writer: JsonLinesWriter, size: int = 7) -> None:
    for start in range(0, len(records), size):
        assert writer.write_batch(records[start : start + size]) > 0


@pytest.mark.parametrize(
    "records",
    [
        [{"a": number, "b": "é"} for number in range(1000)],
        [Point(number) for number in range(50)],
        [{"a": 1}, '{"raw": 1}', b"2\n3\n", "", Point(1), None, [1, 2], Hidden("k"), np.float64(math.nan)],
        [Hidden(str(number)) for number in range(20)],
        [pandas.Series({"a": 1}), {"b": 2}],
        [{"a": "x" * 5000}, {"a": 1}, {"a": "y" * 100_000}],
        [5, "text", 6.5, True],
    ],
)
def test_a_batch_is_the_same_lines_as_its_records(records: list[object]) -> None:
    one, many, mixed = Sink(), Sink(), Sink()
    writer = JsonLinesWriter(one)
    for record in records:
        writer.write(record)
    writer.commit()
    lines = one.data.count(b"\n")
    assert writer.records == lines
    writer = JsonLinesWriter(many)
    batches(records, writer)
    writer.commit()
    assert (many.data, writer.records) == (one.data, lines)
    writer = JsonLinesWriter(mixed)
    for number, record in enumerate(records):
        if number % 2:
            writer.write(record)
        else:
            writer.write_batch([record])
    writer.commit()
    assert (mixed.data, writer.records) == (one.data, lines)


@pytest.mark.parametrize("bad", [{"a": object()}, "\ud800", {"a": "\ud800"}, [{"a": 1}], {None: 1}])
@pytest.mark.parametrize("place", [0, 1, 9])
def test_a_refused_record_of_a_batch_is_named_and_those_before_it_are_written(
    bad: object, place: int
) -> None:
    records: list[object] = [{"number": number} for number in range(10)]
    alone, sink = JsonLinesWriter(Sink(), task="get"), Sink()
    with pytest.raises((RecordTypeError, RecordValueError)) as expected:
        alone.write(bad)
    writer = JsonLinesWriter(sink, task="get")
    with pytest.raises(type(expected.value)) as caught:
        writer.write_batch([*records[:place], bad, *records[place:]])
    assert str(caught.value) == str(expected.value)
    writer.write({"after": 1})
    writer.commit()
    lines = [json.loads(line) for line in bytes(sink.data).splitlines()]
    assert lines == [*records[:place], {"after": 1}]


def test_the_next_batch_has_a_quarter_of_a_mebibyte() -> None:
    writer = JsonLinesWriter(Sink())
    assert writer.write_batch([{"a": "x" * 100}] * 64) == 2048
    assert writer.write_batch([{"a": "x" * 1000}] * 64) == 259
    assert writer.write_batch([{"a": "x" * 1_000_000}] * 64) == 1
    assert writer.write_batch([{"a": 1}]) == 2048


def test_batches_after_the_end_are_refused_and_a_full_disk_is_kept_in_mind() -> None:
    sink = Sink()
    writer = JsonLinesWriter(sink, task="get")
    writer.write_batch([{"a": 1}])
    writer.commit()
    with pytest.raises(OutputClosedError, match=r"^task get\(\): the output is closed"):
        writer.write_batch([{"a": 2}])
    assert sink.data == b'{"a":1}\n'
    writer = JsonLinesWriter(Sink(fail_at=1))
    with pytest.raises(OSError, match="No space left"):
        writer.write_batch([{"a": "x" * 10_000}])
    with pytest.raises(OSError, match="No space left"):
        writer.commit()


def test_batches_and_records_of_many_threads_are_all_there_in_order() -> None:
    sink = Sink()
    writer = JsonLinesWriter(sink)

    def fill(thread: int) -> None:
        for start in range(0, 3000, 10):
            rows: list[object] = [{"thread": thread, "number": number} for number in range(start, start + 10)]
            if start % 20:
                writer.write_batch(rows)
            else:
                for row in rows:
                    writer.write(row)

    if not writer.concurrent:
        pytest.skip("this build of Python needs a lock")
    threads = [threading.Thread(target=fill, args=[number]) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    writer.commit()
    seen = dict.fromkeys(range(8), -1)
    for line in bytes(sink.data).splitlines():
        row = json.loads(line)
        assert row["number"] == seen[row["thread"]] + 1
        seen[row["thread"]] = row["number"]
    assert seen == dict.fromkeys(range(8), 2999)
