import asyncio

import pandas as pd
from asflow import flow


# extract task (raw data)
@flow.task
async def extract(word):
    await asyncio.sleep(1)
    return {"word": word, "count": 1}


# transform task (create a dataframe)
@flow.task
async def transform(data):
    return pd.DataFrame(data)


async def main():
    words = ["Hello", "World"]

    # Extract (parallel)
    async with asyncio.TaskGroup() as tg:
        tasks = [tg.create_task(extract(word)) for word in words]

    # Transform
    df = await transform(await asyncio.gather(*tasks))
    print(df)


if __name__ == "__main__":
    asyncio.run(main())
