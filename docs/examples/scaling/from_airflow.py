"""An asflow flow as one step of an orchestrator: a plain call of a plain function.

Airflow, Dagster and Prefect run Python functions. They schedule the day; asflow does that day's hundred
downloads, so when the orchestrator repeats a day, only what is missing is made. In a DAG file:

    from airflow.decorators import dag, task
    from from_airflow import extract_day

    @dag(schedule="@daily", start_date=datetime(2024, 1, 1))
    def reports():
        task(extract_day)(day="{{ ds }}")

Run it with `python docs/examples/scaling/from_airflow.py`.
"""

from __future__ import annotations

import asyncio
import os

from asflow import Flow

flow = Flow(os.environ.get("REPORTS", "data"))  # on several machines a URL: s3://bucket/reports


@flow.task(on="reports/{day}/{shop}.json", retry=3, limit=8)
async def extract(day: str, shop: int) -> None:
    """Send a request to a server; here, only pretend to."""
    await asyncio.sleep(0)
    flow.task.write({"day": day, "shop": shop, "sold": shop * 3})


@flow
async def extract_shops(day: str) -> None:
    """Extract all shops of a day; the first that fails cancels the rest."""
    async with asyncio.TaskGroup() as group:
        for shop in range(10):
            group.create_task(extract(day, shop))


def extract_day(day: str) -> int:
    """Extract a day, for the orchestrator: sync and typed; argument and result are JSON.

    An exception fails the orchestrator's task, and its retry resumes where this call stopped.
    """
    asyncio.run(extract_shops(day))
    return sum(output.name.startswith(f"reports/{day}/") for output in flow.task.outputs(extract))


if __name__ == "__main__":
    print(extract_day("2024-01-01"), "reports")
