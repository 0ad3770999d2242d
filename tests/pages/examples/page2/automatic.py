import asyncio

import httpx
import polars as pl
from asflow import flow


def get_urls():
    return [f"https://api.local/contents/{i}" for i in range(10)]


# Set the output file pattern
@flow.task(on="data/*.jsonl.zst")
async def download(url):
    async with httpx.AsyncClient() as client:
        r = await client.get(url)
    flow.task.write(r.text)


@flow.task
def transform():
    return pl.read_ndjson("data/*.jsonl.zst")


@flow
async def pipeline():
    urls = get_urls()

    async with asyncio.TaskGroup() as tg:
        for url in urls:
            tg.create_task(download(url))

    return transform()
