"""What a body uses: `flow.task.write`, `.progress` and `.track`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypedDict, assert_type

from asflow import Progress, flow


class Snippet(TypedDict):
    text: str


@dataclass
class Row:
    text: str
    at: datetime


@flow.task(on="data/{day}.jsonl")
async def download(day: str) -> None:
    flow.task.write("raw text\n")  # OK
    flow.task.write(b"raw bytes\n")  # OK
    flow.task.write({"text": day})  # OK
    flow.task.write(Snippet(text=day))  # OK
    flow.task.write(Row(day, datetime.now(UTC)))  # OK
    flow.task.write([1, "two", None])  # OK
    assert_type(flow.task.write(1), None)


@flow.task
def counted(pages: list[str]) -> None:
    with flow.task.progress("pages", total=len(pages)) as progress:
        assert_type(progress, Progress)
        for _ in pages:
            progress.advance()  # OK
            progress.advance(0.5)  # OK
        progress.update(completed=3, total=12.5, description="done")  # OK
        progress.update(total=None)  # OK
        assert_type(progress.completed, float)
        assert_type(progress.total, float | None)
    with flow.task.progress():
        pass
    with flow.task.progress(total=3.5):
        pass


@flow.task
def tracked(pages: list[str]) -> None:
    assert_type(flow.task.track(pages), Iterator[str])
    for page in flow.task.track(pages, "pages", total=3):
        assert_type(page, str)
    for number, page in flow.task.track(enumerate(pages), total=None):
        assert_type(number, int)
        assert_type(page, str)
    assert_type(list(flow.task.track(range(3), description="numbers")), list[int])
