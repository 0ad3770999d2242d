"""Page 3: transcripts by youtube-transcript-api, one after the other, from pages on loopback."""

from __future__ import annotations

import asyncio
import xml.etree.ElementTree as ElementTree
from typing import TYPE_CHECKING

import duckdb
import polars as pl
import pytest
import youtube_transcript_api
from support.examples import load
from support.youtube import loopback_session

from asflow import Retry

if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType

    from support.loopback import Loopback
    from support.youtube import YouTube

API = {"YouTubeTranscriptApi()": "YouTubeTranscriptApi(http_client=session())"}
NOW = Retry(2, backoff_factor=0, backoff_jitter=0)


def page_3(name: str, site: Loopback, replaced: dict[str, str] | None = None) -> ModuleType:
    return load(
        f"page3/{name}.py",
        API | (replaced or {}),
        session=lambda: loopback_session(site.url),
        NOW=NOW,
    )


def folder(project: Path) -> Path:
    return project / "data" / "transcripts"


def names(project: Path) -> set[str]:
    return {path.name for path in folder(project).iterdir()}


def complete(videos: list[str]) -> set[str]:
    return {f"{video}.jsonl.zst" for video in videos}


@pytest.mark.usefixtures("tutorial")
def test_three_runs_fetch_everything_once(project: Path, site: Loopback, youtube: YouTube) -> None:
    """One listing, and for each video one watch page and one transcript; DuckDB reads the files."""
    flow = page_3("flows/transcripts", site).transcripts
    for _ in range(3):
        asyncio.run(flow())
    assert youtube.channels == 1
    assert youtube.watched == dict.fromkeys(youtube.videos, 1)
    assert site.asked["/youtubei/v1/player?key=a-key"] == len(youtube.videos)
    texts = {target: count for target, count in site.asked.items() if target.startswith("/api/timedtext")}
    assert len(texts) == len(youtube.videos)
    assert set(texts.values()) == {1}

    assert names(project) == complete(youtube.videos)
    assert pl.read_ndjson(folder(project) / "F6PqxbvOCUI.jsonl.zst").to_dicts() == [
        {"text": "This is F6PqxbvOCUI", "start": 0.0, "duration": 1.5},
        {"text": "'Bye", "start": 1.5, "duration": 2.0},
    ]
    found = duckdb.execute(
        "SELECT count(*), sum(duration), count(DISTINCT filename) FROM 'data/transcripts/*.jsonl.zst'"
    )
    assert found.fetchall() == [(16, 28.0, 8)]


@pytest.mark.usefixtures("listed")
def test_an_unknown_error_ends_the_flow(project: Path, site: Loopback, youtube: YouTube) -> None:
    """By default nothing is skipped, suppressed or retried; the next run goes on where it ended."""
    youtube.blocked["l-nMKJ5J3Uc"] = 1
    flow = page_3("flows/transcripts", site).transcripts
    with pytest.raises(youtube_transcript_api.IpBlocked):
        asyncio.run(flow())
    assert youtube.watched == dict.fromkeys(youtube.videos[:3], 1)
    assert names(project) == complete(youtube.videos[:2])

    asyncio.run(flow())
    assert youtube.watched == {**dict.fromkeys(youtube.videos, 1), "l-nMKJ5J3Uc": 2}
    assert names(project) == complete(youtube.videos)


@pytest.mark.usefixtures("listed")
def test_skip(project: Path, site: Loopback, youtube: YouTube) -> None:
    """An empty page, which is no XML: the others go on, and the next run tries it again."""
    youtube.empty["Pv0iVoSZzN8"] = 1
    module = page_3("handling", site)
    asyncio.run(module.transcripts())
    assert names(project) == complete(youtube.videos) - {"Pv0iVoSZzN8.jsonl.zst"}
    asyncio.run(module.transcripts())
    assert names(project) == complete(youtube.videos)
    assert youtube.watched == {**dict.fromkeys(youtube.videos, 1), "Pv0iVoSZzN8": 2}


@pytest.mark.usefixtures("listed")
def test_the_skipped_error_is_the_one_that_the_library_raises(site: Loopback, youtube: YouTube) -> None:
    youtube.empty["Pv0iVoSZzN8"] = 1
    with pytest.raises(ElementTree.ParseError):
        page_3("flows/transcripts", site).extract("Pv0iVoSZzN8")


@pytest.mark.usefixtures("listed")
def test_suppress(project: Path, site: Loopback, youtube: YouTube) -> None:
    """A video without transcripts is noted in an `.err` file and not asked for again."""
    youtube.disabled.add("-4GmbBoYQjE")
    module = page_3("handling", site)
    for _ in range(3):
        asyncio.run(module.transcripts())
    assert youtube.watched == dict.fromkeys(youtube.videos, 1)
    assert names(project) == complete(youtube.videos) - {"-4GmbBoYQjE.jsonl.zst"} | {"-4GmbBoYQjE.err"}
    noted = (folder(project) / "-4GmbBoYQjE.err").read_text(encoding="utf-8")
    assert noted.splitlines()[1] == "Traceback (most recent call last):"
    assert "TranscriptsDisabled" in noted

    # The note deleted, it is asked for again.
    (folder(project) / "-4GmbBoYQjE.err").unlink()
    youtube.disabled.clear()
    asyncio.run(module.transcripts())
    assert names(project) == complete(youtube.videos)


@pytest.mark.usefixtures("listed")
def test_one_retry(site: Loopback, youtube: YouTube) -> None:
    """`retry=1` as the page has it, with the waiting time of its own."""
    youtube.blocked["F6PqxbvOCUI"] = 1
    options = {"    suppress=": "    retry=1,\n    suppress="}
    page_3("handling", site, options).extract("F6PqxbvOCUI")
    assert youtube.watched == {"F6PqxbvOCUI": 2}


@pytest.mark.usefixtures("listed")
@pytest.mark.parametrize(
    "choice", ["", "retry_exceptions=(youtube_transcript_api.IpBlocked,),", "retry_exceptions=(Exception,),"]
)
def test_retries(project: Path, site: Loopback, youtube: YouTube, choice: str) -> None:
    """Two retries for what is listed; by default for every exception."""
    youtube.blocked["F6PqxbvOCUI"] = 2
    options = {"    suppress=": f"    retry=NOW, {choice}\n    suppress="}
    asyncio.run(page_3("handling", site, options).transcripts())
    assert youtube.watched == {**dict.fromkeys(youtube.videos, 1), "F6PqxbvOCUI": 3}
    assert names(project) == complete(youtube.videos)


@pytest.mark.usefixtures("listed")
def test_no_retry_for_what_is_not_listed(site: Loopback, youtube: YouTube) -> None:
    youtube.blocked["F6PqxbvOCUI"] = 1
    listed = "retry_exceptions=(xml.etree.ElementTree.ParseError,),"
    options = {"    suppress=": f"    retry=NOW, {listed}\n    suppress="}
    with pytest.raises(youtube_transcript_api.IpBlocked):
        page_3("handling", site, options).extract("F6PqxbvOCUI")
    assert youtube.watched == {"F6PqxbvOCUI": 1}


@pytest.mark.usefixtures("listed")
def test_no_more_retries_than_said(project: Path, site: Loopback, youtube: YouTube) -> None:
    youtube.blocked["F6PqxbvOCUI"] = 9
    options = {"    suppress=": "    retry=NOW,\n    suppress="}
    with pytest.raises(youtube_transcript_api.IpBlocked):
        page_3("handling", site, options).extract("F6PqxbvOCUI")
    assert youtube.watched == {"F6PqxbvOCUI": 3}
    assert not folder(project).exists() or not names(project)


@pytest.mark.usefixtures("listed")
def test_suppressed_errors_are_not_retried(project: Path, site: Loopback, youtube: YouTube) -> None:
    youtube.disabled.add("F6PqxbvOCUI")
    options = {"    suppress=": "    retry=NOW,\n    suppress="}
    assert page_3("handling", site, options).extract("F6PqxbvOCUI") is None
    assert youtube.watched == {"F6PqxbvOCUI": 1}
    assert names(project) == {"F6PqxbvOCUI.err"}
