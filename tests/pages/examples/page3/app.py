# app.py

import asyncio

import flows.playlist
import streamlit as st

st.title("Dashboard")

# Run the workflow to get a dataframe
playlist_df = asyncio.run(flows.playlist.playlist())

# Run SQL against the dataframe and show results
result = playlist_df.sql("""
SELECT playlist, count(*) count
FROM self
GROUP BY 1
""")
st.dataframe(result)
