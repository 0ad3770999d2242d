"""Page 2: every block of the overview in its order, against an API on loopback."""

from __future__ import annotations

import asyncio
import os
import threading
from typing import TYPE_CHECKING

import duckdb
import polars as pl
import pytest
from support.examples import load

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from types import ModuleType

    from support.loopback import Answer, Loopback, Request

RECORDS = [{"id": number, "square": number * number} for number in range(10)]


def page_2(name: str, api: Loopback) -> ModuleType:
    return load(f"page2/{name}.py", {"https://api.local": api.url})


def meeting(api: Loopback, count: int) -> None:
    """Let *api* answer only when *count* requests are under way at once."""
    answer: Callable[[Request], Answer] = api.answer
    barrier = threading.Barrier(count, timeout=30)

    def meet(request: Request) -> Answer:
        barrier.wait()
        return answer(request)

    api.answer = meet


def test_a_pipeline_of_plain_functions(api: Loopback) -> None:
    """One download after the other."""
    frame = page_2("sequential", api).pipeline()
    assert frame.to_dicts() == RECORDS
    assert api.requests == 10
    assert api.peak == 1


def test_downloads_in_a_thread_pool(api: Loopback) -> None:
    meeting(api, 2)
    assert page_2("thread_pool", api).pipeline().to_dicts() == RECORDS
    assert api.requests == 10


def test_downloads_in_a_task_group(api: Loopback) -> None:
    """All ten at once, and each run downloads everything again."""
    meeting(api, 10)
    module = page_2("task_group", api)
    for _ in range(2):
        assert asyncio.run(module.pipeline()).to_dicts() == RECORDS
    assert api.peak == 10
    assert set(api.asked.values()) == {2}


def test_a_flow_and_its_task(api: Loopback, project: Path) -> None:
    """As many downloads at once as there are CPUs; nothing is stored."""
    meeting(api, min(2, os.cpu_count() or 1))
    assert asyncio.run(page_2("minimal", api).pipeline()).to_dicts() == RECORDS
    assert api.requests == 10
    assert api.peak <= (os.cpu_count() or 1)
    assert not list(project.iterdir())


def test_a_task_used_by_a_thread_pool(api: Loopback) -> None:
    """The same function as a task: its limit holds across the pool's threads."""
    meeting(api, 2)
    text = {"https://api.local": api.url, "def download": "@flow.task(limit=2)\ndef download"}
    from asflow import flow

    module = load("page2/thread_pool.py", text, flow=flow)
    assert module.pipeline().to_dicts() == RECORDS
    assert api.peak == 2


def test_tasks_in_a_task_group() -> None:
    module = load("page2/together.py")
    asyncio.run(module.main())
    assert sorted(module.log) == ["task1 began", "task1 ended", "task2 began", "task2 ended"]


def test_a_short_sync_task_runs_in_place() -> None:
    config = asyncio.run(load("page2/short_sync.py").pipeline())
    assert config == {"key": "value", "thread": threading.main_thread()}


def test_a_long_sync_task_in_a_thread() -> None:
    """The loop goes on while it runs: the task waits for what only the loop does."""
    [thread] = asyncio.run(load("page2/long_sync.py").pipeline())
    assert thread is not threading.main_thread()


def test_many_blocking_tasks(api: Loopback) -> None:
    meeting(api, min(2, os.cpu_count() or 1))
    module = page_2("many_blocking", api)
    asyncio.run(module.pipeline())
    assert sorted(module.data, key=lambda record: record["id"]) == RECORDS
    assert api.peak <= (os.cpu_count() or 1)


def test_two_flows_at_once_where_one_blocks() -> None:
    """Nothing happens while the blocking task has the loop."""
    module = load("page2/several_flows.py")
    asyncio.run(module.main())
    began = module.log.index("long task began")
    assert module.log[began + 1] == "long task ended"
    assert len(module.log) == 6


def test_two_flows_at_once_with_the_blocking_task_in_a_thread() -> None:
    """As the page advises: then the tasks of the other flow run meanwhile."""
    text = {
        "    long_running_task()": "    await asyncio.to_thread(long_running_task)",
        "time.sleep(0.05)": "assert ended.wait(30)",
        'log.append("task2 ended")': 'log.append("task2 ended")\n    ended.set()',
    }
    module = load("page2/several_flows.py", text, ended=threading.Event())
    asyncio.run(module.main())
    assert module.log[-1] == "long task ended"
    assert len(module.log) == 6


def test_manual_persistence(api: Loopback, project: Path) -> None:
    """The tasks write files of their own, and all of them again in the next run."""
    (project / "data").mkdir()
    module = page_2("manual", api)
    for _ in range(2):
        assert sorted(asyncio.run(module.pipeline())["square"]) == [row["square"] for row in RECORDS]
    assert len(list((project / "data").iterdir())) == 10
    assert set(api.asked.values()) == {2}


def test_automatic_persistence(api: Loopback, project: Path) -> None:
    """Three runs in one process download each URL once; Polars and DuckDB read the same files."""
    module = page_2("automatic", api)
    for _ in range(3):
        assert asyncio.run(module.pipeline()).sort("id").to_dicts() == RECORDS
    assert api.asked == {f"/contents/{number}": 1 for number in range(10)}

    names = [path.name for path in (project / "data").iterdir()]
    assert len(names) == 10
    assert all(name.endswith(".jsonl.zst") for name in names)
    assert pl.scan_ndjson("data/*.jsonl.zst").select(pl.len()).collect().item() == 10
    assert duckdb.execute("SELECT id, square FROM 'data/*.jsonl.zst' ORDER BY id").fetchall() == [
        (row["id"], row["square"]) for row in RECORDS
    ]


def test_a_deleted_file_is_downloaded_again(api: Loopback, project: Path) -> None:
    module = page_2("automatic", api)
    asyncio.run(module.pipeline())
    [victim] = [path for path in (project / "data").iterdir() if 7 in pl.read_ndjson(path)["id"]]
    victim.unlink()
    assert asyncio.run(module.pipeline()).height == 10
    assert api.asked["/contents/7"] == 2
    assert api.requests == 11


@pytest.mark.parametrize("suffix", ["jsonl", "jsonl.gz"])
def test_other_suffixes(api: Loopback, suffix: str) -> None:
    """The file's suffix chooses the compression."""
    text = {"https://api.local": api.url, "jsonl.zst": suffix}
    assert asyncio.run(load("page2/automatic.py", text).pipeline()).sort("id").to_dicts() == RECORDS
    assert duckdb.execute(f"SELECT count(*) FROM 'data/*.{suffix}'").fetchall() == [(10,)]
