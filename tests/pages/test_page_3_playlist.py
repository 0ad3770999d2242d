"""Page 3: the channel's listing by yt-dlp, its transformation and the dashboard."""

from __future__ import annotations

import asyncio
import importlib
from typing import TYPE_CHECKING

import duckdb
import polars as pl
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest
from support.examples import EXAMPLES, load, run

if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType

    from support.loopback import Loopback
    from support.youtube import YouTube

CHANNEL = "https://www.youtube.com/@MrBeast"
LISTING = "data/playlist.jsonl.zst"


def page_3(name: str, site: Loopback, **replaced: str) -> ModuleType:
    return load(f"page3/{name}.py", {CHANNEL: f"{site.url}/@MrBeast", **replaced})


def imported(name: str) -> ModuleType:
    """A module of the tutorial's project."""
    return importlib.import_module(name)


def test_the_first_script(project: Path, site: Loopback, youtube: YouTube) -> None:
    """`python -m flows.playlist`, twice: the listing is fetched once and holds yt-dlp's lines."""
    text = (EXAMPLES / "page3" / "first.py").read_text(encoding="utf-8")
    (project / "flows").mkdir()
    (project / "flows" / "playlist.py").write_text(
        text.replace(CHANNEL, f"{site.url}/@MrBeast"), encoding="utf-8"
    )
    for _ in range(2):
        done = run("-W", "error", "-m", "flows.playlist", cwd=project)
        assert not done.stdout
        assert "playlist()" in done.stderr
    assert youtube.channels == 1

    frame = pl.read_ndjson(LISTING)
    assert frame["id"].to_list() == youtube.videos
    assert set(frame["_type"]) == {"url"}
    assert set(frame["ie_key"]) == {"Youtube"}
    assert [path.name for path in (project / "data").iterdir()] == ["playlist.jsonl.zst"]


def test_three_runs_in_one_process(site: Loopback, youtube: YouTube) -> None:
    module = page_3("first", site)
    for _ in range(3):
        asyncio.run(module.playlist())
    assert youtube.channels == 1


@pytest.mark.usefixtures("listed")
def test_a_listing_as_a_frame_and_in_sql(youtube: YouTube) -> None:
    """Polars and DuckDB read the file that yt-dlp's lines went to."""
    frame = load("page3/simple_transform.py").transform()
    assert frame["id"].to_list() == youtube.videos
    rows = duckdb.execute(f"SELECT id, playlist FROM '{LISTING}'").fetchall()
    assert rows == frame.select("id", "playlist").rows()


def test_a_failed_command_counts_as_done_unless_its_status_is_looked_at(
    project: Path, site: Loopback
) -> None:
    """The page's task ends like any other when yt-dlp fails; with its status looked at, nothing is left."""
    url = {f"{site.url}/@MrBeast": f"{site.url}/gone"}
    asyncio.run(page_3("first", site, **url).playlist())
    assert (project / LISTING).exists()
    (project / LISTING).unlink()

    looked_at = "flow.task.write(line)\n    if status := await proc.wait():\n        raise OSError(status)"
    module = page_3("first", site, **url, **{"flow.task.write(line)": looked_at})
    with pytest.raises(OSError, match="1"):
        asyncio.run(module.playlist())
    assert not list((project / "data").iterdir())


@pytest.mark.usefixtures("tutorial")
def test_the_grown_transformation(youtube: YouTube) -> None:
    """A column of another type, one more, and the fields of a struct; three runs, one download."""
    flow = imported("flows.playlist").playlist
    frames = [asyncio.run(flow()) for _ in range(3)]
    assert youtube.channels == 1
    frame = frames[2]
    assert frame.equals(frames[0])
    assert frame["id"].to_list() == youtube.videos
    assert frame.schema["release_year"] == pl.Int64
    assert set(frame["playlist_type"]) == {"Videos"}
    assert set(frame["repository"]) == {"yt-dlp/yt-dlp"}
    assert "_version" not in frame.columns


def test_the_summary_by_skimpy(listed: Path, youtube: YouTube) -> None:
    """`python -m flows.playlist` prints skimpy's summary of the frame, here of a listing that is there."""
    done = run("-m", "flows.playlist", cwd=listed)
    rows = [line.replace(" ", "") for line in done.stdout.splitlines()]
    assert "skimpy summary" in done.stdout
    assert any("│Numberofrows│8│" in row for row in rows), done.stdout
    assert any("release_year│8│100│" in row for row in rows), done.stdout
    assert youtube.channels == 0


def test_the_dashboard(tutorial: Path, youtube: YouTube) -> None:
    """`app.py` runs the flow on every rerun, and its page keeps the result in Streamlit's cache."""
    app = AppTest.from_file(str(tutorial / "app.py"), default_timeout=60)
    for _ in range(2):
        app.run()
        assert not app.exception
        assert [title.value for title in app.title] == ["Dashboard"]
        [table] = app.dataframe
        assert table.value.to_dict("records") == [{"playlist": "MrBeast - Videos", "count": 8}]
    app.switch_page("pages/playlist.py")
    for _ in range(2):
        app.run()
        assert not app.exception
        [table] = app.dataframe
        assert list(table.value["id"]) == youtube.videos
        (tutorial / LISTING).unlink(missing_ok=True)  # the second time it is in memory
    assert youtube.channels == 1
    st.cache_data.clear()
    assert not app.run().exception
    assert youtube.channels == 2


def test_export_to_parquet(site: Loopback, youtube: YouTube) -> None:
    """Written at the end of each run; Polars and DuckDB read it."""
    module = page_3("parquet", site)
    for _ in range(2):
        asyncio.run(module.playlist())
        assert pl.read_parquet("playlist.parquet").equals(pl.read_ndjson(LISTING))
    assert duckdb.execute("SELECT id FROM 'playlist.parquet'").fetchall() == [(v,) for v in youtube.videos]
    assert youtube.channels == 1
