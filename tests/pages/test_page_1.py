"""Page 1: the first example, as a script."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from support.examples import EXAMPLES, run

if TYPE_CHECKING:
    from pathlib import Path

FRAME = """\
    word  count
0  Hello      1
1  World      1
"""

# A time of day, or the blanks in its place when it is the same as in the line above.
LINE = r"(\[\d\d:\d\d:\d\d\]| {10}) Task (.*) finished in (\d+\.\d\d)s"


def test_getting_started(project: Path) -> None:
    """The frame goes to stdout, and the log, in the page's format, to stderr."""
    done = run("-W", "error", str(EXAMPLES / "page1" / "main.py"), cwd=project)

    assert done.stdout == FRAME
    lines = [re.fullmatch(LINE, line) for line in done.stderr.splitlines()]
    found = [line.groups() for line in lines if line is not None]
    assert len(found) == len(lines) == 3, done.stderr
    assert [call for _, call, _ in found] == [
        "extract('Hello')",
        "extract('World')",
        "transform([{'word': 'Hello', 'count': 1}, ...])",
    ]
    assert float(found[0][2]) >= 1
    times = [time for time, _, _ in found]
    assert times[0].strip()
    # No second is told twice, in however many of them they have ended.
    told = [time for time in times if time.strip()]
    assert len(set(told)) == len(told)
    assert not list(project.iterdir()), "a task stores nothing unless told"
