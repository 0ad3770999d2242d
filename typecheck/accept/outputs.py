"""`flow.task.output`, `.outputs` and what a handle gives."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import (
    Annotated,
    Any,
    Generic,
    Literal,
    NamedTuple,
    TypedDict,
    TypeVar,
    assert_never,
    assert_type,
)

from asflow import Output, flow
from asflow.protocols import OutputStatus
from asflow.typing import JsonValue

T = TypeVar("T")


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


@flow.task(save="data/{day}.json")
def daily(day: str, page: int = 1) -> int:
    return page + len(day)


# The arguments are the task's own.
handle = flow.task.output(download, "a")
assert_type(handle, Output[None])
assert_type(flow.task.output(download, "a", lang="de"), Output[None])
assert_type(flow.task.output(download, video_id="a"), Output[None])
assert_type(flow.task.output(daily, "a", 2), Output[int])
assert_type(flow.task.output(daily, page=2, day="a"), Output[int])
assert_type(flow.task.outputs(download), Iterator[Output[None]])
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
by_handle: dict[Output[None], int] = {handle: 1}  # OK

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
assert_type(handle.records(int | None), Iterator[int | None])
assert_type(handle.records(Snippet | Row), Iterator[Snippet | Row])
assert_type(handle.records(list[int] | dict[str, int] | None), Iterator[list[int] | dict[str, int] | None])
assert_type(handle.records(Literal["a", "b"]), Iterator[Literal["a", "b"]])
assert_type(handle.records(Annotated[int, "positive"]), Iterator[int])
assert_type(handle.records(tuple[int, str]), Iterator[tuple[int, str]])
assert_type(handle.records(Any), Iterator[Any])
for snippet in handle.records(Snippet):
    assert_type(snippet["start"], float)
assert_type(handle.bytes(), bytes)
with handle.open() as file:
    assert_type(file.read(), bytes)

# Without a type, what JSON holds.
assert_type(handle.records(), Iterator[JsonValue])
for record in handle.records():
    value: JsonValue = record  # OK
    if isinstance(record, dict):
        by_name: dict[str, JsonValue] = record  # OK
    match record:
        case {"text": str(text)}:
            assert_type(text, str)
        case [str(first), *_]:
            assert_type(first, str)
        case None | str() | bool() | int() | float() | list() | dict():
            pass
        case _:
            assert_never(record)
json: JsonValue = {"a": [1, None, {"b": 1.5}], "c": True}  # OK


@flow.task(save="{day}.json")
def any_json(day: str) -> JsonValue:
    return {"day": day}


assert_type(any_json("a"), JsonValue)
assert_type(flow.task.output(any_json, "a"), Output[JsonValue])


# The output of any task.
def describe(output: Output) -> str:
    assert_type(output, Output[object])
    assert_type(output.value(), object)
    return output.name


class Handles(Generic[T]):
    def __init__(self, output: Output[T]) -> None:
        self.output = output

    def value(self) -> T:
        return self.output.value()


assert_type(handle.value(), None)
assert_type(flow.task.output(daily, "a").value(), int)
assert_type(Handles(flow.task.output(daily, "a")).value(), int)
describe(handle)  # OK
describe(flow.task.output(daily, "a"))  # OK
wider: Output[int | None] = flow.task.output(daily, "a")  # OK
outputs: list[Output] = [handle, flow.task.output(daily, "a")]  # OK
assert_type([each.value() for each in flow.task.outputs(daily)], list[int])
