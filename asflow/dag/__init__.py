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

from asflow._names import set_homes
from asflow.dag._errors import CycleError, ForeignLoopError, NoRunningLoopError, ScopeClosedError
from asflow.dag._graph import Graph
from asflow.dag._nodes import Node, RawNode
from asflow.dag._records import GraphNode, NodeState
from asflow.dag._scope import Scope, scope
from asflow.dag._task_decorator import later, task

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

set_homes(
    __name__,
    (
        CycleError,
        ForeignLoopError,
        Graph,
        GraphNode,
        NoRunningLoopError,
        Node,
        RawNode,
        Scope,
        ScopeClosedError,
        later,
        scope,
        task,
    ),
)
