"""A script with tenacity and tqdm, row by row."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

import pytest
from coming.rows import row

from asflow import Flow, Retry
from asflow.events import TaskProgressed, TaskRetrying
from asflow.sinks import NullSink
from asflow.testing import RecordingSink

if TYPE_CHECKING:
    from pathlib import Path

here = partial(row, "A script with tenacity and tqdm")


@here("`@retry(stop=stop_after_attempt(4))`")
@here("`wait=wait_exponential_jitter(initial=1, max=60)`")
@here("`retry=retry_if_exception_type(OSError)`")
@here("a `wait=` that reads Retry-After")
def test_retries(tmp_path: Path) -> None:
    sink = RecordingSink()
    flow = Flow(tmp_path, sink=sink)

    class BusyError(OSError):
        seconds = 0.001

    retry = Retry(
        total=3,
        backoff_factor=1,
        backoff_jitter=1,
        max_delay=60,
        delay=lambda error, n: getattr(error, "seconds", None),
    )

    @flow.task(retry=retry, retry_exceptions=OSError)
    def unsteady(error: Exception) -> None:
        raise error

    with pytest.raises(BusyError):
        unsteady(BusyError())
    with pytest.raises(LookupError):
        unsteady(LookupError())
    assert [each.wait_seconds for each in sink.events if isinstance(each, TaskRetrying)] == [0.001] * 3


@here("`for day in tqdm(days):`")
@here("`bar.set_postfix_str(...)`, `bar.update(n)`")
def test_progress(tmp_path: Path) -> None:
    sink = RecordingSink()
    flow = Flow(tmp_path, sink=sink)

    @flow.task
    def load(day: int) -> int:
        progress = flow.task.progress("rows", total=10)
        progress.advance(10)
        return day

    @flow
    def pipeline() -> list[int]:
        return [load(day) for day in flow.track([1, 2, 3], unit="days")]

    assert pipeline() == [1, 2, 3]
    last = [each for each in sink.events if isinstance(each, TaskProgressed)][-1]
    assert (last.completed, last.total) == (10, 10)


@here("`asyncio.Semaphore(4)`")
def test_a_limit_for_the_process(tmp_path: Path) -> None:
    flow = Flow(tmp_path, sink=NullSink())
    inside: list[int] = []
    most: list[int] = []

    @flow.task(limit=4)
    async def fetch(n: int) -> None:
        inside.append(n)
        most.append(len(inside))
        await asyncio.sleep(0.001)
        inside.remove(n)

    for _ in range(2):  # a second loop, too
        asyncio.run(flow.task.map(fetch, range(20)))
    assert max(most) == 4


@here("`if path.exists(): return`")
@here("write to `x.tmp`, then `os.replace`")
@here("`except NotFound: path.touch()`")
@here("`except TimeoutError: continue`")
@here("`errors.append((day, error))`")
def test_outputs(tmp_path: Path) -> None:
    flow = Flow(tmp_path, sink=NullSink())
    calls: list[str] = []

    @flow.task(on="data/{day}.jsonl.zst", suppress=LookupError, skip=TimeoutError)
    def fetch(day: str) -> None:
        calls.append(day)
        flow.task.write({"day": day})
        assert not (tmp_path / f"data/{day}.jsonl.zst").exists()
        if day == "gone":
            raise LookupError(day)
        if day == "slow":
            raise TimeoutError(day)

    @flow
    def pipeline() -> list[str]:
        for day in ("a", "gone", "slow"):
            fetch(day)
        run = flow.run
        assert run is not None
        return [f"{each.label}: {each.outcome}" for each in run.report().problems]

    assert pipeline() == ["'gone': suppressed", "'slow': skipped"]
    pipeline()
    assert calls == ["a", "gone", "slow", "slow"]
    assert sorted(path.name for path in (tmp_path / "data").iterdir()) == ["a.jsonl.zst", "gone.err"]
