"""AsFlow 0.0.x, row by row."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
import zstandard
from coming.rows import row

import asflow
from asflow import Flow, Retry
from asflow._cli.app import app
from asflow.errors import DefinitionError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

here = partial(row, "AsFlow 0.0.x")


def refused(decorate: Callable[[Any], object]) -> str:
    """Return why a decoration is refused."""

    def task(page: str) -> None:
        raise AssertionError("never called")

    with pytest.raises(DefinitionError) as caught:
        decorate(task)
    return str(caught.value)


@here("`from asflow.retry import Retry`")
@here("`Retry(total=3, backoff_factor=0.0, backoff_jitter=0.0)`")
def test_retry_is_at_the_top(flow: Flow) -> None:
    calls: list[int] = []

    @flow.task(retry=asflow.Retry(total=3, backoff_factor=0.0, backoff_jitter=0.0))
    def unsteady() -> str:
        calls.append(1)
        if len(calls) < 4:
            raise OSError("busy")
        return "there"

    assert unsteady() == "there"
    assert len(calls) == 4


@here("`retry=2`")
def test_retries_wait() -> None:
    by_number = Retry(total=2)
    assert (by_number.backoff_factor, by_number.backoff_jitter, by_number.exceptions) == (1, 1, None)


@here("`skip=[ValueError]`")
def test_a_list_of_exceptions(flow: Flow) -> None:
    assert "write for example skip=(" in refused(lambda task: flow.task(skip=[ValueError])(task))  # type: ignore[call-overload]

    @flow.task(skip=ValueError)
    def skipped() -> None:
        raise ValueError

    assert skipped() is None


@here("`serializer=...`")
def test_serializer(flow: Flow) -> None:
    said = refused(lambda task: flow.task(on="*.jsonl", serializer={})(task))  # type: ignore[call-overload]
    assert "give writer= or asflow.add_format" in said


@here('`compressor={"level": 10}`')
def test_compressor(flow: Flow, tmp_path: Path) -> None:
    said = refused(lambda task: flow.task(on="*.jsonl.zst", compressor={"level": 10})(task))  # type: ignore[call-overload]
    assert "its level is level=" in said

    @flow.task(on="a.txt.zst", level=10)
    def write() -> None:
        flow.task.write("text")

    write()
    assert zstandard.decompress((tmp_path / "a.txt.zst").read_bytes(), 100) == b"text"


@here('`on="data/{hash}.jsonl"`')
def test_hash(flow: Flow) -> None:
    assert "write '*' for the hash" in refused(flow.task(on="data/{hash}.jsonl"))


@here('`on="data/{page.name}.txt"`')
def test_attributes(flow: Flow) -> None:
    assert "pass what you need as a parameter of its own" in refused(flow.task(on="data/{page.name}.txt"))


@here("`flow.base`")
def test_base(flow: Flow, tmp_path: Path) -> None:
    with pytest.raises(AttributeError, match=r"flow\.path\('x'\) is a path below it"):
        flow.base  # type: ignore[attr-defined]  # noqa: B018
    assert flow.path("x") == tmp_path / "x"


@here('`flow.console.log("...")`')
def test_console(flow: Flow) -> None:
    with pytest.raises(AttributeError, match="appear above the live display"):
        flow.console  # type: ignore[attr-defined]  # noqa: B018


@here('`Flow("data", verbose=True)`')
@here("`[..] Task download('a') finished in 1.00s`")
def test_log_lines(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    loud, quiet = Flow(tmp_path, verbose=True), Flow(tmp_path)

    @loud.task
    def download(url: str) -> None: ...

    @quiet.task
    def alone(url: str) -> None: ...

    @loud
    def pipeline() -> None:
        download("a")

    pipeline()
    alone("b")
    said = capfd.readouterr().err
    assert "Task download('a') finished in 0.00s" in said
    assert "Task alone('b') finished in 0.00s" in said


@here("files that `*` named")
def test_adopt() -> None:
    assert "adopt" in app  # tests/cli/test_adopt.py has the rest


@here("files that `{video_id}` named")
@here("`.err` files")
def test_names(flow: Flow, tmp_path: Path) -> None:
    @flow.task(on="{video_id}.jsonl.zst", suppress=LookupError)
    async def extract(video_id: str) -> None:
        if video_id.startswith("gone"):
            raise LookupError(video_id)
        flow.task.write({"id": video_id})

    for video in ("-4GmbBoYQjE", "a:b", "gone", "gone.v1"):
        asyncio.run(extract(video))
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["-4GmbBoYQjE.jsonl.zst", "a%3Ab.jsonl.zst", "gone.err", "gone.v1.err"]
    assert (tmp_path / "gone.err").read_text().startswith('{"task":"extract"')
