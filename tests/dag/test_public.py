"""What `asflow.dag` shows to its users' tools."""

from __future__ import annotations

import copy
import pickle
import typing

import pytest

import asflow.dag
from asflow.dag import Graph, GraphNode, Node, RawNode, Scope, later, scope, task


@pytest.mark.parametrize("public", [task, later, scope, Graph, Graph.to_mermaid, GraphNode])
def test_annotations_can_be_read_at_run_time(public: object) -> None:
    assert typing.get_type_hints(public)


def test_everything_that_is_named_is_there() -> None:
    assert len(asflow.dag.__all__) == len(set(asflow.dag.__all__))
    assert all(hasattr(asflow.dag, name) for name in asflow.dag.__all__)


def test_everything_that_is_named_says_where_it_is_imported_from() -> None:
    for name in asflow.dag.__all__:
        found = getattr(asflow.dag, name)
        assert name == "NodeState" or found.__module__ == "asflow.dag"


@task
async def fetch(name: str) -> str:
    return name


def shown(value: object) -> set[str]:
    return {name for name in dir(value) if not name.startswith("_")}


def test_a_scope_and_a_node_offer_what_is_documented_and_nothing_else() -> None:
    assert shown(Scope) == shown(scope()) == {"graph"}
    assert shown(fetch) == {"func", "raw"}


@pytest.mark.parametrize("kind", [Scope, Graph, GraphNode, Node, RawNode])
def test_what_only_asflow_makes_has_no_public_constructor(kind: typing.Any) -> None:
    with pytest.raises(TypeError, match=rf"^{kind.__name__}\(\): has no public constructor; (use|take) "):
        kind()
    with pytest.raises(TypeError, match="has no public constructor"):
        kind(fetch.func)


async def test_a_graph_is_copied_and_pickled_all_the_same() -> None:
    async with scope() as pipeline:
        _ = fetch("a")
    graph = pipeline.graph()
    assert pickle.loads(pickle.dumps(graph)) == copy.deepcopy(graph) == graph
    assert isinstance(graph.nodes[0], GraphNode)
