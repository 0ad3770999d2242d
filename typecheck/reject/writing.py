"""Wrong use of `flow.task.write`, `.progress` and `.track` in a body."""

from __future__ import annotations

from asflow import flow


@flow.task(on="data/{day}.jsonl")
async def download(day: str) -> None:
    flow.task.write()  # E
    flow.task.write("a", "b")  # E
    flow.task.write(data=day)  # E
    await flow.task.write(day)  # E
    written: int = flow.task.write(day)  # E
    flow.write(day)  # E
    print(written)


@flow.task
def counted(pages: list[str]) -> None:
    with flow.task.progress("pages", 12) as progress:  # E
        progress.advance("1")  # E
        progress.update(3)  # E
        progress.update(done=3)  # E
        progress.finish()  # E
    with flow.task.progress(3):  # E
        pass
    with flow.task.progress(total="12"):  # E
        pass
    for _ in flow.task.track(pages, "pages", 3):  # E
        pass
    for _ in flow.task.track(3):  # E
        pass
    for page in flow.task.track(pages):
        page.append("a")  # E
