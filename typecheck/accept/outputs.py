"""`flow.task.output`, `.outputs` and what a handle gives."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, TypedDict, assert_type

from asflow import Output, flow
from asflow.protocols import OutputStatus


class Snippet(TypedDict):
    text: str
    start: float


@dataclass
class Row:
    text: str


class Point(NamedTuple):
    x: int


@flow.task(on="data/{video_id}.jsonl.zst")
async def download(video_id: str, *, lang: str = "en") -> None:
    flow.task.write({"text": video_id + lang, "start": 0.5})


@flow.task(on="data/{day}.csv")
def daily(day: str, page: int = 1) -> int:
    return page + len(day)


# The arguments are the task's own.
handle = flow.task.output(download, "a")
assert_type(handle, Output)
assert_type(flow.task.output(download, "a", lang="de"), Output)
assert_type(flow.task.output(download, video_id="a"), Output)
assert_type(flow.task.output(daily, "a", 2), Output)
assert_type(flow.task.output(daily, page=2, day="a"), Output)
assert_type(flow.task.outputs(download), Iterator[Output])
assert_type([output.name for output in flow.task.outputs(daily)], list[str])

# What is known of it.
assert_type(handle.name, str)
assert_type(handle.path, Path)
assert_type(handle.status, OutputStatus)
assert_type(handle.size, int | None)
assert_type(handle.modified, float | None)
assert_type(handle.text(), str)
assert_type(handle.error(), str | None)
assert_type(handle.delete(), bool)
assert_type(handle == handle, bool)
assert_type({handle: 1}, dict[Output, int])

match handle.status:
    case "complete" | "suppressed" as known:
        print(known)
    case "absent" as absent:
        print(absent)

# What it holds.
assert_type(handle.records(Snippet), Iterator[Snippet])
assert_type(handle.records(Row), Iterator[Row])
assert_type(handle.records(Point), Iterator[Point])
assert_type(handle.records(str), Iterator[str])
assert_type(handle.records(dict[str, int]), Iterator[dict[str, int]])
for snippet in handle.records(Snippet):
    assert_type(snippet["start"], float)
