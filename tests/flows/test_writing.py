"""`flow.task.write` finds its task wherever the task's context goes, and never a task that has ended."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from asflow import Flow, LocalStore, MemoryStore, Retry, Store
from asflow._runtime.calls import TaskCall
from asflow._runtime.current import current
from asflow.errors import NotInTaskError, OutputClosedError, RecordTypeError
from asflow.sinks import NullSink


@pytest.fixture(params=["memory", "disk"])
def store(request: pytest.FixtureRequest) -> Store:
    return MemoryStore() if request.param == "memory" else LocalStore()


@pytest.fixture
def flow(store: Store, tmp_path: Path) -> Flow:
    return Flow(tmp_path, store=store, sink=NullSink())


async def test_through_threads_groups_and_nested_tasks(flow: Flow) -> None:
    @flow.task
    async def helper(number: int) -> int:
        with pytest.raises(NotInTaskError, match="has no output to write to"):
            flow.task.write("not its own")
        return number

    @flow.task(on="inner-{number}.txt")
    async def inner(number: int) -> None:
        flow.task.write(f"inner {number}")

    @flow.task(on="outer.jsonl")
    async def outer() -> None:
        flow.task.write({"from": "body"})
        await asyncio.to_thread(flow.task.write, {"from": "thread"})
        await helper(1)
        await inner(1)
        async with asyncio.TaskGroup() as group:
            for number in range(3):
                group.create_task(write_later(number))
        context = contextvars.copy_context()
        with ThreadPoolExecutor(1) as pool:
            pool.submit(context.run, flow.task.write, {"from": "pool"}).result()
            with pytest.raises(NotInTaskError, match="a plain thread does not know its task"):
                pool.submit(flow.task.write, {"from": "nowhere"}).result()

    async def write_later(number: int) -> None:
        flow.task.write({"from": f"group {number}"})

    await outer()
    records = [record["from"] for record in flow.task.output(outer).records(dict[str, str])]
    assert records[:2] == ["body", "thread"]
    assert sorted(records[2:]) == ["group 0", "group 1", "group 2", "pool"]
    assert flow.task.output(inner, 1).text() == "inner 1"


def test_from_many_threads_at_once(flow: Flow) -> None:
    """No record is lost or torn, and those of one thread keep their order, in each format."""

    def fill(write: int) -> None:
        def many(thread: int) -> None:
            for number in range(200):
                flow.task.write({"thread": thread, "number": number, "text": "ü" * number})

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda thread: contexts[thread].run(many, thread), range(8)))

        del write

    contexts: list[contextvars.Context] = []

    @flow.task(on="{number}.jsonl.zst")
    def lines(number: int) -> None:
        contexts[:] = [contextvars.copy_context() for _ in range(8)]
        fill(number)

    @flow.task(on="{number}.csv.gz")
    def table(number: int) -> None:
        contexts[:] = [contextvars.copy_context() for _ in range(8)]
        fill(number)

    for task in (lines, table):
        task(1)
        seen: dict[int, int] = {}
        for record in flow.task.output(task, 1).records(dict[str, str | int]):
            thread, number = int(record["thread"]), int(record["number"])
            assert number == seen.get(thread, -1) + 1
            assert record["text"] == "ü" * number
            seen[thread] = number
        assert seen == dict.fromkeys(range(8), 199)


@pytest.mark.parametrize("suffix", ["jsonl.zst", "csv", "txt"])
async def test_a_write_after_the_end_raises_and_reaches_no_file(flow: Flow, suffix: str) -> None:
    go, results = threading.Event(), list[BaseException | None]()
    threads: list[threading.Thread] = []

    def late() -> None:
        go.wait(30)
        try:
            flow.task.write("late\n" if suffix == "txt" else {"late": 1})
            results.append(None)
        except BaseException as error:
            results.append(error)

    @flow.task(on="{name}." + suffix, retry=0)
    async def make(name: str) -> None:
        flow.task.write("text\n" if suffix == "txt" else {"late": 0})
        context = contextvars.copy_context()
        thread = threading.Thread(target=lambda: context.run(late))
        thread.start()
        threads.append(thread)
        if name == "cancelled" and not go.is_set():
            await asyncio.Event().wait()

    await make("returned")
    before = flow.task.output(make, "returned").text()
    cancelled = asyncio.create_task(make("cancelled"))
    while len(threads) < 2:
        await asyncio.sleep(0)
    cancelled.cancel()
    await asyncio.gather(cancelled, return_exceptions=True)
    go.set()
    for thread in threads:
        await asyncio.to_thread(thread.join)
    assert [type(result) for result in results] == [OutputClosedError] * 2
    assert all("make(): the output is closed" in str(result) for result in results)
    assert flow.task.output(make, "returned").text() == before
    assert flow.task.output(make, "cancelled").status == "absent"
    await make("cancelled")  # its thread finds `go` set, and may be in time or not: the file is whole
    threads[-1].join()
    assert flow.task.output(make, "cancelled").text().startswith(before)


async def test_a_child_that_outlives_its_task_can_not_write(flow: Flow) -> None:
    go = asyncio.Event()
    children: list[asyncio.Task[None]] = []

    async def late() -> None:
        await go.wait()
        flow.task.write("late")

    @flow.task(on="x.txt")
    async def make() -> None:
        flow.task.write("whole")
        children.append(asyncio.create_task(late()))

    await make()
    go.set()
    with pytest.raises(OutputClosedError):
        await children[0]
    assert flow.task.output(make).text() == "whole"


def test_a_write_between_two_attempts_is_refused(flow: Flow) -> None:
    contexts: list[contextvars.Context] = []

    def write_again(error: Exception, retry: int) -> float:
        with pytest.raises(OutputClosedError):
            contexts[0].run(flow.task.write, "between")
        return 0

    from asflow import Retry

    @flow.task(on="x.txt", retry=Retry(1, delay=write_again))
    def make() -> None:
        contexts.append(contextvars.copy_context())
        flow.task.write("whole")
        if len(contexts) == 1:
            raise OSError

    make()
    assert flow.task.output(make).text() == "whole"


def test_an_output_without_a_record_is_an_output(flow: Flow) -> None:
    made: list[str] = []

    @flow.task(on="{name}.jsonl.zst")
    def make(name: str) -> None:
        made.append(name)

    for _ in range(2):
        make("x")
    assert made == ["x"]
    assert list(flow.task.output(make, "x").records(dict[str, int])) == []


def test_context_variables_of_a_body_are_its_own_in_async_tasks(flow: Flow) -> None:
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="unset")

    @flow.task
    async def see() -> str:
        return variable.get()

    async def main() -> list[str]:
        variable.set("outer")
        return [await see(), *await asyncio.gather(see(), asyncio.create_task(see()))]

    assert asyncio.run(main()) == ["outer"] * 3
    assert variable.get() == "unset"


@pytest.mark.parametrize("place", [0, 1, 700])
def test_a_refused_record_is_named_at_its_write_whatever_came_before(flow: Flow, place: int) -> None:
    caught: list[RecordTypeError] = []

    @flow.task(on="some.jsonl")
    def some() -> None:
        for number in range(place):
            flow.task.write({"number": number})
        try:
            flow.task.write({"bad": object()})
        except RecordTypeError as error:
            caught.append(error)
            raise

    with pytest.raises(RecordTypeError, match=r"task some\(\): .*object"):
        some()
    assert len(caught) == 1
    assert isinstance(caught[0].__cause__, TypeError)
    assert flow.task.output(some).status == "absent"


def test_each_attempt_writes_an_output_of_its_own(flow: Flow) -> None:
    attempts = 0

    @flow.task(on="some.jsonl", retry=Retry(total=1, backoff_factor=0, backoff_jitter=0))
    def some() -> None:
        nonlocal attempts
        attempts += 1
        for number in range(5):
            flow.task.write({"attempt": attempts, "number": number})
        if attempts == 1:
            raise OSError("not today")

    some()
    records = list(flow.task.output(some).records(dict[str, int]))
    assert records == [{"attempt": 2, "number": number} for number in range(5)]


def test_a_record_that_changes_after_its_write_is_written_as_it_was(flow: Flow) -> None:
    @flow.task(on="some.jsonl")
    def some() -> None:
        record = {"number": 0}
        for number in range(300):
            record["number"] = number
            flow.task.write(record)
        record["number"] = -1

    some()
    assert [r["number"] for r in flow.task.output(some).records(dict[str, int])] == [*range(300)]


def test_long_lines_are_passed_on_at_once(flow: Flow) -> None:
    class Record(dict[str, str]):
        """A dict with a long text, to be encoded as a subclass: by the format itself."""

    @flow.task(on="some.jsonl")
    def some() -> None:
        for number in range(50):
            flow.task.write({"text": "x" * 50_000})
            flow.task.write(Record(text=str(number)))
            call = current.get()
            assert isinstance(call, TaskCall)
            assert call.lines is not None
            assert sum(map(len, call.lines.gathered)) < 50_000

    some()
    texts = [record["text"] for record in flow.task.output(some).records(dict[str, str])]
    assert texts == [text for number in range(50) for text in ("x" * 50_000, str(number))]
