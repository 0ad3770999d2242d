"""Draws a definition as Mermaid text."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, assert_never

from asflow._mermaid import connection, flowchart
from asflow._mermaid import node as drawn
from asflow.dataflow._tree import Function, Node, Parallel, Serial

if TYPE_CHECKING:
    from collections.abc import Iterator


def mermaid(node: Node) -> str:
    """Return *node* as a flow chart: arrows along sequences, a box around concurrent members.

    Source: https://mermaid.js.org/syntax/flowchart.html
    """
    numbers = itertools.count(1)
    return flowchart(_chain(node.steps if isinstance(node, Serial) else (node,), numbers))


def _chain(steps: tuple[Node, ...], numbers: Iterator[int]) -> Iterator[str]:
    """Draw *steps*, with an arrow from each to the next."""
    before = ""
    for step in steps:
        name = f"n{next(numbers)}"
        yield from _draw(step, name, numbers)
        if before:
            yield connection(before, name)
        before = name


def _draw(node: Node, name: str, numbers: Iterator[int]) -> Iterator[str]:
    """Draw *node* under the identifier *name*, which an arrow can point at."""
    match node:
        case Function():
            yield drawn(name, node.name, shape="box" if node.on_loop else "double")
            if node.optional:
                yield f"style {name} stroke-dasharray:5 5"
            return
        case Serial():
            inner = _chain(node.steps, numbers)
        case Parallel():
            inner = itertools.chain.from_iterable(
                _draw(member, f"n{next(numbers)}", numbers) for member in node.members
            )
        case _:
            assert_never(node)
    yield f'subgraph {name}[" "]'
    yield f"    direction {'LR' if isinstance(node, Serial) else 'TB'}"
    yield from (f"    {line}" for line in inner)
    yield "end"
