"""Every I/O call of a task fails in turn: the caller is told, nothing looks done, the next run works."""

from __future__ import annotations

import asyncio
import errno
import os
import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import pytest
from reliability.faults import faults
from reliability.processes import ENVIRONMENT, as_nobody, everything, mounted, root_tool, run

from asflow import Flow, Retry
from asflow.sinks import NullSink
from asflow.stores import LocalStore

if TYPE_CHECKING:
    from collections.abc import Callable

    from asflow.stores._local_claim import Durability

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs flock")

CODES = ["ENOSPC", "EIO", "EMFILE", "EDQUOT", "EACCES"]
ROWS = [{"number": number, "text": "x" * number} for number in range(50)]


class Scenario:
    """One output, made in one of several ways."""

    def __init__(self, folder: Path, kind: str, durability: Durability) -> None:
        self.folder, self.kind = folder, kind
        self.flow = flow = Flow(folder, store=LocalStore(durability=durability), sink=NullSink())
        self.bodies = 0

        refresh = 0 if kind in {"replace", "first"} else None

        @flow.task(on="out/{name}.jsonl.zst", suppress=ZeroDivisionError, refresh=refresh)
        async def fetch(name: str) -> None:
            self.bodies += 1
            for row in ROWS:
                flow.task.write(row)
            if kind == "suppress":
                raise ZeroDivisionError

        @flow.task(
            on="big/{name}.txt", retry=Retry(1, exceptions=KeyError, backoff_factor=0, backoff_jitter=0)
        )
        def convert(name: str) -> None:
            self.bodies += 1
            for _ in range(4):
                flow.task.write("y" * 100_000)
            if kind == "retry" and self.bodies == 1:
                raise KeyError(name)

        self.task: Callable[[], object]
        if kind in {"async", "suppress", "replace", "first"}:
            self.task = lambda: asyncio.run(fetch("a"))
            self.output = flow.task.output(fetch, "a")
        else:
            self.task = lambda: convert("a")
            self.output = flow.task.output(convert, "a")
        if kind == "replace":
            self.old = folder / "out" / "a.jsonl.zst"
            self.task()

    def check(self, status: Literal["absent", "complete", "suppressed"]) -> None:
        """What is there is whole; a status that was promised is the one that is there."""
        assert self.output.status == status
        if status == "suppressed":
            assert "ZeroDivisionError" in (self.output.error() or "")
        elif status == "complete" and self.kind in {"async", "replace", "first"}:
            assert list(self.output.records(dict[str, object])) == ROWS
        elif status == "complete":
            assert self.output.text() == "y" * 400_000

    @property
    def goal(self) -> Literal["complete", "suppressed"]:
        return "suppressed" if self.kind == "suppress" else "complete"


@pytest.mark.parametrize("durability", ["data", "full"])
@pytest.mark.parametrize("kind", ["async", "sync", "suppress", "replace", "first", "retry"])
@pytest.mark.parametrize("always", [False, True], ids=["once", "persistently"])
@pytest.mark.parametrize(
    "shift", [0, *(pytest.param(number, marks=pytest.mark.slow) for number in range(1, 5))]
)
def test_the_nth_call_fails(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    durability: Durability,
    kind: str,
    always: bool,
    shift: int,
) -> None:
    """For N = 1, 2, 3, ... until a run is clean. The errors take turns: in five shifts all meet all calls."""
    met: set[str] = set()
    for number in range(1, 200):
        code = int(getattr(errno, CODES[(number + shift) % 5]))
        folder = tmp_path / str(number)
        scenario = Scenario(folder, kind, durability)
        with faults(folder, monkeypatch) as injected:
            injected.arm(number, code, always=always)
            try:
                scenario.task()
                raised = None
            except OSError as error:
                raised = error
            injected.disarm()
        if raised is not None:
            assert raised.errno == code, (number, injected.calls)
            assert raised.filename is not None, (number, injected.failed)
            assert str(raised.filename).startswith(str(folder))
        judge(scenario, durability, raised, injected.failed)
        if raised is not None and not always and injected.failed[0] not in {"lstat", "fstat", "unlink"}:
            assert not [name for name in everything(folder) if name.endswith(".part")], injected.calls
        met |= set(injected.failed)
        assert scenario.bodies <= (3 if kind in {"replace", "retry"} else 1), "a failing disk is no retry"
        scenario.task()
        scenario.check(scenario.goal)
        left = {name for name in everything(folder) if not name.endswith((".zst", ".txt", ".err"))}
        assert left == set(), (number, injected.calls)
        if not injected.failed:
            break
    else:
        pytest.fail("never ran clean")
    assert {"open", "lstat", "flock", "unlink"} <= met


@pytest.mark.parametrize("kind", ["sync", "suppress", "replace"])
def test_where_links_are_refused_the_name_is_synced_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """Publishing by rename (no hard links, or no /proc): with "full" the folder is synced after it."""
    scenario = Scenario(tmp_path, kind, "full")
    with faults(tmp_path, monkeypatch) as injected:
        injected.arm(1, errno.EPERM, always=True, only="link")
        scenario.task()
        injected.disarm()
    scenario.check(scenario.goal)
    assert "link" in injected.failed
    renamed = max(index for index, call in enumerate(injected.calls) if call in {"rename", "replace"})
    assert "fsync" in injected.calls[renamed:]
    assert not [name for name in everything(tmp_path) if name.endswith(".part")]


def judge(scenario: Scenario, durability: Durability, raised: OSError | None, failed: list[str]) -> None:
    if raised is None:
        # What was not raised must not have mattered: a time stamp, a second name that is cleared later.
        assert not set(failed) & {"write", "ftruncate", "lseek", "rename", "replace", "mkdir"}, failed
        scenario.check(scenario.goal)
    elif scenario.kind == "replace":
        scenario.check("complete")  # the old or the new one, whole
    elif scenario.output.status != "absent":
        # With "full" the name is synced last. If that fails it is taken back, unless that fails as well.
        if durability == "full" and failed[-2:] == ["lstat", "lstat"]:
            scenario.check(scenario.goal)
            return
        raise AssertionError(f"raised {raised!r} and yet there is an output, after {failed}") from raised


@pytest.mark.parametrize("durability", ["data", "full", "atomic"])
def test_a_full_disk(tmp_path: Path, durability: Durability) -> None:
    """A real one. The flow's error is ENOSPC, nothing is there, and with room the next run succeeds."""
    with mounted(tmp_path / "disk", "-t", "tmpfs", "-o", "size=128k", "tmpfs") as disk:
        flow = Flow(disk, store=LocalStore(durability=durability), sink=NullSink())

        @flow.task(on="{name}.bin")
        async def make(name: str, size: int) -> None:
            for _ in range(size):
                flow.task.write(os.urandom(4096))

        asyncio.run(make("small", 2))
        for name in "ab":
            with pytest.raises(OSError, match="No space left") as caught:
                asyncio.run(make(name, 64))
            assert caught.value.errno == errno.ENOSPC
            assert caught.value.filename == str(disk / f"{name}.bin")
            assert os.listdir(disk) == ["small.bin"]
        asyncio.run(make("a", 20))
        assert (disk / "a.bin").stat().st_size == 20 * 4096
        assert (disk / "small.bin").stat().st_size == 2 * 4096
        assert sorted(os.listdir(disk)) == ["a.bin", "small.bin"]


def test_a_disk_that_is_full_of_names(tmp_path: Path) -> None:
    """No inode is left: the claim is refused, and what is in progress can still be published."""
    with mounted(tmp_path / "disk", "-t", "tmpfs", "-o", "nr_inodes=6", "tmpfs") as disk:
        flow = Flow(disk, sink=NullSink())

        @flow.task(on="{number}.txt")
        def make(number: int) -> None:
            flow.task.write(str(number))

        made, full = 0, None
        while full is None:
            try:
                make(made)
                made += 1
            except OSError as error:
                full = error
        assert full.errno == errno.ENOSPC
        assert made > 1
        assert everything(disk) == {f"{number}.txt" for number in range(made)}
        (disk / "0.txt").unlink()
        make(made)
        assert (disk / f"{made}.txt").read_text() == str(made)


def test_too_many_open_files(tmp_path: Path) -> None:
    """RLIMIT_NOFILE and 200 tasks at once: EMFILE tells what to do, and with a limit the same flow works."""
    script = """
        import asyncio, errno, os, resource, sys
        from asflow import Flow
        from asflow.sinks import NullSink
        flow = Flow(sink=NullSink())
        gate = asyncio.Event()
        def task(limit):
            @flow.task(on="{index}.txt", limit=limit)
            async def make(index: int) -> None:
                flow.task.write("a")
                if not limit:
                    await gate.wait()
            return make
        async def main():
            results = asyncio.gather(*(task(0)(index) for index in range(200)), return_exceptions=True)
            await asyncio.sleep(0)
            gate.set()
            return await results
        resource.setrlimit(resource.RLIMIT_NOFILE, (60, 60))
        results = asyncio.run(main())
        failed = [error for error in results if error is not None]
        assert 0 < len(failed) < 200
        for error in failed:
            assert isinstance(error, OSError) and error.errno == errno.EMFILE, error
            assert "lower its limit" in error.__notes__[0]
        assert len(os.listdir(".")) == 200 - len(failed)
        async def again():
            make = task(8)
            await asyncio.gather(*(make(index) for index in range(200)))
        asyncio.run(again())
        print(len(os.listdir(".")))
        """
    assert run(script, tmp_path) == "200\n"


def test_bodies_that_leave_no_file_to_be_opened(tmp_path: Path) -> None:
    """No call imports a module then: policies hold, and calls wait for each other as ever."""
    script = """
        import asyncio, os, resource
        from asflow import Flow
        from asflow.events import TaskWaiting
        class Noting:
            def emit(self, event):
                if isinstance(event, TaskWaiting):
                    go.set()
        flow = Flow(sink=Noting())
        @flow.task(skip=OSError, retry=1)
        def exhaust() -> str:
            while True:
                held.append(os.open(os.devnull, os.O_RDONLY))
        @flow.task(skip=OSError, retry=1)
        async def exhaust_later() -> str:
            return exhaust.__wrapped__()
        @flow.task(limit=1)
        async def wait() -> None:
            await go.wait()
        async def all_of() -> None:
            resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
            print(await exhaust_later(), exhaust())
            await asyncio.gather(wait(), wait())
            print(flow.run.report().problems)
        @flow
        async def main() -> None:
            await all_of()
        held, go = [], asyncio.Event()  # set when the second call is reported as waiting for the first one
        with asyncio.Runner() as runner:
            runner.run(main())
        """
    assert run(script, tmp_path).startswith("None None\n(Problem(")


def test_a_file_size_limit(tmp_path: Path) -> None:
    """RLIMIT_FSIZE: EFBIG reaches the caller, suppressed or not nothing cut is published."""
    script = """
        import errno, os, resource, signal
        from asflow import Flow
        from asflow.sinks import NullSink
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        flow = Flow(sink=NullSink())
        @flow.task(on="{size}.bin", suppress=LookupError)
        def make(size: int) -> None:
            try:
                for _ in range(size):
                    flow.task.write(os.urandom(1000))
            except OSError:
                if size == 500:
                    raise
            # A body that swallows the error does not get its cut output published either.
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
        make(90)
        for size in (500, 501):
            try:
                make(size)
            except OSError as error:
                assert error.errno == errno.EFBIG and error.filename.endswith(f"{size}.bin"), error
            else:
                raise SystemExit("the limit was not met")
        print(os.listdir("."))
        """
    assert run(script, tmp_path) == "['90.bin']\n"


READ_ONLY = """
    import errno, os, sys
    from asflow import Flow
    from asflow.sinks import NullSink
    flow = Flow(sys.argv[1], sink=NullSink())
    bodies = []
    @flow.task(on="out/{name}.txt")
    def make(name: str) -> None:
        bodies.append(name)
        flow.task.write(name)
    assert make("there") is None and bodies == []
    assert flow.task.output(make, "there").text() == "there"
    for name in ("new", "newer"):
        try:
            make(name)
        except OSError as error:
            print(errno.errorcode[error.errno], os.path.relpath(error.filename, sys.argv[1]))
    try:
        flow.task.output(make, "there").delete()
    except OSError as error:
        print(errno.errorcode[error.errno])
    assert bodies == []
    """


def read_only(folder: Path) -> list[str]:
    command = as_nobody([sys.executable, "-W", "error", "-B", "-c", textwrap.dedent(READ_ONLY), str(folder)])
    # The other user may not read where this Python and this package live, in which case he can't be asked.
    probe = [*command[: command.index("-W")], "-B", "-c", "import asflow"]
    asked = {"env": ENVIRONMENT, "cwd": "/", "capture_output": True, "text": True, "timeout": 50}
    if subprocess.run(probe, **asked, check=False).returncode != 0:  # type: ignore[call-overload]
        pytest.skip("another user may not read this Python, or this package")
    process: subprocess.CompletedProcess[str] = subprocess.run(command, **asked, check=False)  # type: ignore[call-overload]
    assert process.stderr == ""
    return process.stdout.split()


def test_a_read_only_mount() -> None:
    """A bind mount that is read-only: what is there is skipped and read, the rest is EROFS, no body runs."""
    with tempfile.TemporaryDirectory() as name:  # pytest's own folders are closed to other users
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "data" / "out").mkdir(parents=True)
        (folder / "data" / "out" / "there.txt").write_text("there")
        with mounted(folder / "disk", "--bind", str(folder / "data")) as disk:
            subprocess.run([root_tool("mount"), "-o", "remount,bind,ro", str(disk)], check=True)
            expected = ["EROFS", "out/new.txt.part", "EROFS", "out/newer.txt.part", "EROFS"]
            assert read_only(disk) == expected
        assert everything(folder / "data") == {"out/there.txt"}


def test_a_folder_without_permission() -> None:
    """The same with EACCES, as a user who may only read."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "out").mkdir()
        (folder / "out" / "there.txt").write_text("there")
        for each in (folder, folder / "out"):
            each.chmod(0o555)
        try:
            expected = ["EACCES", "out/new.txt.part", "EACCES", "out/newer.txt.part", "EACCES"]
            assert read_only(folder) == expected
            assert everything(folder) == {"out/there.txt"}
        finally:
            for each in (folder, folder / "out"):
                each.chmod(0o755)
