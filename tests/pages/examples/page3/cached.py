import polars as pl
from asflow import flow
from joblib import Memory

memory = Memory(".cache")


@flow.task
@memory.cache
def transform():
    return pl.read_ndjson("data/playlist.jsonl.zst")
