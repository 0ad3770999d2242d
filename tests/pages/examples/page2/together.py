import asyncio

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


async def main():
    async with asyncio.TaskGroup() as tg:
        # These tasks run concurrently
        tg.create_task(task1())
        tg.create_task(task2())
