"""Flyte 2.12, in its local mode: run it twice in an empty folder."""

from __future__ import annotations

import os

os.environ["HOME"] = os.getcwd()  # its cache is a file in the home folder
import flyte
from service import ITEMS, fetch, report

env = flyte.TaskEnvironment("comparison", cache="auto")


@env.task
def download(item: int) -> list[str]:
    return list(fetch(item))


@env.task(cache="disable")
def pipeline(items: list[int]) -> int:
    return sum(len(download(item)) for item in items)


if __name__ == "__main__":
    flyte.init()
    flyte.with_runcontext(mode="local").run(pipeline, items=ITEMS)
    report()
