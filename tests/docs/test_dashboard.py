"""The files of the tutorial and the dashboard page, put together, make a dashboard that works."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from docs.pages import ROOT, blocks

if TYPE_CHECKING:
    from pathlib import Path

IMPORT = re.compile(r"^from asflow import (?:(Output|Retry), )?flow$", re.M)

LOOK = """
from streamlit.testing.v1 import AppTest

page = AppTest.from_file("app.py", default_timeout=120).run()
assert not page.exception, page.exception
print([each.label for each in (*page.status, *page.expander)], len(page.get("vega_lite_chart")))
"""


@pytest.mark.timeout(180)  # Streamlit is imported, and its script runs a server
def test_the_dashboard_of_the_page_shows_its_flow_and_its_chart(tmp_path: Path) -> None:
    shutil.copy(ROOT / "docs" / "examples" / "demo" / "api.py", tmp_path)
    for page in ("tutorial.md", "dashboard.md"):
        for block in blocks((ROOT / "docs" / "learn" / page).read_text()):
            if block.title is not None:  # a later one of the same name replaces the file
                target = tmp_path / block.title
                target.parent.mkdir(exist_ok=True)
                target.write_text(block.text)
    for name in ("weather", "table"):
        script = tmp_path / "flows" / f"{name}.py"
        changed = IMPORT.sub(_own_flow, script.read_text())
        assert "from flows import flow" in changed
        script.write_text(changed)
    done = subprocess.run(
        [sys.executable, "-c", LOOK], cwd=tmp_path, capture_output=True, text=True, timeout=150, check=False
    )
    assert done.returncode == 0, done.stderr
    label, charts = done.stdout.strip().rsplit(" ", 1)
    assert "31 done" in label, done.stdout
    assert "1 suppressed" in label, done.stdout
    assert charts == "1"


def _own_flow(match: re.Match[str]) -> str:
    return f"from asflow import {match[1]}\nfrom flows import flow" if match[1] else "from flows import flow"
