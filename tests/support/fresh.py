"""Tools for the times of files."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["put", "shift"]


def put(path: Path, text: str = "x", *, seconds: float | None = None) -> None:
    """Write a file; its time is *seconds* from now."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    if seconds is not None:
        shift(path, seconds)


def shift(path: Path, seconds: float) -> None:
    """Move the time of a file."""
    modified = path.stat().st_mtime + seconds
    os.utime(path, (modified, modified))
