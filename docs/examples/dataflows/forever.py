"""Polls page after page until it is cancelled: each round hands its cursor to the next.

Prints:

    page 0 of /feed
    page 1 of /feed
    page 2 of /feed
    stopped
"""

import asyncio
import contextlib

from asflow.dataflow import DataFlow

caught_up = asyncio.Event()


async def fetch(url: str, cursor: int) -> dict[str, object]:
    return {"page": f"page {cursor} of {url}", "cursor": cursor + 1}


async def show(page: str, cursor: int) -> dict[str, int]:
    print(page)
    if cursor == 3:
        caught_up.set()
        await asyncio.Event().wait()  # a feed that has nothing new
    return {"cursor": cursor}


dataflow = DataFlow((fetch, show), run_forever=True, carry=("cursor",))


async def main() -> None:
    polling = asyncio.create_task(dataflow(url="/feed", cursor=0))
    await caught_up.wait()
    polling.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await polling
    print("stopped")


if __name__ == "__main__":
    asyncio.run(main())
