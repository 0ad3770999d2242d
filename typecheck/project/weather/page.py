"""A Streamlit page: `streamlit run weather/page.py`."""

from __future__ import annotations

import asyncio

import streamlit as st

from weather.pipeline import pipeline
from weather.records import Day


@st.cache_data
def days_of(dates: list[str]) -> list[Day]:
    """Run the pipeline once for each choice of days."""
    return asyncio.run(pipeline(dates))


def page() -> None:
    """Show the days of a month."""
    st.title("Weather")
    last = int(st.slider("days", 1, 28, 7))
    days = days_of([f"2024-02-{day:02}" for day in range(1, last + 1)])
    for day in days:
        st.metric(f"{day.city}, {day.date}", f"{day.highest:.1f}", f"{day.lowest:.1f}")
    st.caption(f"{len(days)} days")


page()
