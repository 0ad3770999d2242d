"""`Limit(per=function)`: one limit for each value of a function of the task's own parameters."""

from __future__ import annotations

import asyncio
import gc
import threading
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from asflow import Flow, Limit, MemoryStore, Retry
from asflow._runtime import limiters as module
from asflow._runtime.limits import limiters_of
from asflow.errors import DefinitionTypeError
from asflow.sinks import NullSink
from asflow.testing import RecordingSink, fake_clock

if TYPE_CHECKING:
    from collections.abc import Hashable

flow = Flow(store=MemoryStore(), sink=NullSink())


def host(url: str) -> str | None:
    return urlsplit(url).hostname


class Inside:
    """Counts the bodies that run, by value."""

    def __init__(self) -> None:
        self.now: dict[object, int] = {}
        self.most: dict[object, int] = {}
        self._lock = threading.Lock()

    def enter(self, value: object) -> None:
        with self._lock:
            self.now[value] = self.now.get(value, 0) + 1
            self.most[value] = max(self.most.get(value, 0), self.now[value])

    def leave(self, value: object) -> None:
        with self._lock:
            self.now[value] -= 1


URLS = [f"https://{name}/{n}" for n in range(6) for name in ("a", "b", "c")]


async def test_each_value_has_slots_of_its_own() -> None:
    inside = Inside()
    together = asyncio.Event()

    @flow.task(limit=Limit(2, per=host))
    async def fetch(url: str) -> str:
        inside.enter(host(url))
        if sum(inside.now.values()) == 6:
            together.set()
        await together.wait()  # six at once: two of each
        inside.leave(host(url))
        return url

    assert await flow.task.map(fetch, URLS) == URLS
    assert inside.most == {"a": 2, "b": 2, "c": 2}


def test_threads() -> None:
    inside, met = Inside(), threading.Barrier(3)

    @flow.task(limit=Limit(1, per=host))
    def fetch(url: str) -> str:
        inside.enter(host(url))
        met.wait(30)  # one of each host
        inside.leave(host(url))
        return url

    assert [*flow.task.map(fetch, URLS)] == URLS
    assert inside.most == {"a": 1, "b": 1, "c": 1}


async def test_to_thread_and_a_second_task_share_the_limits() -> None:
    inside = Inside()
    limit = Limit(1, per=host)

    @flow.task(limit=limit)
    def fetch(url: str) -> None:
        inside.enter(host(url))
        inside.leave(host(url))

    @flow.task(limit=limit, retry=1)
    async def look(url: str) -> None:
        inside.enter(host(url))
        await asyncio.sleep(0)
        inside.leave(host(url))

    def url_only(url: str, *, again: bool) -> str | None:
        return host(url)

    await asyncio.gather(*(flow.task.to_thread(fetch, url) for url in URLS), *map(look, URLS))
    with pytest.raises(DefinitionTypeError, match="per takes a function of the task's own parameters"):
        flow.task(limit=Limit(1, per=url_only))(fetch.__wrapped__)  # type: ignore[attr-defined]
    assert inside.most == {"a": 1, "b": 1, "c": 1}


def test_the_rate_holds_for_each_value() -> None:
    starts: list[tuple[float, str | None]] = []

    with fake_clock() as clock:

        @flow.task(limit=Limit(0, rate="1/s", per=host))
        def fetch(url: str) -> None:
            starts.append((clock.now(), host(url)))

        begin = clock.now()
        for url in URLS[:6]:
            fetch(url)
    assert [(round(at - begin), value) for at, value in starts] == [
        (0, "a"), (0, "b"), (0, "c"), (1, "a"), (1, "b"), (1, "c")
    ]  # fmt: skip


def test_a_retry_holds_its_own_value() -> None:
    done: list[str] = []

    @flow.task(limit=Limit(2, per=host), retry=Retry(total=1, delay=lambda error, n: 0.2, hold_limit=True))
    async def fetch(url: str) -> None:
        if url == "https://a/busy" and not done:
            raise OSError("busy")
        done.append(url)

    async def main() -> None:
        await asyncio.gather(fetch("https://a/busy"), fetch("https://a/1"), fetch("https://b/1"))

    asyncio.run(main())
    assert done[0] == "https://b/1"
    assert sorted(done[1:]) == ["https://a/1", "https://a/busy"]


def test_hold_is_for_all_values() -> None:
    limit = Limit(1, per=host)
    with fake_clock() as clock:

        @flow.task(limit=limit)
        def fetch(url: str) -> float:
            return clock.now()

        begin = fetch("https://a/1")
        limit.hold(10)
        assert round(fetch("https://new/1") - begin) == 10
        assert round(fetch("https://a/1") - begin) == 10


def test_idle_values_are_forgotten() -> None:
    limit = Limit(2, rate="100/s", per=host)
    limiters = limiters_of(limit)
    assert limiters is not None
    with fake_clock() as clock:

        @flow.task(limit=limit)
        def fetch(url: str) -> None: ...

        for n in range(1000):
            fetch(f"https://host{n}/")
        clock.advance(1)
        for n in range(1000):
            fetch(f"https://other{n}/")
    gc.collect()
    assert len(limiters._paced) <= 1001
    assert len(limiters._known) == len(limiters._paced)


def test_without_a_rate_only_the_latest_stay() -> None:
    limit = Limit(2, per=host)
    limiters = limiters_of(limit)
    assert limiters is not None

    @flow.task(limit=limit)
    def fetch(url: str) -> None: ...

    for n in range(1000):
        fetch(f"https://host{n}/")
    gc.collect()
    assert len(limiters._known) == module._KEPT
    assert not limiters._paced


def test_defaults_methods_outputs_and_events() -> None:
    sink = RecordingSink()
    flow = Flow(store=MemoryStore(), sink=sink)

    def region(self: Client, day: str, where: str = "eu") -> str:
        return where

    class Client:
        @flow.task(on="{where}/{day}.txt", limit=Limit(1, per=region))
        def download(self, day: str, where: str = "eu") -> None:
            flow.task.write(day)

    @flow
    def pipeline() -> str:
        client = Client()
        for day in ("1", "2", "1"):
            client.download(day)
        assert flow.run is not None
        return str(flow.run.report())

    assert "2 completed, 1 cached" in pipeline()


def test_recursion_runs_on_the_slot_of_its_value() -> None:
    def parity(n: int) -> int:
        return n % 2

    @flow.task(limit=Limit(1, per=parity))
    def down(n: int) -> int:
        return n if n <= 0 else down(n - 2)

    assert down(8) == 0


def test_what_the_function_raises_passes_before_a_life_begins() -> None:
    sink = RecordingSink()
    flow = Flow(store=MemoryStore(), sink=sink)

    def bad(url: str) -> Hashable:
        raise ZeroDivisionError(url)

    @flow.task(limit=Limit(1, per=bad), retry=3, skip=ZeroDivisionError)
    def fetch(url: str) -> None: ...

    unhashable: Any = lambda url: [url]  # noqa: E731 - as a user might write it

    @flow.task(limit=Limit(1, per=unhashable))
    def listed(url: str) -> None: ...

    with pytest.raises(ZeroDivisionError):
        fetch("x")
    with pytest.raises(TypeError, match=r"task .*listed\(\): per returned \['x'\], which can't be hashed"):
        listed("x")
    with pytest.raises(TypeError, match="missing 1 required positional argument"):
        fetch()  # type: ignore[call-arg]
    assert not sink.events


async def later(url: str) -> str:
    return url


@pytest.mark.parametrize(("per", "said"), [("host", "takes a function"), (later, "takes a plain function")])
def test_what_is_no_function_is_refused(per: Any, said: str) -> None:
    with pytest.raises(DefinitionTypeError, match=said):
        Limit(1, per=per)


def test_its_text() -> None:
    assert repr(Limit(4, rate="10/s", per=host)).startswith("Limit(4, rate='10/s', per=host)")
