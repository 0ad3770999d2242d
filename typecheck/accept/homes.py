"""Public names: what calls return can be written down, and public modules need no import of their own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, assert_type

import asflow
from asflow import (
    Completed,
    Failed,
    FlowReport,
    FlowRun,
    Problem,
    TaskDecorator,
    TaskMap,
    TaskReport,
    TaskRun,
)
from asflow.events import Outcome
from asflow.typing import Keep, MaybeNone, SavedKeyed, WritesKeyed

# Modules are attributes of `asflow`.
sink = asflow.sinks.RichSink(verbose=True)  # OK
assert_type(sink.wants_tasks, Literal["all", "outside", "none"])
assert_type(asflow.stores.MemoryStore(), asflow.MemoryStore)
store: asflow.protocols.Store = asflow.stores.ObjectStore("s3://bucket/data")  # OK
error: type[asflow.AsflowError] = asflow.errors.DefinitionTypeError  # OK
graph: asflow.dag.Graph = asflow.dag.scope().graph()  # OK
recorded: list[asflow.events.Event] = asflow.testing.RecordingSink().events  # OK
declared: type[Exception] = asflow.dataflow.DataFlowError  # OK
format_: str | None = asflow.writers.FORMATS.get(".jsonl")  # OK
keep: asflow.typing.Keep = asflow.flow.task(retry=3)  # OK

# What decorators return.
kept: Keep = asflow.flow.task(limit=4)  # OK
quiet: MaybeNone = asflow.flow.task(skip=OSError)  # OK
of_flow: Keep = asflow.flow(progress=False)  # OK


def by_word(word: str) -> str:
    return word


keyed: WritesKeyed[[str]] = asflow.flow.task(on="*.txt", key=by_word)  # OK
saved_keyed: SavedKeyed[[str]] = asflow.flow.task(save="*.json", key=by_word)  # OK
tasks: TaskDecorator = asflow.Flow("data").task  # OK


def retried(task: TaskDecorator) -> Keep:
    return task(retry=3)  # OK


@retried(asflow.flow.task)
async def double(number: int) -> int:
    return 2 * number


assert_type(asflow.run(double(1)), int)

# Maps.
mapped: TaskMap[int] = asflow.flow.task.map(double, [1, 2])  # OK
collected: TaskMap[Completed[int, int] | Failed[int]]
collected = asflow.flow.task.map(double, [1], on_error="collect")  # OK


async def first(results: TaskMap[int]) -> int:
    async for result in results:
        assert_type(result, int)
    assert_type(await results, list[int])
    return 0


def wider(results: TaskMap[int]) -> TaskMap[int | None]:
    return results  # OK


# Runs and reports.
def summary(flow_run: FlowRun, task_run: TaskRun) -> tuple[FlowReport, str]:
    assert_type(task_run.flow, FlowRun | None)
    assert_type(task_run.attempt, int)
    assert_type(task_run.output, str | None)
    assert_type(flow_run.seconds, float)
    return flow_run.report(), task_run.task


def problems(report: FlowReport) -> list[str]:
    assert_type(report.tasks, tuple[TaskReport, ...])
    assert_type(report.problems, tuple[Problem, ...])
    assert_type(report.problems_left_out, int)
    assert_type(report.to_json(), str)
    for counts in report.tasks:
        assert_type(counts.cached, int)
        assert_type(counts.slowest, float)
    for problem in report.problems:
        assert_type(problem.outcome, Outcome)
        assert_type(problem.error, str | None)
        assert_type(problem.kwargs, dict[str, object])
    return [problem.label for problem in report.problems]


report_of: Callable[[FlowRun], FlowReport] = FlowRun.report  # OK
anything: Any = asflow.__version__  # OK
