"""What each option of `@flow.task` takes."""

from __future__ import annotations

import json
import os
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, assert_type

from asflow import Limit, Output, Retry, Unchanged, Writer, flow
from asflow.protocols import ByteStream

ERRORS: tuple[type[Exception], ...] = (TimeoutError, ConnectionError)
shared = Limit(2)


def name_of(video_id: str, lang: str = "en") -> str:
    return f"{video_id}-{lang}"


def is_stale(day: str) -> bool:
    return day > "2026"


def is_late(day: str) -> str:
    return day


def rule_of(day: str) -> timedelta | datetime | float | None:
    return timedelta(days=1) if is_stale(day) else None


class Lines:
    def __init__(self, stream: ByteStream) -> None:
        self.stream = stream

    def write(self, record: dict[str, int]) -> None:
        self.stream.write(json.dumps(record).encode())

    def commit(self) -> None: ...

    def abort(self) -> None: ...


def open_lines(stream: ByteStream) -> Writer[dict[str, int]]:
    return Lines(stream)


# Where outputs go.
@flow.task(on="data/*.jsonl.zst")
async def by_hash(url: str) -> None: ...


@flow.task(on="data/{day:%Y-%m-%d}.csv")
async def by_day(day: str) -> None: ...


@flow.task(on=Path("data") / "{day}.json")
def by_path(day: str) -> None: ...


def wrapped(folder: os.PathLike[str]) -> None:
    @flow.task(on=folder)
    def by_path_like() -> None: ...

    assert_type(by_path_like(), None)


@flow.task(on=None)
def without(day: str) -> None: ...


@flow.task(save=None)
def without_saving(day: str) -> int:
    return len(day)


# What ends a call quietly.
@flow.task(on="a/{day}.txt", skip=ValueError)
def skip_one(day: str) -> None: ...


@flow.task(on="b/{day}.txt", skip=(ValueError, OSError), suppress=(KeyError,))
def skip_some(day: str) -> None: ...


@flow.task(on="c/{day}.txt", skip=ERRORS, suppress=ERRORS, retry=3, retry_exceptions=ERRORS)
def skip_listed(day: str) -> None: ...


@flow.task(on="d/{day}.txt", skip=(), suppress=())
def skip_none(day: str) -> None: ...


@flow.task(skip=(ValueError,), suppress=KeyError)
def skip_without_output(day: str) -> None: ...


@flow.task(suppress=(BaseException,))
def suppress_without_output(day: str) -> None: ...


# How often, how many, how long.
@flow.task(on="e/{day}.txt", retry=3, limit=4, timeout=10)
async def numbers(day: str) -> None: ...


@flow.task(on="f/{day}.txt", retry=Retry(3, delay=lambda error, n: 2.0 * n), limit=shared, timeout=0.5)
async def values(day: str) -> None: ...


# What is kept, and for how long.
@flow.task(on="g/{day}.txt", refresh=timedelta(days=1))
def refresh_timedelta(day: str) -> None: ...


@flow.task(on="h/{day}.txt", refresh=3600)
def refresh_seconds(day: str) -> None: ...


@flow.task(on="i/{day}.txt", refresh=is_stale)
def refresh_function(day: str) -> None: ...


@flow.task(on="j/{day}.txt", refresh=rule_of)
def refresh_function_of_an_age(day: str) -> None: ...


@flow.task(on="j2/{day}.txt", refresh=datetime(2026, 1, 2, tzinfo=UTC))
def refresh_moment(day: str) -> None: ...


@flow.task(save="j3/{day}.txt", refresh=rule_of, reads=[refresh_moment, "raw/{day}/*.csv", Path("x.toml")])
def refresh_rule(day: str) -> str:
    if is_stale(day):
        raise Unchanged
    return day


@flow.task(save="j4/{day}.txt", refresh=rule_of, reads=refresh_rule, skip=ERRORS)
async def refresh_skip(day: str) -> str:
    return day


@flow.task(on="j5/*.txt", key=is_late, refresh=rule_of, reads="x.toml")
async def refresh_keyed(day: str) -> None: ...


assert_type(refresh_rule("2026-01-02"), str)
flow.task.output(refresh_rule, "2026-01-02").touch()


@flow.task(on="k/{day}.jsonl.zst", level=19)
def levelled(day: str) -> None: ...


@flow.task(on="l/{day}.lines", writer=Lines)
def writer_class(day: str) -> None: ...


@flow.task(on="m/{day}.lines", writer=open_lines)
def writer_function(day: str) -> None: ...


# A key has the task's own parameters.
@flow.task(save="data/*.json", key=name_of)
async def keyed(video_id: str, lang: str = "en") -> int:
    return len(video_id + lang)


@flow.task(save="data2/*.txt", key=name_of, skip=ERRORS, retry=2, limit=shared, refresh=60, level=None)
def keyed_sync(video_id: str, lang: str = "en") -> str:
    return video_id + lang


@flow.task(save="data3/*.json", key=name_of)
def keyed_opaque(video_id: str, lang: str = "en") -> Any:
    return video_id + lang


async def keyed_calls() -> None:
    assert_type(keyed_opaque("a", lang="de"), Any)
    assert_type(await keyed("a"), int)
    assert_type(await keyed("a", lang="de"), int)
    assert_type(keyed_sync(video_id="a"), str | None)
    assert_type(flow.task.output(keyed, "a", lang="de"), Output[int])


def wider_key(video_id: object) -> str:
    return str(video_id)


@flow.task(on="n/*.txt", key=wider_key)
def keyed_by_object(video_id: object) -> None: ...


# The values themselves.
assert_type(Retry(), Retry)
assert_type(Retry(3, 0.5, 0.1, 30).total, int)
assert_type(Retry(total=3, exceptions=(OSError, ValueError), hold_limit=True), Retry)
assert_type(Limit(4), Limit)
assert_type(Limit(0, rate="100/min"), Limit)
assert_type(Limit(4, rate="10/s", per=name_of), Limit)
assert_type(Limit(4, rate="10/s", shared="api"), Limit)


@flow.task(limit=Limit(4, per=name_of))
def limited_by_name(video_id: str, lang: str = "en") -> int:
    return len(video_id)


assert_type(limited_by_name("a"), int)


# A body that runs in somebody else's executor keeps its type.
@flow.task(executor=ThreadPoolExecutor(2), retry=1)
def crunched(day: str) -> int:
    return len(day)


assert_type(crunched("a"), int)
