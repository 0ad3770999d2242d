"""What `asflow.dag` shows to its users' tools."""

from __future__ import annotations

import typing

import pytest

import asflow.dag
from asflow.dag import Graph, GraphNode, later, scope, task


@pytest.mark.parametrize("public", [task, later, scope, Graph, Graph.to_mermaid, GraphNode])
def test_annotations_can_be_read_at_run_time(public: object) -> None:
    assert typing.get_type_hints(public)


def test_everything_that_is_named_is_there() -> None:
    assert len(asflow.dag.__all__) == len(set(asflow.dag.__all__))
    assert all(hasattr(asflow.dag, name) for name in asflow.dag.__all__)
