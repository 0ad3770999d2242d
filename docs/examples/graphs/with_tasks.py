"""Functions made by `@flow.task` as nodes: what is on disk already isn't fetched again.

Prints:

    fetching a
    fetching b
    merged 2 files
    merged 2 files
"""

import asyncio
import tempfile
from pathlib import Path

from asflow import Flow
from asflow.dag import scope, task

folder = Path(tempfile.mkdtemp(prefix="asflow-graphs-"))
flow = Flow(base=folder, verbose=False)


@task
@flow.task(on="raw/{name}.jsonl", retry=2, limit=4)
async def download(name: str) -> None:
    print("fetching", name)
    flow.task.write({"name": name})


@task
def merge(directory: Path, *_: None) -> int:
    return len(list(directory.glob("*.jsonl")))


@flow
async def pipeline() -> None:
    async with scope():
        merged = merge(folder / "raw", download("a"), download("b"))
    print("merged", merged.result(), "files")


if __name__ == "__main__":
    asyncio.run(pipeline())
    asyncio.run(pipeline())  # the second run finds both files
