"""`asflow errors` lists suppressed failures, `asflow retry` removes them."""

from __future__ import annotations

import os
import re
from itertools import chain
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from asflow._cli.console import REASON, Terminal, UsageError, age, moment, printable
from asflow._cli.counting import open_file
from asflow._cli.files import find
from asflow._cli.parameters import AsJson  # noqa: TC001 - cyclopts reads it
from asflow._labels import cut
from asflow._naming.parsing import FAILURE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from asflow._cli.files import Found

_MOST = 1 << 20  # bytes that are read of the beginning and of the end of a recorded failure

# The start of a traceback. Those of a group's members are indented, so they don't match.
_BEGINS = re.compile(r"^(?:  \+ Exception Group )?Traceback \(most recent call last\):$", re.MULTILINE)


def errors(
    path: str = ".",
    /,
    *,
    full: bool = False,
    as_json: AsJson = False,
) -> int:
    """List suppressed failures with their exceptions.

    Args:
        path: A folder, searched with all folders below it, or one `.err` file.
        full: Print each traceback in full.
        as_json: Write one JSON array instead, a line per entry.

    Raises:
        UsageError: *path* does not exist, or is a file that is not a recorded failure.
        OSError: *path* can't be read.
    """
    terminal = Terminal()
    files = find(terminal, path, every=False)
    if os.path.isfile(path) and not path.endswith(FAILURE):
        raise _not_a_failure(path)
    failures = _failures(terminal, files)
    if as_json:
        terminal.json(
            {"name": name, "modified": moment(modified), "error": reason(text), "traceback": text}
            for name, modified, text in failures
        )
        return terminal.code
    count = 0
    for name, modified, text in failures:
        count += 1
        if full:
            terminal.line((printable(name), "bold"), (f"  {age(modified)} ago", "dim"))
            for line in text.splitlines():
                terminal.line((printable(line), ""))
            terminal.line()
        else:
            why = cut(reason(text) or "(no traceback)", REASON, "…")
            terminal.line((f"{age(modified):>8}  ", "dim"), (f"{printable(name)}  ", ""), (why, "yellow"))
    terminal.note((f"{count:,} suppressed", "dim"))
    return terminal.code


def retry(paths: Annotated[tuple[str, ...], Parameter(name="PATH")], /, *, dry_run: bool = False) -> int:
    """Forget suppressed failures, so that the next run tries them again.

    Deletes only `.err` files that hold a traceback in the form that asflow writes.

    Args:
        paths: `.err` files, or folders, searched with all folders below them.
        dry_run: Only show what would be deleted.

    Raises:
        UsageError: a path is neither a folder nor a recorded failure, or does not exist; nothing is
            deleted.
        OSError: a path can't be read; nothing is deleted.
    """
    terminal = Terminal()
    files: list[Iterator[Found]] = []
    for path in paths:
        if not path.endswith(FAILURE) and not os.path.isdir(path):
            raise _not_a_failure(path)
        files.append(find(terminal, path, every=False))  # all must exist before the first is deleted
    count = 0
    for name, _, text in _failures(terminal, chain.from_iterable(files)):
        if reason(text) is None:
            terminal.problem(
                f"{name!r} holds no traceback, so it is not deleted; delete it yourself if you made it"
            )
            continue
        try:
            if not dry_run:
                os.unlink(name)
        except OSError as error:
            terminal.problem(error)
            continue
        count += 1
        terminal.line(("would forget " if dry_run else "forgot ", "dim"), (printable(name), ""))
    terminal.note((f"{count:,} suppressed {'failure' if count == 1 else 'failures'}", "dim"))
    return terminal.code


def _not_a_failure(path: str) -> UsageError:
    return UsageError(
        f"{path!r} is not a recorded failure; give a file whose name ends in {FAILURE}, or a folder"
    )


def reason(text: str) -> str | None:
    """Return the line of a traceback that names the exception; None if *text* is not a traceback.

    In a chain of exceptions this is the last one; for a group, the group itself.
    """
    begins = [match.end() for match in _BEGINS.finditer(text)]
    if not begins:
        return None
    for line in text[begins[-1] + 1 :].splitlines():
        bare = line.removeprefix("  | ")
        if bare.strip() and not bare.startswith(" "):
            return printable(bare)
    return None


def read_failure(path: str) -> str:
    """Return the text of the recorded failure *path*, its middle left out if it is long; raises OSError."""
    with open_file(path) as file:
        start = file.read(_MOST)
        if len(start) < _MOST:
            return start.decode("utf-8", "replace")
        end = max(_MOST, file.seek(0, os.SEEK_END) - _MOST)
        file.seek(end)
        return "\n[...]\n".join(each.decode("utf-8", "replace") for each in (start, file.read()))


def _failures(terminal: Terminal, files: Iterable[Found]) -> Iterator[tuple[str, float, str]]:
    """Yield name, time and text of each recorded failure among *files*."""
    for found in files:
        if found.kind != "failure":
            continue
        try:
            yield found.path, os.stat(found.path).st_mtime, read_failure(found.path)
        except FileNotFoundError:
            continue  # deleted meanwhile, by another process or because it was given twice
        except OSError as error:
            terminal.problem(error)
