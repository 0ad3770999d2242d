import asyncio

import httpx
import polars as pl


def get_urls():
    return [f"https://api.local/contents/{i}" for i in range(10)]


def transform(data):
    return pl.DataFrame(data)


# Define async download task
async def download(url):
    async with httpx.AsyncClient() as client:
        r = await client.get(url)
        return r.json()


async def pipeline():
    urls = get_urls()

    # Download concurrently using TaskGroup
    async with asyncio.TaskGroup() as tg:
        tasks = [tg.create_task(download(url)) for url in urls]

    return transform(await asyncio.gather(*tasks))
