"""`save=` over a body that yields: its records are streamed to the file, and the call returns `Records`."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import pickle
import weakref
from collections.abc import AsyncIterator, Callable, Generator, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypedDict

import pytest
from support.stepping import cancelled_at
from support.tasks import slots_of

from asflow import Flow, LocalStore, MemoryStore, Records, Retry, Store
from asflow._runtime import owners
from asflow.dag import task as node
from asflow.errors import CorruptOutputError, NotInTaskError, RecordError, RecordTypeError
from asflow.events import TaskProgressed
from asflow.sinks import NullSink
from asflow.testing import FaultyStore, RecordingSink, fake_clock


class Row(TypedDict):
    day: str
    number: int


@dataclass
class Point:
    x: int


class MineError(Exception):
    """The user's own."""


@pytest.fixture(params=["memory", "disk"])
def store(request: pytest.FixtureRequest) -> Store:
    return MemoryStore() if request.param == "memory" else LocalStore()


@pytest.fixture
def flow(store: Store, tmp_path: Path) -> Flow:
    return Flow(tmp_path, store=store, sink=NullSink())


def expected(day: str, count: int = 3) -> list[Row]:
    return [Row(day=day, number=number) for number in range(count)]


# ------------------------------------------------------------------ what is returned


@pytest.mark.parametrize("suffix", ["jsonl", "jsonl.zst", "ndjson.gz", "csv", "tsv", "parquet"])
async def test_records_can_be_read_as_often_as_one_likes(flow: Flow, suffix: str) -> None:
    """Those of the first call, and of a later one that runs no body."""
    made: list[str] = []

    @flow.task(save="{day}." + suffix)
    def rows(day: str) -> Iterator[Row]:
        made.append(day)
        yield from expected(day)

    @flow.task(save="async-{day}." + suffix)
    async def rows_async(day: str) -> AsyncIterator[Row]:
        made.append(day)
        for row in expected(day):
            await asyncio.sleep(0)
            yield row

    for _ in range(2):
        for records in (rows("mon"), await rows_async("mon")):
            assert list(records) == list(records) == expected("mon")
            one, other = iter(records), iter(records)
            assert (next(one), next(one), next(other)) == (*expected("mon")[:2], expected("mon")[0])
    assert made == ["mon", "mon"]
    assert [list(each) for each in await flow.task.map(rows_async, ["mon", "tue"])] == [
        *(expected("mon"), expected("tue"))
    ]


def test_a_handle_on_records(flow: Flow) -> None:
    @flow.task(save="points-{count}.jsonl")
    def points(count: int) -> Iterator[Point]:
        yield from map(Point, range(count))

    records = points(3)
    assert isinstance(records, Records)
    assert records == points(3)
    assert hash(records) == hash(points(3))
    assert records != points(4)
    assert records != [Point(0), Point(1), Point(2)]
    assert repr(records) == "<Records of 'points-3.jsonl'>"
    assert records.output == flow.task.output(points, 3)
    assert records.output.value() == records
    assert records.output.text() == '{"x":0}\n{"x":1}\n{"x":2}\n'
    assert records.output.delete()
    with pytest.raises(FileNotFoundError):
        iter(records)
    with pytest.raises(TypeError, match="call a task with save="):
        Records(records.output, Point)  # type: ignore[call-arg]


def test_records_are_pickled_as_what_they_point_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In another directory, too, and though the body is a local function."""
    monkeypatch.chdir(tmp_path)
    flow = Flow("data", sink=NullSink())

    @flow.task(save="{count}.jsonl")
    def points(count: int) -> Iterator[Point]:
        yield from map(Point, range(count))

    records = points(3)
    pickled = pickle.dumps((records, records.output, flow.task.output(points, 3)))
    again, output, relative = pickle.loads(pickled)
    assert (again, output, relative) == (records, records.output, flow.task.output(points, 3))
    monkeypatch.chdir("/")
    assert list(again) == list(output.value()) == [Point(0), Point(1), Point(2)]
    assert relative.status == "absent", "a handle made with a relative base follows the current directory"


def test_no_records_are_records(flow: Flow) -> None:
    made: list[str] = []

    @flow.task(save="{name}.jsonl")
    def none(name: str) -> Iterator[Row]:
        made.append(name)
        return
        yield

    for _ in range(2):
        assert list(none("x")) == []
    assert made == ["x"]


def test_bodies_that_return_what_others_yield(flow: Flow) -> None:
    """A plain function annotated to return an iterator, or any iterable; a generator of another kind."""

    @flow.task(save="returned.jsonl")
    def returned() -> Iterator[Point]:
        return map(Point, range(3))

    @flow.task(save="listed.jsonl")
    def listed() -> Iterable[Point]:
        return [Point(0), Point(1), Point(2)]

    @flow.task(save="generated.jsonl")
    def generated() -> Generator[Point, None, str]:
        yield from map(Point, range(3))
        return "not kept"

    async def one_by_one() -> AsyncIterator[Point]:
        for number in range(3):
            yield Point(number)

    @flow.task(save="awaited.jsonl")
    def awaited() -> AsyncIterator[Point]:
        return one_by_one()

    for _ in range(2):
        for records in (returned(), listed(), generated(), asyncio.run(awaited())):
            assert list(records) == [Point(0), Point(1), Point(2)]

    @flow.task(save="nothing.jsonl")
    def nothing() -> Iterator[Point]:
        return None  # type: ignore[return-value]  # pyright: ignore[reportReturnType]

    with pytest.raises(RecordTypeError, match=r"nothing\(\): returned None, which is not an iterator"):
        nothing()
    assert flow.task.output(nothing).status == "absent"


class Source:
    """Every kind of method may yield."""

    flow = Flow(store=MemoryStore(), sink=NullSink())

    def __init__(self, count: int) -> None:
        self.count = count

    @flow.task(save="method-{day}.jsonl")
    def method(self, day: str) -> Iterator[Row]:
        yield from expected(day, self.count)

    @flow.task(save="class-{day}.jsonl")
    @classmethod
    async def of_class(cls, day: str) -> AsyncIterator[Row]:
        for row in expected(day):
            yield row

    @flow.task(save="static-{day}.jsonl")
    @staticmethod
    def static(day: str) -> Iterator[Row]:
        yield from expected(day)

    def __call__(self, day: str) -> Iterator[Row]:
        yield from expected(day, self.count)


async def test_methods_and_callable_objects(flow: Flow) -> None:
    source = Source(2)
    called = flow.task(save="object-{day}.jsonl")(Source(2))
    for _ in range(2):
        assert list(source.method("mon")) == list(Source.method(source, "mon")) == expected("mon", 2)
        assert list(await source.of_class("mon")) == list(await Source.of_class("mon")) == expected("mon")
        assert list(source.static("mon")) == list(Source.static("mon")) == expected("mon")
        assert list(called("mon")) == expected("mon", 2)
    assert inspect.iscoroutinefunction(Source.of_class)
    assert not inspect.isgeneratorfunction(Source.static)


# ------------------------------------------------------------------ streaming


def test_each_record_is_gone_before_the_next_but_one(flow: Flow) -> None:
    """Memory is constant, however many there are."""
    alive: weakref.WeakSet[Any] = weakref.WeakSet()
    most = 0

    @dataclass
    class Big:
        x: int
        __hash__ = object.__hash__

    @flow.task(save="{count}.jsonl")
    def points(count: int) -> Iterator[Big]:
        nonlocal most
        for number in range(count):
            big = Big(number)
            alive.add(big)
            most = max(most, len(alive))
            yield big

    records = points(200)
    assert most <= 2
    read, most = 0, 0
    for record in records:
        alive.add(record)
        most = max(most, len(alive))
        read += 1
    assert (read, most <= 2) == (200, True)


def test_nothing_is_seen_before_the_end(flow: Flow) -> None:
    seen: list[str] = []

    @flow.task(save="{count}.jsonl")
    def points(count: int) -> Iterator[Point]:
        for number in range(count):
            yield Point(number)
            seen.append(flow.task.output(points, count).status)

    assert len(list(points(3))) == 3
    assert seen == ["absent"] * 3


def test_the_run_of_a_body_that_yields(flow: Flow) -> None:
    """Progress, the attempt and nested calls belong to it."""
    sink = RecordingSink()
    flow = Flow(store=MemoryStore(), sink=sink)

    @flow.task
    def one(number: int) -> Point:
        return Point(number)

    @flow.task(save="x.jsonl", retry=Retry(1, backoff_factor=0, backoff_jitter=0))
    def points() -> Iterator[Point]:
        run = flow.task.run
        assert run is not None
        for number in flow.task.track(range(3)):
            yield one(number * run.attempt)
            if run.attempt == 1:
                raise OSError

    assert list(points()) == [Point(0), Point(2), Point(4)]
    progress = [event for event in sink.events if isinstance(event, TaskProgressed)]
    assert {event.task for event in progress} <= {"points"}
    assert [event.parent_id is not None for event in sink.events if event.kind == "task_queued"] == [
        False, *[True] * 4
    ]  # fmt: skip


# ------------------------------------------------------------------ failures


@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
def test_a_failure_in_the_middle_leaves_nothing(store: Store, tmp_path: Path, is_async: bool) -> None:
    """Skipped, suppressed with its traceback on record, retried with a fresh output, or raised unchanged."""
    flow, attempts = Flow(tmp_path, store=store, sink=NullSink()), list[str]()
    error = MineError("in the middle")

    def body(name: str) -> Iterator[Point]:
        attempts.append(name)
        yield Point(1)
        if name != "retried" or attempts.count(name) < 3:
            raise error
        yield Point(attempts.count(name))

    async def body_async(name: str) -> AsyncIterator[Point]:
        for point in body(name):
            yield point

    def call(name: str, **options: Any) -> Any:
        decorate: Any = flow.task(save="{name}.jsonl", **options)
        task = decorate(body_async if is_async else body)
        output = flow.task.output(task, name)
        return (asyncio.run(task(name)) if is_async else task(name)), output

    with pytest.raises(MineError) as caught:
        call("raised")
    assert caught.value is error
    assert call("skipped", skip=MineError)[0] is None
    value, suppressed = call("suppressed", suppress=MineError)
    assert value is None
    assert suppressed.status == "suppressed"
    assert "MineError: in the middle" in (suppressed.error() or "")
    assert "asflow/_task" not in (suppressed.error() or ""), "asflow's own frames are left out"
    with fake_clock():
        assert list(call("retried", retry=2)[0]) == [Point(1), Point(3)]
    assert sorted(path.rpartition("/")[2] for path in store.list(f"{tmp_path}/")) == [
        *("retried.jsonl", "suppressed.err")
    ]


def test_a_generator_is_closed_when_its_record_can_not_be_written(flow: Flow) -> None:
    """Its `finally` runs, and what it makes of being closed changes nothing."""
    closed: list[str] = []

    @flow.task(save="{name}.jsonl", skip=Exception, retry=3)
    def points(name: str) -> Iterator[Point]:
        try:
            yield Point(1)
            yield name  # type: ignore[misc]
            closed.append("went on")
        except Exception:
            closed.append("was told")
        finally:
            closed.append("finally")

    with (
        fake_clock() as clock,
        pytest.raises(RecordError, match=r"points\(\): the value 'text' of .* not come b"),
    ):
        points("text")
    assert closed == ["finally"]
    assert clock.waits == []
    assert flow.task.output(points, "text").status == "absent"


@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
def test_a_full_disk_ends_the_call_as_itself(is_async: bool) -> None:
    inner, closed = MemoryStore(), list[str]()
    store = FaultyStore(inner)
    flow = Flow(store=store, sink=NullSink())
    full = OSError(28, "No space left on device")
    store.fail("write", full)

    def points() -> Iterator[list[str]]:
        try:
            for number in range(1000):
                yield ["x" * 1000, str(number)]
        finally:
            closed.append("closed")

    async def points_async() -> AsyncIterator[list[str]]:
        with contextlib.closing(points()) as inner:  # type: ignore[type-var]
            for row in inner:
                yield row

    decorate: Any = flow.task(save="x.jsonl", skip=OSError, retry=2)
    task = decorate(points_async if is_async else points)

    def call() -> Any:
        return asyncio.run(task()) if is_async else task()

    with fake_clock(), pytest.raises(OSError, match="No space") as caught:
        call()
    assert caught.value is full
    assert closed == ["closed"]
    assert list(inner.list("")) == []
    assert len(list(call())) == 1000


@pytest.mark.parametrize("swallow", [False, True])
def test_a_body_that_yields_can_not_write(flow: Flow, swallow: bool) -> None:
    @flow.task(save="x.jsonl")
    def points() -> Iterator[Point]:
        yield Point(1)
        try:
            flow.task.write({"x": 2})
        except NotInTaskError:
            if not swallow:
                raise
        yield Point(3)

    with pytest.raises(NotInTaskError, match=r"^task points\(\): keeps what it returns"):
        points()
    assert flow.task.output(points).status == "absent"


def test_records_that_no_longer_fit(flow: Flow, tmp_path: Path) -> None:
    """From the iterator, at the record; those before it have been read."""

    @flow.task(save="{n}.jsonl")
    def points(n: int) -> Iterator[Point]:
        yield from map(Point, range(n))

    @flow.task(save="list-{n}.jsonl")
    def listed(n: int) -> list[Point]:
        return list(map(Point, range(n)))

    points(1)
    listed(1)
    for name in ("1.jsonl", "list-1.jsonl"):
        claim = flow.store.claim(f"{tmp_path}/{name}", f"{tmp_path}/none.err", replace=True)
        assert not isinstance(claim, str)
        claim.write(b'{"x":1}\n{"x":2}\n{"x":"three"}\n')
        claim.publish()
    records = iter(points(1))
    assert [next(records), next(records)] == [Point(1), Point(2)]
    for read, name in ((lambda: next(records), "1.jsonl"), (lambda: listed(1), "list-1.jsonl")):
        with pytest.raises(CorruptOutputError) as caught:
            read()
        for part in (name, "$.x", "int", "str", "change the annotation", "refresh=", "delete"):
            assert part in str(caught.value)


# ------------------------------------------------------------------ cancellation


@pytest.mark.parametrize("blocking", [False, True])
async def test_cancelling_at_each_await(blocking: bool) -> None:
    """Wherever the body stands: it is closed, nothing is left, and the next call makes the output."""
    for number in range(60):
        inner, closed = MemoryStore(), list[str]()
        flow = Flow(store=FaultyStore(inner, blocking=blocking), sink=NullSink())

        @flow.task(save="x.jsonl", limit=1)
        async def points(closed: list[str] = closed) -> AsyncIterator[Point]:
            try:
                for x in range(3):
                    await asyncio.sleep(0)
                    yield Point(x)
                    await asyncio.sleep(0)
            finally:
                await asyncio.sleep(0)
                closed.append("closed")

        began = True
        try:
            reached, _ = await cancelled_at(points(), number)
        except asyncio.CancelledError:
            reached = True
        while owners._owners:  # pyright: ignore[reportPrivateUsage]
            await asyncio.sleep(0)
        began = bool(closed)
        assert len(slots_of(points).free) == 1
        for name in inner.list(""):  # a publish in a thread can't be stopped once it has begun
            assert len(inner.open(name).read().splitlines()) == 3
        assert list(await points()) == [Point(0), Point(1), Point(2)]
        assert len(closed) <= 1 + began
        if not reached:
            return
    raise AssertionError("the call never ended by itself")


async def test_a_timeout_in_the_middle_closes_the_body(flow: Flow) -> None:
    closed: list[str] = []

    @flow.task(save="x.jsonl", timeout=0.001)
    async def points() -> AsyncIterator[Point]:
        try:
            yield Point(1)
            await asyncio.get_running_loop().create_future()
        finally:
            closed.append("closed")

    with pytest.raises(TimeoutError):
        await points()
    assert closed == ["closed"]
    assert flow.task.output(points).status == "absent"


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_ctrl_c_in_the_middle(flow: Flow, error: type[BaseException]) -> None:
    closed: list[str] = []

    @flow.task(save="x.jsonl", skip=BaseException)
    def points() -> Iterator[Point]:
        try:
            yield Point(1)
            raise error
        finally:
            closed.append("closed")

    with pytest.raises(error):
        points()
    assert closed == ["closed"]
    assert flow.task.output(points).status == "absent"


# ------------------------------------------------------------------ everywhere


async def test_equal_calls_share_the_making(flow: Flow) -> None:
    made: list[int] = []

    @flow.task(save="{n}.jsonl")
    async def points(n: int) -> AsyncIterator[Point]:
        made.append(n)
        for number in range(n):
            await asyncio.sleep(0)
            yield Point(number)

    results: list[Records[Point]] = await asyncio.gather(*(points(3) for _ in range(10)))
    assert [list(records) for records in results] == [[Point(0), Point(1), Point(2)]] * 10
    assert made == [3]


async def test_graphs_hand_records_on(flow: Flow) -> None:
    made: list[str] = []

    @node
    @flow.task(save="{day}.jsonl")
    async def rows(day: str) -> AsyncIterator[Row]:
        made.append(day)
        for row in expected(day):
            yield row

    @node
    async def total(first: Iterable[Row], second: Iterable[Row]) -> int:
        return sum(row["number"] for row in [*first, *second])

    fetch: Callable[[str], Any] = rows
    for _ in range(2):
        assert await total(fetch("mon"), fetch("tue")) == 6
    assert sorted(made) == ["mon", "tue"]


async def test_a_report_counts_them(flow: Flow) -> None:
    @flow.task(save="{n}.jsonl")
    async def points(n: int) -> AsyncIterator[Point]:
        for number in range(n):
            yield Point(number)

    counts: list[tuple[int, int]] = []

    @flow
    async def pipeline() -> int:
        found = await flow.task.map(points, range(5))
        assert flow.run is not None
        (report,) = flow.run.report().tasks
        counts.append((report.completed, report.cached))
        return sum(len(list(records)) for records in found)

    assert [await pipeline(), await pipeline()] == [10, 10]
    assert counts == [(5, 0), (0, 5)]


async def test_make_of_records_reads_none(flow: Flow) -> None:
    @flow.task(save="{n}.jsonl")
    async def points(n: int) -> AsyncIterator[Point]:
        for number in range(n):
            yield Point(number)

    for _ in range(2):
        output = await flow.task.make(points, 3)
        assert output.status == "complete"
        assert list(output.value()) == list(output.records(Point)) == [Point(0), Point(1), Point(2)]
