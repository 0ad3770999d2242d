"""Dagster 1.13, without its web UI: run it twice in an empty folder."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
from service import ITEMS, fetch, report


@dg.asset(partitions_def=dg.StaticPartitionsDefinition([str(item) for item in ITEMS]))
def download(context) -> list[str]:
    return list(fetch(int(context.partition_key)))


if __name__ == "__main__":
    Path("state").mkdir(exist_ok=True)
    silent = {"telemetry": {"enabled": False}}
    with dg.DagsterInstance.local_temp(str(Path("state").resolve()), silent) as instance:
        # What its UI offers as "missing partitions only": a run for each that isn't materialized.
        for item in ITEMS:
            if str(item) not in instance.get_materialized_partitions(download.key):
                dg.materialize([download], partition_key=str(item), instance=instance)
    report()
