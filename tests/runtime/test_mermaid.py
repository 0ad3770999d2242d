"""Labels of Mermaid drawings: both kinds of drawing show every name, and stay whole."""

from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING

import pytest

from asflow._mermaid import label
from asflow.dag import scope, task
from asflow.dataflow import DataFlow

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

ODD_NAMES = [
    "<lambda>",
    'a"]; b["c',
    "quot#quot; #35;",
    "style:#x;y;",
    "%%{init: {}}%%",
    "end",
    "a&amp;b & c",
    "`bold` **bold** $$x$$",
    "fa:fa-ban",
    "back\\nslash",
    "(round) {curly} [square] |bar|",
    "été ×3 数",
]


def shown(text: str) -> str:
    """What Mermaid makes of the quoted label in a line: its entity codes become HTML's, and these letters."""
    body = re.fullmatch(r'[^"]*"([^"]*)"[^"]*', text)
    assert body is not None, text
    return html.unescape(re.sub(r"#(\d+);", r"&#\1;", body[1]))


def odd(name: str) -> Callable[[], Coroutine[object, None, None]]:
    async def function() -> None: ...

    function.__name__ = function.__qualname__ = name
    return function


@pytest.mark.parametrize("name", ODD_NAMES)
def test_nothing_in_a_label_is_left_for_mermaid_to_read(name: str) -> None:
    assert shown(label(name)) == name
    bare = re.sub(r"#\d+;", "", label(name)[1:-1])
    assert all(letter.isalnum() or letter in " _-.,×" for letter in bare)


@pytest.mark.parametrize("name", ODD_NAMES)
async def test_a_graph_and_a_data_flow_show_an_odd_name(name: str) -> None:
    function = odd(name)
    async with scope() as pipeline:
        await task(function)()
    drawn = pipeline.graph().to_mermaid()
    assert [shown(line).partition("<br/>")[0] for line in drawn.splitlines() if '"' in line] == [name]
    declared = DataFlow((function,)).to_mermaid()
    assert [shown(line) for line in declared.splitlines() if '"' in line] == [name]


def test_lines_stand_below_each_other_and_what_cannot_be_printed_is_a_space() -> None:
    assert label("get", "1.00 s") == '"get<br/>1.00 s"'
    assert label("a\nb\t\x07\ud800c") == '"a b #92;ud800c"'


@pytest.mark.parametrize("lines", [(), ("",)])
def test_a_label_without_text_is_no_syntax_error(lines: tuple[str, ...]) -> None:
    assert label(*lines) == '" "'
