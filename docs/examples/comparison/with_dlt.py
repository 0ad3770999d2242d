"""dlt 1.31, into DuckDB: run it twice in an empty folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

import dlt
from service import ITEMS, fetch, report

if TYPE_CHECKING:
    from collections.abc import Iterator


@dlt.resource(primary_key="line", write_disposition="merge")
def lines() -> Iterator[dict[str, str]]:
    for item in ITEMS:
        for line in fetch(item):
            yield {"line": line}


pipeline = dlt.pipeline("comparison", destination="duckdb", dataset_name="data", pipelines_dir="state")
pipeline.run(lines())
report()
