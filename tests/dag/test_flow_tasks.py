"""Functions made by `@flow.task` as nodes: what they promise holds in a graph."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from asflow import Flow, Retry
from asflow.dag import scope, task
from asflow.sinks._null import NullSink

if TYPE_CHECKING:
    from pathlib import Path


def quiet(base: Path) -> Flow:
    return Flow(base=base, sink=NullSink())


async def test_an_output_is_made_once(tmp_path: Path) -> None:
    """Both colours: the second run of the graph finds the files and calls no body."""
    flow = quiet(tmp_path)
    calls: list[str] = []

    @task
    @flow.task(on="a-{name}.txt")
    async def on_loop(name: str) -> None:
        calls.append(name)
        flow.task.write(name)

    @task
    @flow.task(on="s-{name}.txt")
    def in_thread(name: str) -> None:
        calls.append(name)
        flow.task.write(name)

    @task
    def names(*_: None) -> list[str]:
        return sorted(path.name for path in tmp_path.iterdir())

    async def name() -> str:
        return "x"

    for _ in range(2):
        assert await names(on_loop(name()), in_thread(name())) == ["a-x.txt", "s-x.txt"]
    assert calls == ["x", "x"]


async def test_limits_and_retries_hold(tmp_path: Path) -> None:
    flow = quiet(tmp_path)
    running, most, broken = 0, 0, {1, 3}

    @task
    @flow.task(limit=2, retry=Retry(total=1, backoff_factor=0, backoff_jitter=0))
    async def flaky(number: int) -> int:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0)
        running -= 1
        if number in broken:
            broken.remove(number)
            raise ConnectionError
        return number

    @task
    async def total(*numbers: int) -> int:
        return sum(numbers)

    async with scope():
        result = total(*[flaky(number) for number in range(10)])
    assert result.result() == 45
    assert most == 2
    assert not broken


async def test_a_method_made_by_flow_task(tmp_path: Path) -> None:
    flow = quiet(tmp_path)

    class Service:
        factor = 3

        @task
        @flow.task
        async def times(self, number: int) -> int:
            return self.factor * number

    service = Service()
    assert await service.times(service.times(2)) == 18
