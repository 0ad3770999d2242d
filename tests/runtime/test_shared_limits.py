"""`Limit(shared=NAME)`: one limit for all processes of a machine."""

from __future__ import annotations

import asyncio
import errno
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from asflow import Flow, Limit, MemoryStore, Retry
from asflow._engine.rates import Rate
from asflow._runtime import machine, starts
from asflow._runtime.limits import limiter_of
from asflow._runtime.machine import Machine
from asflow.errors import DefinitionTypeError, DefinitionValueError
from asflow.sinks import NullSink
from asflow.testing import RecordingSink, fake_clock

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="uses signals")

flow = Flow(store=MemoryStore(), sink=NullSink())

PROGRAM = """
import asyncio, os, sys
from asflow import Limit, flow

log = os.open(sys.argv[1], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
limit = Limit(int(sys.argv[2]), rate=sys.argv[3] or None, shared="api")


@flow.task(limit=limit)
async def body(n: int) -> None:
    os.write(log, b"+")
    await asyncio.sleep(float(sys.argv[5]))
    os.write(log, b"-")


async def main() -> None:
    await asyncio.gather(*map(body, range(int(sys.argv[4]))))


asyncio.run(main())
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(machine.FOLDER, str(tmp_path / "limits"))
    return tmp_path / "limits" / "api"


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "log"


class Processes:
    """Programs that are killed at the end, if they still run."""

    def __init__(self, log: Path) -> None:
        self._log = log
        self.started: list[subprocess.Popen[bytes]] = []

    def start(
        self, total: int = 2, rate: str = "", *, calls: int = 1, seconds: float = 0.02
    ) -> subprocess.Popen[bytes]:
        given = [str(self._log), str(total), rate, str(calls), str(seconds)]
        self.started.append(subprocess.Popen([sys.executable, "-c", PROGRAM, *given]))
        return self.started[-1]

    def inside(self, count: int) -> None:
        """Wait until *count* bodies have begun."""
        while not self._log.exists() or self._log.read_text().count("+") < count:
            assert all(each.poll() is None for each in self.started)
            time.sleep(0.005)

    def ended(self) -> None:
        assert [each.wait() for each in self.started] == [0] * len(self.started)


@pytest.fixture
def processes(log: Path) -> Iterator[Processes]:
    made = Processes(log)
    yield made
    for each in made.started:
        each.kill()
        each.wait()


def most_at_once(text: str) -> int:
    now = most = 0
    for each in text:
        now += 1 if each == "+" else -1
        most = max(most, now)
    return most


def another(total: int = 2, rate: Rate | None = None) -> Machine:
    """Return what another process would have: descriptors of its own."""
    return Machine("api", total, rate)


def test_bodies_of_all_processes_share_the_places(processes: Processes, log: Path) -> None:
    for _ in range(3):
        processes.start(calls=6)
    processes.ended()
    assert log.read_text().count("-") == 18
    assert most_at_once(log.read_text()) == 2


async def test_a_killed_process_holds_nothing(processes: Processes) -> None:
    holder = processes.start(calls=2, seconds=1000)
    processes.inside(2)
    assert another().take() is None

    @flow.task(limit=Limit(2, shared="api"))
    async def body() -> str:
        return "ran"

    waiting = asyncio.create_task(body())
    await asyncio.sleep(0.1)  # it has looked a few times
    assert not waiting.done()
    holder.kill()
    assert await waiting == "ran"


def test_a_stopped_process_keeps_its_place(processes: Processes) -> None:
    holder = processes.start(calls=1, seconds=0.2)
    processes.inside(1)
    holder.send_signal(signal.SIGSTOP)
    mine = another()
    turn = mine.take()
    assert turn is not None
    assert mine.take() is None
    holder.send_signal(signal.SIGCONT)
    processes.ended()
    assert mine.take() is not None


def test_the_rate_holds_for_all_processes(processes: Processes, log: Path) -> None:
    began = time.monotonic()
    for _ in range(2):
        processes.start(0, "5/0.5s", calls=8, seconds=0)
    processes.ended()
    assert log.read_text().count("-") == 16
    assert time.monotonic() - began >= 1.5  # the sixteenth starts three windows after the first


def test_starts_are_counted_in_one_file(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr(starts, "monotonic", lambda: now)
    first, second = another(rate=Rate(2, 10)), another(rate=Rate(2, 10))
    assert [first.start(), second.start()] == [0, 0]
    now = 1004.0
    assert [first.start(), second.start()] == [6, 6]
    now = 1010.0
    assert [second.start(), first.start(), second.start()] == [0, 0, 10]
    second.give_back()
    assert [first.start(), second.start()] == [0, 10]
    first.hold(25)
    assert second.start() == 25
    now = 1035.0
    assert second.start() == 0


def test_another_rate_keeps_the_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(starts, "monotonic", lambda: 1000.0)
    first, second = another(rate=Rate(2, 10)), another(rate=Rate(3, 10))
    assert [first.start(), first.start()] == [0, 0]
    assert [second.start() for _ in range(4)] == [0, 0, 0, 10]
    first.hold(7)
    assert another().start() == 7  # without a rate, too
    assert second.start() == 7


@pytest.mark.parametrize("mark", [b"another boot, 16", b"wall".ljust(16, b"\0")])
def test_times_of_another_boot_mean_nothing(mark: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    first = another(rate=Rate(1, 1000))
    first.hold(1000)
    assert first.start() > 0
    monkeypatch.setattr(starts, "_boot", lambda: mark)
    second = another(rate=Rate(1, 1000))
    assert second.start() == 0
    assert second.start() > 900


async def test_a_hold_of_another_process_is_kept() -> None:
    limit = Limit(2, shared="api")

    @flow.task(limit=limit)
    async def body() -> None: ...

    await body()
    another().hold(0.3)
    began = time.monotonic()
    await body()
    assert time.monotonic() - began >= 0.25


async def test_a_failed_body_holds_no_place_while_it_waits_for_its_retry() -> None:
    attempts = 0
    other = another(1)

    @flow.task(limit=Limit(1, shared="api"), retry=Retry(1, delay=lambda error, n: 0.2))
    async def body() -> None:
        nonlocal attempts
        attempts += 1
        assert other.take() is None
        if attempts == 1:
            asyncio.get_running_loop().call_later(0.1, taken.append, other.take)
            raise ValueError

    taken: list[Any] = []
    await body()
    assert attempts == 2
    turn = other.take()
    assert turn is not None


async def test_a_cancelled_wait_takes_nothing() -> None:
    other = another(1)
    turn = other.take()

    @flow.task(limit=Limit(1, shared="api"))
    async def body() -> None: ...

    waiting = asyncio.create_task(body())
    await asyncio.sleep(0.02)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert turn is not None
    turn.release()
    await body()
    assert other.take() is not None


def test_a_call_inside_runs_on_the_place_of_its_caller() -> None:
    limit = Limit(1, shared="api")

    @flow.task(limit=limit)
    def outer() -> str:
        return f"outer of {inner()}"

    @flow.task(limit=limit)
    def inner() -> str:
        return "inner"

    assert outer() == "outer of inner"
    assert another(1).take() is not None


def test_threads_wait_for_other_processes() -> None:
    other = another(1)
    turn = other.take()
    assert turn is not None

    @flow.task(limit=Limit(1, shared="api"))
    def body() -> str:
        return "ran"

    found: list[str | None] = []
    thread = threading.Thread(target=lambda: found.append(body()))
    thread.start()
    assert not found
    turn.release()
    thread.join()
    assert found == ["ran"]


async def test_a_map_that_ends_frees_threads_that_wait() -> None:
    other = another(1)
    turn = other.take()

    @flow.task(limit=Limit(1, shared="api"))
    def body(n: int) -> int:
        return n

    mapping = asyncio.ensure_future(flow.task.map(body, range(3)))
    await asyncio.sleep(0.05)
    mapping.cancel()
    with pytest.raises(asyncio.CancelledError):
        await mapping
    assert turn is not None


def test_a_dropped_place_is_free() -> None:
    mine = another(1)
    turn = mine.take()
    assert another(1).take() is None
    del turn
    assert another(1).take() is not None
    assert mine.take() is not None


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_child_has_no_place_of_its_parent() -> None:
    mine = another(1)
    turn = mine.take()
    assert turn is not None
    child = os.fork()
    if child == 0:
        turn.release()  # not the child's
        os._exit(0 if mine.take() is None else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert another(1).take() is None
    turn.release()
    assert another(1).take() is not None


def test_a_removed_folder_is_made_anew(folder: Path) -> None:
    mine, other = another(1, Rate(1, 1000)), another(1, Rate(1, 1000))
    for each in (mine, other):
        while each.start() == machine.BUSY:
            pass
        turn = each.take()
        assert turn is not None
        turn.release()
    shutil.rmtree(folder)
    turn = None
    while turn is None:
        turn = mine.take()
    assert [other.take() for _ in range(2)] == [None, None]
    while (wait := mine.start()) == machine.BUSY:
        pass
    assert wait == 0


async def test_a_wait_is_reported() -> None:
    sink = RecordingSink()
    noted = Flow(store=MemoryStore(), sink=sink)
    turn = another(1).take()

    @noted.task(limit=Limit(1, shared="api"))
    async def body() -> None: ...

    @noted
    async def main() -> None:
        nonlocal turn
        waiting = asyncio.create_task(body())
        while not any(event.kind == "task_waiting" for event in sink.events):
            await asyncio.sleep(0.01)
        del turn
        await waiting

    await main()
    found = [event for event in sink.events if event.kind == "task_waiting"]
    assert [(event.reason, event.owner) for event in found] == [("slot", None)]


async def test_under_a_fake_clock_it_bounds_this_process() -> None:
    turn = another(1, Rate(1, 10)).take()
    with fake_clock() as clock:

        @flow.task(limit=Limit(1, rate="1/10s", shared="api"))
        async def body() -> None: ...

        await body()
        await body()
        assert clock.now() >= 10
    assert turn is not None


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "a\\b", "é", "a b", "a" * 101, ".hidden", "end."])
def test_other_names_are_refused(name: str) -> None:
    with pytest.raises(
        DefinitionValueError, match=r"^Limit\(\): shared takes a name of 1 to 100 ASCII .*, not "
    ):
        Limit(1, shared=name)


def test_what_can_not_be_a_name_is_refused() -> None:
    with pytest.raises(
        DefinitionTypeError, match=r"^Limit\(\): shared takes a name, not True; write for example"
    ):
        Limit(1, shared=True)  # type: ignore[arg-type]
    with pytest.raises(
        DefinitionValueError, match=r"^Limit\(\): takes per or shared, not both; remove shared='a'"
    ):
        Limit(1, shared="a", per=lambda n: n)


def test_the_text_names_it() -> None:
    assert repr(Limit(4, rate="10/s", shared="api")) == "Limit(4, rate='10/s', shared='api')"


def test_a_folder_of_another_user_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(machine.FOLDER)
    of_another = os.stat_result((0o40700, 0, 0, 0, os.getuid() + 1, *[0] * 5))
    monkeypatch.setattr(os, "lstat", lambda path: of_another)
    limiter = limiter_of(Limit(1, shared="asflow-test"))
    assert limiter.machine is not None
    with pytest.raises(DefinitionValueError, match=r"belongs to another user; set ASFLOW_LIMITS to a folder"):
        limiter.machine.take()


@pytest.mark.parametrize("ask", [Machine.take, Machine.start, lambda each: each.hold(1)])
def test_a_folder_without_locks_is_refused(ask: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_locks(descriptor: int) -> bool:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))

    monkeypatch.setattr(machine, "try_lock", no_locks)
    with pytest.raises(DefinitionValueError, match=r"^Limit\(\): .* needs file locks, .*; set ASFLOW_LIMITS"):
        ask(another())
