"""Page 3: joblib's Memory between a task and its function, sync and async."""

from __future__ import annotations

import asyncio
import inspect
from typing import TYPE_CHECKING

import pytest
import zstandard
from support.examples import load

if TYPE_CHECKING:
    from pathlib import Path

    import polars as pl


def store(data: Path, *videos: str) -> None:
    """Write a listing, as `extract` does."""
    data.mkdir(exist_ok=True)
    lines = "".join(f'{{"id": "{video}"}}\n' for video in videos)
    (data / "playlist.jsonl.zst").write_bytes(zstandard.compress(lines.encode()))


@pytest.fixture
def data(project: Path) -> Path:
    """The folder with a listing of two videos."""
    store(project / "data", "a", "b")
    return project / "data"


def test_a_cached_task(data: Path) -> None:
    """joblib answers the second call and a new process's, also when the file has changed meanwhile."""
    task = load("page3/cached.py").transform
    assert not inspect.iscoroutinefunction(task)
    assert task()["id"].to_list() == ["a", "b"]
    store(data, "c")
    assert task()["id"].to_list() == ["a", "b"]
    assert load("page3/cached.py").transform()["id"].to_list() == ["a", "b"]


def test_what_joblib_adds_is_on_the_task(data: Path) -> None:
    task = load("page3/cached.py").transform
    assert not task.check_call_in_cache()
    task()
    assert task.check_call_in_cache()
    assert task.call_and_shelve().get().height == 2
    assert task.store_backend.location.endswith("joblib")
    task.clear(warn=False)
    assert not task.check_call_in_cache()
    store(data, "c")
    assert task()["id"].to_list() == ["c"]
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = task.no_such_name


def test_a_cached_async_task(data: Path) -> None:
    """Three runs in one process, and attributes, as with the sync one."""
    task = load("page3/cached_async.py").transform
    assert not task.check_call_in_cache("playlist")
    for _ in range(3):
        assert asyncio.run(task("playlist"))["id"].to_list() == ["a", "b"]
        store(data, "c")
    assert task.check_call_in_cache("playlist")
    assert not task.check_call_in_cache("another")
    task.clear(warn=False)
    assert asyncio.run(task("playlist"))["id"].to_list() == ["c"]


def test_cached_async_tasks_in_a_task_group(data: Path) -> None:
    task = load("page3/cached_async.py").transform

    async def both() -> list[pl.DataFrame]:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(task("playlist")) for _ in range(2)]
        return [done.result() for done in tasks]

    assert [frame.height for frame in asyncio.run(both())] == [2, 2]
