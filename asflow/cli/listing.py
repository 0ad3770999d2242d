"""`asflow ls`: what is there."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

from rich.filesize import decimal

from asflow.cli.console import Terminal, age, printable
from asflow.cli.failing import reason
from asflow.cli.finding import find
from asflow.cli.parameters import AsJson, EveryFile, MaybePath, NoRecords
from asflow.cli.reading import count_records
from asflow.errors import CorruptOutputError, MissingExtraError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from asflow.cli.finding import Found

__all__ = ["ls"]

_STYLES = {"complete": "green", "suppressed": "yellow", "unfinished": "cyan", "broken": "red"}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    name: str
    status: Literal["complete", "suppressed", "unfinished", "broken"]
    size: int
    records: int | None
    modified: str
    seconds: float
    error: str | None


def ls(
    path: MaybePath = ".", /, *, as_json: AsJson = False, every: EveryFile = False, no_records: NoRecords = False
) -> int:
    """List outputs: size, records, age, and which are suppressed.

    A file is `complete`; `suppressed`, a recorded failure (`.err`); `unfinished`, work in progress or what a
    killed run has left (`.part`); or `broken`: it is cut or does not decode. The exit code is 1 if a file
    is broken or can't be read.

    Parameters
    ----------
    path
        A folder, listed with all folders below it, or a file.
    """
    terminal = Terminal()
    rows = _rows(terminal, path, every=every, count=not no_records)
    if as_json:
        terminal.json({**asdict(row), "seconds": None} for row in rows)
        return terminal.code
    terminal.line((f"{'STATUS':<10} {'SIZE':>9} {'RECORDS':>10} {'AGE':>8}  NAME", "bold"))
    totals = {"files": 0, "size": 0, "records": 0}
    for row in rows:
        _show(terminal, row)
        totals["files"] += 1
        totals["size"] += row.size
        totals["records"] += row.records or 0
    terminal.note(
        (f"{totals['files']:,} files, {decimal(totals['size'])}, {totals['records']:,} records", "dim")
    )
    return terminal.code
