import asyncio

import httpx
import polars as pl
import streamlit as st
from asflow import flow


@flow.task
def get_urls():
    return [f"https://api.local/contents/{i}" for i in range(10)]


@flow.task(on="data/*.jsonl.zst")
async def download(url):
    # Use httpx for async data transfer
    async with httpx.AsyncClient() as client:
        r = await client.get(url)
        flow.task.write(r.text)


@flow.task
def transform():
    df = pl.read_ndjson("data/*.jsonl.zst")
    # Apply filtering, cleanup, or transformations here
    return df


@flow
async def pipeline():
    urls = get_urls()

    async with asyncio.TaskGroup() as tg:
        for url in urls:
            tg.create_task(download(url))

    return transform()


# Run and cache the pipeline result in Streamlit
@st.cache_data
def read_data():
    return asyncio.run(pipeline())


# Display the result in Streamlit
df = read_data()
st.write(df)
