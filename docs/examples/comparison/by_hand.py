"""A script that looks whether the file is there: run it twice in an empty folder."""

from __future__ import annotations

from pathlib import Path

from service import ITEMS, fetch, report

Path("data").mkdir(exist_ok=True)
for item in ITEMS:
    path = Path(f"data/{item}.txt")
    if not path.exists():
        with path.open("w", buffering=1) as file:
            for line in fetch(item):
                file.write(line)
report()
