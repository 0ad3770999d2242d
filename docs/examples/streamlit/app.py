"""The first page: one month, brought up to date on each visit.

python docs/examples/demo/api.py &
cd docs/examples/streamlit && streamlit run app.py
"""

import asyncio
from calendar import month_name

import flows.temperatures
import polars as pl
import streamlit as st

st.title("Seattle, 2010")

months = list(month_name)[1:]
month = months.index(st.selectbox("Month", months)) + 1

# Not cached: days on disk are read from there, and only missing ones are downloaded.
hours = asyncio.run(flows.temperatures.monthly(month))

days = hours.group_by(pl.col("time").dt.date().alias("day")).agg(
    pl.col("temperature").min().alias("lowest"),
    pl.col("temperature").mean().alias("mean"),
    pl.col("temperature").max().alias("highest"),
)
st.line_chart(days, x="day", y=["lowest", "mean", "highest"], y_label="°F")
st.write(f"{len(days)} days, {len(hours)} hours")
