"""Page 2: the complete example, as a Streamlit app against an API on loopback."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest
from support.examples import load, place

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator
    from pathlib import Path
    from types import ModuleType

    import polars as pl
    from support.loopback import Loopback

RECORDS = [{"id": number, "square": number * number} for number in range(10)]


@pytest.fixture
def app(api: Loopback, project: Path) -> Iterator[AppTest]:
    """The page's script in the project's folder."""
    place("page2", project, {"https://api.local": api.url})
    yield AppTest.from_file(str(project / "app.py"), default_timeout=30)
    st.cache_data.clear()


def shown(app: AppTest) -> list[dict[Hashable, int]]:
    """The rows of the one table on the page."""
    assert not app.exception
    [table] = app.dataframe
    return table.value.sort_values("id").to_dict("records")


def test_the_complete_example(app: AppTest, api: Loopback, project: Path) -> None:
    """A rerun, a new session and an emptied cache: each URL is downloaded once."""
    assert shown(app.run()) == RECORDS
    assert shown(app.run()) == RECORDS
    assert shown(AppTest.from_file(str(project / "app.py"), default_timeout=30).run()) == RECORDS
    st.cache_data.clear()
    assert shown(app.run()) == RECORDS

    assert api.asked == {f"/contents/{number}": 1 for number in range(10)}
    assert len(list((project / "data").glob("*.jsonl.zst"))) == 10


def test_an_edited_script_uses_the_files(app: AppTest, api: Loopback, project: Path) -> None:
    """Another transformation, saved while the app runs, reads what is on disk."""
    app.run()
    script = project / "app.py"
    text = script.read_text(encoding="utf-8")
    script.write_text(text.replace("    return df\n", "    return df.tail(3)\n"), encoding="utf-8")
    st.cache_data.clear()
    assert len(shown(app.run())) == 3
    assert api.requests == 10


def test_a_lost_file_is_made_anew(app: AppTest, api: Loopback, project: Path) -> None:
    app.run()
    next((project / "data").iterdir()).unlink()
    st.cache_data.clear()
    assert shown(app.run()) == RECORDS
    assert api.requests == 11


def without_streamlit(api: Loopback) -> ModuleType:
    return load("page2/app.py", {"https://api.local": api.url, "df = read_data()\nst.write(df)": ""})


def test_the_pipeline_without_streamlit(api: Loopback) -> None:
    """The same code called three times: three event loops, ten downloads."""
    module = without_streamlit(api)
    for _ in range(3):
        assert asyncio.run(module.pipeline()).sort("id").to_dicts() == RECORDS
    assert api.requests == 10


def test_two_sessions_at_once(api: Loopback) -> None:
    """Two threads that run the script, each with tasks and an event loop of its own: ten downloads."""
    start = threading.Barrier(2, timeout=30)

    def session(module: ModuleType) -> list[dict[str, int]]:
        start.wait()
        frame: pl.DataFrame = asyncio.run(module.pipeline())
        return frame.sort("id").to_dicts()

    with ThreadPoolExecutor(2) as threads:
        shown = list(threads.map(session, [without_streamlit(api), without_streamlit(api)]))
    assert shown == [RECORDS, RECORDS]
    assert api.requests == 10
