# mypy: disable-error-code="unused-awaitable"
"""`Flow` and `@flow`: a flow keeps its function's type, whatever its options."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar, assert_type

from asflow import Flow, FlowGraph, FlowRun, LocalStore, MemoryStore, Store, TaskDecorator, TaskRun, flow
from asflow.events import ProblemGroup
from asflow.sinks import LineSink, NullSink, RichSink, Tee

T = TypeVar("T")


@flow
async def pipeline(day: str, *, pages: int = 1) -> list[int]:
    return [len(day)] * pages


@flow
def sync_pipeline(day: str) -> int:
    return len(day)


@flow()
async def empty() -> None: ...


@flow(verbose=True, progress=False)
async def quiet(day: str) -> str:
    return day


@flow(total=400)
def counted(days: list[str]) -> int:
    assert_type(flow.track(days), Iterator[str])
    for day in flow.track(days, "days", total=3, unit="days"):
        assert_type(day, str)
    if (run := flow.run) is not None:
        report = run.report()
        assert_type(report.raise_failed(), None)
        assert_type(report.groups, tuple[ProblemGroup, ...])
    return len(days)


@flow(progress=False)
def quiet_sync(day: str) -> str:
    return day


@flow
async def generic(item: T) -> T:
    return item


class Job:
    @flow
    async def run(self, day: str) -> int:
        return len(day)

    @classmethod
    @flow(verbose=None)
    def all(cls, day: str) -> list[Job]:
        return [cls()]

    @flow
    @staticmethod
    async def one(day: str) -> int:
        return len(day)


async def calls(job: Job, number: int) -> None:
    assert_type(await pipeline("a", pages=2), list[int])
    assert_type(sync_pipeline(day="a"), int)
    assert_type(await empty(), None)
    assert_type(await quiet("a"), str)
    assert_type(quiet_sync("a"), str)
    assert_type(await generic(number), int)
    assert_type(await job.run("a"), int)
    assert_type(Job.all("a"), list[Job])
    assert_type(await Job.one("a"), int)
    async with asyncio.TaskGroup() as group:
        assert_type(group.create_task(pipeline("a")), asyncio.Task[list[int]])


assert_type(asyncio.run(pipeline("a")), list[int])

# What a Flow is made of.
assert_type(Flow(), Flow)
assert_type(Flow("data"), Flow)
assert_type(Flow(Path("data"), store=LocalStore(durability="atomic"), sink=NullSink(), verbose=True), Flow)
assert_type(Flow(store=MemoryStore(), sink=Tee(RichSink(), LineSink())), Flow)
assert_type(Flow(base=".", store=None, sink=None, verbose=None), Flow)

# What it has.
assert_type(flow, Flow)
assert_type(flow.task, TaskDecorator)
assert_type(flow.store, Store)
assert_type(flow.path("data/a.txt"), Path)
assert_type(flow.path(Path("data") / "a.txt"), Path)
assert_type(flow.run, FlowRun | None)
assert_type(flow.graph(), FlowGraph)
assert_type(flow.graph().tasks, tuple[str, ...])
assert_type(flow.graph().edges, tuple[tuple[str, str], ...])
assert_type(flow.graph().to_mermaid() + flow.graph().to_svg(), str)
assert_type(flow.task.run, TaskRun | None)

if (run := flow.task.run) is not None:
    assert_type(run.attempt, int)
    assert_type(run.output, str | None)
    assert_type(run.task, str)
    assert_type(run.label, str)
    assert_type(run.flow, FlowRun | None)
