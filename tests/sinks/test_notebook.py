"""The display in a notebook, in a real IPython kernel."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, cast

import pytest

if TYPE_CHECKING:
    from pathlib import Path

pytest.importorskip("ipykernel")
manager = pytest.importorskip("jupyter_client.manager")

CELL = """
import time
from asflow.events import FlowFinished, FlowStarted, Tally
from asflow.sinks import RichSink

sink = RichSink(refresh_per_second=60)

class Watched(dict):
    reads = 0
    def values(self):
        self.reads += 1
        return super().values()

def run():
    tallies = Watched(extract=Tally("extract"))
    tallies["extract"].queued, tallies["extract"].completed = 10, 3
    sink.emit(FlowStarted(flow_id=1, flow="transcripts", label="", parent_id=None, progress=True,
                          tallies=tallies, at=time.monotonic()))
    while tallies.reads < 3:
        time.sleep(0.01)
    print("printed")
    sink.emit(FlowFinished(flow_id=1, flow="transcripts", outcome="completed", error=None, seconds=1.3,
                           at=time.monotonic()))
run()
"""


def _outputs(client: Any, code: str) -> list[tuple[str, dict[str, Any]]]:
    """Run *code* as a cell and return the messages that make up its output."""
    client.execute(code)
    outputs: list[tuple[str, dict[str, Any]]] = []
    while True:
        message = client.get_iopub_msg(timeout=30)
        content = cast("dict[str, Any]", message["content"])
        if content.get("execution_state") == "idle":
            return outputs
        if message["msg_type"] not in {"status", "execute_input"}:
            outputs.append((message["msg_type"], content))


@pytest.mark.timeout(180)  # a kernel is started
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning", "ignore::RuntimeWarning")
def test_one_output_area_is_updated_in_place() -> None:
    """Each cell has one area with bars, which the summary replaces; nothing needs ipywidgets."""
    kernel, client = manager.start_new_kernel()
    try:
        for code in (CELL, "run()"):
            outputs = _outputs(client, code)
            areas = [content for _, content in outputs if "display_id" in content.get("transient", {})]
            assert len({area["transient"]["display_id"] for area in areas}) == 1
            assert "@task extract()" in areas[0]["data"]["text/plain"]
            assert "<pre" in areas[0]["data"]["text/html"]
            shown = re.sub(r"\x1b\[[0-9;]*m", "", areas[0]["data"]["text/plain"])
            assert max(len(line.rstrip()) for line in shown.splitlines()) < 96
            assert areas[-1]["data"]["text/plain"].count("\n") <= 1  # what is saved: the summary alone
            saved = re.sub(r"\x1b\[[0-9;]*m", "", areas[-1]["data"]["text/plain"])
            assert "Flow transcripts(): 3 done in 1.3 s" in saved
            assert [kind for kind, _ in outputs].count("display_data") == 1
            # The kernel flushes its buffer at any time, so one print may be two messages.
            assert "".join(content["text"] for kind, content in outputs if kind == "stream") == "printed\n"
    finally:
        client.stop_channels()
        kernel.shutdown_kernel(now=True)


FLOW = """
import asyncio
from asflow import flow

@flow.task(skip=KeyError)
async def fetch(n):
    await asyncio.sleep(0.05)
    if n == 3:
        raise KeyError("rows")
    if n == 4:
        raise ValueError("503 Service Unavailable, and a reason that needs more than one line of a cell " * 2)

@flow
async def archive():
    await flow.task.map(fetch, range(60), on_error="collect")
"""


@pytest.mark.timeout(180)  # a kernel is started
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning", "ignore::RuntimeWarning")
def test_the_saved_file_holds_the_summary_and_what_went_wrong(tmp_path: Path) -> None:
    """One output without a gap, which fits the cell: neither bars nor an area that is left empty."""
    nbclient, nbformat = pytest.importorskip("nbclient"), pytest.importorskip("nbformat")
    cells = [nbformat.v4.new_code_cell(code) for code in (FLOW, "await archive()")]
    path = tmp_path / "archive.ipynb"
    notebook = nbformat.v4.new_notebook(cells=cells)
    nbclient.NotebookClient(notebook, timeout=60, resources={"metadata": {"path": str(tmp_path)}}).execute()
    nbformat.write(notebook, path)
    first, second = nbformat.read(path, as_version=4).cells
    assert first.outputs == []
    [output] = second.outputs
    text = re.sub(r"\x1b\[[0-9;]*m", "", output.data["text/plain"])
    lines = [line.rstrip() for line in text.rstrip("\n").splitlines()]
    assert re.fullmatch(r"\[.{8}\] Flow archive\(\): 58 done, 1 skipped, 1 failed in \d\.\d s", lines[0])
    assert lines[1].strip().startswith("fetch(4) failed: ValueError: 503 Service Unavailable")
    assert lines[-1].strip() == "fetch(3) skipped: KeyError: 'rows'"
    assert all(lines), "no gap"
    assert max(map(len, lines)) <= 96
    assert "━" not in text
    assert "<pre" in output.data["text/html"]
