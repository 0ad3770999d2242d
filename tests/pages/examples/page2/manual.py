import asyncio

import httpx
import polars as pl
from asflow import flow


def get_urls():
    return [f"https://api.local/contents/{i}" for i in range(10)]


@flow.task
async def download(url):
    async with httpx.AsyncClient() as client:
        r = await client.get(url)
    filename = f"data/{hash(url)}.jsonl"
    with open(filename, "w") as f:
        f.write(r.text)  # write JSON records, one per line


@flow.task
def transform():
    # Combine all downloaded files into a single DataFrame
    return pl.read_ndjson("data/*.jsonl")


@flow
async def pipeline():
    urls = get_urls()

    async with asyncio.TaskGroup() as tg:
        for url in urls:
            tg.create_task(download(url))

    return transform()
