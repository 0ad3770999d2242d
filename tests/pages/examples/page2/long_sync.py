import asyncio
import threading

from asflow import flow

released = threading.Event()


@flow.task
def get_urls():
    # Ends only if the event loop goes on meanwhile.
    assert released.wait(30)
    return [threading.current_thread()]


async def release():
    released.set()


@flow
async def pipeline():
    asyncio.get_running_loop().create_task(release())
    urls = await asyncio.to_thread(get_urls)
    return urls
