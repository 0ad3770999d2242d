"""`flow.task.path()` in the bodies of executors: the file reaches the caller's store."""

from __future__ import annotations

from concurrent.futures import Executor
from typing import TYPE_CHECKING, Any

import pytest
from executors import bodies
from executors.test_saving import pytestmark as pytestmark

from asflow import Flow, MemoryStore
from asflow.errors import RecordValueError
from asflow.sinks import NullSink

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("kind", ["local", "memory"])
def test_a_body_writes_to_a_path(flow: Flow, executor: Executor, kind: str) -> None:
    if kind == "memory":
        flow = Flow(store=MemoryStore(), sink=NullSink())
    task = flow.task(on="{name}-{how}.txt", executor=executor)(bodies.write_to_path)
    for _ in range(2):
        task("x")
    assert flow.task.output(task, "x").text() == "x True"
    with pytest.raises(FileNotFoundError, match="made no file there"):
        task("x", "nothing")
    with pytest.raises(RecordValueError, match="use one of them"):
        task("x", "both")
    with pytest.raises(LookupError):
        task("x", "raise")
    assert [output.name for output in flow.task.outputs(task)] == ["x-path.txt"]


def test_a_worker_that_does_not_reach_the_callers_folder(
    flow: Flow, executors: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on another machine: the bytes come with the response."""
    nowhere = str(tmp_path / "nowhere")
    monkeypatch.setattr("asflow._executors.caller._new_folder", lambda token: f"{nowhere}/{token}")
    task = flow.task(on="{name}.txt", executor=executors("processes"))(bodies.write_to_path)
    task("x")
    assert flow.task.output(task, "x").text() == "x True"
