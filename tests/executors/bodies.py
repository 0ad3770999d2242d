"""What runs in the workers: a module that they can import."""

from __future__ import annotations

import os
import threading
import time
from concurrent.futures import ProcessPoolExecutor
from contextvars import copy_context
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING

from asflow import Flow
from asflow.errors import OutputClosedError
from asflow.sinks import NullSink

if TYPE_CHECKING:
    from asflow.protocols import ByteStream

flow = Flow(sink=NullSink())
own_pool = ProcessPoolExecutor(1, mp_context=get_context("spawn"))  # starts nothing before its first use


class OddError(Exception):
    """Can be pickled, and not read again."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(f"{code}: {text}")


def write(name: str, count: int = 3) -> int:
    for number in range(count):
        flow.task.write({"name": name, "number": number})
    return os.getpid()


def describe() -> tuple[str, str, int, str | None]:
    run = flow.task.run
    assert run is not None
    flow.task.write("x")
    return run.task, run.label, run.attempt, run.output


def write_from_threads(count: int) -> None:
    threads = [
        threading.Thread(target=copy_context().run, args=(flow.task.write, {"n": number}))
        for number in range(count)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


class ClumsyWriter:
    """Takes paths, can't commit, and makes a file at each path when it is aborted, which fails then."""

    def __init__(self, stream: object) -> None:
        self._paths: list[str] = []

    def write(self, record: str, /) -> None:
        self._paths.append(record)

    def commit(self) -> None:
        raise OSError("commit failed")

    def abort(self) -> None:
        for path in self._paths:
            Path(path).touch()
        raise OSError("abort failed")


def write_path(path: str, well: bool) -> None:
    flow.task.write(path)
    if not well:
        raise LookupError("body failed")


class PatientWriter:
    """Writes `<>` for a record, and lets a commit in between the two."""

    inside = threading.Event()

    def __init__(self, stream: ByteStream) -> None:
        self._stream = stream
        self._committing = threading.Event()

    def write(self, record: object, /) -> None:
        self._stream.write(b"<")
        self.inside.set()
        self._committing.wait(0.3)
        self._stream.write(b">")

    def commit(self) -> None:
        self._committing.set()
        self._stream.write(b" end")

    def abort(self) -> None: ...


def leave_a_writer_behind(folder: str) -> None:
    """End while a thread is in the middle of a write; it goes on until it is refused, and notes the error."""

    def go_on() -> None:
        try:
            while True:
                flow.task.write("record")
        except OutputClosedError as error:
            note(folder, "refused", str(error))

    PatientWriter.inside.clear()
    threading.Thread(target=copy_context().run, args=(go_on,)).start()
    assert PatientWriter.inside.wait(30)


def leave_progress_behind(folder: str) -> None:
    """End, and report more progress after the sign."""

    def go_on() -> None:
        wait_for_sign(folder)
        with flow.task.progress("late", total=9) as progress:
            progress.advance(4)
        note(folder, "done", "done")

    threading.Thread(target=copy_context().run, args=(go_on,)).start()


def note(folder: str, name: str, text: str) -> None:
    """Make a file that is never seen half written."""
    path = Path(folder, name)
    path.with_suffix(".part").write_text(text, encoding="utf-8")
    path.with_suffix(".part").rename(path)


def fail(name: str) -> None:
    flow.task.write("half")
    raise LookupError(name, 7)


def fail_oddly() -> None:
    raise OddError(7, "odd")


def leave() -> None:
    raise SystemExit(3)


def fail_once() -> int:
    run = flow.task.run
    assert run is not None
    flow.task.write(f"attempt {run.attempt}")
    if run.attempt == 1:
        raise ConnectionError("the first time")
    return run.attempt


def return_lock() -> object:
    return threading.Lock()


def take(first: int, second: object) -> None: ...


def die(sign: Path) -> None:
    """End the worker, but in the first call only."""
    flow.task.write("half")
    if not sign.exists():
        sign.touch()
        os._exit(1)
    flow.task.write(" whole")


def always_die() -> None:
    flow.task.write("half")
    os._exit(1)


def wait_for(number: int, folder: str) -> None:
    flow.task.write("half")
    Path(folder, f"began{number}").touch()
    wait_for_sign(folder)


def wait_for_sign(folder: str) -> None:
    until = time.monotonic() + 30
    while not Path(folder, "sign").exists() and time.monotonic() < until:
        time.sleep(0.01)


def report_progress(folder: str, pages: float) -> None:
    with flow.task.progress("pages", total=pages) as progress:
        progress.advance(4)
        wait_for(0, folder)


def write_much(mebibytes: int) -> None:
    for _ in range(mebibytes):
        flow.task.write(os.urandom(1 << 20))


def nested(name: str) -> int:
    return in_worker(name)


@flow.task
def in_worker(name: str) -> int:
    return len(name)


@flow.task(executor=own_pool)
def decorated(number: int) -> tuple[int, int]:
    """The task, in its module under the name of its body."""
    return number * 2, os.getpid()
