# ruff: noqa: F401
# pyright: reportUnusedImport=false, reportUnnecessaryIsInstance=false
import asyncio
import errno
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import BinaryIO

from openpyxl import Workbook

import asflow
from asflow import Flow, Format, Limit, LocalStore, MemoryStore, Retry, add_format, flow
from asflow.dag import later, scope, task
from asflow.dataflow import optional
from asflow.executors import RayExecutor
from asflow.protocols import ByteStream
from asflow.sinks import StreamlitSink
from asflow.stores import StoreWrapper
from asflow.testing import FaultyStore, check_store, check_writer, fake_clock
from asflow.writers import as_file, by_path

pages = range(3)


def download(day: str) -> None: ...


def find_primes(start: int) -> list[int]:
    return [start]


days = ["2010-01-01"]
Function = Serial = Parallel = int  # of a grammar, drawn with `|`


class LinesWriter:
    def __init__(self, stream: ByteStream) -> None:
        self._stream = stream

    def write(self, record: str) -> None:
        if not isinstance(record, str):
            raise TypeError(record)
        self._stream.write(record.encode() + b"\n")

    def commit(self) -> None:
        pass

    def abort(self) -> None:
        pass


MyStore = LocalStore
MsgpackWriter = LinesWriter


def read_msgpack(file: object) -> list[str]:
    return []


# asflow.dag
@task
async def fetch(key: str) -> str:
    return key


@task
async def concatenate(first: str, second: str) -> str:
    return first + second


@task
async def upload(data: str, headers: str | None = None) -> None:
    pass


async def fetch_headers() -> str:
    return "headers"


async def rows(day: str) -> list[str]:
    return [day]


# asflow.dataflow, beside the names of `dataflows.py`
async def source_a(endpoint_a: str) -> dict[str, int]:
    return {"a": 1}


def source_b(endpoint_b: str) -> dict[str, int]:
    return {"b": 1}


async def merge(a: int, b: int) -> dict[str, int]:
    return {"data": a + b}


async def save(data: int = 0) -> dict[str, int]:
    return {}


log = save


async def load(source: str = "") -> dict[str, int]:
    return {"data": 1}


async def repair(errors: list[str]) -> None: ...


# asflow.testing
_failures = [OSError(), OSError()]


@flow.task(retry=Retry(total=2, backoff_jitter=0))
async def pipeline() -> str:
    if _failures:
        raise _failures.pop()
    return "table"
