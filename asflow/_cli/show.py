"""`asflow show`: print the records of a file."""

from __future__ import annotations

import itertools
import os
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from cyclopts import Parameter, validators
from rich.highlighter import JSONHighlighter
from rich.text import Text

from asflow._cli.console import Terminal, UsageError, printable
from asflow._cli.counting import open_file
from asflow._cli.parameters import AsJson  # noqa: TC001 - cyclopts reads it
from asflow._naming.parsing import FAILURE
from asflow.errors import CorruptOutputError
from asflow.stores._common import PART
from asflow.writers import read_records, split_suffixes

if TYPE_CHECKING:
    from collections.abc import Iterator


def show(
    file: str,
    /,
    *,
    head: Annotated[int | None, Parameter(name=["--head", "-n"], validator=validators.Number(gte=0))] = None,
    as_json: AsJson = False,
) -> int:
    """Show the records of a file, decompressed.

    On a terminal a record that is longer than a line is indented; elsewhere each is one line of JSON. A file
    of another format is shown line by line.

    Args:
        file: An output, or a recorded failure (`.err`).
        head: Show at most this many records.
        as_json: Write one line of JSON per record, also on a terminal.

    Raises:
        UsageError: *file* is a folder, is work in progress, or does not exist.
        CorruptOutputError: it is cut, or does not decode; the records before that are shown.
        RecordLimitError: a record is too long to be read into memory, likewise.
        MissingExtraError: reading Parquet needs pyarrow.
        OSError: it can't be read.
    """
    terminal = Terminal()
    if os.path.isdir(file):
        raise UsageError(f"{file!r} is a folder; list it with: asflow ls {file}")
    if not os.path.lexists(file):
        raise UsageError(f"there is no file {file!r}; see asflow ls")
    if file.endswith(PART):
        raise UsageError(f"{file!r} is work in progress; show it when its task has ended, without {PART}")
    plain = not terminal.out.is_terminal
    if file.endswith(FAILURE) or split_suffixes(file).format == "raw":
        for line in itertools.islice(read_records(file, open_file(file), str), head):
            # A pipe gets the text as it is, a terminal without control characters.
            shown = line if plain else printable(line.expandtabs())
            terminal.line((msgspec.json.encode(line).decode() if as_json else shown, ""))
        return terminal.code
    for record in itertools.islice(_records(file), head):
        try:
            line = msgspec.json.encode(record, enc_hook=str).decode()
        except UnicodeDecodeError as error:
            raise CorruptOutputError(
                f"output {file!r} holds text that is not UTF-8 ({error}); delete it to make it again"
            ) from error
        if "\n" in line:  # an indented document
            line = msgspec.json.format(line, indent=-1)
        if plain:
            terminal.line((line, ""))
        else:
            _pretty(terminal, printable(line), indent=not as_json)
    return terminal.code


def _records(file: str) -> Iterator[Any]:
    """Yield records that msgspec can encode; JSON stays as it is, not decoded."""
    match split_suffixes(file).format:
        case "json lines" | "json":
            return read_records(file, open_file(file), msgspec.Raw)
        case "csv" | "tsv":
            return read_records(file, open_file(file), dict[str, str])
        case "registered":
            return read_records(file, open_file(file))
        case _:
            return read_records(file, open_file(file), dict[str, Any])


def _pretty(terminal: Terminal, line: str, *, indent: bool) -> None:
    if indent and len(line) > terminal.out.width:
        line = msgspec.json.format(line, indent=2)
    text = Text(line)
    JSONHighlighter().highlight(text)
    terminal.out.print(text)
