"""`flow.task.path()`: a library writes a file by its path, and the output is that file or nothing."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import gzip
import os
import signal
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from asflow import Flow, LocalStore, MemoryStore
from asflow.errors import NotInTaskError, OutputClosedError, OutputPlaceError, RecordValueError
from asflow.sinks import NullSink
from asflow.stores import ObjectStore

if TYPE_CHECKING:
    from asflow.protocols import Store


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder for temporary files: this test's own."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr("asflow.stores._temporary.places", lambda: [str(folder)])
    return folder


def _scratch_files(temporary: Path) -> list[str]:
    return sorted(path.name for path in temporary.rglob("*") if path.is_file() and path.name != "owner")


STORES = ["local", "full", "memory", "object"]


def _store(kind: str) -> Store:
    stores: dict[str, Store] = {
        "local": LocalStore(),
        "full": LocalStore(durability="full"),
        "memory": MemoryStore(),
        "object": ObjectStore("memory:///"),
    }
    return stores[kind]


@pytest.mark.parametrize("kind", STORES)
@pytest.mark.parametrize("is_async", [False, True])
@pytest.mark.parametrize("size", [0, 10, 3_000_000])
async def test_what_a_library_writes_is_published(
    tmp_path: Path, temporary: Path, kind: str, is_async: bool, size: int
) -> None:
    base = tmp_path / "out" if kind in ("local", "full") else "out"
    flow, bodies = Flow(base, store=_store(kind), sink=NullSink()), list[Path]()
    data = os.urandom(size)

    def write() -> None:
        path = flow.task.path()
        assert path == flow.task.path()
        assert path.name == "x.bin"
        assert not path.exists()
        path.write_bytes(data)
        bodies.append(path)

    if is_async:

        @flow.task(on="{name}.bin")
        async def make_async(name: str) -> None:
            await asyncio.to_thread(write)

        for _ in range(2):
            await make_async("x")
        output = flow.task.output(make_async, "x")
    else:

        @flow.task(on="{name}.bin")
        def make(name: str) -> None:
            write()

        for _ in range(2):
            make("x")
        output = flow.task.output(make, "x")
    assert len(bodies) == 1
    assert output.bytes() == data
    assert _scratch_files(temporary) == []


def test_no_glob_finds_it_unfinished(tmp_path: Path) -> None:
    flow = Flow(tmp_path / "out", sink=NullSink())
    seen: list[list[Path]] = []

    @flow.task(on="{name}.csv")
    def make(name: str) -> None:
        flow.task.path().write_text("half")
        seen.append(list((tmp_path / "out").rglob("*.csv")))

    make("x")
    assert seen == [[]]
    assert sorted(os.listdir(tmp_path / "out")) == ["x.csv"]


def test_a_tool_that_replaces_the_file_or_links_to_another(tmp_path: Path) -> None:
    """As `mv` and `cp` do, and programs that write beside the path first."""
    flow = Flow(tmp_path / "out", sink=NullSink())
    cache = tmp_path / "cache.txt"
    cache.write_text("cached")

    @flow.task(on="{how}.txt")
    def make(how: str) -> None:
        path = flow.task.path()
        if how == "mv":
            subprocess.run(["mv", cache, path], check=True)
            cache.write_text("cached")
        elif how == "cp":
            subprocess.run(["cp", cache, path], check=True)
        elif how == "symlink":
            path.symlink_to(cache)
        elif how == "link":
            os.link(cache, path)
        else:
            beside = path.with_name("beside")
            beside.write_text("cached")
            beside.replace(path)

    for how in ("mv", "cp", "symlink", "link", "beside"):
        make(how)
        assert flow.task.output(make, how).text() == "cached"
    cache.write_text("changed later")
    assert {path.read_text() for path in (tmp_path / "out").iterdir()} == {"cached"}


@pytest.mark.parametrize("mode", [0o600, 0o400])
def test_the_output_has_the_permissions_of_any(tmp_path: Path, mode: int) -> None:
    flow = Flow(tmp_path / "out", sink=NullSink())

    @flow.task(on="{name}.txt")
    def make(name: str) -> None:
        if name == "path":
            path = flow.task.path()
            path.write_text("x")
            path.chmod(mode)
        else:
            flow.task.write("x")

    make("path")
    make("write")
    modes = {path.stat().st_mode for path in (tmp_path / "out").iterdir()}
    assert len(modes) == 1


def test_compressed_suffixes_take_compressed_files(tmp_path: Path) -> None:
    """The file is the output, byte for byte; one that its name describes wrongly is refused."""
    flow = Flow(tmp_path, sink=NullSink())

    @flow.task(on="{name}.csv.gz")
    def make(name: str) -> None:
        flow.task.path().write_bytes({"good": gzip.compress(b"a,b\n"), "plain": b"a,b\n", "empty": b""}[name])

    make("good")
    assert flow.task.output(make, "good").text() == "a,b\n"
    with pytest.raises(RecordValueError, match=r"takes the output's own bytes, gzip for \.gz, not plain"):
        make("plain")
    with pytest.raises(RecordValueError, match=r"a whole \.gz file has some bytes, not none"):
        make("empty")
    assert [path.name for path in flow.path(".").glob("*.gz*")] == ["good.csv.gz"]


@pytest.mark.parametrize("suppress", [False, True])
def test_misuse_ends_the_call(tmp_path: Path, temporary: Path, suppress: bool) -> None:
    """Whatever is listed: these are mistakes in the program. Nothing is published."""
    flow = Flow(tmp_path / "out", sink=NullSink())

    def make(how: str) -> None:
        if how == "write first":
            flow.task.write("text")
            flow.task.path()
        elif how == "write after":
            path = flow.task.path()
            path.write_text("text")
            with contextlib.suppress(RecordValueError):
                flow.task.write("more")
        elif how == "write all":
            flow.task.path().write_text("text")
            flow.task.write_all(["more"])
        elif how == "folder":
            flow.task.path().mkdir()
        elif how == "dangling":
            flow.task.path().symlink_to("nowhere")
        else:
            flow.task.path()

    task = flow.task(on="{how}.txt", suppress=Exception if suppress else ())(make)
    for how in ("write first", "write after", "write all"):
        with pytest.raises(RecordValueError, match=r"flow\.task\.path\(\), not both; use one of them"):
            task(how)
    with pytest.raises(OutputPlaceError, match="an output is one file, not a folder") as caught:
        task("folder")
    assert caught.value.errno == errno.EISDIR
    for how in ("dangling", "nothing"):
        with pytest.raises(FileNotFoundError, match="made no file there"):
            task(how)
    assert list((tmp_path / "out").iterdir()) == []
    assert _scratch_files(temporary) == []


def test_where_there_is_no_output(tmp_path: Path) -> None:
    flow = Flow(tmp_path, sink=NullSink())

    @flow.task
    def bare() -> None:
        flow.task.path()

    @flow.task(save="x.txt")
    def kept() -> str:
        return str(flow.task.path())

    with pytest.raises(NotInTaskError, match=r"^flow\.task\.path\(\): was called outside any task; "):
        flow.task.path()
    with pytest.raises(NotInTaskError, match=r"^flow\.task\.path\(\): was called outside any task; "):
        flow(flow.task.path)()
    with pytest.raises(NotInTaskError, match=r"^task bare\(\): has no output to write to; "):
        bare()
    with pytest.raises(NotInTaskError, match=r"^task kept\(\): keeps what it returns \(save=\)"):
        kept()


async def test_what_is_not_returned_is_discarded(tmp_path: Path, temporary: Path) -> None:
    """An exception, a retry, a cancellation; and a thread that lives on reaches nothing."""
    flow, gate, paths = Flow(tmp_path / "out", sink=NullSink()), asyncio.Event(), list[Path]()

    @flow.task(on="{name}.txt", retry=1, retry_exceptions=ConnectionError, suppress=KeyError)
    async def make(name: str) -> None:
        path = flow.task.path()
        paths.append(path)
        assert not path.exists()
        path.write_text(f"{name} {len(paths)}")
        if name == "raise":
            raise ZeroDivisionError
        if name == "suppressed":
            raise KeyError
        if name == "retried" and len(paths) == 1:
            raise ConnectionError
        if name == "cancelled":
            gate.set()
            await asyncio.sleep(3600)

    await make("retried")
    assert flow.task.output(make, "retried").text() == "retried 2"
    assert paths[0] != paths[1]
    with pytest.raises(ZeroDivisionError):
        await make("raise")
    await make("suppressed")
    assert flow.task.output(make, "suppressed").status == "suppressed"
    call = asyncio.create_task(make("cancelled"))
    await gate.wait()
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert sorted(os.listdir(tmp_path / "out")) == ["retried.txt", "suppressed.err"]
    assert _scratch_files(temporary) == []
    for path in paths:
        with pytest.raises(FileNotFoundError):
            path.write_text("late")


def test_a_thread_that_outlives_its_task_gets_no_path(tmp_path: Path) -> None:
    flow = Flow(tmp_path, sink=NullSink())
    late: list[object] = []

    @flow.task(on="{name}.txt")
    async def make(name: str) -> None:
        flow.task.path().write_text("in time")
        context = __import__("contextvars").copy_context()
        late.append(lambda: context.run(flow.task.path))

    asyncio.run(make("x"))
    with pytest.raises(OutputClosedError):
        late[0]()  # type: ignore[operator]
    assert flow.task.output(make, "x").text() == "in time"


def test_threads_that_ask_at_once_get_one_path(tmp_path: Path, temporary: Path) -> None:
    flow = Flow(tmp_path / "out", sink=NullSink())
    seen: list[set[Path]] = []

    @flow.task(on="{number}.txt")
    async def make(number: int) -> None:
        found = await asyncio.gather(*(asyncio.to_thread(flow.task.path) for _ in range(8)))
        seen.append(set(found))
        found[0].write_text(str(number))

    for number in range(20):
        asyncio.run(make(number))
    assert [len(each) for each in seen] == [1] * 20
    assert _scratch_files(temporary) == []


def test_in_threads_of_an_executor(tmp_path: Path) -> None:
    flow = Flow(tmp_path, sink=NullSink())
    with ThreadPoolExecutor(2) as pool:

        @flow.task(on="{name}.txt", executor=pool)
        def make(name: str) -> None:
            flow.task.path().write_text(name)

        make("x")
        assert flow.task.output(make, "x").text() == "x"


def test_a_full_disk_under_the_output(tmp_path: Path) -> None:
    """The error of the copy is the call's, whatever is listed."""
    flow = Flow(tmp_path, sink=NullSink())

    import resource

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)

    def limited(name: str) -> None:
        flow.task.path().write_bytes(b"x" * 4096)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1024, before[1]))

    task = flow.task(on="limited-{name}.txt", suppress=Exception)(limited)
    try:
        with pytest.raises(OSError, match="File too large"):
            task("x")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert list(tmp_path.glob("limited*")) == []


KILLED = """
import os, signal, sys
from asflow import Flow
from asflow.sinks import NullSink
flow = Flow(sys.argv[1], sink=NullSink())

@flow.task(on="{name}.txt")
def make(name):
    flow.task.path().write_text("half")
    if sys.argv[2] == "kill":
        os.kill(os.getpid(), signal.SIGKILL)

make("x")
"""


def test_a_killed_process_leaves_what_the_next_one_removes(tmp_path: Path) -> None:
    temporary = tmp_path / "other"
    temporary.mkdir()
    foreign = temporary / "asflow-of-another-program"
    foreign.mkdir()

    def run(how: str) -> int:
        command = [sys.executable, "-c", KILLED, str(tmp_path / "out"), how]
        return subprocess.run(command, env={**os.environ, "TMPDIR": str(temporary)}).returncode

    assert run("kill") == -signal.SIGKILL
    assert _scratch_files(temporary) == ["x.txt"]
    assert os.listdir(tmp_path / "out") == ["x.txt.part"]
    assert run("live") == 0
    assert os.listdir(temporary) == [foreign.name]
    assert os.listdir(tmp_path / "out") == ["x.txt"]


def test_the_place_is_on_the_outputs_file_system_if_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Or else the system's own; a TMPDIR of the user's is the only one."""
    from asflow.stores import _temporary

    monkeypatch.undo()
    for name in ("TMPDIR", "TEMP", "TMP"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(tempfile, "tempdir", None)
    assert _temporary.places()[0] == tempfile.gettempdir()
    monkeypatch.setenv("TMPDIR", "/somewhere")
    assert len(_temporary.places()) == 1
