"""What runs in the workers: a module that they can import."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from contextvars import copy_context
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any

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


def write(name: str, count: int = 3) -> None:
    for number in range(count):
        flow.task.write({"name": name, "number": number, "pid": os.getpid()})


def return_name(name: str) -> tuple[str, int]:
    return name, os.getpid()


def describe() -> None:
    run = flow.task.run
    assert run is not None
    described = {"task": run.task, "label": run.label, "attempt": run.attempt, "output": run.output}
    flow.task.write(described)


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


def leave() -> None:
    raise SystemExit(3)


def fail_once() -> None:
    run = flow.task.run
    assert run is not None
    flow.task.write(f"attempt {run.attempt}")
    if run.attempt == 1:
        raise ConnectionError("the first time")


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


class Unpicklable:
    """A record that no pickle may hold: it is encoded where it is made."""

    def __reduce__(self) -> tuple[object, ...]:
        raise AssertionError("a value was pickled")


@dataclass
class Heavy(Unpicklable):
    name: str
    pid: int


def heavy(name: str) -> Heavy:
    return Heavy(name, os.getpid())


def heavies(name: str, count: int) -> Iterator[Heavy]:
    for _ in range(count):
        yield Heavy(name, os.getpid())


def listed(name: str, count: int) -> list[Heavy]:
    return list(heavies(name, count))


def text(name: str) -> str:
    return name * 3


def write_and_return(name: str) -> int:
    with suppress(RuntimeError):
        flow.task.write(name)
    return 1


def return_another(name: str) -> int:
    return name  # type: ignore[return-value]  # pyright: ignore[reportReturnType]


def yield_another(folder: str) -> Iterator[int]:
    try:
        yield 1
        yield "two"  # type: ignore[misc]  # pyright: ignore[reportReturnType]
    finally:
        note(folder, "closed", "closed")


def fail_in_the_middle(name: str) -> Iterator[int]:
    yield 1
    raise LookupError(name)


def return_in_vain(name: str, writes: bool) -> Any:
    if writes:
        flow.task.write(name)
    return name


def swallow(name: str) -> None:
    """Write a record, and pass over one that can't be written."""
    flow.task.write({"name": name})
    with suppress(TypeError):
        flow.task.write(object())


def write_many(count: int) -> None:
    for number in range(count):
        flow.task.write({"number": number, "text": os.urandom(500).hex()})


class FullWriter:
    """Has no space for the record `write`, or at the end for another."""

    def __init__(self, stream: object) -> None:
        self._full = OSError(28, "No space left on device")

    def write(self, record: str, /) -> None:
        if record == "write":
            raise self._full

    def commit(self) -> None:
        raise self._full

    def abort(self) -> None: ...


def write_step(step: str) -> None:
    with suppress(OSError):
        flow.task.write(step)


def write_to_path(name: str, how: str = "path") -> None:
    path = flow.task.path()
    if how == "nothing":
        return
    path.write_text(f"{name} {path == flow.task.path()}")
    if how == "both":
        flow.task.write("more")
    if how == "raise":
        raise LookupError(name)
