"""asflow: run it twice in an empty folder."""

from __future__ import annotations

from service import ITEMS, fetch, report

from asflow import flow


@flow.task(on="data/{item}.txt")
def download(item: int) -> None:
    for line in fetch(item):
        flow.task.write(line)


for item in ITEMS:
    download(item)
report()
