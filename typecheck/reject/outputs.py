"""Wrong arguments to `flow.task.output`, and wrong use of what it gives."""

from __future__ import annotations

from typing import TypedDict

from asflow import Output, flow
from asflow.typing import JsonValue


class Snippet(TypedDict):
    text: str


@flow.task(on="data/{video_id}.jsonl.zst")
async def download(video_id: str, *, lang: str = "en") -> None:
    flow.task.write({"text": video_id + lang})


@flow.task(save="data/{day}.json")
def daily(day: str, page: int = 1) -> int:
    return page + len(day)


# Arguments that are not the task's own.
flow.task.output(download)  # E
flow.task.output(download, 1)  # E
flow.task.output(download, "a", "de")  # E
flow.task.output(download, "a", lang=1)  # E
flow.task.output(download, "a", language="de")  # E
flow.task.output(download, url="a")  # E
flow.task.output(daily, "a", "2")  # E
flow.task.output("download", "a")  # E
flow.task.output()  # E
flow.task.output(download("a"))  # E
flow.task.outputs(download, "a")  # E
flow.task.outputs("data/*.csv")  # E

# What it is not.
handle = flow.task.output(download, "a")
size: int = handle.size  # E
age = 3600 - handle.modified  # E
error: str = handle.error()  # E
status: bool = handle.status  # E
handle.path = "a"  # E
handle.name = "a"  # E
handle.record(Snippet)  # E
for snippet in handle.records(Snippet):
    snippet["texts"]  # E
for number in handle.records(int | None):
    number + 1  # E
for value in handle.records():
    value["text"]  # E
    value.upper()  # E
wrong_json: JsonValue = {1: 2}  # E
wrong_value: JsonValue = [object()]  # E
for number in handle.records(int):
    number.upper()  # E
handle.records(3)  # E
handle.records(Snippet, dict)  # E
flow.task.outputs(download)[0]  # E
text: bytes = handle.text()  # E
handle.value().upper()  # E
count: str = flow.task.output(daily, "a").value()  # E
any_output: Output = handle
any_output.value().upper()  # E
numbers: Output[int] = any_output  # E
other: Output[str] = flow.task.output(daily, "a")  # E
handle.value(int)  # E
handle.touch(3)  # E
handle.touch().real  # E
handle.bytes().upper().lines()  # E


class Derived(Output): ...  # E
