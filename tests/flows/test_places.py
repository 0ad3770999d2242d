"""Where outputs live: a relative base belongs to the flow's call, and a folder has one owner by any name."""

from __future__ import annotations

import asyncio
import os
import threading
from pathlib import Path

import pytest

from asflow import Flow, MemoryStore
from asflow.errors import DeadlockError
from asflow.sinks import NullSink


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A current directory beside another one, `there`."""
    for name in ("here", "there"):
        (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path / "here"


def _files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*.txt"))


@pytest.mark.parametrize("base", [".", "data", "./data", "data//"])
def test_a_chdir_in_a_body_moves_no_output(here: Path, base: str) -> None:
    flow, calls = Flow(base, sink=NullSink()), list[int]()

    @flow.task(on="{number}.txt")
    def make(number: int) -> None:
        os.chdir("../there")
        calls.append(number)
        flow.task.write(str(number))

    @flow.task(save="saved/{number}.txt")
    def keep(number: int) -> str:
        calls.append(number)
        return str(number)

    @flow
    def inner() -> None:
        for number in (1, 2, 1):
            make(number)

    @flow
    def outer() -> None:
        inner()
        os.chdir("/")
        make(2)
        assert [keep(3), keep(3)] == ["3", "3"]
        output = flow.task.output(make, 1)
        assert output.path == flow.path("1.txt") == here / base / "1.txt"
        assert output.text() == "1"
        assert output.name == "1.txt"
        assert [found.name for found in flow.task.outputs(make)] == ["1.txt", "2.txt"]
        assert flow.task.output(keep, 3).value() == "3"

    outer()
    assert calls == [1, 2, 3]
    os.chdir(here)
    assert _files(here / base) == ["1.txt", "2.txt", "saved/3.txt"]
    assert _files(here.parent / "there") == []


async def test_concurrent_bodies_with_a_chdir_each(here: Path) -> None:
    flow = Flow("data", sink=NullSink())

    @flow.task(on="{number}.txt", limit=3)
    async def make(number: int) -> None:
        os.chdir(("/", "../there")[number % 2] if Path.cwd() == here else here)
        await asyncio.sleep(0)
        flow.task.write(str(number))

    @flow
    async def pipeline() -> None:
        await asyncio.gather(*(make(number) for number in range(20)))
        await flow.task.map(make, range(20))

    await pipeline()
    os.chdir(here)
    assert len(_files(here / "data")) == 20
    assert _files(here.parent / "there") == []


def test_the_next_call_of_the_flow_takes_the_directory_again(here: Path) -> None:
    flow = Flow("data", sink=NullSink())

    @flow.task(on="x.txt")
    def make() -> None:
        flow.task.write("x")

    @flow
    def pipeline() -> None:
        make()

    pipeline()
    os.chdir("../there")
    pipeline()
    assert _files(here.parent) == ["here/data/x.txt", "there/data/x.txt"]


def test_a_deleted_current_directory_is_an_error_of_the_call_that_needs_it(here: Path) -> None:
    flow = Flow("data", sink=NullSink())

    @flow.task(on="x.txt")
    def make() -> None: ...

    @flow
    def pipeline() -> int:
        return 1

    here.rmdir()
    assert pipeline() == 1
    with pytest.raises(FileNotFoundError):
        flow(make)()


def test_names_of_other_stores_know_no_directory(here: Path) -> None:
    store = MemoryStore()
    flow = Flow("./data/", store=store, sink=NullSink())

    @flow.task(on="{name}.txt")
    def make(name: str) -> None:
        flow.task.write(name)

    flow(make)("x")
    assert list(store.list("")) == ["data/x.txt"]
    make("x")
    assert flow.task.output(make, "x").text() == "x"


@pytest.mark.parametrize("spelling", ["real", "link", "real/../real", "./real", "/real", "real/"])
@pytest.mark.parametrize("is_async", [False, True])
def test_one_folder_has_one_owner_under_every_spelling(tmp_path: Path, spelling: str, is_async: bool) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    first = Flow(tmp_path / "real", sink=NullSink())
    second = Flow(f"{tmp_path}/{spelling}", sink=NullSink())

    if is_async:

        @first.task(on="{number}.txt")
        async def inner_async(number: int) -> None: ...

        @second.task(on="{number}.txt")
        async def outer_async(number: int) -> None:
            await inner_async(number)

        with pytest.raises(DeadlockError, match="which calls it is making"):
            asyncio.run(outer_async(1))
    else:

        @first.task(on="{number}.txt")
        def inner(number: int) -> None: ...

        @second.task(on="{number}.txt")
        def outer(number: int) -> None:
            inner(number)

        with pytest.raises(DeadlockError, match="which calls it is making"):
            outer(1)


def test_another_call_waits_for_the_owner_under_the_other_spelling(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    begun, gate, bodies = threading.Event(), threading.Event(), list[str]()
    flows = {name: Flow(tmp_path / name, sink=NullSink()) for name in ("real", "link")}

    def call(name: str) -> None:
        flow = flows[name]

        @flow.task(on="x.txt")
        def make() -> None:
            bodies.append(name)
            begun.set()
            gate.wait()
            flow.task.write("x")

        make()

    threads = [threading.Thread(target=call, args=(name,)) for name in flows]
    threads[0].start()
    begun.wait()
    threads[1].start()
    threads[1].join(0.05)
    assert threads[1].is_alive()
    gate.set()
    for thread in threads:
        thread.join()
    assert bodies == ["real"]
