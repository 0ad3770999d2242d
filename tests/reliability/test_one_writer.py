"""Many callers of the same outputs: processes, threads with loops of their own, tasks, forked children."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import random
import signal
import sys
import threading
from pathlib import Path

import pytest
from reliability.pipeline import Pipeline
from reliability.processes import everything, run, stable

from asflow import Flow
from asflow.sinks import NullSink

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs flock and fork")


@pytest.mark.parametrize(
    ("processes", "loops"),
    [
        (2, 1),
        (3, 3),
        *(pytest.param(*each, marks=pytest.mark.slow) for each in [(1, 8), (4, 2), (8, 1), (8, 4)]),
    ],
)
def test_each_body_runs_once(tmp_path: Path, processes: int, loops: int) -> None:
    """Undisturbed runs, all at once: each body leaves one line, whoever ran it."""
    count = 40
    pipeline = Pipeline(str(tmp_path), seed=1)
    with stable(tmp_path) as server:
        children = [server.start("all", "data", count, seed, loops) for seed in range(processes)]
        assert [server.wait(child) for child in children] == [0] * processes
    assert os.listdir(tmp_path / "violations") == []
    assert everything(tmp_path / "out") == pipeline.expected(count)
    for index in range(count):
        pipeline.whole(index)
    converted = [path for path in (tmp_path / "bodies").iterdir() if path.name.startswith("text-")]
    assert [len(path.read_text().splitlines()) for path in converted] == [1] * len(converted)


@pytest.mark.parametrize("end", ["kill", "term", "skip", "fail"])
def test_when_the_owner_ends_the_next_takes_over(tmp_path: Path, end: str) -> None:
    """Another process holds an output; when it ends without one, a waiting process makes it, once."""
    how = {"kill": signal.SIGKILL, "term": signal.SIGTERM}
    with stable(tmp_path) as server:
        os.mkfifo(tmp_path / "told")
        owner = server.start("hold", 5, "wait" if end in how else end)
        assert (tmp_path / "told").read_text() == "held"
        waiters = [server.start("hold", 5, "finish") for _ in range(2)]
        expected = {"kill": -9, "term": -15, "skip": 0, "fail": 3}
        assert server.kill(owner, how.get(end, signal.SIGUSR1)) == expected[end]
        assert [server.wait(waiter) for waiter in waiters] == [0, 0]
    assert (tmp_path / "out" / "held" / "5.txt").read_text() == "half 5 whole"
    assert everything(tmp_path / "out") == {"held/5.txt"}
    assert os.listdir(tmp_path / "violations") == []
    lines = (tmp_path / "bodies" / "held-5").read_text().split()
    assert len(lines) <= 2
    assert int(lines[-1]) in waiters


async def test_a_cancelled_owner_gives_way_to_waiters(tmp_path: Path) -> None:
    """In one loop: the owner and some waiters are cancelled, the first of the others makes the output."""
    flow = Flow(tmp_path, sink=NullSink())
    bodies: list[int] = []
    entered = asyncio.Event()
    gate = asyncio.Event()

    @flow.task(on="x.txt", limit=3)
    async def make() -> None:
        bodies.append(len(bodies))
        flow.task.write("half ")
        entered.set()
        await gate.wait()
        flow.task.write("whole")

    owner = asyncio.create_task(make())
    await entered.wait()
    waiters = [asyncio.create_task(make()) for _ in range(20)]
    await asyncio.sleep(0)
    for waiter in waiters[::2]:
        waiter.cancel()
    owner.cancel()
    gate.set()
    results = await asyncio.gather(owner, *waiters, return_exceptions=True)
    assert [type(result) for result in results[1::2]] == [asyncio.CancelledError] * 10
    assert results[2::2] == [None] * 10
    assert len(bodies) == 2
    assert (tmp_path / "x.txt").read_text() == "half whole"
    assert os.listdir(tmp_path) == ["x.txt"]


def test_loops_in_threads_with_random_ends(tmp_path: Path) -> None:
    """Eight threads with a loop each on the same 40 outputs: some fail, some are cancelled; none twice."""
    flow = Flow(tmp_path / "out", sink=NullSink())
    draw = random.Random(4)
    running: set[int] = set()
    finished: list[int] = []
    wrong: list[str] = []

    @flow.task(on="{index}.txt", limit=5)
    async def make(index: int) -> None:
        if index in running or index in finished:
            wrong.append(f"{index} runs or has run")
        running.add(index)
        try:
            flow.task.write("half ")
            for _ in range(draw.randrange(4)):
                await asyncio.sleep(0)
            if draw.random() < 0.3:
                raise ConnectionError
            flow.task.write("whole")
            finished.append(index)
        finally:
            running.discard(index)

    async def work() -> None:
        todo = list(range(40))
        for _ in range(100):
            draw.shuffle(todo)
            calls = [asyncio.create_task(make(index)) for index in todo]
            for _ in range(draw.randrange(8)):
                await asyncio.sleep(0)
            for call in draw.sample(calls, len(calls) // 4):
                call.cancel()
            await asyncio.gather(*calls, return_exceptions=True)
            todo = [index for index in todo if flow.task.output(make, index).status == "absent"]
            if not todo:
                return
            # What a cancelled call had finished but not published may be made again.
            for index in todo:
                if index in finished and index not in running:
                    finished.remove(index)
        wrong.append("never done")

    threads = [threading.Thread(target=lambda: asyncio.run(work())) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [what for what in wrong if "never" in what] == []
    assert everything(tmp_path / "out") == {f"{index}.txt" for index in range(40)}
    assert {(tmp_path / "out" / f"{index}.txt").read_text() for index in range(40)} == {"half whole"}


FORK = """
    import asyncio, os, pathlib, sys, warnings
    warnings.simplefilter("ignore", DeprecationWarning)   # 3.12+ warns of forks beside threads
    from asflow import Flow
    from asflow.errors import OutputClosedError
    from asflow.sinks import NullSink
    flow = Flow(sink=NullSink())
    """


def test_a_forked_child_returns_through_the_task(tmp_path: Path) -> None:
    """`os.fork` in a body: the child's return does not publish, its error is told, the parent goes on."""
    script = """
    ends = []

    @flow.task(on="x.txt")
    def make() -> None:
        flow.task.write("parent ")
        child = os.fork()
        if child == 0:
            try:
                flow.task.write("child " * 50_000)   # more than any buffer
            except OutputClosedError:
                ends.append("refused")
            return
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
        assert not os.path.exists("x.txt") and os.path.exists("x.txt.part")
        flow.task.write("only")
        ends.append("parent")
    try:
        make()
    except OutputClosedError as error:
        assert "parent" in str(error), error
        assert ends == ["refused"], ends
        os._exit(7)
    assert ends == ["parent"]
    print(pathlib.Path("x.txt").read_text(), os.listdir("."))
    """
    assert run(FORK + script, tmp_path) == "parent only ['x.txt']\n"


@pytest.mark.parametrize("end", ["os._exit(0)", "sys.exit(0)", "raise KeyError"])
def test_a_forked_child_that_ends_in_the_body(tmp_path: Path, end: str) -> None:
    """However it ends, it takes nothing away from its parent."""
    script = f"""
    @flow.task(on="x.txt", skip=KeyError)
    def make() -> None:
        flow.task.write("parent ")
        child = os.fork()
        if child == 0:
            {end}
        os.waitpid(child, 0)
        flow.task.write("only")
    pid = os.getpid()
    make()
    if os.getpid() != pid:
        os._exit(0)
    print(pathlib.Path("x.txt").read_text(), os.listdir("."))
    """
    assert run(FORK + script, tmp_path) == "parent only ['x.txt']\n"


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_multiprocessing_in_a_body(tmp_path: Path, method: str) -> None:
    """Workers that a task starts, and that outlive its failure, hold no claim; they make outputs too."""
    if method not in multiprocessing.get_all_start_methods():
        pytest.skip(f"no {method} here")
    module = """
import multiprocessing, os, sys, warnings
warnings.simplefilter("ignore", DeprecationWarning)
from asflow import Flow
from asflow.sinks import NullSink
flow = Flow(sink=NullSink())

@flow.task(on="part/{number}.txt", limit=1)
def piece(number: int) -> None:
    flow.task.write(str(number))

def linger(ready, over):
    ready.set()
    over.wait()

@flow.task(on="whole.txt", limit=1)
def whole(context, fail: bool) -> None:
    flow.task.write("whole")
    if fail:
        context.workers = context.Process(target=linger, args=(context.ready, context.over))
        context.workers.start()
        context.ready.wait()
        raise ValueError
    workers = [context.Process(target=piece, args=(number,)) for number in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
        assert worker.exitcode == 0

def main():
    context = multiprocessing.get_context(sys.argv[1])
    context.ready, context.over = context.Event(), context.Event()
    try:
        whole(context, True)
    except ValueError:
        pass
    assert os.listdir(".") == ["script.py"], os.listdir(".")
    whole(context, False)
    context.over.set()
    context.workers.join()
    print(sorted(os.listdir(".")), sorted(os.listdir("part")))

if __name__ == "__main__":
    main()
"""
    (tmp_path / "script.py").write_text(module)
    out = run(
        "import runpy, sys; sys.dont_write_bytecode = True; sys.argv[0] = 'script.py'; "
        "runpy.run_path('script.py', run_name='__main__')",
        tmp_path,
        method,
    )
    assert out == "['part', 'script.py', 'whole.txt'] ['0.txt', '1.txt', '2.txt']\n"
