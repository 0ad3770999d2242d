"""A wait that can't end is found and refused; one that can is left alone, however the calls are mixed."""

from __future__ import annotations

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.drawing import examples

from asflow import Flow, Limit, MemoryStore
from asflow._runtime import deadlocks, owners, slots, suspended, waits
from asflow._runtime.observing import FREE_THREADED
from asflow.errors import DeadlockError
from asflow.sinks import NullSink

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence

pytestmark = [
    pytest.mark.timeout(30, method="thread"),
    pytest.mark.skipif(FREE_THREADED, reason="not looked for without a GIL"),
]

SLOT = r"^task .*\(\): waits for a slot of calls that wait for this one in turn; "
POOL = r"^task .*\(\): waits for a slot, and fills the threads .*; call it with `await flow\.task\.to_thread"
OUTPUT = r"^task .*\(\): needs the output '.*' of a call that waits for this one in turn; call one of the two"


@pytest.fixture(autouse=True)
def _looks_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waits, "PATIENCE", 0.002)
    monkeypatch.setattr(waits, "AGAIN", 0.002)
    monkeypatch.setattr(waits, "_LONGEST_PAUSE", 0.002)
    monkeypatch.setattr(slots, "LOOK_AGAIN", 0.002)
    monkeypatch.setattr(owners, "LOOK_AGAIN", 0.002)
    monkeypatch.setattr(deadlocks, "_SHARE", 1.0)


@pytest.fixture(autouse=True)
def _nothing_is_left() -> Iterator[None]:
    yield
    assert not deadlocks._blocked  # pyright: ignore[reportPrivateUsage]
    assert not owners.awaited


@pytest.fixture
def flow() -> Flow:
    return Flow(store=MemoryStore(), sink=NullSink())


def in_threads(*functions: Callable[[], object]) -> list[object]:
    """Call the functions at once; return what each returned or raised."""
    results: list[object] = [None] * len(functions)

    def call(number: int, function: Callable[[], object]) -> None:
        try:
            results[number] = function()
        except Exception as error:
            results[number] = error

    threads = [
        threading.Thread(target=copy_context().run, args=(call, number, function))
        for number, function in enumerate(functions)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def refused(results: Sequence[object], pattern: str) -> None:
    """Check that one call was refused, and that the other then went on."""
    errors: list[BaseException] = [each for each in results if isinstance(each, BaseException)]
    while isinstance(errors[0], BaseExceptionGroup):
        errors = list(errors[0].exceptions)
    with pytest.raises(DeadlockError, match=pattern):
        raise errors[0]
    assert len(errors) == 1


# ------------------------------------------------------------------ found: outputs


WAYS: dict[str, Callable[[Coroutine[Any, Any, None]], Coroutine[Any, Any, Any]]] = {}


def way(function: Any) -> Any:
    WAYS[function.__name__] = function
    return function


@way
async def awaited(call: Coroutine[Any, Any, None]) -> None:
    await call


@way
async def gathered(call: Coroutine[Any, Any, None]) -> None:
    await asyncio.gather(call, asyncio.sleep(0))


@way
async def in_a_group(call: Coroutine[Any, Any, None]) -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(call)


@way
async def in_a_task(call: Coroutine[Any, Any, None]) -> None:
    await asyncio.create_task(call)


@way
async def shielded(call: Coroutine[Any, Any, None]) -> None:
    await asyncio.shield(call)


@way
async def through_a_generator(call: Coroutine[Any, Any, None]) -> None:
    async def generate() -> AsyncIterator[None]:
        yield await call  # type: ignore[func-returns-value]

    async for _ in generate():
        pass


@pytest.mark.parametrize("name", WAYS)
@pytest.mark.parametrize("within", ["alone", "in a flow"])
async def test_two_calls_of_one_loop_that_each_make_what_the_other_needs(
    flow: Flow, name: str, within: str
) -> None:
    both, begun = asyncio.Event(), list[str]()

    async def begin(task: str) -> None:
        begun.append(task)
        if len(begun) == 2:
            both.set()
        await both.wait()

    @flow.task(on="a.txt")
    async def a(first: bool) -> None:
        if first:
            await begin("a")
            await WAYS[name](b(False))

    @flow.task(on="b.txt")
    async def b(first: bool) -> None:
        if first:
            await begin("b")
            await WAYS[name](a(False))

    async def run() -> Sequence[object]:
        return await asyncio.gather(a(True), b(True), return_exceptions=True)

    refused(await (run() if within == "alone" else flow(run)()), OUTPUT)


@pytest.mark.parametrize("colour", ["async", "sync"])
async def test_two_calls_that_map_over_what_the_other_makes(flow: Flow, colour: str) -> None:
    """Through the workers of a map, and of a sync task through its threads."""
    both = threading.Barrier(2)
    other = Flow(store=flow.store, sink=NullSink())

    @flow.task(on="a{n}.txt")
    async def a(n: int, first: bool) -> None:
        if first:
            await asyncio.to_thread(both.wait)
            await flow.task.map(pass_b if colour == "async" else b_in_a_thread, [n])

    @flow.task(on="b{n}.txt")
    async def b(n: int, first: bool) -> None:
        if first:
            await asyncio.to_thread(both.wait)
            async for _ in flow.task.map(pass_a, [n]):
                pass

    @flow.task
    async def pass_a(n: int) -> None:
        await a(n, False)

    @flow.task
    async def pass_b(n: int) -> None:
        await b(n, False)

    @other.task(on="b{n}.txt")
    def b_in_a_thread(n: int) -> None: ...

    refused(await asyncio.gather(a(1, True), b(1, True), return_exceptions=True), OUTPUT)


def test_two_calls_in_threads_that_each_make_what_the_other_needs(flow: Flow) -> None:
    both = threading.Barrier(2)

    @flow.task(on="a.txt")
    def a(first: bool) -> None:
        if first:
            both.wait()
            b(False)

    @flow.task(on="b.txt")
    def b(first: bool) -> None:
        if first:
            both.wait()
            a(False)

    refused(in_threads(lambda: a(True), lambda: b(True)), OUTPUT)


def test_two_loops_in_threads(flow: Flow) -> None:
    both = threading.Barrier(2)

    @flow.task(on="a.txt")
    async def a(first: bool) -> None:
        if first:
            await asyncio.to_thread(both.wait)
            await b(False)

    @flow.task(on="b.txt")
    async def b(first: bool) -> None:
        if first:
            await asyncio.to_thread(both.wait)
            await a(False)

    refused(in_threads(lambda: asyncio.run(a(True)), lambda: asyncio.run(b(True))), OUTPUT)


@pytest.mark.parametrize("stands_still", [False, True])
async def test_a_loop_and_a_thread_of_its_pool(flow: Flow, stands_still: bool) -> None:
    """Also if the call on the loop is a sync one, and stops it."""
    other = Flow(store=flow.store, sink=NullSink())
    both = threading.Barrier(2)

    @flow.task(on="a.txt")
    async def a() -> None:
        await asyncio.to_thread(both.wait)
        if stands_still:
            b(False)
        else:
            await asyncio.to_thread(b, False)

    @other.task(on="a.txt")
    def a_in_a_thread() -> None: ...

    @flow.task(on="b.txt")
    def b(first: bool) -> None:
        if first:
            both.wait()
            a_in_a_thread()

    results = await asyncio.gather(a(), asyncio.to_thread(b, True), return_exceptions=True)
    refused(results, OUTPUT)


def test_three_in_a_ring_beside_one_that_only_waits(flow: Flow) -> None:
    """Who waits for the ring, and is no part of it, goes on when that is broken."""
    ready = threading.Barrier(4)

    @flow.task(on="{n}.txt", limit=0)
    def make(n: int, after: int | None) -> None:
        if after is not None:
            ready.wait()
            make(after, None)

    def only_waits() -> None:
        ready.wait()
        make(0, None)

    rings = [lambda n=n: make(n, (n + 1) % 3) for n in range(3)]
    results = in_threads(*rings, only_waits)
    assert results[3] is None
    refused(results, OUTPUT)


# ------------------------------------------------------------------ found: slots, and threads of a pool


async def test_the_loops_own_pool_is_full_of_calls_that_wait_for_slots_of_its_bodies(flow: Flow) -> None:
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(3))
    api, ready = Limit(2), asyncio.Event()

    @flow.task(limit=api)
    async def fetch(n: int) -> int:
        await ready.wait()
        return await asyncio.to_thread(int, n)

    @flow.task(limit=api)
    def store(n: int) -> int:
        return n

    fetches = [asyncio.create_task(fetch(n)) for n in range(2)]
    await asyncio.sleep(0)
    stores = [asyncio.create_task(asyncio.to_thread(store, n)) for n in range(5)]
    await asyncio.sleep(0)
    ready.set()
    results: list[Any] = await asyncio.gather(*fetches, *stores, return_exceptions=True)
    assert results[:2] == [0, 1]
    errors = [each for each in results[2:] if not isinstance(each, int)]
    assert 1 <= len(errors) <= 5
    for error in errors:
        with pytest.raises(DeadlockError, match=POOL):
            raise error


async def test_a_pool_that_is_not_full_has_another_remedy(flow: Flow) -> None:
    ours, theirs, both = Limit(1), Limit(1), threading.Barrier(2)

    @flow.task(limit=ours)
    async def a() -> None:
        await asyncio.to_thread(both.wait)
        await asyncio.to_thread(b, False)

    @flow.task(limit=ours)
    def a_in_a_thread() -> None: ...

    @flow.task(limit=theirs)
    def b(first: bool) -> None:
        if first:
            both.wait()
            a_in_a_thread()

    refused(await asyncio.gather(a(), asyncio.to_thread(b, True), return_exceptions=True), SLOT)


async def test_to_thread_of_the_flow_is_the_remedy(flow: Flow) -> None:
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(3))
    api, ready = Limit(2), asyncio.Event()

    @flow.task(limit=api)
    async def fetch(n: int) -> int:
        await ready.wait()
        return await asyncio.to_thread(int, n)

    @flow.task(limit=api)
    def store(n: int) -> int:
        return n

    calls = [asyncio.create_task(fetch(n)) for n in range(2)]
    await asyncio.sleep(0)
    calls += [asyncio.create_task(flow.task.to_thread(store, n)) for n in range(20)]
    await asyncio.sleep(0)
    ready.set()
    assert await asyncio.gather(*calls) == [0, 1, *range(20)]


@pytest.mark.parametrize("colour", ["async", "sync"])
@pytest.mark.parametrize("shared", [False, True])
def test_two_tasks_that_each_wait_for_a_slot_of_the_other(flow: Flow, colour: str, shared: bool) -> None:
    limits: list[Any] = [Limit(1), Limit(1)] if shared else [1, 1]
    both, begun = asyncio.Event(), list[int]()
    barrier = threading.Barrier(2)
    if colour == "async":

        @flow.task(limit=limits[0])
        async def x(first: bool) -> None:
            if first:
                await begin()
                await y(False)

        @flow.task(limit=limits[1])
        async def y(first: bool) -> None:
            if first:
                await begin()
                await x(False)

        async def begin() -> None:
            begun.append(1)
            if len(begun) == 2:
                both.set()
            await both.wait()

        async def run() -> Sequence[object]:
            innocent = asyncio.create_task(later(x))
            found = await asyncio.gather(x(True), y(True), return_exceptions=True)
            await innocent
            return found

        async def later(task: Callable[[bool], Coroutine[Any, Any, None]]) -> None:
            await asyncio.sleep(0)
            await task(False)

        refused(asyncio.run(run()), SLOT)
    else:

        @flow.task(limit=limits[0])
        def sx(first: bool) -> None:
            if first:
                barrier.wait()
                sy(False)

        @flow.task(limit=limits[1])
        def sy(first: bool) -> None:
            if first:
                barrier.wait()
                sx(False)

        refused(in_threads(lambda: sx(True), lambda: sy(True)), SLOT)


@pytest.mark.parametrize("within", ["alone", "in a flow"])
async def test_a_body_that_waits_for_a_call_that_waits_for_its_slot(flow: Flow, within: str) -> None:
    """The call that is refused has not begun, and is named."""

    @flow.task(limit=1)
    async def x(others: list[asyncio.Task[None]]) -> None:
        await asyncio.gather(*others, return_exceptions=True)

    async def run() -> None:
        others: list[asyncio.Task[None]] = []
        holder = asyncio.create_task(x(others))
        others.append(asyncio.create_task(x([])))
        await holder
        await others[0]

    with pytest.raises(DeadlockError, match=r"^task x\(\): waits for a slot of calls"):
        await (flow(run) if within == "in a flow" else run)()


# ------------------------------------------------------------------ not found: waits that end


async def crowded(flow: Flow, hold: Callable[[], Coroutine[Any, Any, object]], **options: Any) -> list[Any]:
    """Fill a pool with calls that wait for the slot of a body, which then awaits *hold*."""
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(2))
    api = Limit(1)

    ready = asyncio.Event()

    async def holding() -> None:
        await ready.wait()
        await hold()

    holds: Any = flow.task(limit=api, **options)(holding)

    @flow.task(limit=api)
    def waits_for_it() -> None: ...

    first = asyncio.create_task(holds())
    await asyncio.sleep(0)
    others = [asyncio.create_task(asyncio.to_thread(waits_for_it)) for _ in range(3)]
    await asyncio.sleep(0)
    ready.set()
    return await asyncio.gather(first, *others, return_exceptions=True)


async def many_looks() -> None:
    """Wait until the waiting threads have looked some times at whether they can go on."""
    looks = 0

    def count(*_: object) -> None:
        nonlocal looks
        looks += 1

    original = deadlocks._look_twice  # pyright: ignore[reportPrivateUsage]

    def counting(*args: Any) -> Any:
        count()
        return original(*args)

    deadlocks._look_twice = counting  # type: ignore[assignment]  # pyright: ignore[reportPrivateUsage]
    try:
        while looks < 20:
            await asyncio.sleep(0.001)
    finally:
        deadlocks._look_twice = original  # pyright: ignore[reportPrivateUsage]


async def test_a_body_that_waits_for_something_else(flow: Flow) -> None:
    assert await crowded(flow, many_looks) == [None] * 4


async def test_a_body_that_waits_for_another_process(flow: Flow) -> None:
    """A claim that no call of this process holds, as if another one had it."""

    @flow.task(on="x.txt")
    async def make() -> None: ...

    async def hold() -> None:
        await make()

    claim: Any = flow.store.claim("x.txt", "x.err")
    crowd = asyncio.create_task(crowded(flow, hold))
    await many_looks()
    claim.abort()
    assert await crowd == [None] * 4


async def test_a_body_that_waits_for_the_pool_or_for_something_else(flow: Flow) -> None:
    async def hold() -> None:
        item = asyncio.create_task(asyncio.to_thread(int))
        await asyncio.wait([item, asyncio.create_task(many_looks())], return_when="FIRST_COMPLETED")

    assert await crowded(flow, hold) == [None] * 4


async def test_a_body_with_a_timeout_of_its_own(flow: Flow) -> None:
    async def hold() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await asyncio.to_thread(int)

    assert await crowded(flow, hold) == [None] * 4


class Scope:
    """A timeout as other libraries have one."""

    def __init__(self, way: str) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.tasks = {task}
        loop = asyncio.get_running_loop()
        if way == "method":
            loop.call_later(0.1, self.cancel)
        elif way == "closure":
            loop.call_later(0.1, lambda: task.cancel())
        elif way == "argument":
            loop.call_later(0.1, cancel, task)
        else:
            loop.call_later(0.1, task.cancel)

    def cancel(self) -> None:
        for task in self.tasks:
            task.cancel()


def cancel(task: asyncio.Task[Any]) -> None:
    task.cancel()


@pytest.mark.parametrize("way", ["method", "closure", "argument", "task"])
async def test_a_body_that_a_timer_will_cancel(flow: Flow, way: str) -> None:
    async def hold() -> None:
        Scope(way)
        await asyncio.to_thread(int)

    first, *others = await crowded(flow, hold)
    assert isinstance(first, asyncio.CancelledError)
    assert others == [None] * 3


async def test_a_task_with_a_timeout(flow: Flow) -> None:
    first, *others = await crowded(flow, lambda: asyncio.to_thread(int), timeout=0.1)
    assert isinstance(first, TimeoutError)
    assert others == [None] * 3


async def test_a_body_that_waits_for_another_pool(flow: Flow) -> None:
    go = threading.Event()
    with ThreadPoolExecutor(1) as other:
        other.submit(go.wait, 30)

        async def hold() -> None:
            queued = asyncio.get_running_loop().run_in_executor(other, int)
            await many_looks_then(go.set)
            await queued

        assert await crowded(flow, hold) == [None] * 4


async def many_looks_then(act: Callable[[], object]) -> None:
    waiting = asyncio.create_task(many_looks())
    waiting.add_done_callback(lambda _: act())
    await asyncio.sleep(0)


async def test_what_is_no_longer_as_expected_is_no_deadlock(
    flow: Flow, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A version of asyncio that has changed inside: nothing is found, and nothing fails."""

    def gone(*_: object) -> Any:
        raise AttributeError("_fut_waiter")

    with monkeypatch.context() as patched:
        patched.setattr(suspended, "awaited_by", gone)
        assert await crowded(flow, lambda: asyncio.sleep(0.05)) == [None] * 4


def test_our_own_frames_have_the_names_that_are_looked_for() -> None:
    from asflow._runtime import counted, drive_async, drive_sync, quick
    from asflow._task import room, to_thread

    assert room.Room.filled.__qualname__ == "Room.filled"
    found: list[Any] = [drive_async.run_async, drive_sync.run_sync, to_thread.in_thread]
    found += [counted.counted_async, counted.counted_sync]
    names = {function.__qualname__ for function in found}
    for maker in (quick.quick_async, quick.quick_sync):
        names |= {each.co_qualname for each in maker.__code__.co_consts if hasattr(each, "co_qualname")}
    assert names >= deadlocks._HOLDERS  # pyright: ignore[reportPrivateUsage]


# ------------------------------------------------------------------ drawn at random

Tree = tuple[int, int, str, tuple[Any, ...]]
"""A call: its level, its argument, how it is called, and the calls that its body makes."""


def trees(levels: int, *, ordered: bool) -> st.SearchStrategy[list[Tree]]:
    kinds = st.sampled_from(["async", "sync", "flow"])

    def calls(level: int, depth: int) -> st.SearchStrategy[Tree]:
        lowest = level if ordered else 0
        below: Any = st.just(())
        if depth < 3 and lowest < levels:
            below = st.lists(
                st.integers(lowest, levels - 1).flatmap(
                    lambda next_level: calls(next_level + 1 if ordered else next_level, depth + 1)
                ),
                max_size=2,
            ).map(tuple)
        own = st.integers(max(0, level - 1), max(0, level - 1)) if ordered else st.integers(0, levels - 1)
        return st.tuples(own, st.integers(0, 1), kinds, below)

    return st.lists(st.integers(1, levels).flatmap(lambda level: calls(level, 0)), min_size=2, max_size=6)


class Program:
    """Tasks of several levels, async and sync, with outputs or without, each level under one limit."""

    def __init__(self, levels: int, totals: list[int], outputs: list[bool]) -> None:
        self.flow = Flow(store=MemoryStore(), sink=NullSink())
        self.tasks = [self._level(n, totals[n], outputs[n]) for n in range(levels)]
        self.errors: list[BaseException] = []

    def _level(self, level: int, total: int, has_output: bool) -> tuple[Any, Any]:
        limit = Limit(total)
        options: Any = {"on": f"{level}-{{n}}.txt"} if has_output else {}

        async def body(n: int, below: tuple[Tree, ...]) -> None:
            await asyncio.sleep(0)
            await asyncio.gather(*(self.call(tree) for tree in below))

        def sync_body(n: int, below: tuple[Tree, ...]) -> None:
            for tree in below:
                self.call_sync(tree)

        body.__qualname__, sync_body.__qualname__ = f"body{level}", f"sync_body{level}"
        other = Flow(store=self.flow.store, sink=NullSink()) if has_output else self.flow
        return (
            self.flow.task(limit=limit, **options)(body),
            other.task(limit=limit, **options)(sync_body),
        )

    async def call(self, tree: Tree) -> None:
        level, n, kind, below = tree
        try:
            if kind == "async":
                await self.tasks[level][0](n, below)
            elif kind == "sync":
                await asyncio.to_thread(self.tasks[level][1], n, below)
            else:
                await self.flow.task.to_thread(self.tasks[level][1], n, below)
        except DeadlockError as error:
            self.errors.append(error)

    def call_sync(self, tree: Tree) -> None:
        level, n, _, below = tree
        try:
            self.tasks[level][1](n, below)
        except DeadlockError as error:
            self.errors.append(error)

    async def run(self, calls: list[Tree], threads: int) -> None:
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(threads))
        await asyncio.gather(*(self.call(tree) for tree in calls))


@settings(
    max_examples=examples(60), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    calls=trees(3, ordered=True),
    totals=st.lists(st.integers(1, 2), min_size=3, max_size=3),
    outputs=st.lists(st.booleans(), min_size=3, max_size=3),
)
def test_calls_in_one_order_are_never_refused(
    calls: list[Tree], totals: list[int], outputs: list[bool]
) -> None:
    """Bodies call tasks of higher levels only, and there are threads for all: no wait is without end."""
    program = Program(3, totals, outputs)
    asyncio.run(program.run(calls, 200))
    assert not program.errors


@settings(
    max_examples=examples(60), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    calls=trees(3, ordered=False),
    totals=st.lists(st.integers(1, 2), min_size=3, max_size=3),
    outputs=st.lists(st.booleans(), min_size=3, max_size=3),
    threads=st.integers(1, 4),
)
def test_calls_in_any_order_come_to_an_end_and_what_is_refused_had_stopped(
    calls: list[Tree], totals: list[int], outputs: list[bool], threads: int
) -> None:
    """Whatever waits for what, all of it ends. Of each deadlock that is found nothing moves a while later."""
    original = deadlocks._look_twice  # pyright: ignore[reportPrivateUsage]

    def checked(start: Any, victims: Any) -> Any:
        found = original(start, victims)
        if found is not None:
            looks = deadlocks.Look(), deadlocks.Look()
            assert looks[0].is_stuck(start)
            time.sleep(0.01)
            assert looks[1].is_stuck(start)
            assert looks[1].sees_the_same(looks[0])
        return found

    deadlocks._look_twice = checked  # pyright: ignore[reportPrivateUsage]
    try:
        asyncio.run(Program(3, totals, outputs).run(calls, threads))
    finally:
        deadlocks._look_twice = original  # pyright: ignore[reportPrivateUsage]
