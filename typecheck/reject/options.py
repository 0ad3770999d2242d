"""Options of `@flow.task` that a checker can see to be wrong."""

from __future__ import annotations

from asflow import Limit, Retry, Writer, flow
from asflow.protocols import ByteStream


def video_key(video_id: str) -> str:
    return video_id


def of_a_number(day: int) -> bool:
    return day > 3


def unhashable(video_id: str) -> list[str]:
    return [video_id]


def number_key(video_id: str) -> int:
    return len(video_id)


def url_key(url: bytes) -> str:
    return url.decode()


async def async_key(video_id: str) -> str:
    return video_id


def open_lines(stream: ByteStream) -> Writer[str]:
    raise NotImplementedError(stream)


# Misspelt.
@flow.task(limits=4)  # E
async def misspelt(day: str) -> None: ...


@flow.task(on="data/{day}.txt", retrys=3)  # E
async def misspelt_with_on(day: str) -> None: ...


@flow.task(skips=(ValueError,))  # E
async def misspelt_skip(day: str) -> None: ...


@flow.task("data/{day}.txt")  # E
async def positional(day: str) -> None: ...


@flow.task("data/{day}.txt", retry=3)  # E
async def positional_and_more(day: str) -> None: ...


# No exceptions.
@flow.task(skip=(int,))  # E
async def skip_int(day: str) -> None: ...


@flow.task(skip=ValueError())  # E
async def skip_instance(day: str) -> None: ...


@flow.task(skip=[ValueError])  # E
async def skip_list(day: str) -> None: ...


@flow.task(on="data/{day}.txt", suppress="ValueError")  # E
async def suppress_text(day: str) -> None: ...


@flow.task(suppress=(ValueError, str))  # E
async def suppress_str(day: str) -> None: ...


@flow.task(retry=3, retry_exceptions=(None,))  # E
async def retry_none(day: str) -> None: ...


@flow.task(on="data/{day}.txt", skip=None)  # E
async def skip_none(day: str) -> None: ...


# No numbers.
@flow.task(retry="3")  # E
async def retry_text(day: str) -> None: ...


@flow.task(retry=1.5)  # E
async def retry_float(day: str) -> None: ...


@flow.task(limit="4")  # E
async def limit_text(day: str) -> None: ...


@flow.task(limit=Retry(3))  # E
async def limit_retry(day: str) -> None: ...


@flow.task(retry=Limit(3))  # E
async def retry_limit(day: str) -> None: ...


@flow.task(timeout="3s")  # E
async def timeout_text(day: str) -> None: ...


# About outputs.
@flow.task(on=3)  # E
async def on_number(day: str) -> None: ...


@flow.task(on=b"data/*.txt")  # E
async def on_bytes(day: str) -> None: ...


@flow.task(on="data/{day}.txt", refresh="1d")  # E
async def refresh_text(day: str) -> None: ...


@flow.task(on="data/{day}.txt", refresh=video_key)  # E
async def refresh_wrong(day: str) -> None: ...


@flow.task(on="data/{day}.txt", refresh=of_a_number)  # E
async def refresh_other_parameters(day: str) -> None: ...


@flow.task(on="data/{day}.txt", reads=3)  # E
async def reads_number(day: str) -> None: ...


@flow.task(retry=3, reads="x.txt")  # E
async def reads_alone(day: str) -> None: ...


@flow.task(on="data/{day}.jsonl.zst", level="9")  # E
async def level_text(day: str) -> None: ...


@flow.task(on="data/{day}.txt", writer="csv")  # E
async def writer_text(day: str) -> None: ...


@flow.task(on="data/{day}.txt", writer=video_key)  # E
async def writer_wrong(day: str) -> None: ...


# Without `on` there is no output for these.
@flow.task(key=video_key)  # E
async def key_alone(video_id: str) -> None: ...


@flow.task(skip=ValueError, refresh=3600)  # E
async def refresh_alone(day: str) -> None: ...


@flow.task(level=9)  # E
async def level_alone(day: str) -> None: ...


@flow.task(writer=open_lines, retry=3)  # E
async def writer_alone(day: str) -> None: ...


# A key has the task's own parameters and returns text.
@flow.task(on="data/*.txt", key=video_key)  # E
async def more_parameters(video_id: str, lang: str) -> None: ...


@flow.task(on="data/*.txt", key=video_key)  # E
async def no_parameters() -> None: ...


@flow.task(on="data/*.txt", key=url_key)  # E
async def other_type(url: str) -> None: ...


@flow.task(on="data/*.txt", key=video_key)  # E
def other_name(url: str) -> None: ...


@flow.task(on="data/*.txt", key=number_key)  # E
async def key_of_numbers(video_id: str) -> None: ...


@flow.task(on="data/*.txt", key=async_key)  # E
async def key_of_coroutines(video_id: str) -> None: ...


@flow.task(on="data/*.txt", key="video_id")  # E
async def key_text(video_id: str) -> None: ...


# The values themselves.
Retry("3")  # E
Retry(totals=3)  # E
Retry(3, exceptions=(int,))  # E
Retry(3, delay=2.0)  # E
Retry(3, delay=video_key)  # E
Retry(3, backoff_factor="1s")  # E
Retry(3).total = 4  # E
Limit()  # E
Limit("4")  # E
Limit(4, "10/s")  # E
Limit(4, per="host")  # E
Limit(4, per=unhashable)  # E
Limit(4, shared=True)  # E
Limit(4, shared=b"api")  # E
Limit(4, rate=10)  # E


@flow.task(executor="threads")  # E
def executor_by_name(video_id: str) -> None: ...
