"""Tracebacks stay in the user's code: asflow's frames are neither before nor between the user's."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import traceback
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from typing import TYPE_CHECKING, Any

import pytest

import asflow
from asflow import Flow, MemoryStore, Retry, Secret, dag
from asflow.dataflow import DataFlow
from asflow.sinks import NullSink
from asflow.testing import fake_clock

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

PACKAGE = os.path.dirname(asflow.__file__)
flow = Flow(store=MemoryStore(), sink=NullSink())


def boom(n: int) -> None:
    raise ValueError(f"boom {n}")


@flow.task
def sync(n: int) -> None:
    boom(n)


@flow.task
async def plain(n: int) -> None:
    boom(n)


@flow.task(on="a/{n}.txt", retry=Retry(total=2), skip=LookupError)
async def kept(n: int) -> None:
    boom(n)


@flow.task(save="b/{n}.json")
async def saved(n: int) -> int:
    boom(n)
    return n


@flow.task(on="c/{n}.txt", refresh=1)
def dated(n: int) -> None:
    boom(n)


@flow
async def mapped(task: Callable[[int], Awaitable[None]]) -> None:
    await flow.task.map(task, range(3))


@flow
async def listed() -> None:
    [_ async for _ in flow.task.map(kept, range(3))]


@flow
def looped() -> None:
    list(flow.task.map(sync, range(1)))


@flow
async def grouped() -> None:
    async with asyncio.TaskGroup() as group:
        for n in range(2):
            group.create_task(kept(n))


@flow
async def threaded() -> None:
    await flow.task.to_thread(sync, 1)


@flow
async def nested() -> None:
    await mapped(plain)


@flow
async def in_a_graph() -> None:
    await dag.task(plain)(dag.task(later)(1))


async def later(n: int) -> int:
    return n


async def member(n: int) -> dict[str, int]:
    boom(n)
    return {}


@flow
async def declared() -> None:
    await DataFlow((later_as_mapping, member))(start=1)


async def later_as_mapping(start: int) -> dict[str, int]:
    return {"n": start}


def ours(error: BaseException) -> list[str]:
    """Return where asflow's frames are in all tracebacks of *error*."""
    members = error.exceptions if isinstance(error, BaseExceptionGroup) else ()
    found = [line for each in members for line in ours(each)]
    frames = traceback.extract_tb(error.__traceback__)
    return found + [
        f"{frame.filename}:{frame.lineno}" for frame in frames if frame.filename.startswith(PACKAGE)
    ]


def notes(error: BaseException) -> list[str]:
    members = error.exceptions if isinstance(error, BaseExceptionGroup) else ()
    return [*getattr(error, "__notes__", ()), *(note for each in members for note in notes(each))]


def done(call: Callable[[], Any]) -> None:
    value = call()
    if asyncio.iscoroutine(value):
        asyncio.run(value)


@pytest.mark.parametrize(
    ("call", "noted"),
    [
        (partial(sync, 1), ["sync(1)"]),
        (partial(plain, 1), ["plain(1)"]),
        (partial(kept, 1), ["kept(1)"]),
        (partial(saved, 1), ["saved(1)"]),
        (partial(dated, 1), ["dated(1)"]),
        (partial(mapped, plain), ["plain(0)"]),
        (partial(mapped, kept), ["kept(0)"]),
        (listed, ["kept(0)"]),
        (looped, ["sync(0)"]),
        (grouped, ["kept(0)", "kept(1)"]),
        (threaded, ["sync(1)"]),
        (nested, ["plain(0)"]),
        (in_a_graph, ["plain(1)"]),
        (declared, ["member(n=1)"]),
    ],
    ids=lambda each: each[-1] if isinstance(each, list) else "",
)
def test_only_the_users_frames(call: Callable[[], Any], noted: list[str]) -> None:
    with fake_clock(), pytest.raises((ValueError, ExceptionGroup)) as caught:
        done(call)
    assert not ours(caught.value)
    shown = "".join(traceback.format_exception(caught.value))
    assert 'raise ValueError(f"boom {n}")' in shown
    assert [each for each in notes(caught.value) if each.startswith("asflow task")] == [
        f"asflow task: {each}" for each in noted
    ]


def test_a_secret_is_not_in_the_note() -> None:
    @flow.task
    def fetch(page: int, token: Secret[str]) -> None:
        raise OSError("refused")

    with pytest.raises(OSError, match="refused") as caught:
        fetch(1, "s3cr3t")
    assert caught.value.__notes__ == ["asflow task: fetch(1, ***)"]


def test_the_innermost_call_is_noted_once() -> None:
    @flow.task(retry=Retry(total=2))
    def outer() -> None:
        sync(7)

    with fake_clock(), pytest.raises(ValueError, match="boom 7") as caught:
        outer()
    assert caught.value.__notes__ == ["asflow task: sync(7)"]
    assert not ours(caught.value)


class FrozenError(Exception):
    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError("frozen")


def test_an_error_that_takes_no_note_passes() -> None:
    @flow.task
    def fails() -> None:
        raise FrozenError("x")

    with pytest.raises(FrozenError) as caught:
        fails()
    assert not ours(caught.value)


def test_misuse_ends_at_the_users_line() -> None:
    @flow.task(on="d.jsonl")
    def writes() -> None:
        flow.task.write({1, object()})

    with pytest.raises(TypeError) as caught:
        writes()
    last = traceback.extract_tb(caught.value.__traceback__)[-1]
    assert last.line == "flow.task.write({1, object()})"


def test_what_a_worker_process_raises() -> None:
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        task = flow.task(executor=pool)(divmod)
        with pytest.raises(ZeroDivisionError) as caught:
            task(1, 0)
    assert not ours(caught.value)
    assert caught.value.__notes__[-1] == "asflow task: divmod(1, 0)"


@pytest.mark.parametrize("variable", ["", "full"])
def test_the_commands_traceback(tmp_path: Path, variable: str) -> None:
    (tmp_path / "pipe.py").write_text(
        "from asflow import flow\n"
        "@flow.task\n"
        "async def fetch(n: int) -> None:\n"
        "    raise ValueError('bad payload')\n"
        "@flow\n"
        "async def crawl() -> None:\n"
        "    await flow.task.map(fetch, range(3))\n"
    )
    command = [
        sys.executable,
        "-c",
        "from asflow._cli import main; raise SystemExit(main())",
        "run",
        "pipe:crawl",
    ]
    environment = {**os.environ, "ASFLOW_TRACEBACKS": variable}
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=50, check=False
    )
    assert done.returncode == 1
    assert "asflow task: fetch(" in done.stderr
    assert (PACKAGE in done.stderr) == (variable == "full")
