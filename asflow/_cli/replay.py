"""Calls whose failures are recorded, made again: `asflow retry MODULE`."""

from __future__ import annotations

import asyncio
import os
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, NamedTuple

from asflow._cli.calls import call_of, call_with
from asflow._cli.console import Terminal, UsageError, printable
from asflow._cli.modules import tasks_of
from asflow._flow import flow
from asflow._labels import call_label, error_line
from asflow._ledger import parsed
from asflow._naming.parsing import FAILURE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from asflow._cli.calls import Call
    from asflow._task.definition import TaskDefinition

_AT_ONCE = 100  # calls that are under way, in threads too; each task's own limit holds as well


class _Failure(NamedTuple):
    """A recorded failure, and the call that had it.

    Attributes:
        task: the task.
        record: the name of the record in the store.
        call: the call; None if its arguments can't be known.
        why: why they can't.
    """

    task: TaskDefinition
    record: str
    call: Call | None
    why: str = "neither the record nor the name says all arguments"

    @property
    def title(self) -> str:
        if self.call is None:
            return self.record
        return f"{self.task.spec.name}({call_label(self.call.args, self.call.kwargs)})"


def is_module(target: str) -> bool:
    """Whether *target* names a module or one of its tasks, and no file or folder.

    Raises:
        UsageError: it names both.
    """
    module, _, task = target.partition(":")
    dotted = all(part.isidentifier() for part in [*module.split("."), *(task.split(".") if task else ())])
    if target.endswith((FAILURE, ".py")) or not dotted:
        return False
    if task or not os.path.exists(target):
        return True
    if not _has_code(target):
        return False
    raise UsageError(
        f"{target!r} is a module and a folder; write {target}:TASK to call a task's failures again, "
        f"or .{os.sep}{target} to forget those in the folder"
    )


def _has_code(folder: str) -> bool:
    return os.path.isfile(os.path.join(folder, "__init__.py")) or os.path.isfile(f"{folder}.py")


def call_again(target: str, *, dry_run: bool) -> int:
    """Call what failed of the tasks of *target* again; return the exit code.

    Raises:
        UsageError: there is no such module or task.
    """
    terminal = Terminal()
    calls: list[_Failure] = []
    for failure in _recorded(tasks_of(target)[1]):
        if failure.call is None:
            terminal.problem(
                f"{failure.record!r}: {failure.why}, so it is left; "
                f"forget it with: asflow retry {failure.record}"
            )
            continue
        calls.append(failure)
        if dry_run:
            terminal.line(("would call ", "dim"), (printable(failure.title), ""))
    if dry_run:
        terminal.note((f"{len(calls):,} to call again", "dim"))
        return terminal.code
    failed = asyncio.run(_all_again(terminal, calls)) if calls else 0
    again = f", {failed:,} failed again" if failed else ""
    terminal.note((f"{len(calls):,} called again{again}", "dim"))
    return 1 if failed else terminal.code


def _recorded(tasks: list[TaskDefinition]) -> Iterator[_Failure]:
    for task in tasks:
        if not task.keeps_outputs:
            continue
        for output in task.plan.outputs():
            record = task.plan.failure_of(task.plan.location_of(output.name))
            try:
                with task.plan.store.open(record) as file:
                    text = file.read().decode("utf-8", "replace")
            except FileNotFoundError:
                continue
            call = _call_in(task, output.name, text)
            secret = ", ".join(repr(name) for name in _secrets_of(task)) if call is None else ""
            if secret:
                yield _Failure(task, record, None, f"the argument {secret} is secret, and not recorded")
            else:
                yield _Failure(task, record, call)


def _secrets_of(task: TaskDefinition) -> list[str]:
    return [] if task.spec.marked is None else sorted(task.spec.marked.secret)


def _call_in(task: TaskDefinition, name: str, text: str) -> Call | None:
    """Return the call of a recorded failure: as its *text* says, or as its *name* does."""
    recorded, _ = parsed(text)
    call = None
    if recorded is not None and recorded.values is not None:
        call = call_with(task, recorded.values)
        if call is not None and task.plan.namer.output(*call.args, **call.kwargs) != name:
            call = None  # the function has changed since
    call = call or call_of(task, name)
    return call if call is not None and call.is_whole(task) else None


async def _all_again(terminal: Terminal, calls: list[_Failure]) -> int:
    """Call again, at most a hundred at a time; return how many failed again."""
    slots = asyncio.Semaphore(_AT_ONCE)
    # The loop's own pool may have five threads, however high the limits of sync tasks are.
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(_AT_ONCE, "asflow-retry"))
    failed: list[_Failure] = []

    async def again(failure: _Failure) -> None:
        async with slots:
            try:
                await _again(failure)
            except Exception as error:  # noqa: BLE001 - the user's own
                failed.append(failure)
                terminal.problem(f"{failure.title}: {error_line(error)}")
            else:
                if failure.task.plan.store.info(failure.record) is not None:
                    failed.append(failure)

    @flow
    async def retry() -> None:
        await asyncio.gather(*map(again, calls))

    await retry()
    return len(failed)


async def _again(failure: _Failure) -> None:
    call, task = failure.call, failure.task
    assert call is not None
    task.plan.store.delete(failure.record)
    function = task.wrapped()
    if task.is_async:
        await function(*call.args, **call.kwargs)
    else:
        await asyncio.to_thread(function, *call.args, **call.kwargs)
