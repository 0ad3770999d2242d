import asyncio
import time

from asflow import flow

log = []


@flow.task
async def task1():
    log.append("task1 began")
    await asyncio.sleep(0)
    log.append("task1 ended")


@flow.task
async def task2():
    log.append("task2 began")
    await asyncio.sleep(0)
    log.append("task2 ended")


@flow.task
def long_running_task():
    log.append("long task began")
    time.sleep(0.05)
    log.append("long task ended")


# This flow runs tasks concurrently using asyncio
@flow
async def pipeline1():
    async with asyncio.TaskGroup() as tg:
        tg.create_task(task1())
        tg.create_task(task2())


# This flow includes a blocking operation
@flow
async def pipeline2():
    long_running_task()  # blocks the event loop


# Run both flows at the same time
async def main():
    async with asyncio.TaskGroup() as tg:
        tg.create_task(pipeline1())
        tg.create_task(pipeline2())
