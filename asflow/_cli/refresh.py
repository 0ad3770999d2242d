"""`asflow refresh`: mark outputs as out of date, so that the next run makes them again."""

from __future__ import annotations

import glob
import os
from typing import Annotated

from cyclopts import Parameter

from asflow._cli.console import Terminal, UsageError, printable
from asflow._naming.parsing import RESERVED_ENDS
from asflow.stores._common import MARKED
from asflow.stores._local_scan import note_marks


def refresh(
    patterns: Annotated[tuple[str, ...], Parameter(name="PATTERN")], /, *, dry_run: bool = False
) -> int:
    """Mark outputs as out of date: the next run makes them again, and then what reads them.

    Nothing is deleted: an output can be read until the new one replaces it, and stays if that fails. The mark
    is the file's time, 1980-01-02 03:04:06 UTC; `touch` takes it away.

    Args:
        patterns: Files, as `data/2026-01-*.jsonl`; `**` matches any folders.
        dry_run: Only show what would be marked.

    Raises:
        UsageError: no file matches a pattern; nothing is marked.
    """
    terminal = Terminal()
    files: dict[str, None] = {}
    for pattern in patterns:
        found = [pattern] if os.path.isfile(pattern) else glob.glob(pattern, recursive=True)
        outputs = [
            each for each in sorted(found) if os.path.isfile(each) and not each.endswith(RESERVED_ENDS)
        ]
        if not outputs:
            raise UsageError(
                f"no output matches {pattern!r}; give files, or a pattern such as 'data/2026-*.csv'"
            )
        files.update(dict.fromkeys(outputs))
    count = 0
    for name in files:
        try:
            if not dry_run:
                _mark(name)
        except OSError as error:
            terminal.problem(error)
            continue
        count += 1
        terminal.line(("would mark " if dry_run else "marked ", "dim"), (printable(name), ""))
    terminal.note((f"{count:,} {'output' if count == 1 else 'outputs'}", "dim"))
    return terminal.code


def _mark(name: str) -> None:
    note_marks(name)
    os.utime(name, (MARKED, MARKED))
    if int(os.stat(name).st_mtime) != MARKED:
        os.utime(name)
        raise OSError(
            f"{name!r} is on a file system that does not keep the time of the mark; delete the output instead"
        )
