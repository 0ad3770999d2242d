"""An argument that a member declares `Secret` is shown nowhere: not by the call, and not by the members."""

from __future__ import annotations

import io
from typing import Any

import pytest

from asflow import Flow, Secret
from asflow.dataflow import DataFlow, amapper
from asflow.events import Event
from asflow.sinks import LineSink

WORD = "SESAME"


async def get(token: Secret[str], q: int) -> dict[str, int]:
    assert token == WORD
    return {"y": q}


def fails(token: Secret[str]) -> None:
    raise ValueError("no")


class Texts:
    """A sink that keeps what its events hold, and the lines that they make."""

    def __init__(self) -> None:
        self.stream = io.StringIO()
        self.lines = LineSink(self.stream, verbose=True)
        self.seen: list[str] = []

    def emit(self, event: Event, /) -> None:
        self.lines.emit(event)
        self.seen.append(f"{event.label} {dict(event.arguments)} {event!r}")


@pytest.mark.parametrize("name", ["token", "key"])
@pytest.mark.parametrize("member", [get, fails])
async def test_secrets_are_masked(member: Any, name: str) -> None:
    sink = Texts()
    mapped = amapper(member, input={"token": name})
    pipeline = DataFlow((member if name == "token" else mapped,), flow=Flow(sink=sink))
    try:
        await pipeline({name: WORD, "q": 1})
    except ValueError as error:
        assert member is fails
        sink.seen.append(f"{error}{getattr(error, '__notes__', '')}")
    everything = "\n".join([*sink.seen, sink.stream.getvalue()])
    assert WORD not in everything
    assert f"{name}=***" in sink.stream.getvalue()
    assert "q=1" in sink.stream.getvalue()
    assert any(f"'{name}': ***" in each for each in sink.seen)
