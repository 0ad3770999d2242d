import asyncio

import polars as pl
from asflow import flow


@flow.task(on="data/playlist.jsonl.zst")
async def extract(channel_url):
    proc = await asyncio.create_subprocess_exec(
        "yt-dlp",
        "--dump-json",
        "--flat-playlist",
        channel_url,
        stdout=asyncio.subprocess.PIPE,
    )
    async for line in proc.stdout:
        flow.task.write(line)


@flow.task
def transform():
    return pl.read_ndjson("data/playlist.jsonl.zst")


@flow
async def playlist():
    await extract("https://www.youtube.com/@MrBeast")
    df = transform()
    df.write_parquet("playlist.parquet")
