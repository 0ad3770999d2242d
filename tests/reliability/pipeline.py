"""The pipeline that the tests kill, interrupt and cut the power of, as a process that forks its runs.

    python pipeline.py FOLDER        then, on stdin:  start JOB ARGUMENTS... | wait PID

Each body leaves a line in `bodies/`. Beside each output it keeps a guard of its own, a lock that knows
nothing of asflow: two bodies of one output at the same time, or a body run although the output was
done, leave a file in `violations/`.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import random
import signal
import sys
import threading
from typing import TYPE_CHECKING, TypedDict

from support.guards import Guards

from asflow import Flow, Retry
from asflow.sinks import NullSink
from asflow.stores import LocalStore

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from asflow.stores._local_claim import Durability

LIMIT = 6
"""Bodies of one task at a time; besides what it says, it is what a kill can interrupt."""


class Row(TypedDict):
    index: int
    text: str
    digest: str


class RefusedError(Exception):
    """What a service answers for good."""


class HiccupError(Exception):
    """What a service answers now and then."""


def rows(index: int) -> list[Row]:
    """What output *index* holds: rows that carry the digest of all before them."""
    draw, digest = random.Random(index), hashlib.sha256()
    made: list[Row] = []
    for number in range(draw.randrange(1, 40)):
        text = draw.randbytes(draw.randrange(1, 300)).hex()
        digest.update(text.encode())
        made.append({"index": number, "text": text, "digest": digest.hexdigest()})
    return made


def refused(index: int) -> bool:
    return index % 11 == 0


class Bodies:
    """What every body of the pipeline begins and ends with."""

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self.guards = Guards(folder)
        os.makedirs(f"{folder}/bodies", exist_ok=True)

    @contextlib.contextmanager
    def body(self, name: str, done: Callable[[], bool]) -> Generator[None]:
        self.guards.enter(name)
        try:
            if done():
                self.guards.violation(f"done-before-{name}")
            log = os.open(f"{self.folder}/bodies/{name}", os.O_CREAT | os.O_APPEND | os.O_WRONLY)
            os.write(log, b"%d\n" % os.getpid())
            os.close(log)
            yield
        finally:
            self.guards.leave(name)


class Pipeline:
    """An async task that downloads, and a sync one that converts in threads."""

    def __init__(self, folder: str, durability: Durability = "data", seed: int = 0) -> None:
        self.bodies = bodies = Bodies(folder)
        self.flow = flow = Flow(f"{folder}/out", store=LocalStore(durability=durability), sink=NullSink())
        draw = random.Random(seed)

        @flow.task(
            on="raw/{index}.jsonl.zst",
            suppress=RefusedError,
            retry=Retry(total=50, exceptions=HiccupError, backoff_factor=0, backoff_jitter=0),
            limit=LIMIT,
        )
        async def download(index: int) -> None:
            with bodies.body(f"raw-{index}", lambda: flow.task.output(download, index).status != "absent"):
                if refused(index):
                    raise RefusedError(index)
                for row in rows(index):
                    flow.task.write(row)
                    await asyncio.sleep(0)
                    if draw.random() < 0.01:
                        raise HiccupError(index)

        @flow.task(on="text/{index}/all.txt", limit=LIMIT)
        def convert(index: int) -> None:
            with bodies.body(f"text-{index}", lambda: flow.task.output(convert, index).status != "absent"):
                for row in flow.task.output(download, index).records(Row):
                    flow.task.write(row["text"] + "\n")
                flow.task.write(str(index))

        self.download = download
        self.convert = convert

        @flow
        async def everything(indices: list[int]) -> None:
            async def one(index: int) -> None:
                await download(index)
                if not refused(index):
                    await asyncio.to_thread(convert, index)

            async with asyncio.TaskGroup() as group:
                for index in indices:
                    group.create_task(one(index))

        self.everything = everything

    def whole(self, index: int) -> int:
        """Check what is there of *index*, and return how many outputs that is."""
        output, text = self.flow.task.output(self.download, index), self.flow.task.output(self.convert, index)
        seen = 0
        if output.status == "complete":
            assert not refused(index)
            assert list(output.records(Row)) == rows(index)
            seen += 1
        elif output.status == "suppressed":
            assert refused(index)
            assert (output.error() or "").rstrip().endswith(f"RefusedError: {index}")
            seen += 1
        if text.status == "complete":
            assert text.text() == "".join(row["text"] + "\n" for row in rows(index)) + str(index)
            seen += 1
        return seen

    def expected(self, count: int) -> set[str]:
        """The names of all files after a complete run."""
        names: set[str] = set()
        for index in range(count):
            names |= (
                {f"raw/{index}.err"}
                if refused(index)
                else {f"raw/{index}.jsonl.zst", f"text/{index}/all.txt"}
            )
        return names


def run_all(folder: str, durability: Durability, count: int, seed: int, loops: int = 1) -> None:
    """Run the flow over outputs 0 .. count - 1 in random order, in so many threads with a loop each."""
    pipeline = Pipeline(folder, durability, seed)

    def work(number: int) -> None:
        indices = list(range(count))
        random.Random(seed * 100 + number).shuffle(indices)
        try:
            asyncio.run(pipeline.everything(indices))
        except asyncio.CancelledError:
            # Nobody else cancels: Python's Runner forgets a Ctrl-C that comes after it has taken over the
            # signal and just before it starts to count, and lets the cancellation out in its place.
            raise KeyboardInterrupt from None

    others = [threading.Thread(target=work, args=(number,)) for number in range(1, loops)]
    for other in others:
        other.start()
    work(0)
    for other in others:
        other.join()


def hold(folder: str, index: int, how: str) -> None:
    """Get into the body of output *index*, say so, and end as *how* says at a signal ("finish": at once)."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
    pipeline = Pipeline(folder)
    flow = pipeline.flow

    @flow.task(on="held/{index}.txt", skip=ZeroDivisionError)
    def held(index: int) -> None:
        with pipeline.bodies.body(f"held-{index}", lambda: flow.task.output(held, index).status != "absent"):
            flow.task.write("half")
            if how != "finish":
                with open(f"{folder}/told", "w") as told:
                    told.write("held")
                signal.sigwait({signal.SIGUSR1})
            if how == "skip":
                raise ZeroDivisionError
            if how == "fail":
                raise SystemExit(3)
            flow.task.write(f" {index} whole")

    held(index)


def model(top: str, index: int, how: str) -> None:
    """Make an output of the model's task (`test_model.py`) in another process, or wait in its body."""
    flow = Flow(f"{top}/out", store=LocalStore(durability="atomic"), sink=NullSink())

    @flow.task(on="held/{index}.jsonl.zst")
    def make(index: int) -> None:
        flow.task.write({"index": index})
        if how == "wait":
            with open(f"{top}/told", "w") as told:
                told.write("held")
            signal.pause()
        flow.task.write({"index": index + 1})

    make(index)


JOBS: dict[str, Callable[..., None]] = {
    "all": lambda folder, durability, count, seed, loops="1": run_all(
        folder, durability, int(count), int(seed), int(loops)
    ),
    "model": lambda _, top, index, how: model(top, int(index), how),
    "hold": lambda folder, index, how: hold(folder, int(index), how),
}


def serve(folder: str) -> None:
    print("ready", flush=True)
    for line in sys.stdin:
        what, *words = line.split()
        if what == "wait":
            print(os.waitstatus_to_exitcode(os.waitpid(int(words[0]), 0)[1]), flush=True)
            continue
        began, begins = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(began)
            os.close(0)
            os.open(os.devnull, os.O_RDONLY)
            os.write(begins, b"!")
            os.close(begins)
            job, *arguments = words
            try:
                JOBS[job](folder, *arguments)
            except KeyboardInterrupt:
                sys.exit(130)
            sys.exit(0)
        os.close(begins)
        os.read(began, 1)
        os.close(began)
        print(child, flush=True)


if __name__ == "__main__":
    serve(sys.argv[1])
