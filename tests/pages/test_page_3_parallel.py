"""Page 3: transcripts in parallel, in threads, within a limit."""

from __future__ import annotations

import asyncio
import os
import threading
from typing import TYPE_CHECKING

import polars as pl
import pytest
import youtube_transcript_api
from support.examples import load
from support.youtube import loopback_session

from asflow import flow

if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType

    from support.loopback import Loopback
    from support.youtube import YouTube

API = {"YouTubeTranscriptApi()": "YouTubeTranscriptApi(http_client=session())"}


def page_3(name: str, site: Loopback, replaced: dict[str, str] | None = None) -> ModuleType:
    return load(f"page3/{name}.py", API | (replaced or {}), session=lambda: loopback_session(site.url))


def written(project: Path) -> list[str]:
    """The videos with a complete transcript; nothing else may be there."""
    files = sorted((project / "data" / "transcripts").iterdir())
    assert all(pl.read_ndjson(file).height == 2 for file in files)
    return [file.name.removesuffix(".jsonl.zst") for file in files]


@pytest.mark.usefixtures("tutorial")
@pytest.mark.parametrize("script", ["parallel", "thread_pool"])
def test_four_at_a_time(project: Path, site: Loopback, youtube: YouTube, script: str) -> None:
    """Four are under way at once, and never more, however large the pool; three runs fetch all once."""
    youtube.on_watch = threading.Barrier(4, timeout=30).wait
    module = page_3(script, site)
    for _ in range(3):
        asyncio.run(module.transcripts())
    assert site.peak == 4
    assert youtube.channels == 1
    assert youtube.watched == dict.fromkeys(youtube.videos, 1)
    assert written(project) == sorted(youtube.videos)


@pytest.mark.usefixtures("tutorial")
def test_a_dedicated_thread_pool(project: Path, site: Loopback, youtube: YouTube) -> None:
    """With the limit raised to the pool's size, twenty run at once."""
    youtube.videos = [f"video-{number:05d}" for number in range(40)]
    youtube.on_watch = threading.Barrier(20, timeout=30).wait
    asyncio.run(page_3("thread_pool", site, {"limit=4": "limit=20"}).transcripts())
    assert site.peak == 20
    assert youtube.watched == dict.fromkeys(youtube.videos, 1)
    assert written(project) == sorted(youtube.videos)


@pytest.mark.usefixtures("listed")
def test_an_unknown_error_stops_the_group(project: Path, site: Loopback, youtube: YouTube) -> None:
    """The first refusal cancels the others; what is on disk is whole, and the next run does the rest."""
    youtube.blocked["F6PqxbvOCUI"] = 1
    module = page_3("parallel", site)
    with pytest.raises(ExceptionGroup) as caught:
        asyncio.run(module.transcripts())
    assert caught.group_contains(youtube_transcript_api.IpBlocked)
    had = written(project)
    assert "F6PqxbvOCUI" not in had

    before = youtube.watched.copy()
    asyncio.run(module.transcripts())
    assert written(project) == sorted(youtube.videos)
    assert youtube.watched - before == {video: 1 for video in youtube.videos if video not in had}


async def test_the_default_limit_is_the_number_of_cpus() -> None:
    """So many bodies run at once, and no more."""
    cpus = os.cpu_count() or 1
    active, peak, full = 0, 0, asyncio.Event()

    @flow.task
    async def body(_number: int) -> None:
        nonlocal active, peak
        active += 1
        peak = max(peak, active)
        if active == cpus:
            full.set()
        await full.wait()
        await asyncio.sleep(0)
        active -= 1

    async with asyncio.TaskGroup() as group:
        for number in range(5 * cpus):
            group.create_task(body(number))
    assert peak == cpus
