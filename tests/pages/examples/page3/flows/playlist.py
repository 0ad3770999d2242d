# flows/playlist.py

import asyncio

import polars as pl
from asflow import flow
from skimpy import skim


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
    df = pl.read_ndjson(
        "data/playlist.jsonl.zst",
        # Override schema if automatic inference fails
        schema_overrides={
            "release_timestamp": pl.Int64,
        },
    )

    # Add a column by extracting values from an existing one
    df = df.with_columns(playlist_type=pl.col("playlist").str.split(by=" - ").list.get(1))

    # Unpack a struct column into separate columns
    df = df.unnest("_version")

    return df


@flow
async def playlist():
    await extract("https://www.youtube.com/@MrBeast")
    return transform()


if __name__ == "__main__":
    df = asyncio.run(playlist())
    skim(df)
