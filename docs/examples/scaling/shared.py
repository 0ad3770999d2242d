"""Start this script n times, in terminals, by cron or with `&`: the processes split the work of one folder.

Run it with `python docs/examples/scaling/shared.py & python docs/examples/scaling/shared.py`.
"""

from __future__ import annotations

import asyncio
import sys

from asflow import Flow

flow = Flow(sys.argv[1] if len(sys.argv) > 1 else "data")
made = 0


@flow.task(on="pages/{number}.json", limit=4)
async def page(number: int) -> None:
    """Make one output; of all processes, one does."""
    global made
    made += 1
    await asyncio.sleep(0.1)  # a request
    flow.task.write({"number": number})


@flow
async def pages() -> None:
    """Have all outputs made, here or elsewhere."""
    async for _ in flow.task.map(page, range(200)):
        pass


if __name__ == "__main__":
    asyncio.run(pages())
    print(f"made {made} of 200 here")
