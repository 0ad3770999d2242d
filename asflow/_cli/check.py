"""`asflow check`: find files that are cut or damaged."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, NamedTuple

from cyclopts import Parameter

from asflow._cli.console import MESSAGE, Terminal, printable
from asflow._cli.counting import read_whole
from asflow._cli.files import find
from asflow._cli.parameters import AsJson, EveryFile  # noqa: TC001 - cyclopts reads them
from asflow.errors import CorruptOutputError, MissingExtraError, RecordLimitError

if TYPE_CHECKING:
    from collections.abc import Iterator


class _Verdict(NamedTuple):
    name: str
    whole: bool
    records: int | None
    problem: str | None


def check(
    path: str = ".",
    /,
    *,
    quiet: Annotated[bool, Parameter(name=["--quiet", "-q"])] = False,
    as_json: AsJson = False,
    every: EveryFile = False,
) -> int:
    """Read every output to its end and show whether it is whole.

    Exits with 1 if one is not. A cut file shows in its compression, its JSON or its Parquet footer; a cut in
    plain text can't be seen. Recorded failures and work in progress are left out.

    Args:
        path: A folder, checked with all folders below it, or a file.
        quiet: Show only files that are not whole.
        as_json: Write one JSON array instead, a line per entry.
        every: In folders, include files of other formats and hidden ones.

    Raises:
        UsageError: no file or folder *path* exists.
        OSError: *path* can't be read.
    """
    terminal = Terminal()
    verdicts = _verdicts(terminal, path, every=every)
    if as_json:
        terminal.json(verdict._asdict() for verdict in verdicts if not (quiet and verdict.whole))
        return terminal.code
    whole = broken = 0
    for verdict in verdicts:
        whole += verdict.whole
        broken += not verdict.whole
        if not verdict.whole:
            terminal.line(
                ("not whole  ", "red"), (printable(verdict.name), ""), (f"  {verdict.problem}", "dim")
            )
        elif not quiet:
            terminal.line(("whole      ", "green"), (printable(verdict.name), ""))
    terminal.note((f"{whole:,} whole, {broken:,} not whole", "red" if broken else "dim"))
    return terminal.code


def _verdicts(terminal: Terminal, path: str, *, every: bool) -> Iterator[_Verdict]:
    for found in find(terminal, path, every=every):
        if found.kind != "output":
            continue
        try:
            yield _Verdict(found.path, True, read_whole(found.path), None)
        except FileNotFoundError:
            continue  # deleted since the folder was read
        except CorruptOutputError as error:
            terminal.problems += 1
            yield _Verdict(found.path, False, None, printable(str(error), MESSAGE))
        except (OSError, MissingExtraError, RecordLimitError) as error:
            terminal.problem(error)
