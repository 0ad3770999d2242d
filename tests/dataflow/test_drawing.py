"""to_mermaid and what a notebook shows."""

from __future__ import annotations

import re
from typing import Any

from asflow.dataflow import DataFlow


async def get() -> None: ...


def save() -> None: ...


async def log() -> None: ...


async def check() -> None: ...


def test_a_sequence_with_concurrent_members() -> None:
    assert DataFlow((get, (save, log))).to_mermaid() == (
        "flowchart LR\n"
        '    n1["get"]\n'
        '    subgraph n2[" "]\n'
        "        direction TB\n"
        '        n3[["save"]]\n'
        '        n4["log"]\n'
        "    end\n"
        "    n1 --> n2\n"
    )


def test_nested_sequences_have_a_box_of_their_own() -> None:
    text = DataFlow((get, (save, (log, check)))).to_mermaid()
    assert re.findall(r"(n\d) --> (n\d)", text) == [("n5", "n6"), ("n1", "n2")]
    assert '    subgraph n4[" "]\n            direction LR\n' in text
    assert text.count("subgraph") == text.count("end") == 2


def test_a_set_is_drawn_in_the_order_of_names() -> None:
    text = DataFlow({save, log, get, check}).to_mermaid()
    assert re.findall(r'"(\w+)"', text) == ["check", "get", "log", "save"]


def test_names_cannot_break_the_drawing() -> None:
    def odd() -> None: ...

    odd.__name__ = 'a"]; <b> #1 & `x`\nend'
    text = DataFlow((odd, lambda: None)).to_mermaid()
    assert '[["a#34;#93;#59; #60;b#62; #35;1 #38; #96;x#96; end"]]' in text
    assert '[["#60;lambda#62;"]]' in text
    assert len(text.splitlines()) == 4


def test_a_notebook_is_given_the_chart_and_the_text() -> None:
    flow = DataFlow((get, save))
    bundle: dict[str, Any] = flow._repr_mimebundle_()
    assert bundle == {"text/vnd.mermaid": flow.to_mermaid(), "text/plain": "DataFlow([get, save])"}
    assert flow._repr_mimebundle_(include=["text/plain"]).keys() == {"text/plain"}
    assert flow._repr_mimebundle_(exclude={"text/plain"}).keys() == {"text/vnd.mermaid"}
