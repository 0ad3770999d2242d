import asyncio

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

    # Use TaskGroup to run tasks concurrently
    async with asyncio.TaskGroup() as tg:
        for video_id in playlist["id"]:
            tg.create_task(extract(video_id))
