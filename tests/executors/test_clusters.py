"""What a killed worker leads to on the executors that other tests don't kill."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from executors import bodies

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Executor

    from asflow import Flow

pytestmark = [pytest.mark.slow, pytest.mark.timeout(200)]


@pytest.mark.parametrize(
    ("kind", "error"),
    [("loky", "TerminatedWorkerError"), ("parsl", "WorkerLost"), ("executorlib", "ExecutorlibSocketError")],
)
def test_a_killed_worker_publishes_nothing(
    kind: str, error: str, executors: Callable[[str], Executor], flow: Flow
) -> None:
    pool: Any = executors(kind)
    task = flow.task(on="x.txt", executor=pool)(bodies.always_die)
    with pytest.raises(Exception) as caught:  # noqa: PT011 - of each library's own kind
        task()
    assert type(caught.value).__name__ == error
    assert flow.task.output(task).status == "absent"
