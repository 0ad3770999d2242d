"""Limits over many loops and threads, rates under a fake clock, holds, and decorating again."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest
from support.tasks import slots_of

from asflow import Flow, Limit, MemoryStore, Retry
from asflow._runtime.limiters import task_limiter
from asflow._runtime.limits import limiter_of
from asflow.errors import DefinitionTypeError, DefinitionValueError
from asflow.sinks import NullSink
from asflow.testing import RecordingSink, fake_clock


class Gauge:
    """Counts the bodies inside, from any thread."""

    def __init__(self) -> None:
        self.inside = self.most = self.entered = 0
        self._lock = threading.Lock()

    def __enter__(self) -> None:
        with self._lock:
            self.inside += 1
            self.entered += 1
            self.most = max(self.most, self.inside)

    def __exit__(self, *exc_info: object) -> None:
        with self._lock:
            self.inside -= 1


def in_threads(*actions: Callable[[], object]) -> None:
    """Run *actions* at once and raise what any of them raised."""
    errors: list[BaseException] = []

    def run(action: Callable[[], object]) -> None:
        try:
            action()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(action,)) for action in actions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


@pytest.mark.parametrize("sink", [NullSink, RecordingSink])
def test_one_bound_for_all_loops_and_threads(sink: Callable[[], Any]) -> None:
    flow, gauge = Flow(sink=sink()), Gauge()

    @flow.task(limit=3)
    async def work(number: int) -> int:
        with gauge:
            await asyncio.sleep(0)
        return number

    async def crowd() -> None:
        assert await asyncio.gather(*map(work, range(50))) == list(range(50))

    in_threads(*[lambda: asyncio.run(crowd())] * 4)
    assert gauge.entered == 200
    assert gauge.most <= 3


def test_a_shared_limit_bounds_sync_and_async_tasks_together() -> None:
    flow, gauge, limit = Flow(sink=NullSink()), Gauge(), Limit(2)

    @flow.task(limit=limit)
    async def first() -> None:
        with gauge:
            await asyncio.sleep(0)

    @flow.task(limit=limit)
    def second() -> None:
        with gauge:
            pass

    async def crowd() -> None:
        await asyncio.gather(*(first() for _ in range(40)), *(asyncio.to_thread(second) for _ in range(40)))

    in_threads(*[lambda: asyncio.run(crowd())] * 3)
    assert gauge.entered == 240
    assert gauge.most <= 2
    assert len(slots_of(first).free) == 2


async def test_bodies_start_in_the_order_of_the_calls() -> None:
    flow, order = Flow(sink=NullSink()), list[int]()

    @flow.task(limit=2)
    async def work(number: int) -> None:
        order.append(number)
        await asyncio.sleep(0)

    await asyncio.gather(*map(work, range(100)))
    assert order == list(range(100))


async def test_limit_0_is_no_bound_and_the_default_is_the_cpu_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 3)
    flow, free, bound = Flow(sink=NullSink()), Gauge(), Gauge()

    @flow.task(limit=0)
    async def unbounded() -> None:
        with free:
            await asyncio.sleep(0)

    @flow.task
    async def default() -> None:
        with bound:
            await asyncio.sleep(0)

    await asyncio.gather(*(unbounded() for _ in range(50)), *(default() for _ in range(50)))
    assert free.most == 50
    assert bound.most == 3


def test_decorating_again_keeps_one_limit_and_the_newest_total_wins() -> None:
    key = ("test_decorating_again.py", "work")
    first = task_limiter(key, 2)
    assert task_limiter(key, 5) is first
    assert first.slots is not None
    assert len(first.slots.free) == 5
    held = first.slots.try_acquire()
    assert held is not None
    assert task_limiter(key, 1) is first
    assert not first.slots.try_acquire()
    assert task_limiter(None, 2) is not task_limiter(None, 2)


def test_a_decoration_that_is_refused_leaves_the_limit_alone() -> None:
    flow = Flow(sink=NullSink())
    decorate: Any = flow.task
    task = decorate(limit=3)(module_level)
    spec = task.__asflow__.spec
    with pytest.raises(DefinitionValueError):
        decorate(limit=1, on="data/{nothing}.txt")(module_level)
    assert spec.limit.slots.total == 3


def module_level(number: int) -> int:
    return number


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (("4",), DefinitionTypeError),
        ((True,), DefinitionTypeError),
        ((1.5,), DefinitionTypeError),
        ((-1,), DefinitionValueError),
        ((1, 10), DefinitionTypeError),
        ((1, "fast"), DefinitionValueError),
    ],
)
def test_bad_limits(arguments: tuple[Any, ...], error: type[Exception]) -> None:
    with pytest.raises(error):
        Limit(arguments[0], rate=arguments[1] if len(arguments) > 1 else None)


@pytest.mark.parametrize(
    ("limit", "what"),
    [
        ("4", "takes an integer or a Limit, not '4'; write for example limit=4"),
        (-1, "takes 0 or more bodies, not -1; write 0 for no bound"),
        (10**7, "takes at most 1,000,000 bodies, not 10000000; write 0 for no bound"),
    ],
)
def test_the_message_names_the_task_and_the_option(limit: Any, what: str) -> None:
    with pytest.raises((TypeError, ValueError)) as caught:
        Flow(sink=NullSink()).task(limit=limit)(module_level)
    assert str(caught.value) == f"task module_level(): limit {what}"


@pytest.mark.parametrize("limit", [Limit(0), Limit(4), Limit(4, rate=" 10  per s"), Limit(0, rate="3/10s")])
def test_the_repr_reads_back(limit: Limit) -> None:
    again = eval(repr(limit))
    assert repr(again) == repr(limit)
    assert str(Limit(4, rate="10/s")) == "Limit(4, rate='10/s')"


def test_a_limit_offers_hold_and_nothing_else() -> None:
    assert [name for name in dir(Limit(1, rate="1/s")) if not name.startswith("_")] == ["hold"]


# ------------------------------------------------------------------ rates


async def test_a_rate_counts_exactly_over_all_tasks_that_share_it() -> None:
    """60 calls of two tasks at 5 a second: five at 0, five at 1, ... and the last five at 11."""
    flow, limit, starts = Flow(sink=NullSink()), Limit(0, rate="5/s"), list[float]()
    with fake_clock() as clock:

        @flow.task(limit=limit)
        async def users() -> None:
            starts.append(clock.now())

        @flow.task(limit=limit)
        async def orders() -> None:
            starts.append(clock.now())

        await asyncio.gather(*(task() for _ in range(30) for task in (users, orders)))
    assert starts == [float(index // 5) for index in range(60)]


def test_a_rate_over_four_loops_lets_exactly_that_many_start_in_each_period() -> None:
    limit, flow, gauge = Limit(0, rate="25/s"), Flow(sink=NullSink()), Gauge()
    with fake_clock(manual=True) as clock:

        @flow.task(limit=limit)
        async def call() -> None:
            with gauge:
                pass

        async def crowd() -> None:
            await asyncio.gather(*(call() for _ in range(250)))

        counts: list[int] = []

        def drive() -> None:
            for _ in range(39):
                clock.wait_for_sleepers(1)
                counts.append(gauge.entered)
                clock.advance(1.0)

        in_threads(drive, *[lambda: asyncio.run(crowd())] * 4)
    # A call had to wait in each of 39 periods, and 40 were enough: exactly 25 in each. A body that may start
    # and has not run yet is not counted until the next period.
    assert all(count <= 25 * (index + 1) for index, count in enumerate(counts))
    assert gauge.entered == 1000


async def test_calls_that_are_cancelled_while_they_wait_for_the_rate_take_no_start_away() -> None:
    limit, flow, starts = Limit(0, rate="1/s"), Flow(sink=NullSink()), list[float]()
    with fake_clock(manual=True) as clock:

        @flow.task(limit=limit)
        async def call() -> None:
            starts.append(clock.now())

        await call()
        waiting = [asyncio.create_task(call()) for _ in range(1000)]
        await asyncio.sleep(0)
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        last = asyncio.create_task(call())
        await asyncio.sleep(0)
        clock.advance(1.0)
        await last
    assert starts == [0.0, 1.0]


async def test_a_rate_holds_for_retries_too() -> None:
    limit, flow, starts = Limit(1, rate="1/10s"), Flow(sink=NullSink()), list[float]()
    with fake_clock() as clock:

        @flow.task(limit=limit, retry=Retry(2, backoff_factor=0, backoff_jitter=0))
        def call() -> None:
            starts.append(clock.now())
            if len(starts) < 3:
                raise OSError

        call()
    assert starts == [0.0, 10.0, 20.0]


async def test_hold_limit_keeps_all_who_share_the_limit_from_starting() -> None:
    """A Retry-After of 7 seconds that one caller receives holds the other one too."""
    limit, flow, starts = Limit(0), Flow(store=MemoryStore(), sink=NullSink()), list[tuple[str, float]]()
    with fake_clock(manual=True) as clock:

        @flow.task(limit=limit, retry=Retry(1, delay=lambda error, n: 7.0, hold_limit=True))
        async def limited() -> None:
            starts.append(("limited", clock.now()))
            if len(starts) == 1:
                raise OSError

        @flow.task(limit=limit)
        async def other() -> None:
            starts.append(("other", clock.now()))

        first = asyncio.create_task(limited())
        await asyncio.sleep(0)
        second = asyncio.create_task(other())
        for _ in range(5):
            await asyncio.sleep(0)
        assert starts == [("limited", 0.0)]
        clock.advance(6.5)
        for _ in range(5):
            await asyncio.sleep(0)
        assert len(starts) == 1
        clock.advance(1.0)
        await asyncio.gather(first, second)
    assert sorted(starts) == [("limited", 0.0), ("limited", 7.5), ("other", 7.5)]
    assert not limiter_of(limit).paced


async def test_hold_limit_holds_the_calls_of_a_task_without_a_bound() -> None:
    flow, starts = Flow(store=MemoryStore(), sink=NullSink()), list[tuple[str, float]]()
    with fake_clock(manual=True) as clock:

        @flow.task(limit=0, retry=Retry(1, delay=lambda error, n: 7.0, hold_limit=True))
        async def fetch(name: str) -> None:
            starts.append((name, clock.now()))
            if len(starts) == 1:
                raise OSError

        first = asyncio.create_task(fetch("first"))
        await asyncio.sleep(0)
        second = asyncio.create_task(fetch("second"))
        for _ in range(5):
            await asyncio.sleep(0)
        assert starts == [("first", 0.0)]
        clock.advance(7.0)
        await asyncio.gather(first, second)
    assert sorted(starts) == [("first", 0.0), ("first", 7.0), ("second", 7.0)]


def test_more_slots_than_memory_allows_are_refused() -> None:
    with pytest.raises(DefinitionValueError, match=r"^Limit\(\): total takes at most 1,000,000 bodies"):
        Limit(10**30)


@pytest.mark.parametrize("seconds", ["3", True, None])
def test_a_hold_is_a_number(seconds: Any) -> None:
    with pytest.raises(TypeError, match=r"^Limit\.hold\(\): seconds takes a number, not "):
        Limit(1).hold(seconds)


@pytest.mark.parametrize("seconds", [float("inf"), float("nan"), 10**400])
def test_a_hold_ends(seconds: float) -> None:
    with pytest.raises(ValueError, match=r"^Limit\.hold\(\): seconds takes a finite number, not "):
        Limit(1).hold(seconds)


def test_the_starts_of_one_clock_mean_nothing_on_another() -> None:
    flow = Flow(store=MemoryStore(), sink=NullSink())
    api = Limit(4, rate="1/hour")

    @flow.task(limit=api)
    def ask() -> None: ...

    for start in (0, 10**6):
        with fake_clock(start) as clock:
            ask()
            ask()
            assert clock.waits == [3600]
    ask()


async def test_a_sync_call_on_the_loop_waits_for_slots_that_threads_hold() -> None:
    """They come back without the loop, so it does not deadlock."""
    flow = Flow(store=MemoryStore(), sink=NullSink())
    inside, gate = threading.Barrier(3), threading.Event()

    @flow.task(limit=2)
    def page(number: int) -> int:
        if number < 2:
            inside.wait(20)
            gate.wait(20)
        return number

    held = [asyncio.create_task(asyncio.to_thread(page, number)) for number in range(2)]
    await asyncio.to_thread(inside.wait, 20)
    threading.Timer(0.05, gate.set).start()
    assert page(7) == 7
    assert await asyncio.gather(*held) == [0, 1]
