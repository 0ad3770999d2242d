"""The pages that youtube-transcript-api asks YouTube for, and a session that gets them from loopback.

Source of the pages: what the library reads of them (`youtube_transcript_api/_transcripts.py`): an API
key in the watch page, the caption tracks in the player's answer, the texts in the track's XML.
"""

from __future__ import annotations

import json
import threading
from collections import Counter
from typing import TYPE_CHECKING

import requests
from requests.adapters import HTTPAdapter
from support.loopback import Answer

if TYPE_CHECKING:
    from collections.abc import Callable

    from support.loopback import Request

__all__ = ["YouTube", "loopback_session"]

YOUTUBE = "https://www.youtube.com"


class YouTube:
    """Answers as YouTube does.

    Attributes:
        videos: the ids of a channel's videos, as its page lists them.
        watched: how often each video's watch page was asked for; a fetch of a transcript begins with it.
        disabled: videos without transcripts.
        empty: videos whose transcript comes as an empty page, as many times as the number says.
        blocked: videos that are refused with 429 (too many requests), as many times.
        on_watch: called for each watch page, before it is answered.
    """

    def __init__(self, videos: list[str]) -> None:
        self.videos = videos
        self.watched: Counter[str] = Counter()
        self.channels = 0
        self.disabled: set[str] = set()
        self.empty: Counter[str] = Counter()
        self.blocked: Counter[str] = Counter()
        self.on_watch: Callable[[], object] = int
        self._lock = threading.Lock()

    def __call__(self, request: Request) -> Answer:
        """Answer one request."""
        match request.path:
            case "/@MrBeast":
                self.channels += 1
                return Answer(self._channel(), content_type="text/html")
            case "/watch":
                return self._watch(request.query("v"))
            case "/youtubei/v1/player":
                assert request.query("key") == "a-key"
                return self._player(json.loads(request.body)["videoId"])
            case "/api/timedtext":
                return self._texts(request.query("v"))
            case path:
                return Answer(f"no page {path}", status=404)

    def _channel(self) -> str:
        players = "".join(f'<iframe src="{YOUTUBE}/embed/{video}"></iframe>\n' for video in self.videos)
        return f"<html><head><title>MrBeast - Videos</title></head><body>\n{players}</body></html>"

    def _watch(self, video: str) -> Answer:
        with self._lock:
            self.watched[video] += 1
            if self.blocked[video]:
                self.blocked[video] -= 1
                return Answer("", status=429)
        self.on_watch()
        return Answer('<script>{"INNERTUBE_API_KEY": "a-key"}</script>', content_type="text/html")

    def _player(self, video: str) -> Answer:
        player: dict[str, object] = {"playabilityStatus": {"status": "OK"}}
        if video not in self.disabled:
            track = {
                "baseUrl": f"{YOUTUBE}/api/timedtext?v={video}&lang=en&fmt=srv3",
                "name": {"runs": [{"text": "English"}]},
                "languageCode": "en",
            }
            player["captions"] = {"playerCaptionsTracklistRenderer": {"captionTracks": [track]}}
        return Answer(json.dumps(player), content_type="application/json")

    def _texts(self, video: str) -> Answer:
        with self._lock:
            if self.empty[video]:
                self.empty[video] -= 1
                return Answer("", content_type="text/xml")
        texts = (
            f'<text start="0" dur="1.5">This is {video}</text><text start="1.5" dur="2">&amp;#39;Bye</text>'
        )
        return Answer(f"<transcript>{texts}</transcript>", content_type="text/xml")


class _ToLoopback(HTTPAdapter):
    """Sends what is meant for YouTube to another address."""

    def __init__(self, url: str) -> None:
        self.url = url
        super().__init__()

    def send(self, request: requests.PreparedRequest, *args: object, **kwargs: object) -> requests.Response:
        assert request.url is not None
        request.url = request.url.replace(YOUTUBE, self.url)
        return super().send(request, *args, **kwargs)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def loopback_session(url: str) -> requests.Session:
    """Return a session for `YouTubeTranscriptApi(http_client=...)` that asks *url* instead of YouTube.

    Any other address is refused, so that no test leaves the machine.
    """
    session = requests.Session()
    session.adapters.clear()
    session.mount(YOUTUBE, _ToLoopback(url))
    return session
