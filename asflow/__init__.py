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

from asflow._version import __version__
from asflow.decorator import TaskDecorator
from asflow.engine.policy import Retry
from asflow.errors import AsflowError
from asflow.flows import Flow, flow
from asflow.outcomes import Completed, Failed
from asflow.outputs import Output
from asflow.progressing import Progress
from asflow.protocols import ProgressSink, Store, Writer
from asflow.running import run
from asflow.runtime.limits import Limit
from asflow.runtime.runs import FlowRun, TaskRun
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
