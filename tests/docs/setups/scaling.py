# ruff: noqa: F401
# pyright: reportUnusedImport=false
from concurrent.futures import ProcessPoolExecutor
from datetime import date
from multiprocessing import get_context

from asflow import Flow, flow
