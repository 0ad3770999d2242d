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

from typing import TYPE_CHECKING

from asflow._engine.policy import Retry
from asflow._flow import Flow, flow
from asflow._markers import Ignored, Secret
from asflow._names import lazily, set_homes
from asflow._runtime.limits import Limit
from asflow._task.decorator import TaskDecorator
from asflow._task.handles import FlowRun, TaskRun
from asflow._version import __version__
from asflow.errors import AsflowError, Unchanged

if TYPE_CHECKING:
    from asflow import dag as dag
    from asflow import dataflow as dataflow
    from asflow import errors as errors
    from asflow import events as events
    from asflow import executors as executors
    from asflow import protocols as protocols
    from asflow import sinks as sinks
    from asflow import stores as stores
    from asflow import testing as testing
    from asflow import typing as typing
    from asflow import writers as writers
    from asflow._adding import AddedSink, add_sink
    from asflow._run import run
    from asflow._runtime.report import FlowReport, Problem, TaskReport
    from asflow._task.graph import FlowGraph
    from asflow._task.mapping import SyncTaskMap, TaskMap
    from asflow._task.outcomes import Completed, Failed
    from asflow._task.output import Output, Records
    from asflow._task.progress import Progress
    from asflow.protocols import ProgressSink, Store, Writer
    from asflow.stores import LocalStore, MemoryStore
    from asflow.writers._format import Format
    from asflow.writers._registry import add_format
else:
    __getattr__, __dir__ = lazily(
        __name__,
        {
            **dict.fromkeys(("AddedSink", "add_sink"), "._adding"),
            "run": "._run",
            **dict.fromkeys(("FlowReport", "Problem", "TaskReport"), "._runtime.report"),
            **dict.fromkeys(("SyncTaskMap", "TaskMap"), "._task.mapping"),
            **dict.fromkeys(("Completed", "Failed"), "._task.outcomes"),
            **dict.fromkeys(("Output", "Records"), "._task.output"),
            "Progress": "._task.progress",
            **dict.fromkeys(("ProgressSink", "Store", "Writer"), ".protocols"),
            **dict.fromkeys(("LocalStore", "MemoryStore"), ".stores"),
            "Format": ".writers._format",
            "add_format": ".writers._registry",
            "FlowGraph": "._task.graph",
        },
        (
            "dag",
            "dataflow",
            "errors",
            "events",
            "executors",
            "protocols",
            "sinks",
            "stores",
            "testing",
            "typing",
            "writers",
        ),
    )

__all__ = [
    "AddedSink",
    "AsflowError",
    "Completed",
    "Failed",
    "Flow",
    "FlowGraph",
    "FlowReport",
    "FlowRun",
    "Format",
    "Ignored",
    "Limit",
    "LocalStore",
    "MemoryStore",
    "Output",
    "Problem",
    "Progress",
    "ProgressSink",
    "Records",
    "Retry",
    "Secret",
    "Store",
    "SyncTaskMap",
    "TaskDecorator",
    "TaskMap",
    "TaskReport",
    "TaskRun",
    "Unchanged",
    "Writer",
    "__version__",
    "add_format",
    "add_sink",
    "flow",
    "run",
]

set_homes(__name__, (Flow, FlowRun, Limit, Retry, TaskDecorator, TaskRun))
