"""A dependency that fails, a node that handles it, and one that runs in any case.

Prints:

    report: fetch failed with ConnectionError('no route to b')
    cleaned up
    total failed with the same error: True
    asflow graph: fetch → size → total
"""

import asyncio

from asflow.dag import task


@task
async def fetch(host: str) -> str:
    if host == "b":
        raise ConnectionError(f"no route to {host}")
    return "<html>"


@task
def size(page: str) -> int:  # not async: runs in a thread
    return len(page)


@task
async def total(first: int, second: int) -> int:
    return first + second


@task(raw=True)
async def report(page: asyncio.Task[str]) -> None:
    error = page.exception()
    print(f"report: {page.get_name()} failed with {error!r}" if error else "report: all well")


async def clean_up() -> None:
    print("cleaned up")


async def main() -> None:
    broken = fetch("b")
    both = total(size(fetch("a")), size(broken))
    await report(broken)  # raw=True: gets the finished task, not its result
    await task(clean_up, both)()  # waits for `both`, failed or not, and takes nothing from it

    error = both.exception()
    assert error is not None
    print("total failed with the same error:", error is broken.exception())
    print(*error.__notes__, sep="\n")


if __name__ == "__main__":
    asyncio.run(main())
