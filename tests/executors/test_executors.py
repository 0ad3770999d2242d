"""`executor=`: the body runs elsewhere, everything else stays here."""

from __future__ import annotations

import asyncio
import os
import re
import threading
import time
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from typing import TYPE_CHECKING

import numpy as np
import pytest
from executors import bodies, oddities

from asflow import Flow, Retry
from asflow._executors import caller
from asflow._executors.worker import PROGRESS
from asflow.errors import DefinitionTypeError, ExecutorError, OutputClosedError, TransferError
from asflow.events import TaskProgressed

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from asflow.events import Event

pytestmark = [
    # Clusters and pools are started, and workers that were killed again: each imports for seconds.
    pytest.mark.timeout(300),
    pytest.mark.filterwarnings(
        "ignore::DeprecationWarning:distributed", "ignore::DeprecationWarning:dask", "ignore::ResourceWarning"
    ),
]


def files(flow: Flow) -> list[str]:
    folder = flow.path("")
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def spooled() -> list[str]:
    return [name for name in os.listdir(caller._folders.path()) if name != "owner"]


def test_a_body_writes_from_a_worker(flow: Flow, executor: Executor) -> None:
    """Its records are published here, compressed as usual, and once."""
    task = flow.task(on="{name}.jsonl.zst", executor=executor)(bodies.write)
    task("a", 5)
    output = flow.task.output(task, "a")
    records = list(output.records(dict[str, object]))
    (pid,) = {record.pop("pid") for record in records}
    assert (pid == os.getpid()) == isinstance(executor, ThreadPoolExecutor)
    assert records == [{"name": "a", "number": n} for n in range(5)]
    before = output.modified
    task("a", 5)
    assert output.modified == before
    assert files(flow) == ["a.jsonl.zst"]
    assert spooled() == []


def test_an_output_without_records(flow: Flow, executor: Executor) -> None:
    """It is whole too."""
    task = flow.task(on="{name}.jsonl.gz", executor=executor)(bodies.write)
    task("a", 0)
    assert flow.task.output(task, "a").text() == ""


def test_the_run_is_known_in_the_worker(flow: Flow, executor: Executor) -> None:
    """`flow.task.run` has the task, its attempt and its output."""
    task = flow.task(on="x.json", executor=executor)(bodies.describe)
    task()
    (found,) = flow.task.output(task).records(dict[str, str | int])
    expected = {"task": "describe", "label": "", "attempt": 1, "output": str(flow.path("x.json"))}
    assert found == expected


def test_threads_of_a_worker_write_one_at_a_time(flow: Flow, executor: Executor) -> None:
    """In a copy of the context, as usual."""
    task = flow.task(on="x.jsonl", executor=executor)(bodies.write_from_threads)
    task(20)
    numbers = [record["n"] for record in flow.task.output(task, 20).records(dict[str, int])]
    assert sorted(numbers) == list(range(20))


def test_exceptions_come_back_unchanged(flow: Flow, executor: Executor) -> None:
    """Type and arguments; the worker's traceback is the cause. Nothing is published."""
    task = flow.task(on="{name}.txt", executor=executor)(bodies.fail)
    with pytest.raises(LookupError) as raised:
        task("a")
    assert type(raised.value) is LookupError
    assert raised.value.args == ("a", 7)
    if not isinstance(executor, ThreadPoolExecutor):
        assert "in fail" in str(raised.value.__cause__)
    assert files(flow) == []
    assert spooled() == []


@pytest.mark.parametrize(("well", "said"), [(True, "commit failed"), (False, "body failed")])
def test_a_writer_that_can_not_commit_is_aborted_in_the_worker(
    flow: Flow, executors: Callable[[str], Executor], tmp_path: Path, well: bool, said: str
) -> None:
    """What aborting raises hides nothing."""
    task = flow.task(on="out-*.txt", writer=bodies.ClumsyWriter, executor=executors("processes"))(
        bodies.write_path
    )
    with pytest.raises((OSError, LookupError), match=said):
        task(str(tmp_path / "aborted"), well)
    assert (tmp_path / "aborted").exists()


def test_the_policy_stays_here(flow: Flow, executor: Executor) -> None:
    """Skipped, suppressed with the worker's traceback on record, and retried."""
    skipping = flow.task(on="s/{name}.txt", skip=LookupError, executor=executor)(bodies.fail)
    skipping("a")
    assert files(flow) == []
    suppressing = flow.task(on="e/{name}.txt", suppress=LookupError, executor=executor)(bodies.fail)
    suppressing("a")
    output = flow.task.output(suppressing, "a")
    assert output.status == "suppressed"
    assert "in fail" in (output.error() or "")
    retrying = flow.task(on="r.txt", retry=Retry(1, backoff_factor=0, backoff_jitter=0), executor=executor)(
        bodies.fail_once
    )
    retrying()
    assert flow.task.output(retrying).text() == "attempt 2"


def test_system_exit_passes(flow: Flow, executors: Callable[[str], Executor]) -> None:
    """As it does from a body here."""
    task = flow.task(executor=executors("processes"))(bodies.leave)
    with pytest.raises(SystemExit) as raised:
        task()
    assert raised.value.code == 3


def test_what_can_not_be_sent_is_named(flow: Flow, workers: Executor) -> None:
    """The argument, the value, the exception, the function."""
    take = flow.task(executor=workers)(bodies.take)
    with pytest.raises(TransferError, match=r"task take\(\): the argument second = .*lock.* can't be sent"):
        take(1, threading.Lock())
    returning = flow.task(executor=workers)(bodies.return_lock)
    with pytest.raises(
        TransferError, match=r"task return_lock\(\): it returned a lock, which can't be pickled"
    ):
        returning()
    odd = flow.task(executor=workers)(oddities.fail)
    with pytest.raises(
        TransferError, match=r"it raised a LockedError, which can't be sent back \(.*lock(.|\n)*locked"
    ):
        odd("locked")
    lock = threading.Lock()

    @flow.task(executor=workers)
    def local() -> None:
        lock.acquire()

    with pytest.raises(TransferError, match="its function can't be sent to the executor "):
        local()


def test_a_local_function_goes_by_value(flow: Flow, workers: Executor) -> None:
    """With the values that it closes over, and the flow that it uses."""
    offset = 40

    @flow.task(on="{n}.txt", executor=workers)
    def local(n: int) -> None:
        bodies.flow.task.write("one")
        flow.task.write(f" two {n + offset}")

    @flow.task(save="{n}.json", executor=workers)
    def saved(n: int) -> list[int]:
        return [n, offset]

    local(2)
    assert flow.task.output(local, 2).text() == "one two 42"
    assert saved(2) == saved(2) == [2, 40]


def test_a_task_of_a_module_goes_by_name() -> None:
    """Though its name there means the task, not the body."""
    doubled, pid = bodies.decorated(4)
    assert doubled == 8
    assert pid != os.getpid()
    bodies.own_pool.shutdown()


def test_tasks_called_in_the_body_run_in_the_worker(flow: Flow, executor: Executor) -> None:
    """As ordinary tasks of that process."""
    assert flow.task(executor=executor)(bodies.nested)("abc") == 3


def test_an_executor_that_was_shut_down_is_an_error(flow: Flow) -> None:
    """At the call, and nothing is left."""
    for pool in (ThreadPoolExecutor(1), ProcessPoolExecutor(1, mp_context=get_context("spawn"))):
        pool.shutdown()
        task = flow.task(on="{name}.txt", executor=pool)(bodies.write)
        with pytest.raises(
            ExecutorError, match=r"task write\(\): its executor .*PoolExecutor takes no more work"
        ):
            task("a")
    assert files(flow) == []


async def test_a_map_uses_all_workers(flow: Flow, executor: Executor) -> None:
    """Several at once, results in order."""
    task = flow.task(on="{name}.jsonl", limit=4, executor=executor)(bodies.write)
    names = [f"n{number}" for number in range(12)]
    assert await flow.task.map(task, names) == [None] * 12
    assert len(files(flow)) == 12
    saving = flow.task(save="{name}.json", limit=4, executor=executor)(bodies.return_name)
    for _ in range(2):
        assert [name for name, _ in await flow.task.map(saving, names)] == names


async def test_cancelling_cancels(flow: Flow, workers: Executor, tmp_path: Path) -> None:
    """What waits is never begun, what runs is left alone and its result discarded."""
    before = set(spooled())  # another test's worker may be about to end
    task = flow.task(on="{number}.txt", limit=8, executor=workers)(bodies.wait_for)

    @flow.task(limit=8)
    def one(number: int) -> None:
        task(number, str(tmp_path))

    async def all_of_them() -> None:
        await flow.task.map(one, range(8))

    running = asyncio.create_task(all_of_them())
    while not any(name.startswith("began") for name in os.listdir(tmp_path)):
        await asyncio.sleep(0.01)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert files(flow) == []
    (tmp_path / "sign").touch()  # had the map waited for what runs, it would have waited for this
    again = flow.task(on="again/{name}.jsonl", executor=workers)(bodies.write)
    again("a")
    assert files(flow) == ["again/a.jsonl"]
    if not isinstance(workers, ProcessPoolExecutor):  # including what a worker began after the cancellation
        assert set(spooled()) <= before
    else:  # two ran, one or two more were on their way to a worker
        assert sum(name.startswith("began") for name in os.listdir(tmp_path)) <= 5


def test_a_killed_process_publishes_nothing(flow: Flow, tmp_path: Path) -> None:
    """The standard library's pool is broken by it, and says so; a new one makes the output."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        task = flow.task(on="x.txt", executor=pool)(bodies.always_die)
        with pytest.raises(BrokenProcessPool):
            task()
        with pytest.raises(BrokenProcessPool):
            task()
    assert files(flow) == []
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        (tmp_path / "sign").touch()
        again = flow.task(on="y.txt", executor=pool)(bodies.die)
        again(tmp_path / "sign")
    assert flow.task.output(again, tmp_path / "sign").text() == "half whole"


def test_dask_repeats_what_a_killed_worker_did(
    flow: Flow, executors: Callable[[str], Executor], tmp_path: Path
) -> None:
    """On another worker; what the first one wrote is not in the output."""
    task = flow.task(on="x.txt", executor=executors("dask"))(bodies.die)
    task(tmp_path / "sign")
    assert flow.task.output(task, tmp_path / "sign").text() == "half whole"


def test_dask_gives_up_on_a_task_that_kills_its_workers(
    flow: Flow, executors: Callable[[str], Executor]
) -> None:
    """Its error is the policy's to judge; nothing is published."""
    distributed = pytest.importorskip("distributed")
    task = flow.task(on="x.txt", executor=executors("dask"))(bodies.always_die)
    with pytest.raises(distributed.KilledWorker):
        task()
    assert files(flow) == []
    skipping = flow.task(on="x.txt", skip=distributed.KilledWorker, executor=executors("dask"))(
        bodies.always_die
    )
    skipping()
    assert files(flow) == []


@pytest.mark.parametrize("pages", [9, np.int64(9)])
def test_progress_comes_back_while_the_body_runs(workers: Executor, tmp_path: Path, pages: float) -> None:
    """The body waits until the sink has received an event."""
    sign = tmp_path / "sign"
    received: list[tuple[str | None, float, float | None]] = []

    class Sink:
        def emit(self, event: Event, /) -> None:
            if isinstance(event, TaskProgressed):
                received.append((event.description, event.completed, event.total))
                sign.touch()

    flow = Flow(tmp_path / "out", sink=Sink())
    flow.task(on="x.txt", executor=workers)(bodies.report_progress)(str(tmp_path), pages)
    assert received[0] in {("pages", 4, 9), ("pages", 0, 9)}


@pytest.mark.parametrize("count", [0, 3, 30_000])
def test_without_a_shared_folder_bytes_are_sent_with_the_response(
    flow: Flow, workers: Executor, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    """A worker on another machine."""
    monkeypatch.setattr(caller._folders, "path", lambda near: "/no/such/folder")
    task = flow.task(on="{name}.jsonl", executor=workers)(bodies.write)
    task("a", count)
    assert len(list(flow.task.output(task, "a").records(dict[str, object]))) == count


def test_a_late_write_in_a_thread_is_refused(flow: Flow, executors: Callable[[str], Executor]) -> None:
    """After the end, as usual."""
    kept: list[Callable[[object], None]] = []

    @flow.task(on="x.txt", executor=executors("threads"))
    def leak() -> None:
        from contextvars import copy_context

        context = copy_context()
        kept.append(lambda record: context.run(flow.task.write, record))

    leak()
    with pytest.raises(OutputClosedError):
        kept[0]("late")


def noted(path: Path) -> str:
    """Wait for the note of a thread that was left behind."""
    until = time.monotonic() + 30
    while not path.exists():
        assert time.monotonic() < until
        time.sleep(0.01)
    return path.read_text(encoding="utf-8")


def test_a_write_under_way_at_the_end_is_whole_and_the_next_one_refused(
    flow: Flow, executor: Executor, tmp_path: Path
) -> None:
    """Committing waits for it: a writer is never in two threads at a time, in a worker as here."""
    task = flow.task(on="x.txt", writer=bodies.PatientWriter, executor=executor)(bodies.leave_a_writer_behind)
    task(str(tmp_path))
    text = flow.task.output(task, str(tmp_path)).text()
    assert re.fullmatch("(<>)+ end", text)
    assert "task leave_a_writer_behind(): the output is closed" in noted(tmp_path / "refused")
    assert flow.task.output(task, str(tmp_path)).text() == text


def test_progress_after_the_end_is_not_reported(flow: Flow, executor: Executor, tmp_path: Path) -> None:
    """And leaves no note behind."""
    flow.task(on="x.txt", executor=executor)(bodies.leave_progress_behind)(str(tmp_path))
    (tmp_path / "sign").touch()
    assert noted(tmp_path / "done") == "done"
    assert [name for name in spooled() if PROGRESS in name] == []


@pytest.mark.slow
@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="memory is measured in /proc")
def test_memory_is_flat_here(flow: Flow, executors: Callable[[str], Executor]) -> None:
    """200 MiB of output pass through this process in small pieces."""

    def peak() -> int:
        with open("/proc/self/status") as file:
            return next(int(line.split()[1]) for line in file if line.startswith("VmRSS"))

    task = flow.task(on="{mebibytes}.bin", executor=executors("processes"))(bodies.write_much)
    before = peak()
    task(200)
    assert flow.task.output(task, 200).size == 200 << 20
    assert peak() - before < 50 << 10


def test_what_can_not_work_is_refused_when_it_is_defined(flow: Flow) -> None:
    """An async body, and something that is not an executor."""
    with ThreadPoolExecutor(1) as pool, pytest.raises(DefinitionTypeError, match="needs a plain `def`"):

        @flow.task(executor=pool)
        async def coroutine() -> None: ...

    with pytest.raises(DefinitionTypeError, match=r"executor takes a concurrent\.futures\.Executor"):

        @flow.task(executor="dask")  # type: ignore[call-overload, untyped-decorator]  # pyright: ignore[reportArgumentType, reportCallIssue, reportUntypedFunctionDecorator]
        def plain() -> None: ...


@pytest.mark.parametrize("threads", [1, 2])
def test_a_body_on_threads_calls_tasks_of_the_same_threads(flow: Flow, threads: int) -> None:
    """Its own and others: they run in place, as every thread may be held by a body that waits like it."""
    with ThreadPoolExecutor(threads) as pool:

        @flow.task(executor=pool)
        def factorial(n: int) -> int:
            return 1 if n == 0 else n * other(n - 1)

        @flow.task(executor=pool, retry=1)
        def other(n: int) -> int:
            return factorial(n) or 0

        assert factorial(5) == 120

        async def mapped() -> list[int]:
            return await flow.task.map(factorial, [3, 4, 5, 6])

        assert asyncio.run(mapped()) == [6, 24, 120, 720]
