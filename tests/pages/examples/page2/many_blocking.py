import asyncio

import httpx
from asflow import flow

urls = [f"https://api.local/contents/{i}" for i in range(10)]
data = []


def blocking_download(url):
    data.append(httpx.get(url).json())


@flow.task
async def download(url):
    return await asyncio.to_thread(blocking_download, url)


@flow
async def pipeline():
    async with asyncio.TaskGroup() as tg:
        for url in urls:
            tg.create_task(download(url))
