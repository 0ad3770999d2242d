"""Lightweight, typed workflows for ETL pipelines in one Python process.

from asflow import flow

@flow.task(on="data/{day}.jsonl.zst", retry=3, limit=4)
async def download(day: str) -> None:
    async for record in fetch(day):
        flow.task.write(record)

@flow
async def pipeline() -> None:
    await flow.task.map(download, days)
"""

from asflow._engine.policy import Retry
from asflow._flow import Flow, flow
from asflow._run import run
from asflow._runtime.limits import Limit
from asflow._runtime.runs import FlowRun, TaskRun
from asflow._task.decorator import TaskDecorator
from asflow._task.outcomes import Completed, Failed
from asflow._task.output import Output
from asflow._task.progress import Progress
from asflow._version import __version__
from asflow.errors import AsflowError
from asflow.protocols import ProgressSink, Store, Writer
from asflow.stores import LocalStore, MemoryStore

__all__ = [
    "AsflowError",
    "Completed",
    "Failed",
    "Flow",
    "FlowRun",
    "Limit",
    "LocalStore",
    "MemoryStore",
    "Output",
    "Progress",
    "ProgressSink",
    "Retry",
    "Store",
    "TaskDecorator",
    "TaskRun",
    "Writer",
    "__version__",
    "flow",
    "run",
]
