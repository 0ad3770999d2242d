# pages/playlist.py

import asyncio

import flows.playlist
import streamlit as st


@st.cache_data
def playlist():
    return asyncio.run(flows.playlist.playlist())


st.dataframe(playlist())
