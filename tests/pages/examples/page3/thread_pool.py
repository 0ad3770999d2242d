import asyncio
import concurrent.futures

import flows.playlist
import youtube_transcript_api
from asflow import flow


@flow.task(
    on="data/transcripts/{video_id}.jsonl.zst",
    limit=4,  # Limit concurrency to 4
)
async def extract(video_id):
    ytt_api = youtube_transcript_api.YouTubeTranscriptApi()

    # Offload blocking fetch() call to thread pool
    fetched_transcript = await asyncio.to_thread(ytt_api.fetch, video_id)
    for snippet in fetched_transcript.to_raw_data():
        flow.task.write(snippet)


@flow
async def transcripts():
    playlist = await flows.playlist.playlist()

    # Set up a custom thread pool
    loop = asyncio.get_running_loop()
    pool = concurrent.futures.ThreadPoolExecutor(max_workers=20)
    loop.set_default_executor(pool)

    # All subsequent asyncio.to_thread() calls will use this pool
    async with asyncio.TaskGroup() as tg:
        for video_id in playlist["id"]:
            tg.create_task(extract(video_id))
