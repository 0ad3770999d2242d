"""The graph of a scope: what it says, and its pictures."""

from __future__ import annotations

import asyncio
import xml.etree.ElementTree as ElementTree
from itertools import pairwise
from typing import Any, TypeAlias

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.drawing import examples

from asflow import Secret
from asflow._labels import clean
from asflow._names import create
from asflow.dag import Graph, GraphNode, later, scope, task

Token: TypeAlias = Secret[str]


@task
async def fetch(name: str) -> str:
    return name


@task
async def join(*parts: str) -> str:
    return "".join(parts)


def node(index: int, seconds: float, *needs: int, name: str = "n", **more: Any) -> GraphNode:
    values: dict[str, Any] = {
        "label": "",
        "state": "completed",
        "started": 0.0,
        "ended": seconds,
        "outside": False,
        **more,
    }
    return create(GraphNode, index=index, name=name, seconds=seconds, needs=needs, **values)


async def test_nodes_edges_and_times() -> None:
    loop = asyncio.get_running_loop()
    async with scope() as pipeline:
        first, second = fetch("a"), fetch("b")
        both = join(first, second, first)
        task(join, second)(both)
    graph = pipeline.graph()
    assert [n.name for n in graph.nodes] == ["fetch", "fetch", "join", "join"]
    assert graph.edges == ((0, 2), (1, 2), (2, 3), (1, 3))
    assert {n.state for n in graph.nodes} == {"completed"}
    for n in graph.nodes:
        assert n.started is not None
        assert n.ended is not None
        assert 0 <= n.started <= n.ended <= graph.seconds
        assert n.seconds == pytest.approx(n.ended - n.started)
        assert all((graph.nodes[need].ended or 0) <= n.started for need in n.needs)
    assert graph.seconds <= loop.time()


async def test_states_and_a_graph_taken_while_it_runs() -> None:
    gate = asyncio.get_running_loop().create_future()

    @task
    async def waits() -> None:
        await gate

    async with scope() as pipeline:
        running = waits()
        after = join(running)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType, reportCallIssue]
        await asyncio.sleep(0)
        assert [n.state for n in pipeline.graph().nodes] == ["running", "waiting"]
        assert pipeline.graph().nodes[0].seconds > 0
        after.cancel()
        gate.set_result("x")
    assert [n.state for n in pipeline.graph().nodes] == ["completed", "cancelled"]


async def test_failures_show_in_the_graph() -> None:
    @task
    async def fail() -> str:
        raise ValueError

    pipeline = scope()
    with pytest.raises(ExceptionGroup):
        async with pipeline:
            join(fail())
    assert [n.state for n in pipeline.graph().nodes] == ["failed", "failed"]
    assert "class n0,n1 failed" in pipeline.graph().to_mermaid()


async def test_outside_awaitables_and_gathers_are_shown() -> None:
    """Coroutine arguments are nodes; what comes from elsewhere is marked; a gather shows its members."""

    async def header() -> str:
        return "h"

    outside = fetch("outside")
    async with scope() as pipeline:
        pages = asyncio.gather(fetch("a"), fetch("b"))
        task(join.func, pages)(header(), outside, "plain")
    graph = pipeline.graph()
    assert [(n.name, n.outside) for n in graph.nodes] == [
        ("fetch", False),
        ("fetch", False),
        ("header", False),
        ("fetch", True),
        ("join", False),
    ]
    assert graph.nodes[4].needs == (2, 3, 0, 1)
    assert '(["fetch<br/>outside"])' in graph.to_mermaid()


async def test_nodes_are_labelled_with_their_arguments() -> None:
    """Shortened; a dependency is its name, by position and by keyword; nothing for one without arguments."""

    @task
    async def many(*parts: object, scale: float = 1, more: object = None) -> str:
        return ""

    async with scope() as pipeline:
        first = fetch("a" * 200)
        second = many(first, fetch.func("b"), 3, scale=0.5, more=later(asyncio.sleep(0)))
        many()
        task(join, second)("x")
    labels = {n.name: n.label for n in pipeline.graph().nodes if n.label}
    assert labels["fetch"].startswith("'aaaa")
    assert len(labels["fetch"]) <= 60
    assert labels["many"] == "fetch, fetch, 3, scale=0.5, more=sleep"
    assert labels["join"] == "'x'"
    svg, text = pipeline.graph().to_svg(), pipeline.graph().to_mermaid()
    assert "many(fetch, fetch, 3, scale=0.5, mo…" in svg
    assert "<title>many(fetch, fetch, 3, scale=0.5, more=sleep)</title>" in svg
    assert "many#40;fetch, fetch, 3, scale#61;0.5, more#61;sleep#41;" in text
    assert '"many<br/>' in text


async def test_labels_show_no_secret() -> None:
    """Of a parameter whose annotation says so, by position, by keyword and among the rest."""

    class Client:
        @task
        async def login(self, user: str, token: Token, *more: Secret[str], **rest: Secret[str]) -> str:
            return token

    client = Client()
    async with scope() as pipeline:
        client.login("me", "1234", "5678", "9012", key="3456")
        client.login("me", token="1234")
        client.login(token=client.login("me", "1234"), user="me")  # type: ignore[call-overload]  # pyright: ignore[reportArgumentType]
    labels = sorted(n.label for n in pipeline.graph().nodes)
    assert labels == [
        "'me', ***",
        "'me', ***, ***, ***, key=***",
        "'me', token=***",
        "token=***, user='me'",
    ]


async def test_labels_show_nothing_if_an_annotation_can_not_be_looked_up() -> None:
    """It may say `Secret`, which only checkers see in that module."""
    module: dict[str, Any] = {"__name__": "somewhere"}
    exec('async def login(token: "Secret[str]") -> str: return token', module)
    async with scope() as pipeline:
        task(module["login"])("1234")
    assert [n.label for n in pipeline.graph().nodes] == ["..."]


async def test_names_and_labels_from_outside_are_clean_in_the_picture() -> None:
    async def header(text: str) -> str:
        return text

    outside = asyncio.create_task(header("x"), name="a\x1b[2Jb\u202e\x00<c>")
    async with scope() as pipeline:
        join(outside, "\x1b[31m\u200b")
    graph = pipeline.graph()
    for text in (graph.to_svg(), graph.to_mermaid(), repr(graph)):
        assert clean(text, lines=True) == text
    ElementTree.fromstring(graph.to_svg())


async def test_critical_path_is_the_longest_chain_of_bodies() -> None:
    graph = create(
        Graph, (node(0, 1.0), node(1, 5.0), node(2, 1.0, 0, 1), node(3, 7.5), node(4, 2.0, 2)), 8.0
    )
    assert [n.index for n in graph.critical_path] == [1, 2, 4]
    assert "critical path: n → n → n" in repr(graph)
    assert create(Graph, (), 0.0).critical_path == ()
    assert repr(create(Graph, (), 0.0)) == "<Graph: 0 nodes, 0.00 s; critical path: none>"


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    size = draw(st.integers(0, 9))
    return create(
        Graph,
        tuple(
            node(i, draw(st.integers(0, 5)), *sorted(draw(st.sets(st.integers(0, i - 1))) if i else ()))
            for i in range(size)
        ),
        5.0,
    )


@given(graphs())
@settings(max_examples=examples(60))
def test_no_chain_is_longer_than_the_critical_path(graph: Graph) -> None:
    """Against every chain there is, by brute force."""

    def longest(index: int) -> float:
        this = graph.nodes[index]
        return this.seconds + max(map(longest, this.needs), default=0.0)

    path = graph.critical_path
    assert sum(n.seconds for n in path) == max(map(longest, range(len(graph.nodes))), default=0.0)
    for before, after in pairwise(path):
        assert before.index in after.needs


def test_mermaid_marks_the_critical_path() -> None:
    graph = create(Graph, (node(0, 1.0, name="a"), node(1, 2.0, name="b"), node(2, 0.5, 0, 1, name="c")), 2.5)
    assert graph.to_mermaid() == (
        "flowchart LR\n"
        '    n0["a<br/>1.00 s"]\n'
        '    n1["b<br/>2.00 s"]\n'
        '    n2["c<br/>0.50 s"]\n'
        "    n0 --> n2\n"
        "    n1 ==> n2\n"
        "    classDef critical stroke:#d9480f,stroke-width:3px\n"
        "    class n1,n2 critical\n"
        "    linkStyle 1 stroke:#d9480f,stroke-width:3px\n"
    )


def test_names_cannot_break_the_pictures() -> None:
    name = '<lambda>"]; end #quot; `x` & <script>'
    graph = create(Graph, (node(0, 1.0, name=name),), 1.0)
    [_, line, *_] = graph.to_mermaid().splitlines()
    assert line.count('"') == 2
    assert "#60;lambda#62;#34;#93;#59;" in line
    assert name in "".join(ElementTree.fromstring(graph.to_svg()).itertext())


def test_many_nodes_are_drawn_by_name() -> None:
    nodes = [node(i, 1.0, name="fetch") for i in range(300)]
    nodes += [node(300 + i, 2.0, i, name="save") for i in range(300)]
    text = create(Graph, tuple(nodes), 3.0).to_mermaid()
    assert 'n0["fetch ×300<br/>5 min 0 s"]' in text
    assert 'n1["save ×300<br/>10 min 0 s"]' in text
    assert "n0 ==> n1" in text
    assert text.count(">") - text.count("br/>") == 1
    assert create(Graph, tuple(nodes), 3.0).to_mermaid(max_nodes=600).count("-->") == 299


def test_notebook_picture_is_well_formed_svg() -> None:
    graph = create(Graph, (node(0, 1.0, name="a"), node(1, 2.0, 0, name="b", started=1.0, ended=3.0)), 3.0)
    bundle = graph._repr_mimebundle_()
    assert set(bundle) == {"image/svg+xml", "text/plain"}
    assert set(graph._repr_mimebundle_(include={"text/plain"})) == {"text/plain"}
    assert set(graph._repr_mimebundle_(exclude={"text/plain"})) == {"image/svg+xml"}
    space = "{http://www.w3.org/2000/svg}"
    root = ElementTree.fromstring(bundle["image/svg+xml"])
    bars = [bar for bar in root.iter(f"{space}rect") if bar.get("rx")]
    first, second = (float(bar.get("x", "")) for bar in bars)
    assert second - first == pytest.approx(640 / 3, abs=0.2)
    arrows = [path for path in root.iter(f"{space}path") if path.get("marker-end")]
    assert [arrow.get("stroke") for arrow in arrows] == ["#d9480f"]


def test_pictures_of_nothing() -> None:
    empty = create(Graph, (), 0.0)
    assert empty.to_mermaid() == "flowchart LR\n"
    assert ElementTree.fromstring(empty.to_svg()).tag.endswith("svg")
    unstarted = create(Graph, (node(0, 0.0, started=None, ended=None, state="waiting"),), 0.0)
    assert "waiting" in unstarted.to_mermaid()
    assert "waiting" in unstarted.to_svg()
