"""`save=`: what a body returns is kept, and every call returns what the file holds."""

from __future__ import annotations

import asyncio
import datetime
import os
import subprocess
import sys
import textwrap
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, TypedDict

import pytest

import asflow
from asflow import Flow, Limit, LocalStore, MemoryStore, Store
from asflow._runtime import looking
from asflow.dag import task as node
from asflow.dataflow import DataFlow
from asflow.errors import (
    CorruptOutputError,
    DefinitionTypeError,
    NotInTaskError,
    RecordError,
    RecordTypeError,
    RecordValueError,
)
from asflow.sinks import NullSink
from asflow.testing import FaultyStore, RecordingSink, fake_clock

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass
class Weather:
    day: str
    degrees: float
    words: list[str]


class Row(TypedDict):
    number: int
    name: str | None


@pytest.fixture(params=["memory", "disk"])
def store(request: pytest.FixtureRequest) -> Store:
    return MemoryStore() if request.param == "memory" else LocalStore()


@pytest.fixture
def flow(store: Store, tmp_path: Path) -> Flow:
    return Flow(tmp_path, store=store, sink=NullSink())


def weather(day: str) -> Weather:
    return Weather(day, 7.5, ["cold", "wet"])


def overwrite(flow: Flow, location: str, data: bytes) -> None:
    """Put other bytes in the place of an output, as an editor would."""
    claim = flow.store.claim(location, f"{location}.err", replace=True)
    assert not isinstance(claim, str)
    claim.write(data)
    claim.publish()


# ------------------------------------------------------------------ values


def test_every_call_returns_what_the_file_holds(flow: Flow, store: Store, tmp_path: Path) -> None:
    """The first call, a later one, and one of another flow on the same folder: equal, of the same type."""
    made: list[str] = []

    def document(day: str) -> Weather:
        made.append("document")
        return weather(day)

    def text(day: str) -> str:
        made.append("text")
        return day

    def raw(day: str) -> bytes:
        made.append("raw")
        return day.encode()

    def rows(day: str) -> list[Row]:
        made.append("rows")
        return [Row(number=1, name=day), Row(number=2, name=None)]

    bodies: list[tuple[str, Callable[[str], object]]] = [
        *(("{day}.json", document), ("{day}.json.zst", document), ("{day}.txt.gz", text), ("{day}.bin", raw)),
        *(("{day}.jsonl", rows), ("{day}.csv", rows), ("{day}.parquet", rows)),
    ]
    for pattern, body in bodies:
        made.clear()
        value = body("mon")
        for each in (flow, flow, Flow(tmp_path, store=store, sink=NullSink())):
            returned = each.task(save=pattern)(body)("mon")
            assert returned == value
            assert type(returned) is type(value)
        assert len(made) == 2, "once here and once in the task"


async def test_async_bodies(flow: Flow) -> None:
    made: list[str] = []

    @flow.task(save="{day}.json")
    async def fetch(day: str) -> Weather:
        made.append(day)
        await asyncio.sleep(0)
        return weather(day)

    for _ in range(3):
        assert await fetch("mon") == weather("mon")
    assert await flow.task.map(fetch, ["mon", "tue"]) == [weather("mon"), weather("tue")]
    assert made == ["mon", "tue"]


def test_a_value_is_a_new_object_each_time(flow: Flow) -> None:
    kept: list[dict[str, int]] = []

    @flow.task(save="x.json")
    def make() -> dict[str, int]:
        kept.append({"a": 1})
        return kept[0]

    first = make()
    assert first is not kept[0], "what the file holds, not what the body holds on to"
    first["a"] = kept[0]["a"] = 2
    assert make() == {"a": 1}


def test_none_and_nothing_are_values(flow: Flow) -> None:
    made: list[str] = []

    @flow.task(save="{name}.json")
    def find(name: str) -> int | None:
        made.append(name)
        return None

    @flow.task(save="{name}.jsonl")
    def search(name: str) -> list[int]:
        made.append(name)
        return []

    for _ in range(2):
        assert find("none") is None
        assert search("empty") == []
    assert made == ["none", "empty"]


class Shop:
    """Methods that save, of types that the class has itself."""

    flow = Flow(store=MemoryStore(), sink=NullSink())

    @dataclass
    class Item:
        name: str

    def __init__(self, name: str) -> None:
        self.name = name

    @flow.task(save="{number}-method.json")
    def item(self, number: int) -> Item:
        return Shop.Item(f"{self.name}{number}")

    @flow.task(save="{number}-class.json")
    @classmethod
    async def of_class(cls, number: int) -> list[Item]:
        return [cls.Item(f"{cls.__name__}{number}")]

    @staticmethod
    @flow.task(save="{number}-static.json")
    def static(number: int) -> dict[str, Item]:
        return {"only": Shop.Item(str(number))}


async def test_methods() -> None:
    shop = Shop("a")
    for _ in range(2):
        assert shop.item(1) == Shop.item(shop, 1) == Shop.Item("a1")
        assert await shop.of_class(1) == await Shop.of_class(1) == [Shop.Item("Shop1")]
        assert shop.static(1) == Shop.static(1) == {"only": Shop.Item("1")}
    assert Shop.flow.task.output(shop.item, 1).value() == Shop.Item("a1")


# ------------------------------------------------------------------ options


def test_a_retry_keeps_only_what_the_last_attempt_returns(flow: Flow) -> None:
    attempts = 0

    @flow.task(save="{name}.json", retry=2)
    def fetch(name: str) -> list[int]:
        nonlocal attempts
        attempts += 1
        if attempts < 3:
            raise ConnectionError
        return [attempts]

    with fake_clock():
        assert fetch("x") == fetch("x") == [3]


def test_a_skipped_call_returns_none_and_the_next_one_tries_again(flow: Flow) -> None:
    fails = True

    @flow.task(save="{name}.json", skip=ConnectionError)
    def fetch(name: str) -> list[str]:
        if fails:
            raise ConnectionError
        return [name]

    assert fetch("x") is None
    assert flow.task.output(fetch, "x").status == "absent"
    fails = False
    assert fetch("x") == ["x"]


def test_a_suppressed_call_returns_none_until_its_record_is_deleted(flow: Flow) -> None:
    fails = True

    @flow.task(save="{name}.json", suppress=KeyError)
    async def fetch(name: str) -> list[str]:
        if fails:
            raise KeyError(name)
        return [name]

    assert asyncio.run(fetch("x")) is None
    fails = False
    output = flow.task.output(fetch, "x")
    assert asyncio.run(fetch("x")) is None
    assert output.status == "suppressed"
    with pytest.raises(FileNotFoundError):
        output.value()
    assert output.delete()
    assert asyncio.run(fetch("x")) == ["x"]


async def test_a_limit_bounds_bodies_and_not_reads(flow: Flow) -> None:
    running, peak = 0, 0

    @flow.task(save="{number}.json", limit=Limit(2))
    async def fetch(number: int) -> int:
        nonlocal running, peak
        running += 1
        peak = max(peak, running)
        await asyncio.sleep(0.001)
        running -= 1
        return number

    for _ in range(2):
        assert await asyncio.gather(*map(fetch, range(6))) == list(range(6))
    assert peak == 2


async def test_a_timeout(flow: Flow) -> None:
    @flow.task(save="{name}.json", timeout=0.001)
    async def fetch(name: str) -> str:
        await asyncio.get_running_loop().create_future()
        return name

    with pytest.raises(TimeoutError):
        await fetch("x")
    assert flow.task.output(fetch, "x").status == "absent"


def test_refresh_returns_the_new_value(tmp_path: Path) -> None:
    flow, made = Flow(tmp_path, sink=NullSink()), 0

    @flow.task(save="{name}.json", refresh=datetime.timedelta(hours=1), skip=OSError)
    def fetch(name: str) -> int:
        nonlocal made
        made += 1
        if made == 3:
            raise OSError
        return made

    def age(seconds: float) -> None:
        os.utime(tmp_path / "x.json", (time.time() - seconds, time.time() - seconds))

    assert fetch("x") == fetch("x") == 1
    age(7200)
    assert fetch("x") == fetch("x") == 2
    age(7200)
    assert fetch("x") is None, "skipped: the old value is there, but it is out of date"
    assert flow.task.output(fetch, "x").value() == 2
    assert fetch("x") == 4


def test_a_predicate_may_look_at_the_value(flow: Flow) -> None:
    def is_low(name: str) -> bool:
        return flow.task.output(count, name).value() < 3

    made: list[int] = []

    @flow.task(save="{name}.json", refresh=is_low)
    def count(name: str) -> int:
        made.append(len(made))
        return len(made)

    assert [count("x") for _ in range(5)] == [1, 2, 3, 3, 3]


def test_key_level_and_base(flow: Flow, tmp_path: Path) -> None:
    @flow.task(save="{name}-*.json.zst", key=lambda client, name: name.upper(), level=19)
    def fetch(client: object, name: str) -> list[str]:
        return [name] * 1000

    assert fetch(object(), "x") == fetch(object(), "x") == ["x"] * 1000
    (output,) = flow.task.outputs(fetch)
    assert output.name == "x-X.json.zst"
    assert (output.size or 0) < 100
    inner = Flow(tmp_path / "inner", store=flow.store, sink=NullSink())
    assert inner.task(save="x.json")(lambda_like)() == ["inner"]
    assert [name.endswith("inner/x.json") for name in flow.store.list(str(tmp_path / "inner"))] == [True]


def lambda_like() -> list[str]:
    return ["inner"]


# ------------------------------------------------------------------ what is refused


@pytest.mark.parametrize("swallow", [False, True])
@pytest.mark.parametrize("way", ["write", "write_all", "thread"])
def test_a_body_that_saves_can_not_write(flow: Flow, swallow: bool, way: str) -> None:
    """Not even if it makes nothing of the error: an output holds one thing."""

    @flow.task(save="x.json", skip=Exception, retry=3)
    def make() -> int:
        try:
            if way == "write":
                flow.task.write("text")
            elif way == "write_all":
                flow.task.write_all(["text"])
            else:
                asyncio.run(asyncio.to_thread(flow.task.write, "text"))
        except NotInTaskError:
            if not swallow:
                raise
        return 1

    with fake_clock() as clock, pytest.raises(NotInTaskError, match=r"^task make\(\): keeps what it returns"):
        make()
    assert clock.waits == []
    assert flow.task.output(make).status == "absent"


def test_a_value_that_would_not_come_back_publishes_nothing(flow: Flow) -> None:
    """Whatever is listed: policies are about what the user's own code meets."""
    values: list[Any] = ["text", None, {"day": "mon"}, object()]
    calls: list[object] = []

    @flow.task(save="{n}.json", skip=Exception, suppress=TypeError, retry=3)
    def make(n: int) -> Weather:
        calls.append(n)
        value: Weather = values[n]
        return value

    for number in range(len(values)):
        with pytest.raises(RecordError, match=r"make\(\)") as caught:
            make(number)
        assert isinstance(caught.value, (RecordTypeError, RecordValueError))
    assert calls == list(range(len(values)))
    assert list(flow.task.outputs(make)) == []


def test_a_stored_file_that_no_longer_fits_is_an_error_and_stays(flow: Flow, tmp_path: Path) -> None:
    made: list[str] = []

    @flow.task(save="{day}.json", retry=3, skip=Exception)
    def fetch(day: str) -> Weather:
        made.append(day)
        return weather(day)

    fetch("mon")
    output = flow.task.output(fetch, "mon")
    edited = b'{"day": "mon", "degrees": "warm", "words": []}'
    overwrite(flow, f"{tmp_path}/mon.json", edited)
    reads: list[Callable[[], object]] = [lambda: fetch("mon"), output.value]
    for read in reads:
        with pytest.raises(CorruptOutputError) as caught:
            read()
        for part in ("task fetch(): ", "mon.json", "Weather", "$.degrees", "float", "str"):
            assert part in str(caught.value)
        for remedy in ("change the annotation", "refresh=datetime(", "delete"):
            assert remedy in str(caught.value)
    assert output.bytes() == edited
    assert made == ["mon"]
    assert output.delete()
    assert fetch("mon") == weather("mon")


@pytest.mark.parametrize("pattern", ["{day}.json.zst", "{day}.json.gz"])
def test_a_file_that_is_cut_is_an_error(flow: Flow, tmp_path: Path, pattern: str) -> None:
    @flow.task(save=pattern)
    def fetch(day: str) -> Weather:
        return weather(day)

    fetch("mon")
    output = flow.task.output(fetch, "mon")
    with flow.store.open(f"{tmp_path}/{output.name}") as file:
        whole = file.read()
    overwrite(flow, f"{tmp_path}/{output.name}", whole[:-5])
    with pytest.raises(CorruptOutputError, match=r"mon\.json"):
        fetch("mon")


# ------------------------------------------------------------------ the store


class Vanishing(MemoryStore):
    """A store in which an output may be deleted right before it is read."""

    def __init__(self) -> None:
        super().__init__()
        self.vanish = False

    def open(self, name: str, /) -> BinaryIO:
        if self.vanish:
            self.vanish = False
            self.delete(name)
        return super().open(name)


@pytest.mark.parametrize("sink", [NullSink, RecordingSink])
def test_an_output_that_disappears_before_it_is_read_is_made_again(sink: Callable[[], Any]) -> None:
    store = Vanishing()
    flow = Flow(store=store, sink=sink())
    made: list[int] = []

    @flow.task(save="x.json")
    def make() -> int:
        made.append(len(made))
        return len(made)

    @flow.task(save="y.json")
    async def make_async() -> int:
        made.append(len(made))
        return len(made)

    assert [make(), asyncio.run(make_async())] == [1, 2]
    store.vanish = True
    assert [make(), make()] == [3, 3]
    store.vanish = True
    assert [asyncio.run(make_async()), asyncio.run(make_async())] == [4, 4]


@pytest.mark.parametrize("blocking", [False, True])
async def test_a_store_that_can_not_be_read_fails_the_call(blocking: bool) -> None:
    """With its own error, whatever is listed; the output is as it was."""
    store, sink = FaultyStore(MemoryStore(), blocking=blocking), RecordingSink()
    flow = Flow(store=store, sink=sink)

    @flow.task(save="x.json", skip=OSError, retry=2)
    async def make() -> int:
        return 3

    @flow.task(save="y.json", skip=OSError, retry=2)
    def make_sync() -> int:
        return 4

    await make()
    make_sync()
    for call in (make, lambda: asyncio.to_thread(make_sync)):
        error = OSError(5, "Input/output error")
        store.fail("open", error)
        with pytest.raises(OSError, match="Input") as caught:
            await call()
        assert caught.value is error
    assert [await make(), make_sync()] == [3, 4]
    assert sink.outcomes()[2:] == ["failed", "failed", "cached", "cached"]


@pytest.mark.parametrize("step", ["write", "publish"])
def test_a_store_that_can_not_be_written_fails_the_call(step: Any) -> None:
    inner = MemoryStore()
    store = FaultyStore(inner)
    flow = Flow(store=store, sink=NullSink())
    error = OSError(28, "No space left on device")
    store.fail(step, error)

    @flow.task(save="x.json", skip=OSError, suppress=ValueError, retry=3)
    def make() -> list[int]:
        return [1]

    with pytest.raises(OSError, match="No space") as caught:
        make()
    assert caught.value is error
    assert list(inner.list("")) == []
    assert make() == [1]


async def test_what_is_large_is_read_in_a_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that decoding it doesn't hold up the loop."""
    threads: list[int] = []

    class Noting(MemoryStore):
        def open(self, name: str, /) -> BinaryIO:
            threads.append(threading.get_ident())
            return super().open(name)

    monkeypatch.setattr(looking, "LARGE", 1000)
    flow = Flow(store=Noting(), sink=RecordingSink())

    @flow.task(save="{count}.json")
    async def make(count: int) -> list[int]:
        return [1] * count

    for count in (10, 10_000):
        await make(count)
        threads.clear()
        assert await make(count) == [1] * count
        assert (threads == [threading.get_ident()]) == (count == 10)


# ------------------------------------------------------------------ everywhere


def test_two_processes_share_the_making(tmp_path: Path) -> None:
    """Each output is made by one of them; both have all values."""
    script = textwrap.dedent(
        """
        import asyncio, sys
        from asflow import Flow
        from asflow.sinks import NullSink

        flow = Flow("out", sink=NullSink())

        @flow.task(save="{number}.json", limit=4)
        async def square(number: int) -> list[int]:
            with open("bodies", "a") as file:
                file.write(f"{number}\\n")
            await asyncio.sleep(0.01)
            return [number, number * number]

        async def main():
            print(await asyncio.gather(*map(square, range(30))), end="")

        sys.stdin.readline()
        asyncio.run(main())
        """
    )
    env = {**os.environ, "PYTHONPATH": str(Path(asflow.__file__).parents[1])}
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    running = [
        subprocess.Popen([sys.executable, "-c", script], cwd=tmp_path, env=env, **pipes) for _ in range(2)
    ]
    printed = [process.communicate("go\n", timeout=50)[0] for process in running]
    assert printed == [str([[number, number**2] for number in range(30)])] * 2
    made = (tmp_path / "bodies").read_text().splitlines()
    assert sorted(map(int, made)) == list(range(30))


def test_threads_share_the_making(flow: Flow) -> None:
    made: list[str] = []
    start, values = threading.Barrier(4), list[list[str]]()

    @flow.task(save="{name}.json")
    def make(name: str) -> list[str]:
        made.append(name)
        time.sleep(0.01)
        return [name]

    def call() -> None:
        start.wait(30)
        values.append(make("x"))

    threads = [threading.Thread(target=call) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert values == [["x"]] * 4
    assert made == ["x"]


def test_a_report_counts_what_was_there_as_cached(flow: Flow) -> None:
    @flow.task(save="{number}.json", skip=OSError)
    def make(number: int) -> int:
        if number == 2:
            raise OSError
        return number

    counts: list[tuple[int, int, int]] = []

    @flow
    def pipeline() -> list[int | None]:
        values = [make(number) for number in range(3)]
        assert flow.run is not None
        (report,) = flow.run.report().tasks
        counts.append((report.completed, report.cached, report.skipped))
        return values

    assert pipeline() == pipeline() == [0, 1, None]
    assert counts == [(2, 0, 1), (0, 2, 1)]


async def test_events_say_cached(store: Store, tmp_path: Path) -> None:
    sink = RecordingSink()
    flow = Flow(tmp_path, store=store, sink=sink)

    @flow.task(save="{number}.json")
    async def make(number: int) -> int:
        return number

    for _ in range(2):
        await make(1)
    assert sink.outcomes() == ["completed", "cached"]
    assert sink.kinds()[3:] == ["task_queued", "task_finished"], "the second one finished without a start"


async def test_graphs_hand_values_on(flow: Flow) -> None:
    made: list[str] = []

    @node
    @flow.task(save="{day}.json")
    async def fetch(day: str) -> Weather:
        made.append(day)
        return weather(day)

    @node
    @flow.task(save="warm-*.json")
    async def warmer(a: Weather, b: Weather) -> float:
        made.append("warmer")
        return max(a.degrees, b.degrees)

    for _ in range(2):
        assert await warmer(fetch("mon"), fetch("tue")) == 7.5
    assert sorted(made) == ["mon", "tue", "warmer"]


async def test_data_flows_hand_values_on(flow: Flow) -> None:
    made: list[str] = []

    class Fetched(TypedDict):
        weather: Weather

    @flow.task(save="{day}.json")
    def fetch(day: str) -> Fetched:
        made.append(day)
        return Fetched(weather=weather(day))

    async def words(weather: Weather) -> dict[str, list[str]]:
        return {"words": weather.words}

    pipeline = DataFlow((fetch, words), flow=flow)
    for _ in range(2):
        assert (await pipeline(day="mon"))["words"] == ["cold", "wet"]
    assert made == ["mon"]


# ------------------------------------------------------------------ make, and handles


async def test_make_finds_or_makes_and_reads_nothing() -> None:
    store = FaultyStore(MemoryStore())
    flow, made = Flow(store=store, sink=NullSink()), list[str]()

    @flow.task(save="{day}.json", skip=OSError)
    def fetch(day: str) -> Weather:
        made.append(day)
        if day == "sun":
            raise OSError
        return weather(day)

    @flow.task(save="async-{day}.json")
    async def fetch_async(day: str) -> Weather:
        return fetch(day) or weather("?")

    @flow.task(on="{day}.txt")
    def write(day: str) -> None:
        flow.task.write(day)

    for _ in range(2):
        output = flow.task.make(fetch, "mon")
        assert (output.name, output.status) == ("mon.json", "complete")
        assert (await flow.task.make(fetch_async, "mon")).name == "async-mon.json"
        assert flow.task.make(write, "mon").text() == "mon"
    assert made == ["mon"]
    assert store.steps.count("open") == 3, "by the value of `fetch` in `fetch_async`, and by text() twice"
    assert output.value() == weather("mon")
    assert flow.task.make(fetch, "sun").status == "absent"
    overwrite(flow, "mon.json", b"")
    assert flow.task.make(fetch, "mon").size == 0, "whether it fits is not asked"


async def test_make_raises_what_the_call_raises(flow: Flow) -> None:
    @flow.task(save="{n}.json")
    async def make(n: int) -> float:
        return 1 / n

    @flow.task(save="sync-{n}.json")
    def make_sync(n: int) -> float:
        return 1 / n

    with pytest.raises(ZeroDivisionError):
        await flow.task.make(make, 0)
    with pytest.raises(ZeroDivisionError):
        flow.task.make(make_sync, 0)
    untyped: Any = flow.task.make
    for wrong in (len, flow.task(len)):
        with pytest.raises(DefinitionTypeError):
            untyped(wrong, "x")


def test_handles(flow: Flow) -> None:
    @flow.task(save="{day}.json.gz")
    def fetch(day: str) -> Weather:
        return weather(day)

    @flow.task(on="{day}.txt")
    def write(day: str) -> None:
        flow.task.write(day)

    output = flow.task.output(fetch, "mon")
    for read in (output.value, output.bytes, output.open, output.text):
        with pytest.raises(FileNotFoundError):
            read()
    fetch("mon")
    encoded = b'{"day":"mon","degrees":7.5,"words":["cold","wet"]}\n'
    assert output.value() == weather("mon")
    assert output.bytes() == output.text().encode() == encoded
    with output.open() as file:
        assert (file.read(7), file.read()) == (encoded[:7], encoded[7:])
    assert [each.value() for each in flow.task.outputs(fetch)] == [weather("mon")]
    write("mon")
    with pytest.raises(TypeError, match=r"holds what its task wrote \(on=\), .*; use records"):
        flow.task.output(write, "mon").value()
