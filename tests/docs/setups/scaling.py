# ruff: noqa: F401
# pyright: reportUnusedImport=false
import asyncio
from concurrent.futures import ProcessPoolExecutor
from datetime import date
from multiprocessing import get_context

from asflow import Flow, flow
