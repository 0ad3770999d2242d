"""`flow.graph()`: what is drawn."""

from __future__ import annotations

import gc
from pathlib import Path
from xml.etree import ElementTree

from asflow import Flow, FlowGraph
from asflow.sinks import NullSink


def test_tasks_and_what_they_read(flow: Flow, tmp_path: Path) -> None:
    other = Flow(tmp_path / "other", sink=NullSink())

    @other.task(on="raw/{day}.txt")
    def raw(day: str) -> None: ...

    def table(day: str) -> None: ...

    table = flow.task(on="table/{day}.csv", reads="clean/{day}-*.json")(table)

    @flow.task(on="clean/{day}-{part}.json", reads=[raw, "settings & more.toml"])
    def clean(day: str, part: int) -> None: ...

    @flow.task
    def notify() -> None: ...

    graph = flow.graph()
    assert isinstance(graph, FlowGraph)
    assert set(graph.tasks) == {"raw", "clean", "table", "notify"}
    assert graph.tasks.index("raw") < graph.tasks.index("clean") < graph.tasks.index("table")
    assert sorted(graph.edges) == [("clean", "table"), ("raw", "clean"), ("settings & more.toml", "clean")]
    assert repr(graph) == "<FlowGraph of 4 tasks>"
    bundle = graph._repr_mimebundle_()
    for text in (graph.to_svg(), graph._repr_html_(), bundle["image/svg+xml"]):
        root = ElementTree.fromstring(text)
        assert len(list(root.iter("{http://www.w3.org/2000/svg}rect"))) == 1 + 5
    assert "settings #38; more.toml" in graph.to_mermaid()


def test_a_task_that_is_decorated_again_or_gone(flow: Flow) -> None:
    def raw() -> None: ...

    first = flow.task(on="raw.txt")(raw)
    second = flow.task(on="raw.txt")(raw)
    reading = flow.task(on="x.txt", reads=first)(lambda: None)
    graph = flow.graph()
    assert graph.edges.count(("raw", "<lambda>")) == 1
    del second, first, reading, graph
    gc.collect()
    assert flow.graph().tasks == ()
    assert flow.graph().to_mermaid() == "flowchart LR\n"
    ElementTree.fromstring(flow.graph().to_svg())


def test_a_file_of_another_base_is_no_output_of_this_one(tmp_path: Path) -> None:
    first, second = Flow(tmp_path / "a", sink=NullSink()), Flow(tmp_path / "b", sink=NullSink())

    @first.task(on="x/{day}.txt")
    def make(day: str) -> None: ...

    @second.task(on="y/{day}.txt", reads="x/{day}.txt")
    def read(day: str) -> None: ...

    assert second.graph().edges == (("x/{day}.txt", "read"),)
    assert first.graph().tasks == ("make",)
