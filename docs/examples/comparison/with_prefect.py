"""Prefect 3.9, with a temporary server: run it twice in an empty folder."""

from __future__ import annotations

import os

os.environ.setdefault("PREFECT_LOCAL_STORAGE_PATH", os.path.abspath("results"))
from prefect import flow, task
from prefect.cache_policies import INPUTS
from service import ITEMS, fetch, report


@task(cache_policy=INPUTS, persist_result=True)
def download(item: int) -> list[str]:
    return list(fetch(item))


@flow
def pipeline() -> None:
    for item in ITEMS:
        download(item)


if __name__ == "__main__":
    pipeline()
    report()
