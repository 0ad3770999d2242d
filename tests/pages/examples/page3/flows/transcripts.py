import asyncio

import flows.playlist
import youtube_transcript_api
from asflow import flow


@flow.task(on="data/transcripts/{video_id}.jsonl.zst")
def extract(video_id):
    ytt_api = youtube_transcript_api.YouTubeTranscriptApi()
    fetched_transcript = ytt_api.fetch(video_id)
    for snippet in fetched_transcript.to_raw_data():
        flow.task.write(snippet)


@flow
async def transcripts():
    # Call the playlist() flow to get video metadata
    playlist = await flows.playlist.playlist()

    # Iterate over video IDs and extract transcripts
    for video_id in playlist["id"]:
        extract(video_id)


if __name__ == "__main__":
    asyncio.run(transcripts())
