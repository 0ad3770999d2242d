"""`flow.task.write_all`: the same outputs as `write` for each record, in batches."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import gc
import json
import re
import threading
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pandas
import polars
import pyarrow  # type: ignore[import-untyped]
import pytest

from asflow import Flow, MemoryStore
from asflow.errors import NotInTaskError, OutputClosedError, RecordTypeError, RecordValueError
from asflow.protocols import ByteStream
from asflow.sinks import NullSink


@dataclass
class Row:
    id: int
    name: str | None = None


SUFFIXES = [".jsonl", ".ndjson.gz", ".jsonl.zst", ".csv", ".tsv.gz", ".parquet", ".txt"]


@pytest.fixture
def flow(tmp_path: Path) -> Flow:
    return Flow(tmp_path, sink=NullSink())


def rows(count: int) -> list[Any]:
    return [Row(number, None if number % 7 == 0 else f"n{number}") for number in range(count)]


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("count", [0, 1, 63, 64, 65, 1500])
def test_the_same_bytes_as_write_for_each(flow: Flow, suffix: str, count: int) -> None:
    records: list[Any] = [f"{number}\n" for number in range(count)] if suffix == ".txt" else rows(count)

    @flow.task(on="one/{kind}" + suffix)
    def one(kind: str) -> None:
        for record in records:
            flow.task.write(record)

    @flow.task(on="all/{kind}" + suffix)
    def all_(kind: str) -> None:
        flow.task.write_all(kinds[kind](records))

    kinds: dict[str, Callable[[list[Any]], Iterable[Any]]] = {"list": list, "iter": iter, "tuple": tuple}
    one("x")
    expected = flow.task.output(one, "x").bytes()
    for kind in kinds:
        all_(kind)
        assert flow.task.output(all_, kind).bytes() == expected


def test_a_generator_is_pulled_in_batches_and_memory_stays_flat(flow: Flow) -> None:
    held = most = 0

    class Record(dict[str, str]):
        def __init__(self) -> None:
            nonlocal held, most
            super().__init__(text="x" * 50_000)
            held += 1
            most = max(most, held)

        def __del__(self) -> None:
            nonlocal held
            held -= 1

    @flow.task(on="big.jsonl.zst")
    def big() -> None:
        flow.task.write_all(Record() for _ in range(500))

    big()
    assert most <= 70  # the first batch, then one at a time
    assert sum(1 for _ in flow.task.output(big).records(dict[str, str])) == 500


@pytest.mark.parametrize("nested", [False, True])
def test_a_generator_of_containers_is_not_collected_over_and_over(flow: Flow, nested: bool) -> None:
    def made() -> Iterator[dict[str, Any]]:
        for number in range(20_000):
            yield {"number": number, "tags": [1], "more": {"a": [2]}} if nested else {"number": number}

    @flow.task(on="some.jsonl")
    def some() -> None:
        before = [generation["collections"] for generation in gc.get_stats()]
        flow.task.write_all(made())
        after = [generation["collections"] for generation in gc.get_stats()]
        # A hundred if each batch ran into one.
        assert after[0] - before[0] <= 10
        assert after[2] == before[2]

    some()
    assert sum(1 for _ in flow.task.output(some).records(dict[str, Any])) == 20_000


@pytest.mark.parametrize("suffix", [".jsonl", ".csv", ".parquet"])
@pytest.mark.parametrize("place", [0, 10, 700])
def test_a_refused_record_is_named_and_ends_the_call(flow: Flow, suffix: str, place: int) -> None:
    @flow.task(on="x" + suffix)
    def make() -> None:
        flow.task.write_all([*({"id": number} for number in range(place)), {"id": object()}, {"id": 5}])

    with pytest.raises(RecordTypeError, match=r"^task make\(\): the record \{'id': <object>\}"):
        make()
    assert flow.task.output(make).status == "absent"


def test_a_body_that_swallows_the_refusal_is_not_published(flow: Flow) -> None:
    @flow.task(on="x.jsonl")
    def make() -> None:
        with contextlib.suppress(RecordTypeError):
            flow.task.write_all([{"id": 1}, {"id": object()}])

    with pytest.raises(RecordTypeError):
        make()
    assert flow.task.output(make).status == "absent"


@pytest.mark.parametrize("suffix", [".jsonl", ".csv"])
def test_what_an_iterable_yields_before_it_raises_is_written(flow: Flow, suffix: str) -> None:
    def some() -> Iterator[dict[str, int]]:
        yield from ({"id": number} for number in range(100))
        raise LookupError("the rest is missing")

    @flow.task(on="x" + suffix)
    def make() -> None:
        with pytest.raises(LookupError, match="the rest is missing"):
            flow.task.write_all(some())
        flow.task.write({"id": -1})

    make()
    assert [row["id"] for row in flow.task.output(make).records(dict[str, int])] == [*range(100), -1]


def test_a_list_of_records_among_the_records_is_refused(flow: Flow) -> None:
    @flow.task(on="x.jsonl")
    def make() -> None:
        flow.task.write_all([[{"id": 1}], [{"id": 2}]])

    with pytest.raises(RecordTypeError, match="is a list of records"):
        make()


def test_raw_text_and_values_may_be_mixed(flow: Flow) -> None:
    @flow.task(on="x.jsonl")
    def make() -> None:
        flow.task.write_all(['{"raw": 1}', b"[2]\n", {"a": 3}, "4\n5", Row(6), None])

    make()
    lines = flow.task.output(make).text().splitlines()
    assert [json.loads(line) for line in lines] == [
        {"raw": 1},
        [2],
        {"a": 3},
        4,
        5,
        {"id": 6, "name": None},
        None,
    ]


ONE = "pass one record to flow.task.write()"
TABLE = "pass a table to flow.task.write() in a .parquet output, or its rows"


async def pages() -> AsyncIterator[dict[str, int]]:
    yield {"a": 1}


@pytest.mark.parametrize(
    ("records", "remedy"),
    [
        ("text", ONE),
        (b"bytes", ONE),
        ({"a": 1}, ONE),
        (5, ONE),
        (Row(1), ONE),
        (polars.DataFrame({"a": [1]}), TABLE),
        (pandas.DataFrame({"a": [1]}), TABLE),
        (pyarrow.table({"a": [1]}), TABLE),
        (pages(), "loop over it with `async for`, and write each of its records"),
    ],
)
def test_what_is_not_an_iterable_of_records_is_refused(flow: Flow, records: Any, remedy: str) -> None:
    @flow.task(on="x.jsonl")
    def make() -> None:
        with contextlib.suppress(RecordTypeError):  # it ends the call all the same
            flow.task.write_all(records)

    match = rf"(?m)^task make\(\): write_all\(\) takes an iterable of records, not .*; {re.escape(remedy)}$"
    with pytest.raises(RecordTypeError, match=match):
        make()
    assert flow.task.output(make).status == "absent"


def test_a_column_of_records_is_an_iterable_of_them(flow: Flow) -> None:
    @flow.task(on="{kind}.jsonl")
    def make(kind: str) -> None:
        records = [{"a": 1}, {"a": 2}]
        flow.task.write_all(pandas.Series(records) if kind == "pandas" else polars.Series(records))

    for kind in ("pandas", "polars"):
        make(kind)
        assert flow.task.output(make, kind).text() == '{"a":1}\n{"a":2}\n'


def test_frames_are_written_one_after_the_other(flow: Flow) -> None:
    @flow.task(on="x.parquet")
    def make() -> None:
        flow.task.write_all(polars.DataFrame({"a": [number]}) for number in range(3))

    make()
    assert [row["a"] for row in flow.task.output(make).records(dict[str, int])] == [0, 1, 2]


@pytest.mark.parametrize("records", [[], [{"a": 1}], iter([{"a": 1}])])
def test_it_is_refused_where_write_is(flow: Flow, records: Iterable[object]) -> None:
    """Also if there is nothing to write."""
    with pytest.raises(NotInTaskError, match="was called outside any task"):
        flow.task.write_all(records)

    @flow
    def outer() -> None:
        flow.task.write_all(records)

    with pytest.raises(NotInTaskError):
        outer()

    @flow.task
    def bare() -> None:
        flow.task.write_all(records)

    with pytest.raises(NotInTaskError, match=r"^task bare\(\): has no output"):
        bare()

    def body() -> int:
        flow.task.write_all(records)
        return 1

    decorate: Any = flow.task
    saved = decorate(save="x.json")(body)

    with pytest.raises(NotInTaskError, match=r"^task body\(\): keeps what it returns"):
        saved()


@pytest.mark.parametrize("suffix", [".jsonl", ".csv"])
def test_a_thread_that_lives_on_is_refused_in_the_middle(flow: Flow, suffix: str) -> None:
    ended, results = threading.Event(), list[BaseException]()

    def slow() -> Iterator[dict[str, int]]:
        for number in range(1000):
            if number == 500:
                begun.set()
                assert ended.wait(30)
            yield {"id": number}

    def fill() -> None:
        try:
            flow.task.write_all(slow())
        except BaseException as error:
            results.append(error)

    begun = threading.Event()

    @flow.task(on="x" + suffix)
    def make() -> None:
        context = contextvars.copy_context()
        thread = threading.Thread(target=lambda: context.run(fill))
        thread.start()
        threads.append(thread)
        assert begun.wait(30)

    threads: list[threading.Thread] = []
    make()
    found = [row["id"] for row in flow.task.output(make).records(dict[str, int])]
    ended.set()
    threads[0].join()
    assert [type(error) for error in results] == [OutputClosedError]
    assert found == list(range(len(found)))
    assert len(found) < 1000
    assert [row["id"] for row in flow.task.output(make).records(dict[str, int])] == found


@pytest.mark.parametrize("suffix", [".jsonl.zst", ".csv.gz", ".parquet"])
def test_from_many_threads_at_once(flow: Flow, suffix: str) -> None:
    """The records of one thread keep their order, also with `write` between them; none is lost or torn."""

    def many(thread: int) -> None:
        for start in range(0, 600, 30):
            flow.task.write_all({"thread": thread, "number": number} for number in range(start, start + 29))
            flow.task.write({"thread": thread, "number": start + 29})

    @flow.task(on="x" + suffix)
    def make() -> None:
        contexts = [contextvars.copy_context() for _ in range(8)]
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda number: contexts[number].run(many, number), range(8)))

    make()
    seen = dict.fromkeys(range(8), -1)
    for row in flow.task.output(make).records(dict[str, int]):
        assert row["number"] == seen[row["thread"]] + 1
        seen[row["thread"]] = row["number"]
    assert seen == dict.fromkeys(range(8), 599)


def test_a_batch_of_a_locked_writer_is_not_interrupted_by_another_thread(flow: Flow) -> None:
    both = threading.Barrier(2)

    def many(thread: int) -> None:
        both.wait()
        for _ in range(50):
            flow.task.write_all([[thread]] * 64)

    @flow.task(on="x.csv")
    def make() -> None:
        contexts = [contextvars.copy_context() for _ in range(2)]
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda number: contexts[number].run(many, number), range(2)))

    make()
    rows = [row[0] for row in flow.task.output(make).records(list[int])]
    assert len(rows) == 2 * 50 * 64
    assert all(len(set(rows[start : start + 64])) == 1 for start in range(0, len(rows), 64))


class Lines:
    """A user's writer: one line for each record; counts how it is called."""

    concurrent = True
    calls: ClassVar[list[object]] = []

    def __init__(self, stream: ByteStream) -> None:
        self.stream = stream

    def write(self, record: object) -> None:
        self.calls.append(record)
        self.stream.write(f"{record}\n".encode())

    def commit(self) -> None: ...

    def abort(self) -> None: ...


class Batched(Lines):
    """Takes several records at once, too."""

    def write_batch(self, records: list[object]) -> int:
        self.calls.append(records)
        self.stream.write("".join(f"{record}\n" for record in records).encode())
        return 5


class Locked(Lines):
    concurrent = False


class LockedBatched(Batched):
    concurrent = False


@pytest.mark.parametrize(
    ("writer", "sizes"),
    [(Lines, None), (Locked, None), (Batched, [64, 5, 5, 5, 1]), (LockedBatched, [64, 5, 5, 5, 1])],
)
def test_a_users_writer_may_take_batches(
    flow: Flow, writer: Callable[[ByteStream], Lines], sizes: list[int] | None
) -> None:
    Lines.calls.clear()

    @flow.task(on="x.txt", writer=writer)
    async def make() -> None:
        flow.task.write_all(range(80))

    asyncio.run(make())
    assert flow.task.output(make).text() == "".join(f"{number}\n" for number in range(80))
    calls = list(Lines.calls)
    assert calls == list(range(80)) if sizes is None else [len(call) for call in calls] == sizes  # type: ignore[arg-type]


def test_a_retry_begins_with_an_empty_output(tmp_path: Path) -> None:
    flow = Flow(store=MemoryStore(), sink=NullSink())
    tries: list[int] = []

    @flow.task(on="x.jsonl", retry=1)
    def make() -> None:
        tries.append(1)
        flow.task.write_all({"id": number} for number in range(100))
        if len(tries) == 1:
            raise LookupError

    make()
    assert sum(1 for _ in flow.task.output(make).records(dict[str, int])) == 100


def test_a_json_document_takes_one(flow: Flow) -> None:
    @flow.task(on="{n}.json")
    def make(n: int) -> None:
        flow.task.write_all([{"id": number} for number in range(n)])

    make(1)
    assert flow.task.output(make, 1).text() == '{"id":0}\n'
    with pytest.raises(RecordValueError, match="would be a second document"):
        make(2)
    with pytest.raises(RecordValueError, match=r"^task make\(\): has written no document"):
        make(0)
    assert [flow.task.output(make, n).status for n in range(3)] == ["absent", "complete", "absent"]
