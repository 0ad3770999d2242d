"""Texts of strangers reach no terminal, page or log as they are: names, arguments and exceptions.

A table of texts that move a cursor, hide or reorder, in every place that shows them. An exception may also
be unable to show itself, or be huge.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import logging
import re
from typing import TYPE_CHECKING, Any

import pytest
from rich.console import Console

from asflow import Flow, FlowReport
from asflow._cli import main
from asflow.dag import scope, task
from asflow.dataflow import DataFlow, amapper
from asflow.errors import AsflowError
from asflow.sinks import HistorySink, LineSink, LogSink, RichSink, TraceSink

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from asflow.protocols import ProgressSink

BAD = "a\x1b[31mRED\x07\x9b2J\u202eevil\u200bzw\u2066x\r\u2028\ufeffc"
HARMFUL = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff\ud800-\udfff]"
)
LONGEST = 300_000  # characters that a sink may write in one of these runs


class StrRaisesError(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text")

    __repr__ = __str__


class NoTextError(Exception):
    def __str__(self) -> str:
        return 3  # type: ignore[return-value]  # pyright: ignore[reportReturnType]


class HugeError(Exception):
    def __str__(self) -> str:
        return BAD * 300_000


def noted(error: Exception) -> Exception:
    error.add_note(BAD)
    return error


ERRORS: dict[str, Callable[[], Exception]] = {
    "text": lambda: ValueError(BAD + "\ud800\0"),
    "key": lambda: KeyError(BAD),
    "os": lambda: OSError(2, BAD, BAD),
    "class name": lambda: type(BAD, (Exception,), {})("text"),
    "group": lambda: ExceptionGroup(BAD, [ValueError(BAD), ExceptionGroup(BAD, [KeyError(BAD)])]),
    "notes": lambda: noted(ValueError("text")),
    "str raises": StrRaisesError,
    "str is no text": NoTextError,
    "huge": HugeError,
}


def harmless(text: str) -> None:
    found = HARMFUL.search(text)
    assert found is None, repr(text[max(0, found.start() - 60) : found.start() + 20])


def pipeline_of(
    sink: ProgressSink, folder: Path, make: Callable[[], Exception]
) -> tuple[Any, list[FlowReport]]:
    """Return a flow that meets the exception in every way that tasks have, and the reports that it leaves."""
    flow = Flow(folder, sink=sink)
    reports: list[FlowReport] = []

    def body(text: str) -> None:
        raise make()

    body.__name__ = body.__qualname__ = f"body{BAD}"

    @flow.task(on="kept/{text}.txt", suppress=Exception)
    def kept(text: str) -> None:
        raise make()

    skipping = flow.task(skip=Exception)(body)

    def pipeline(text: str) -> None:
        skipping(text)
        kept(text)
        run = flow.run
        assert run is not None
        reports.append(run.report())
        raise make()

    pipeline.__name__ = pipeline.__qualname__ = f"pipeline{BAD}"
    return flow(pipeline), reports


def run(sink: ProgressSink, folder: Path, kind: str) -> list[FlowReport]:
    pipeline, reports = pipeline_of(sink, folder, ERRORS[kind])
    raised: Exception | None = None
    try:
        pipeline(BAD)
    except Exception as error:
        raised = error
    assert type(raised).__name__ == type(ERRORS[kind]()).__name__
    return reports


@pytest.mark.parametrize("kind", ERRORS)
def test_lines(tmp_path: Path, kind: str) -> None:
    stream = io.StringIO()
    reports = run(LineSink(stream, verbose=True), tmp_path, kind)
    harmless(stream.getvalue())
    assert "RED" in stream.getvalue()
    assert max(map(len, stream.getvalue().splitlines())) < 2_000
    shown = Console(file=io.StringIO(), width=300)
    for report in reports:
        harmless(str(report))
        assert len(str(report)) < 5_000
        shown.print(report)
    assert isinstance(shown.file, io.StringIO)
    harmless(shown.file.getvalue())


@pytest.mark.parametrize("kind", ERRORS)
def test_rich_without_a_terminal(tmp_path: Path, kind: str) -> None:
    stream = io.StringIO()
    run(RichSink(console=Console(file=stream, width=200), verbose=True), tmp_path, kind)
    harmless(stream.getvalue())
    assert "RED" in stream.getvalue()


@pytest.mark.parametrize("kind", ERRORS)
def test_logs(tmp_path: Path, kind: str) -> None:
    stream = io.StringIO()
    logger = logging.getLogger(f"hostile.{kind}")
    logger.propagate = False
    logger.setLevel(1)
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logging.Formatter("%(message)s %(asflow_error)s %(asflow_label)s"))
    logger.addHandler(handler)
    run(LogSink(logger), tmp_path, kind)
    harmless(stream.getvalue())
    assert 500 < len(stream.getvalue()) < LONGEST


def texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, each in value.items():
            yield from texts(key)
            yield from texts(each)
    elif isinstance(value, list):
        for each in value:
            yield from texts(each)


@pytest.mark.parametrize("kind", ERRORS)
def test_traces(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "trace.json"
    run(TraceSink(path), tmp_path, kind)
    text = path.read_text()
    found = list(texts(json.loads(text)))
    for each in found:
        harmless(each)
    assert any("RED" in each for each in found)
    assert len(text) < LONGEST


@pytest.mark.parametrize("kind", ERRORS)
def test_histories_and_their_page(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.chdir(tmp_path)
    run(HistorySink("history"), tmp_path / "data", kind)
    [path] = (tmp_path / "history").iterdir()
    lines = path.read_text("utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    for each in texts(rows):
        harmless(each)
    assert [row["kind"] for row in rows] == ["start", "call", "call", "flow"]
    assert max(map(len, lines)) < 5_000
    assert main(["history"]) == main(["history", "--json"]) == main(["report"]) == 0
    shown = "".join(capsys.readouterr()) + (tmp_path / "report.html").read_text("utf-8")
    harmless(shown)
    assert "RED" in shown
    assert len(shown) < LONGEST


FILE = BAD.replace("\r", "") + ".jsonl"


@pytest.mark.parametrize(
    "command",
    [
        ("ls", "--all"),
        ("errors",),
        ("errors", "--full"),
        ("check", "--all"),
        ("clean", "--dry-run", "--all"),
        ("retry", ".", "--dry-run"),
        ("show", f"no{FILE}"),
        ("show", f"folder{FILE}"),
        ("errors", FILE),
        ("check", f"no{FILE}"),
        ("clean", FILE),
        ("retry", FILE),
        ("run", f"json:{BAD}"),
        ("run", f"no{BAD}:x"),
        (BAD,),
        ("ls", f"--{BAD}"),
    ],
    ids=repr,
)
def test_the_command_line(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    command: tuple[str, ...],
) -> None:
    for kind in ("text", "class name", "group", "notes"):
        run(LineSink(io.StringIO()), tmp_path / kind, kind)
    (tmp_path / FILE).write_text(f"{BAD}\n")
    (tmp_path / f"{FILE}.part").write_text("")
    (tmp_path / f"folder{FILE}").mkdir()
    monkeypatch.chdir(tmp_path)
    with contextlib.suppress(SystemExit):
        main(command)
    out, err = capsys.readouterr()
    harmless(out)
    harmless(err)
    assert out + err


async def member(a: int) -> None: ...


BAD_VALUE: Any = BAD


member.__name__ = member.__qualname__ = f"member{BAD}"
MEMBER: Any = member


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: asyncio.run(DataFlow((member,))()),
        lambda: asyncio.run(DataFlow((member,))(**{BAD: 1})),
        lambda: DataFlow((BAD_VALUE,)),
        lambda: amapper(member, input={BAD: BAD}),
        lambda: amapper(MEMBER, output=(BAD, BAD)),
        lambda: Flow().task(on=BAD + "{")(member),
        lambda: Flow().task(on=f"{BAD}.txt", suppress=BAD_VALUE)(member),
        lambda: Flow().task(timeout=BAD_VALUE)(member),
        lambda: task(member)(1),
        lambda: task(BAD_VALUE),
    ],
    ids=range(10),
)
def test_messages(wrong: Callable[[], object]) -> None:
    with pytest.raises((AsflowError, TypeError), match=r"\(\).*; |argument") as caught:
        wrong()
    harmless(str(caught.value))


async def test_graphs_and_data_flows_show_themselves() -> None:
    async with scope() as graph:
        await task(member)(1)
    for shown in (repr(task(member)), graph.graph().to_mermaid(), str(graph.graph()), repr(graph.graph())):
        harmless(shown)
    flow = DataFlow((member,))
    harmless(repr(flow))
    harmless(flow.to_mermaid())
