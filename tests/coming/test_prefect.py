"""Prefect, row by row."""

from __future__ import annotations

import asyncio
import logging
import subprocess
import sys
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

import pytest
from coming.rows import row

from asflow import Failed, Limit, Retry

if TYPE_CHECKING:
    from pathlib import Path

    from asflow import Flow

here = partial(row, "Prefect")


@here("`@flow`, `@task`")
@here("`task.submit(x)`")
@here("`task.map(xs)`")
async def test_flows_and_tasks(flow: Flow) -> None:
    @flow.task
    async def double(x: int) -> int:
        return 2 * x

    @flow
    async def pipeline() -> list[int]:
        async with asyncio.TaskGroup() as group:
            future = group.create_task(double(1))
        return [future.result(), await asyncio.create_task(double(2)), *await flow.task.map(double, [3, 4])]

    assert await pipeline() == [2, 4, 6, 8]


@here("`@task(retries=3, retry_delay_seconds=10)`")
@here("`retry_jitter_factor=`")
@here("`retry_condition_fn=`")
def test_retries(flow: Flow) -> None:
    delays: list[int] = []

    def no_delay(error: Exception, number: int) -> float:
        delays.append(number)
        return 0

    @flow.task(
        retry=Retry(total=3, backoff_factor=10, backoff_jitter=5, delay=no_delay), retry_exceptions=OSError
    )
    def unsteady(error: Exception) -> None:
        raise error

    with pytest.raises(OSError, match="busy"):
        unsteady(OSError("busy"))
    with pytest.raises(LookupError):
        unsteady(LookupError())
    assert delays == [1, 2, 3]


@here("`persist_result=True`")
@here("`cache_key_fn=`")
@here("`cache_expiration=timedelta(days=1)`")
def test_results_are_kept(flow: Flow, tmp_path: Path) -> None:
    calls: list[str] = []

    def key(day: str, note: str) -> str:
        return day

    @flow.task(save="data/*.json", key=key, refresh=timedelta(days=1))
    def load(day: str, note: str) -> dict[str, str]:
        calls.append(note)
        return {"day": day}

    assert load("2026-01-01", "first") == load("2026-01-01", "second") == {"day": "2026-01-01"}
    assert calls == ["first"]
    assert (tmp_path / "data" / "2026-01-01.json").exists()


@here("`future.result(raise_on_failure=False)`")
async def test_failures_as_values(flow: Flow) -> None:
    @flow.task
    async def inverse(x: int) -> float:
        return 1 / x

    good, bad = await flow.task.map(inverse, [1, 0], on_error="collect")
    assert isinstance(bad, Failed)
    assert isinstance(bad.error, ZeroDivisionError)
    assert not isinstance(good, Failed)


@here("`timeout_seconds=5`")
async def test_timeouts(flow: Flow) -> None:
    @flow.task(timeout=0.01)
    async def slow() -> None:
        await asyncio.Event().wait()

    with pytest.raises(TimeoutError):
        await slow()


@here('`with concurrency("api", occupy=1):`')
@here('`rate_limit("api")`')
async def test_shared_limits(flow: Flow) -> None:
    api = Limit(1, rate="1000/s")
    inside: list[str] = []

    @flow.task(limit=api)
    async def search() -> int:
        inside.append("search")
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        inside.remove("search")
        return len(inside)

    @flow.task(limit=api)
    async def details() -> int:
        inside.append("details")
        await asyncio.sleep(0)
        inside.remove("details")
        return len(inside)

    assert set(await asyncio.gather(search(), details(), search())) == {0}


@here("`get_run_logger()`")
def test_logging(flow: Flow, caplog: pytest.LogCaptureFixture) -> None:
    @flow
    def pipeline() -> None:
        logging.getLogger("pipeline").warning("nothing to do")

    pipeline()
    assert "nothing to do" in caplog.text


@here('`flow.serve(cron="0 7 * * *")`')
def test_a_scheduler_runs_a_command(tmp_path: Path) -> None:
    (tmp_path / "pipeline.py").write_text(
        "from asflow import flow\n@flow\ndef main() -> None:\n    print('ran')\n", encoding="utf-8"
    )
    command = [
        sys.executable,
        "-c",
        "from asflow._cli import main; raise SystemExit(main())",
        "run",
        "pipeline:main",
    ]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True, timeout=50)
    assert done.stdout == "ran\n"
