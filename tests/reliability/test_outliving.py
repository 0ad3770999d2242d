"""Async tasks in a thread that outlives the main thread are published, though executors take no more work."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

SCRIPT = """
import asyncio, threading
from asflow import Flow
from asflow.sinks import NullSink

flow = Flow("out", sink=NullSink())

@flow.task(on="{n}.jsonl.zst")
async def stored(n):
    await asyncio.sleep(0)
    flow.task.write({"n": n})

@flow.task(save="{n}.json")
async def kept(n: int) -> dict[str, int]:
    return {"n": n}

async def work():
    await asyncio.gather(*(stored(n) for n in range(20)), kept(1))
    assert await kept(1) == {"n": 1}

def outlive():
    threading.main_thread().join()
    asyncio.run(work())

threading.Thread(target=outlive).start()
"""


def test_async_tasks_publish_after_the_end_of_main(tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", SCRIPT], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )
    assert ended.stderr == ""
    assert ended.returncode == 0
    found = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert found == sorted([*(f"{n}.jsonl.zst" for n in range(20)), "1.json"])
