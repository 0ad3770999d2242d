"""DBOS 3.4, on SQLite: run it twice in an empty folder."""

from __future__ import annotations

from dbos import DBOS, SetWorkflowID
from service import ITEMS, fetch, report

DBOS(config={"name": "comparison", "system_database_url": "sqlite:///state.sqlite"})


@DBOS.step()
def download(item: int) -> list[str]:
    return list(fetch(item))


@DBOS.workflow()
def pipeline() -> int:
    return sum(len(download(item)) for item in ITEMS)


if __name__ == "__main__":
    DBOS.launch()
    with SetWorkflowID("once"):
        pipeline()
    report()
    DBOS.destroy()
