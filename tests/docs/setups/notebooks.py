# ruff: noqa: F401
# pyright: reportUnusedImport=false, reportUnnecessaryIsInstance=false
import asyncio

import polars as pl

from asflow import flow


@flow
async def monthly(month: int) -> pl.DataFrame:
    return pl.DataFrame({"temperature": [39.4, 41.0]})
