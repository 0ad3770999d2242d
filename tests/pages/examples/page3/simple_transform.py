import polars as pl
from asflow import flow


@flow.task
def transform():
    return pl.read_ndjson("data/playlist.jsonl.zst")
