"""Implicit graphs: call a task with another task's pending result, and the graph runs itself.

from asflow.dag import scope, task

@task
async def fetch(url: str) -> str: ...

@task
async def join(first: str, second: str) -> str: ...

async with scope() as pipeline:
    join(fetch("a"), fetch("b"))       # both fetches run side by side, then the join
print(pipeline.graph().to_mermaid())
"""

from asflow.dag.decorator import later, task
from asflow.dag.errors import CycleError, ForeignLoopError, NoRunningLoopError, ScopeClosedError
from asflow.dag.graphs import Graph, GraphNode
from asflow.dag.nodes import Node, RawNode
from asflow.dag.records import NodeState
from asflow.dag.scopes import Scope, scope

__all__ = [
    "CycleError",
    "ForeignLoopError",
    "Graph",
    "GraphNode",
    "NoRunningLoopError",
    "Node",
    "NodeState",
    "RawNode",
    "Scope",
    "ScopeClosedError",
    "later",
    "scope",
    "task",
]
