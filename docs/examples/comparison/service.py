"""A pretended service for the scripts beside this one: it logs each request, and kills its caller once.

The first time that item 3 is asked for, the process ends as by `kill -9`, when half of the lines are sent.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

ITEMS = [1, 2, 3, 4, 5]
LINES = 4


def fetch(item: int) -> Iterator[str]:
    """Yield the lines of an item."""
    with open("requests.txt", "a") as log:
        log.write(f"{item}\n")
    for line in range(LINES):
        if item == 3 and line == LINES // 2 and not Path("killed").exists():
            Path("killed").touch()
            os._exit(9)
        yield f"{item}.{line}\n"


def report() -> None:
    """Print the items that were asked for since the last report."""
    print("asked for", " ".join(Path("requests.txt").read_text().split()))
    Path("requests.txt").write_text("")
