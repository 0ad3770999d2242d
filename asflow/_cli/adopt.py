"""`asflow adopt`: give outputs of AsFlow 0.0.x the names that their calls have now."""

from __future__ import annotations

import inspect
import json
import os
import sys
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple, cast

from cyclopts import Parameter

from asflow._cli.calls import call_with, converted, hints_of, values_of
from asflow._cli.console import Terminal, UsageError, printable
from asflow._cli.counting import read_whole
from asflow._cli.modules import tasks_of
from asflow._labels import call_label
from asflow._naming.parsing import FAILURE, STAR
from asflow.errors import CorruptOutputError, RecordLimitError
from asflow.stores import LocalStore

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from asflow._task.definition import TaskDefinition

_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


class _Given(NamedTuple):
    """A call of *task*, as the user wrote it.

    Attributes:
        args: those by position.
        kwargs: those by keyword.
        values: all arguments by name, defaults included, without `self`.
    """

    args: tuple[object, ...]
    kwargs: Mapping[str, object]
    values: Mapping[str, object]


def adopt(
    target: str,
    /,
    *,
    calls: Annotated[str | None, Parameter(name="--calls")] = None,
    dry_run: bool = False,
) -> int:
    """Rename the outputs that AsFlow 0.0.x made, so that they count as done now.

    There `*` was a hash of the arguments' text, and the value of a placeholder was not escaped. A hash can't
    be computed backwards, so give the calls: one a line, as the text of a single argument, a JSON list of
    positional arguments, or a JSON object of arguments by name. Files that are cut are left, as 0.0.x wrote
    in place; in plain text a cut can't be seen. Nothing is overwritten. Failures (`.err`) are renamed, too.

    Args:
        target: The task, as `package.module:task`.
        calls: A file with the calls; `-` reads standard input. Not needed if the task takes no arguments.
        dry_run: Only show what would be renamed.

    Raises:
        UsageError: there is no such task, it keeps no outputs on the local disk, or a line doesn't fit it.
        OSError: *calls* can't be read.
    """
    terminal = Terminal()
    task = _task_of(target)
    count = missing = there = 0
    for given in _calls(task, calls):
        pairs = _renamings(task, given)
        if pairs is None:
            missing += 1
            terminal.note((f"not found  {printable(call_label(given.args, given.kwargs))}", "dim"))
            continue
        for old, new in pairs:
            moved = old != new and _moved(terminal, old, new, dry_run=dry_run)
            there += old == new
            count += moved
            if moved:
                verb = "would rename " if dry_run else "renamed "
                terminal.line((verb, "dim"), (f"{printable(old)} -> {printable(new)}", ""))
    terminal.note((f"{count:,} renamed, {there:,} right already, {missing:,} not found", "dim"))
    return terminal.code


def _task_of(target: str) -> TaskDefinition:
    tasks = tasks_of(target)[1]
    if len(tasks) != 1:
        names = ", ".join(sorted(each.spec.name for each in tasks))
        raise UsageError(f"{target!r} has several tasks; name one, as in {target}:TASK, of {names}")
    [task] = tasks
    if not task.keeps_outputs or not isinstance(task.plan.store, LocalStore):
        raise UsageError(
            f"{target!r} keeps no outputs on the local disk; AsFlow 0.0.x kept them nowhere else"
        )
    if task.spec.skipped_in_labels and task.plan.namer.pattern.has_hash:
        raise UsageError(
            f"{target!r} is a method, and 0.0.x put the text of its object into '*', which has an address in "
            "memory; rename such files by hand"
        )
    return task


def _calls(task: TaskDefinition, path: str | None) -> Iterator[_Given]:
    """Yield the calls in the file *path*, or the one call of a task without required arguments."""
    if path is None:
        if any(each.default is inspect.Parameter.empty for each in _parameters(task)):
            raise UsageError(
                f"{task.spec.name}() takes arguments, and the old names don't say them; "
                "give the calls, one a line, with --calls FILE"
            )
        yield _given(task, (), {})
    elif path == "-":
        yield from _lines(task, sys.stdin, "standard input")
    else:
        with open(path, encoding="utf-8") as file:
            yield from _lines(task, file, path)


def _lines(task: TaskDefinition, lines: Iterator[str], where: str) -> Iterator[_Given]:
    hints = hints_of(task)
    names = [each.name for each in _parameters(task)]
    for number, line in enumerate(lines, 1):
        text = line.strip()
        if not text:
            continue
        try:
            args, kwargs = _arguments(text)
            typed = [_typed(value, hints.get(name)) for name, value in zip(names, args, strict=False)]
            yield _given(
                task,
                (*typed, *args[len(typed) :]),
                {name: _typed(value, hints.get(name)) for name, value in kwargs.items()},
            )
        except (TypeError, ValueError) as error:
            raise UsageError(
                f"line {number} of {where} is not a call of {task.spec.name}(): {error}; "
                "write the text of one argument, a JSON list, or a JSON object"
            ) from error


def _arguments(text: str) -> tuple[list[object], dict[str, object]]:
    if text[0] not in "[{":
        return [text], {}
    found = json.loads(text)
    return (cast("list[object]", found), {}) if isinstance(found, list) else ([], found)


def _typed(value: object, kind: Any) -> object:
    """Return *value*, read from text, as the *kind* that the parameter is annotated with."""
    if kind is None:
        return value
    text = value if isinstance(value, str) else json.dumps(value)
    return next(converted([("", text)], kind), value)


def _given(task: TaskDefinition, args: tuple[object, ...], kwargs: Mapping[str, object]) -> _Given:
    """Return the call; raise TypeError where the arguments don't fit."""
    signature = inspect.Signature(_parameters(task))
    bound = signature.bind(*args, **kwargs)
    bound.apply_defaults()
    return _Given(args, kwargs, bound.arguments)


def _parameters(task: TaskDefinition) -> list[inspect.Parameter]:
    """The task's parameters, without `self`."""
    assert task.spec.signature is not None
    return list(task.spec.signature.parameters.values())[task.spec.skipped_in_labels :]


def _renamings(task: TaskDefinition, given: _Given) -> list[tuple[str, str]] | None:
    """Return the old and new paths of what a call left: its output, its failure; None if it left neither."""
    call = call_with(task, given.values)
    plan = task.plan
    if call is None:
        raise UsageError(
            f"{task.spec.name}() has arguments without a name in an output; rename these by hand"
        )
    new = plan.location_of(plan.namer.output(*call.args, **call.kwargs))
    failure = plan.failure_of(new)
    found: list[tuple[str, str]] = []
    for name in _old_names(task, given, values_of(task, call)):
        if os.path.isabs(name) or os.path.normpath(name).startswith(".."):
            continue  # a value with `../` in it left the folder; asflow's never does
        old = plan.location_of(name)
        if os.path.isfile(old):
            found.append((old, new))
        record = _old_failure(old)
        if failure.endswith(FAILURE) and os.path.isfile(record):
            found.append((record, failure))
        if found:
            return found
    return None


def _old_names(task: TaskDefinition, given: _Given, values: Mapping[str, object]) -> Iterator[str]:
    """Yield the names that the call may have had, the likeliest first."""
    text = task.plan.namer.pattern.text
    pattern = text.replace(STAR, "{hash}")
    named = dict.fromkeys(task.plan.namer.pattern.placeholders) | dict(values)
    if STAR not in text:
        yield pattern.format(**named)
        return
    seen: set[str] = set()
    for label in _old_labels(task, given):
        if label not in seen:
            seen.add(label)
            yield pattern.format(hash=_md5(label), **named)


def _old_labels(task: TaskDefinition, given: _Given) -> Iterator[str]:
    """Yield the texts that 0.0.x may have hashed: they depended on how the call was written."""
    name = inspect.unwrap(cast("Any", task.function)).__name__
    yield _old_label(name, given.args, given.kwargs)
    parameters = _parameters(task)
    defaults = sum(1 for each in parameters if each.default is not inspect.Parameter.empty)
    for left_out in range(defaults + 1):  # from the end, where they may not have been given
        items = [(each.name, given.values[each.name]) for each in parameters][: len(parameters) - left_out]
        for by_position in range(len(items), -1, -1):
            if all(each.kind in _POSITIONAL for each in parameters[:by_position]):
                yield _old_label(name, [value for _, value in items[:by_position]], dict(items[by_position:]))


def _old_label(name: str, args: Sequence[object], kwargs: Mapping[str, object]) -> str:
    texts = [*(str(each) for each in args), *(f"{key}={value}" for key, value in kwargs.items())]
    return f"{name}({', '.join(texts)})"


def _md5(text: str) -> str:
    from hashlib import md5

    return md5(text.encode(), usedforsecurity=False).hexdigest()


def _old_failure(path: str) -> str:
    """Return the path of the old failure: everything after the first dot of the name was lost."""
    suffixes = "".join(PurePosixPath(path).suffixes)
    return path.removesuffix(suffixes) + FAILURE


def _moved(terminal: Terminal, old: str, new: str, *, dry_run: bool) -> bool:
    """Rename *old* to *new*, unless it is cut or *new* is there; return whether it was renamed."""
    try:
        if not old.endswith(FAILURE):
            read_whole(old)
        if os.path.exists(new):
            terminal.problem(f"{new!r} is there already, so {old!r} is left; delete one of them")
            return False
        if not dry_run:
            os.makedirs(os.path.dirname(new) or ".", exist_ok=True)
            _rename(old, new)
    except (CorruptOutputError, RecordLimitError, OSError) as error:
        terminal.problem(error)
        return False
    return True


def _rename(old: str, new: str) -> None:
    """Rename a file, but never over another one where the file system has links."""
    try:
        os.link(old, new)
    except FileExistsError:
        raise
    except OSError:  # no links here
        os.rename(old, new)
    else:
        os.unlink(old)
