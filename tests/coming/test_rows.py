"""Each row of the page has a test, and each test a row."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

from coming.rows import TESTED, rows


def test_every_row_is_tested() -> None:
    for path in sorted(Path(__file__).parent.glob("test_*.py")):
        import_module(f"coming.{path.stem}")
    assert len(rows()) > 60
    assert rows() == TESTED
