"""The second page: the whole year, computed once for all sessions."""

import asyncio

import flows.temperatures
import polars as pl
import streamlit as st

st.title("The year by month")


@st.cache_data(show_spinner=False)
def year() -> pl.DataFrame:
    """Return all hours; while the flow runs, its status replaces Streamlit's spinner."""
    return asyncio.run(flows.temperatures.yearly())


with flows.temperatures.sink.others():  # another session may be computing it
    hours = year()

months = (
    hours.group_by(pl.col("time").dt.month().alias("month"))
    .agg(
        pl.col("time").dt.date().n_unique().alias("days"),
        pl.col("temperature").mean().round(1).alias("mean °F"),
        pl.col("temperature").min().alias("lowest"),
        pl.col("temperature").max().alias("highest"),
    )
    .sort("month")
)
st.dataframe(months)
