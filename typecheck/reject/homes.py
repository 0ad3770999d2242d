"""Names that don't exist, and what users don't make."""

from __future__ import annotations

import asflow
from asflow import FlowReport, FlowRun, Output, Problem, Progress, Records, TaskMap, TaskReport, TaskRun

# A typo, although modules load names when they are first used.
asflow.Typo  # E
asflow.sink  # E
asflow.stores.Typo  # E
asflow.sinks.Typo  # E
asflow.writers.Typo  # E
asflow.typing.Kept  # E
asflow.sinks.RichSink(verbos=True)  # E
asflow.stores.ObjectStore()  # E


def summary(report: FlowReport, flow_run: FlowRun, task_run: TaskRun) -> None:
    report.task  # E
    report.seconds = 1.0  # E
    for counts in report.tasks:
        counts.completed += 1  # E
    for problem in report.problems:
        problem.error.args  # E
    flow_run.tallies  # E
    flow_run.note  # E
    task_run.spec  # E
    task_run.put  # E
    task_run.attempt = 2  # E
    task_run.flow.name  # E
    asflow.Limit(1).slots  # E
    asflow.dag.scope().record  # E


def counts(problem: Problem) -> TaskReport:
    return problem  # E


# What asflow makes.
FlowRun()  # E
TaskRun()  # E
TaskMap()  # E
Output("a.txt")  # E
Progress()  # E
Records()  # E
Problem(task="download")  # E


@asflow.flow.task
async def double(number: int) -> int:
    return 2 * number


texts: TaskMap[str] = asflow.flow.task.map(double, [1])  # E
wrong: asflow.typing.MaybeNone = asflow.flow.task(on="*.txt", key=len)  # E


class Derived(FlowRun): ...  # E
