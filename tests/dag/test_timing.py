"""The page's pipeline takes exactly as long as its longest path: measured on a clock that jumps."""

from __future__ import annotations

import asyncio
import selectors
from typing import Any

from asflow.dag import Graph, scope, task


class JumpingSelector(selectors.SelectSelector):
    """Instead of waiting for a timeout, it moves the loop's clock there."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def select(self, timeout: float | None = None) -> Any:
        self.now += timeout or 0.0
        return super().select(0)


class JumpingLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self.jumping = JumpingSelector()
        super().__init__(self.jumping)

    def time(self) -> float:
        return self.jumping.now


async def pipeline() -> Graph:
    async def fetch(seconds: float) -> float:
        await asyncio.sleep(seconds)
        return seconds

    async def one_second(*_: float) -> float:
        await asyncio.sleep(1)
        return 1

    async with scope() as ran:
        a, b, c = (
            task(one_second)(*[task(fetch)(seconds) for seconds in pair])
            for pair in [(1, 2), (4, 0.5), (6, 3.5)]
        )
        ab = task(one_second)(a, b)
        task(one_second)(*[task(one_second)(each) for each in (a, ab, c)])
    return ran.graph()


def test_the_pages_pipeline_takes_its_longest_path() -> None:
    with asyncio.Runner(loop_factory=JumpingLoop) as runner:
        graph = runner.run(pipeline())
    assert round(graph.seconds, 6) == 9
    assert [round(node.seconds, 6) for node in graph.critical_path] == [6, 1, 1, 1]
    assert round(sum(node.seconds for node in graph.nodes), 6) == 25
    for node in graph.nodes:
        ready = max((graph.nodes[need].ended or 0 for need in node.needs), default=0)
        assert node.started is not None
        assert abs(node.started - ready) < 1e-6
