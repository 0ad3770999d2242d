"""`asflow ls`: list outputs and failures."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated, Literal, NamedTuple

from cyclopts import Parameter
from rich.filesize import decimal

from asflow._cli.console import MESSAGE, REASON, Terminal, age, moment, printable
from asflow._cli.counting import count_records
from asflow._cli.failures import read_failure, reason
from asflow._cli.files import find
from asflow._cli.parameters import AsJson, EveryFile  # noqa: TC001 - cyclopts reads them
from asflow._labels import cut
from asflow.errors import CorruptOutputError, MissingExtraError, RecordLimitError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from asflow._cli.files import Found

_STYLES = {"complete": "green", "suppressed": "yellow", "unfinished": "cyan", "broken": "red"}


class _Row(NamedTuple):
    name: str
    status: Literal["complete", "suppressed", "unfinished", "broken"]
    size: int
    modified: float
    records: int | None = None
    error: str | None = None


def ls(
    path: str = ".",
    /,
    *,
    as_json: AsJson = False,
    every: EveryFile = False,
    records: Annotated[bool, Parameter(negative="--no-records")] = True,
) -> int:
    """List outputs with size, records and age, and suppressed failures.

    A file is `complete`; `suppressed`, a recorded failure (`.err`); `unfinished`, work in progress or left by
    a killed run (`.part`); or `broken`, cut or not decodable. The exit code is 1 if a file is broken or
    can't be read.

    Args:
        path: A folder, listed with all folders below it, or a file.
        as_json: Write one JSON array instead, a line per entry.
        every: In folders, include files of other formats and hidden ones.
        records: Count records, which reads each file.

    Raises:
        UsageError: no file or folder *path* exists.
        OSError: *path* can't be read.
    """
    terminal = Terminal()
    rows = _rows(terminal, find(terminal, path, every=every), count=records)
    if as_json:
        terminal.json(row._asdict() | {"modified": moment(row.modified)} for row in rows)
        return terminal.code
    terminal.line((f"{'STATUS':<10} {'SIZE':>9} {'RECORDS':>10} {'AGE':>8}  NAME", "bold"))
    counts = dict.fromkeys(_STYLES, 0)
    size = records_in_all = 0
    for row in rows:
        _show(terminal, row)
        counts[row.status] += 1
        size += row.size
        records_in_all += row.records or 0
    words = [f"{count:,} {status}" for status, count in counts.items() if count]
    counted = f", {records_in_all:,} records" if records else ""
    terminal.note((f"{', '.join(words) or 'nothing'}; {decimal(size)}{counted}", "dim"))
    return terminal.code


def _show(terminal: Terminal, row: _Row) -> None:
    records = "-" if row.records is None else f"{row.records:,}"
    terminal.line(
        (f"{row.status:<10}", _STYLES[row.status]),
        (f" {decimal(row.size):>9} {records:>10} {age(row.modified):>8}  ", ""),
        (printable(row.name), ""),
        (f"  {cut(row.error, REASON, '…')}" if row.error else "", "dim"),
    )


def _rows(terminal: Terminal, files: Iterator[Found], *, count: bool) -> Iterator[_Row]:
    for found in files:
        try:
            row = _row(found, count=count)
        except FileNotFoundError:
            continue  # deleted since the folder was read
        except (OSError, MissingExtraError, RecordLimitError) as error:
            terminal.problem(error)
            continue
        if row.status == "broken":
            terminal.problems += 1
        yield row


def _row(found: Found, *, count: bool) -> _Row:
    state = os.stat(found.path)
    row = _Row(found.path, "complete", state.st_size, state.st_mtime)
    if found.kind == "failure":
        return row._replace(status="suppressed", error=reason(read_failure(found.path)))
    if found.kind == "part":
        return row._replace(status="unfinished")
    try:
        return row._replace(records=count_records(found.path)) if count else row
    except CorruptOutputError as error:
        return row._replace(status="broken", error=printable(str(error), MESSAGE))
