"""The code on the page about sinks runs unchanged."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

PAGE = Path(__file__).parents[2] / "docs" / "sinks.md"


def test_the_code_of_the_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """All blocks, one after the other; they print what their comments show."""
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {"__name__": "page"}
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    assert len(blocks) == 7
    for number, block in enumerate(blocks):
        exec(compile(block, f"sinks.md, block {number}", "exec"), names)
        said = re.findall(r"^[^#\n]*\)  # (.+)$", block, re.MULTILINE)
        assert capsys.readouterr().out.splitlines() == said
