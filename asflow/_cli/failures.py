"""`asflow errors` and `asflow retry`: what was suppressed and why, and how it is tried again."""

from __future__ import annotations

import os
import re
from itertools import chain
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from asflow._cli.console import Terminal, UsageError, age, moment, printable
from asflow._cli.counting import open_file
from asflow._cli.files import find
from asflow._cli.parameters import AsJson  # noqa: TC001 - cyclopts reads it
from asflow._naming.parsing import FAILURE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from asflow._cli.files import Found

__all__ = ["errors", "read_failure", "reason", "retry"]

# Where a traceback begins that is not one of a group's members, which are indented further.
_BEGINS = re.compile(r"^(?:  \+ Exception Group )?Traceback \(most recent call last\):$", re.MULTILINE)


def errors(
    path: str = ".",
    /,
    *,
    full: bool = False,
    as_json: AsJson = False,
) -> int:
    """List what was suppressed, and why.

    Args:
        path: A folder, searched with all folders below it, or one `.err` file.
        full: Print each traceback in full.
        as_json: Write one JSON array instead, a line per entry.

    Raises:
        UsageError: there is nothing at *path*, or a file that is no recorded failure.
        OSError: *path* can't be looked at.
    """
    terminal = Terminal()
    files = find(terminal, path, every=False)
    if os.path.isfile(path) and not path.endswith(FAILURE):
        raise UsageError(f"{path!r} is no recorded failure: its name does not end in {FAILURE}")
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
            why = reason(text) or "(no traceback)"
            terminal.line((f"{age(modified):>8}  ", "dim"), (f"{printable(name)}  ", ""), (why, "yellow"))
    terminal.note((f"{count:,} suppressed", "dim"))
    return terminal.code


def retry(paths: Annotated[tuple[str, ...], Parameter(name="PATH")], /, *, dry_run: bool = False) -> int:
    """Forget suppressed failures, so that the next run tries them again.

    Deletes `.err` files and nothing else, and of those only the ones that hold a traceback, as asflow
    records it.

    Args:
        paths: `.err` files, or folders, searched with all folders below them.
        dry_run: Only tell what would be deleted.

    Raises:
        UsageError: a path is neither a folder nor a recorded failure, or nothing is there; nothing is
            deleted.
        OSError: a path can't be looked at; nothing is deleted.
    """
    terminal = Terminal()
    files: list[Iterator[Found]] = []
    for path in paths:
        if not path.endswith(FAILURE) and not os.path.isdir(path):
            raise UsageError(
                f"{path!r} is neither a folder nor a recorded failure, whose name ends in {FAILURE}"
            )
        files.append(find(terminal, path, every=False))  # all must be there before the first is deleted
    count = 0
    for name, _, text in _failures(terminal, chain.from_iterable(files)):
        if reason(text) is None:
            terminal.problem(f"{name!r} holds no traceback, so it is not deleted")
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


def reason(text: str) -> str | None:
    """Return the line of a traceback that names the exception, or None where *text* is no traceback.

    Of a chain of exceptions it is the last one, of a group the group.
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
    """Return the text of the recorded failure *path*. Raises OSError where it can't be read."""
    with open_file(path) as file:
        return file.read().decode("utf-8", "replace")


def _failures(terminal: Terminal, files: Iterable[Found]) -> Iterator[tuple[str, float, str]]:
    """Yield name, time and text of each recorded failure among *files*."""
    for found in files:
        if found.kind != "failure":
            continue
        try:
            yield found.path, os.stat(found.path).st_mtime, read_failure(found.path)
        except FileNotFoundError:
            continue  # forgotten in the meantime, by somebody else or since it was named twice
        except OSError as error:
            terminal.problem(error)
