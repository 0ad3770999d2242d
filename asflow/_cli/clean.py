"""`asflow clean`: remove the `.part` files and the temporary folders of killed runs."""

from __future__ import annotations

import errno
import os
import stat
from typing import TYPE_CHECKING

from rich.filesize import decimal

from asflow._cli.console import Terminal, UsageError, printable
from asflow._cli.files import find
from asflow._cli.parameters import AsJson, EveryFile  # noqa: TC001 - cyclopts reads them
from asflow.stores._common import PART
from asflow.stores._local_part import drop
from asflow.stores._posix import Held, is_at, mark_of, try_lock
from asflow.stores._temporary import dead_folders, places, remove_folder, size_of

if TYPE_CHECKING:
    from collections.abc import Iterator


def clean(
    path: str = ".", /, *, dry_run: bool = False, as_json: AsJson = False, every: EveryFile = False
) -> int:
    """Delete the work in progress of killed runs.

    These are `.part` files without a lock: the file of a running task stays. Links to other folders are not
    followed. With a folder, also the temporary folders of your processes that are gone (of executors, and of
    flow.task.path). Cleaning is never necessary, as the next run replaces them; it frees the space of outputs
    that no run makes again.

    Args:
        path: A folder, cleaned with all folders below it, or one `.part` file.
        dry_run: Only show what would be deleted.
        as_json: Write one JSON array instead, a line per entry.
        every: In folders, include files of other formats and hidden ones.

    Raises:
        UsageError: *path* does not exist, or is a file that is not work in progress.
        OSError: *path* can't be read.
    """
    terminal = Terminal()
    dead = _dead(terminal, path, dry_run=dry_run, every=every)
    if as_json:
        terminal.json({"name": name, "size": size, "deleted": not dry_run} for name, size in dead)
        return terminal.code
    count = freed = 0
    for name, size in dead:
        terminal.line(
            ("would delete " if dry_run else "deleted ", "dim"),
            (printable(name), ""),
            (f"  {decimal(size)}", "dim"),
        )
        count += 1
        freed += size
    terminal.note((f"{count:,} {'file' if count == 1 else 'files'}, {decimal(freed)}", "dim"))
    return terminal.code


def _dead(terminal: Terminal, path: str, *, dry_run: bool, every: bool) -> Iterator[tuple[str, int]]:
    """Yield name and size of each file without a lock, and delete it unless *dry_run*."""
    # A link may lead to a folder of other programs, whose downloads in progress have such names, too.
    for found in find(terminal, path, every=every, links=False):
        if found.kind != "part":
            if found.path == path:
                raise UsageError(
                    f"{path!r} is not work in progress; give a file whose name ends in {PART}, or a folder"
                )
            continue
        try:
            size = _clear(found.path, dry_run=dry_run)
        except FileNotFoundError:
            continue  # its task has ended
        except OSError as error:
            terminal.problem(error)
            continue
        if size is not None:
            yield found.path, size
    if os.path.isdir(path):
        yield from _dead_folders(dry_run=dry_run)


def _dead_folders(*, dry_run: bool) -> Iterator[tuple[str, int]]:
    """Yield name and size of each temporary folder whose process is gone, and remove it unless *dry_run*."""
    for place in places():
        for folder in dead_folders(place):
            size = size_of(folder)
            if not dry_run:
                remove_folder(folder)
            yield folder, size


def _clear(part: str, *, dry_run: bool) -> int | None:
    """Delete *part* and return its size, or return None if its writer is alive."""
    # asflow only makes regular files: leave links, FIFOs and folders alone.
    if not stat.S_ISREG(os.lstat(part).st_mode):
        return None
    held = Held()
    try:
        if not try_lock(held.open(part, 0)):
            return None
        found = os.fstat(held.number)
        # Looked at under the lock, as in the store: its task may have ended between opening and locking.
        if not is_at(mark_of(found), part):
            return None
        if not dry_run:
            drop(mark_of(found), part)
        return found.st_size
    except OSError as error:
        if error.errno == errno.ELOOP:
            return None
        raise
    finally:
        held.close()
