import asyncio

import polars as pl
from asflow import flow
from joblib import Memory

memory = Memory(".cache")


@flow.task
@memory.cache
async def transform(name):
    await asyncio.sleep(0)
    return pl.read_ndjson(f"data/{name}.jsonl.zst")
