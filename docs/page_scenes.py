"""Draw the scenes of Streamlit and of a notebook: `python docs/page_scenes.py after`.

They are written to `docs/assets/scenes/`; `PYTHONPATH` says whose asflow it is, as for `scenes.py`. Needs
Chromium and its driver, and ipykernel.
"""

from __future__ import annotations

import re
import sys
import tempfile
import time
from contextlib import ExitStack
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyter_client.manager import start_new_kernel
from pictures import ASSETS, PATIENCE, browser, served
from scenes import ARCHIVE, BEGIN, RUN, spoken

if TYPE_CHECKING:
    from collections.abc import Callable

    from selenium.webdriver import Chrome

SECONDS = 3.5
"""After which a picture of a running flow is taken."""

PAGE = f"""
import streamlit as st
from asflow import Flow
from asflow.sinks import StreamlitSink
{BEGIN}
@st.cache_resource
def shared():
    return StreamlitSink()
sink = shared()
flow = Flow(sink=sink)
st.title("A year")
{ARCHIVE.replace(RUN, "")}
@st.cache_data(show_spinner=False)
def table():
    {RUN}
WAIT
"""

STYLE = """
body { font: 14px sans-serif; margin: 0; padding: 8px 16px; width: 828px; color: #222; background: white }
h2 { font-size: 14px; font-weight: normal; color: #666; margin: 14px 0 6px }
.code { background: #f5f5f5; border: 1px solid #ddd; padding: 6px 10px; font-family: monospace }
.output { padding: 4px 10px; border: 1px solid #eee; border-top: 0; overflow-x: auto }
.output pre { margin: 0; font: 13px/1.3 monospace; white-space: pre-wrap }
"""

Outputs = dict[str, str]
"""The outputs of a cell as HTML, by the id of their area."""


def pictures_of_streamlit() -> dict[str, bytes]:
    """Show the page of a session that runs a flow, and of a second one that waits for it."""
    from asflow.sinks import StreamlitSink

    call = "with sink.others(): table()" if hasattr(StreamlitSink, "others") else "table()"
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        (folder / "app.py").write_text(spoken(PAGE).replace("WAIT", call), encoding="utf-8")
        url = stack.enter_context(served(folder, {}))
        chromium = browser(folder / "profile", "800,800")
        stack.callback(chromium.quit)
        chromium.get(url)
        _until(lambda: "download" in _text(chromium))
        first = chromium.current_window_handle
        chromium.switch_to.new_window("tab")
        chromium.get(url)
        _until(lambda: "A year" in _text(chromium))
        time.sleep(SECONDS)
        second = chromium.get_screenshot_as_png()
        chromium.switch_to.window(first)
        return {"streamlit": chromium.get_screenshot_as_png(), "second": second}


def _text(chromium: Chrome) -> str:
    return chromium.find_element("css selector", "body").text


def _until(done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not done():
        assert time.monotonic() < deadline, "never shown"
        time.sleep(0.05)


def picture_of_a_notebook() -> bytes:
    """Show a cell while its flow runs, and what is saved with it."""
    code = spoken(BEGIN + ARCHIVE.replace(RUN, ""))
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        manager, client = start_new_kernel(cwd=folder)
        stack.callback(manager.shutdown_kernel, now=True)
        stack.callback(client.stop_channels)
        client.execute(code)
        _outputs(client, PATIENCE)
        client.execute("await archive(2010)")
        running: Outputs = {}
        saved = _outputs(client, PATIENCE, running)
        cell = '<div class="code">await archive(2010)</div><div class="output">{}</div>'
        drawn = [
            f"<h2>{title}</h2>" + cell.format("".join(outputs.values()))
            for title, outputs in (("while it runs", running), ("saved in the file", saved))
        ]
        page = Path(folder, "page.html")
        page.write_text(
            f"<!doctype html><meta charset=utf-8><style>{STYLE}</style><body>{''.join(drawn)}",
            encoding="utf-8",
        )
        chromium = browser(Path(folder, "profile"), "900,1000")
        stack.callback(chromium.quit)
        chromium.get(page.as_uri())
        return chromium.find_element("css selector", "body").screenshot_as_png


def _outputs(client: Any, seconds: float, running: Outputs | None = None) -> Outputs:
    """Return the outputs of the cell that runs, in its end; those of a moment before it in *running*."""
    outputs: Outputs = {}
    start = time.monotonic()
    while True:
        message = client.get_iopub_msg(timeout=seconds)
        content = message["content"]
        if content.get("execution_state") == "idle":
            return outputs
        if running is not None and not running and time.monotonic() > start + SECONDS:
            running |= outputs
        if message["msg_type"] == "stream":
            outputs["stream"] = outputs.get("stream", "") + f"<pre>{escape(content['text'])}</pre>"
        elif "data" in content:
            area = content.get("transient", {}).get("display_id", f"{len(outputs)}")
            html = content["data"].get("text/html") or f"<pre>{escape(content['data']['text/plain'])}</pre>"
            outputs[area] = re.sub(r"[\n ]+$", "", html)


if __name__ == "__main__":
    (when,) = sys.argv[1:]
    drawn = pictures_of_streamlit() | {"notebook": picture_of_a_notebook()}
    for name, png in drawn.items():
        (ASSETS / "scenes" / f"{name}-{when}.png").write_bytes(png)
        print(name)
