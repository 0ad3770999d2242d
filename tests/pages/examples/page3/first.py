# flows/playlist.py

import asyncio

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


@flow
async def playlist():
    await extract("https://www.youtube.com/@MrBeast")


if __name__ == "__main__":
    asyncio.run(playlist())
