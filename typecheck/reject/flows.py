"""Wrong options of `Flow` and `@flow`, and wrong calls of flows."""

from __future__ import annotations

from asflow import Flow, LocalStore, flow


@flow
async def pipeline(day: str) -> list[int]:
    return [len(day)]


@flow(progress=False)
def quiet(day: str) -> int:
    return len(day)


@flow(verbose="yes")  # E
async def verbose_text() -> None: ...


@flow(progress=None)  # E
async def progress_none() -> None: ...


@flow(on="data/*.txt")  # E
async def with_on() -> None: ...


@flow(retry=3)  # E
async def with_retry() -> None: ...


@flow("data")  # E
async def with_base() -> None: ...


class Other:
    def emits(self, event: object) -> None: ...


async def calls() -> None:
    await pipeline()  # E
    await pipeline(1)  # E
    text: str = await pipeline("a")  # E
    quiet(days="a")  # E
    await quiet("a")  # E
    print(text)


Flow(3)  # E
Flow(b"data")  # E
Flow("data", LocalStore())  # E
Flow(store="data")  # E
Flow(store=LocalStore)  # E
Flow(sink=print)  # E
Flow(sink=Other())  # E
Flow(verbose="no")  # E
Flow(quiet=True)  # E
LocalStore(durability="none")  # E
flow.path(3)  # E
flow(total="400")  # E
flow.track(3)  # E
flow.track([3], 3)  # E
flow.graph(3)  # E
flow.graph().tasks.append("x")  # E
flow.run.name  # E
flow.task.run.attempt  # E
flow.base = "data"  # E


class Derived(Flow): ...  # E
