"""`asflow errors` lists suppressed failures; `asflow retry` removes them, or calls them again."""

from __future__ import annotations

import os
import re
from itertools import chain
from typing import TYPE_CHECKING, Annotated, NamedTuple

from cyclopts import Parameter

from asflow._cli.console import REASON, Terminal, UsageError, age, moment, printable
from asflow._cli.counting import open_file
from asflow._cli.files import find
from asflow._cli.parameters import AsJson  # noqa: TC001 - cyclopts reads it
from asflow._cli.replay import call_again, is_module
from asflow._labels import cut
from asflow._ledger import parsed
from asflow._naming.parsing import FAILURE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from asflow._cli.files import Found

_FIRST = 5  # calls of a group that are listed without --all
_MOST = 1 << 20  # bytes that are read of the beginning and of the end of a recorded failure

# The start of a traceback. Those of a group's members are indented, so they don't match.
_BEGINS = re.compile(r"^(?:  \+ Exception Group )?Traceback \(most recent call last\):$", re.MULTILINE)


def errors(
    path: str = ".",
    /,
    *,
    every: Annotated[bool, Parameter(name="--all")] = False,
    full: bool = False,
    as_json: AsJson = False,
) -> int:
    """List suppressed failures, grouped by task and exception, the largest group first.

    Args:
        path: A folder, searched with all folders below it, or one `.err` file.
        every: List every call; otherwise the latest five of each group.
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
        terminal.json(_row(*failure) for failure in failures)
        return terminal.code
    count = _print_full(terminal, failures) if full else _print_groups(terminal, failures, every=every)
    terminal.note((f"{count:,} suppressed", "dim"))
    return terminal.code


def _row(name: str, modified: float, text: str) -> dict[str, object]:
    call, traceback = parsed(text)
    row: dict[str, object] = {"name": name, "modified": moment(modified), "error": reason(text)}
    if call is not None:
        row |= {"task": call.task, "qualname": call.qualname, "label": call.label}
        row |= {"arguments": call.arguments, "values": call.values}
    return {**row, "traceback": traceback}


def _print_full(terminal: Terminal, failures: Iterable[tuple[str, float, str]]) -> int:
    count = 0
    for name, modified, text in failures:
        count += 1
        terminal.line((printable(name), "bold"), (f"  {age(modified)} ago", "dim"))
        call, traceback = parsed(text)
        if call is not None:
            terminal.line((printable(f"{call.task}({call.label})"), ""))
        for line in traceback.splitlines():
            terminal.line((printable(line), ""))
        terminal.line()
    return count


class _Listed(NamedTuple):
    """A failure as it is listed; sorted by its time."""

    modified: float
    name: str
    call: str
    message: str


def _print_groups(terminal: Terminal, failures: Iterable[tuple[str, float, str]], *, every: bool) -> int:
    """Print the calls of each task and exception under a heading of their own; return how many there are."""
    groups: dict[tuple[str, str], list[_Listed]] = {}
    for name, modified, text in failures:
        call, _ = parsed(text)
        kind, _, message = (reason(text) or "(no traceback)").partition(": ")
        shown = "" if call is None else f"{call.task}({call.label})"
        listed = _Listed(modified, name, shown, message)
        groups.setdefault(("" if call is None else call.task, kind), []).append(listed)
    for (task, kind), calls in sorted(groups.items(), key=lambda group: (-len(group[1]), group[0])):
        title = printable(f"{task}: {kind}" if task else kind)
        terminal.line((title, "bold"), (f"  {len(calls):,}", "yellow"))
        calls.sort(reverse=True)
        for each in calls if every else calls[:_FIRST]:
            text = "  ".join(printable(part) for part in (each.call, each.name) if part)
            why = f"  {cut(each.message, REASON, '…')}" if each.message else ""
            terminal.line((f"{age(each.modified):>10}  ", "dim"), (text, ""), (why, "dim"))
        if not every and len(calls) > _FIRST:
            terminal.line((f"{'':>10}  ... {len(calls) - _FIRST:,} more, with --all", "dim"))
    return sum(map(len, groups.values()))


def retry(paths: Annotated[tuple[str, ...], Parameter(name="PATH")], /, *, dry_run: bool = False) -> int:
    """Call again what failed and was suppressed; or forget it, so that the next run tries it again.

    With a module or a task, `package.module` or `package.module:task`, the calls whose failures are recorded
    are made again, just these. The exit code is 1 if one of them fails again.
    With `.err` files or folders, the failures are forgotten and nothing is called. Only `.err` files that
    hold a traceback in the form that asflow writes are deleted.

    Args:
        paths: One module or task; or `.err` files, or folders, searched with all folders below them.
        dry_run: Only show what would be called or deleted.

    Raises:
        UsageError: a path is neither a folder nor a recorded failure, or does not exist; nothing is
            deleted.
        OSError: a path can't be read; nothing is deleted.
    """
    if len(paths) == 1 and is_module(paths[0]):
        return call_again(paths[0], dry_run=dry_run)
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
