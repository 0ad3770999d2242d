# ruff: noqa: F401
# pyright: reportUnusedImport=false, reportUnnecessaryIsInstance=false
import asyncio
from datetime import date
from pathlib import Path

import polars as pl
import streamlit as st

Path("flows").mkdir(exist_ok=True)
Path("flows/temperatures.py").write_text(
    "import polars as pl\n\n\n"
    "async def monthly(month: int) -> pl.DataFrame:\n    return pl.DataFrame({'month': [month]})\n\n\n"
    "async def yearly() -> pl.DataFrame:\n    return await monthly(12)\n"
)
