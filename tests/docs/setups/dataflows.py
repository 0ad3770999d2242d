# ruff: noqa: F401
# pyright: reportUnusedImport=false, reportUnnecessaryIsInstance=false
from typing import TypedDict

from asflow.dataflow import DataFlow, amapper, fdispatch


async def nothing() -> dict[str, object]:
    return {}


def read(path: str) -> list[str]:
    return [path]


def split(rows: list[str]) -> tuple[list[str], list[str]]:
    return rows, rows


def stats(rows: list[str]) -> dict[str, int]:
    return {"mean": len(rows)}


get = transform = put = discovery = save = log = source = target = compare = s3_logger = notify = nothing


async def upload(rows: list[int]) -> str:
    return "receipt"
