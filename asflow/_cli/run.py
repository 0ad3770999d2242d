"""`asflow run`: call a flow with arguments from the command line."""

from __future__ import annotations

import asyncio
import importlib
import inspect
import os
import sys
import traceback
from typing import TYPE_CHECKING, Any, cast

import cyclopts

from asflow._cli.console import Terminal, UsageError, escape_odd_text, refusal
from asflow._cli.failing import FailOn, outcomes_in
from asflow._cli.sinks import add_named
from asflow._flow import Flow
from asflow._labels import clean, error_line
from asflow._task.callables import attached
from asflow._task.definition import TaskDefinition
from asflow._tracebacks import after_packages, leave_out_ours, text_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from types import ModuleType, TracebackType


_OPTIONS = {
    "--sink": "--sink names no sink; write for example --sink trace=trace.html",
    "--fail-on": "--fail-on names no outcome; write for example --fail-on failed,skipped",
}


def leading_options(tokens: Sequence[str]) -> tuple[dict[str, list[str]], list[str]]:
    """Return what the options before the flow say, by option, and the flow with its arguments.

    Raises:
        UsageError: one says nothing.
    """
    found: dict[str, list[str]] = {option: [] for option in _OPTIONS}
    rest = list(tokens)
    while rest and (option := rest[0].partition("=")[0]) in _OPTIONS:
        _, given, text = rest.pop(0).partition("=")
        if not given:
            text = rest.pop(0) if rest else ""
        if not text:
            raise UsageError(_OPTIONS[option])
        found[option].append(text)
    return found, rest


def run(target: str, tokens: Sequence[str], sinks: Sequence[str] = (), fail_on: Sequence[str] = ()) -> int:
    """Call the flow *target* (`package.module:flow`) with the arguments in *tokens*.

    Args:
        target: the flow.
        tokens: its arguments.
        sinks: names of sinks that are reported to as well.
        fail_on: outcomes of calls that make the exit code 1, joined by commas.

    Returns:
        0 if it returned, 1 if it raised or a call ended as *fail_on* says.

    Raises:
        UsageError: no such flow exists, or the arguments don't fit it.
        SystemExit, KeyboardInterrupt: the flow raised it.
    """
    module_name, _, name = target.partition(":")
    if not module_name or module_name.endswith(".py") or "/" in module_name or "\\" in module_name:
        raise UsageError(f"{target!r} is not a flow; give module and function, as in package.module:flow")
    sys.path.insert(0, os.getcwd())  # as `python -m` does
    _add_sinks(sinks)
    failing = FailOn(outcomes_in(",".join(fail_on))) if fail_on else None
    try:
        module = imported(module_name)
        function = _found(module, name)
        bound = _bound(target, function, tokens)
        if bound is None:
            return 0
        value = _called(function, bound)
        text = None if value is None else str(value)
    except UsageError:
        raise
    except (Exception, asyncio.CancelledError, BaseExceptionGroup) as error:  # noqa: BLE001 - the user's own
        _show(error)
        return 1
    finally:
        if failing is not None:
            failing.remove()
    if text is not None:
        escape_odd_text()
        # A pipe gets the text as it is, a terminal without control characters.
        print(clean(text, lines=True) if sys.stdout.isatty() else text)
    if failing is not None and failing.found:
        Terminal().complain(f"{target}: {failing.summary()}, as --fail-on asks")
        return 1
    return 0


def _add_sinks(sinks: Sequence[str]) -> None:
    for text in sinks:
        try:
            add_named(text, "--sink")
        except Exception as error:  # a sink may raise anything
            raise UsageError(f"--sink {text} can't be used; {error_line(error)}") from error


def imported(name: str) -> ModuleType:
    """Import a module. Raises UsageError if there is none of that name, else what it raises itself."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        missing = error.name or ""
        if missing and (name == missing or name.startswith(missing + ".")):
            raise UsageError(
                f"there is no module {missing!r} in {os.getcwd()!r} or among the installed packages; "
                "run asflow in the folder of the module, or install it"
            ) from None
        raise
    except (TypeError, ValueError) as error:  # a name like `..` or `a..b`
        if error.__traceback__ is not None and _from_import(error.__traceback__):
            raise UsageError(f"{name!r} is not a module name; write package.module:flow") from None
        raise


def _from_import(trace: TracebackType) -> bool:
    """Return whether the error comes from importlib itself, not from the user's module."""
    files = [frame.filename for frame in traceback.extract_tb(trace)]
    return all(file == __file__ or "importlib" in file for file in files)


def _found(module: ModuleType, name: str) -> Callable[..., object]:
    function: object = module
    for part in name.split(".") if name else ():
        function = getattr(function, part, None)
    if name and callable(function) and _is_flow(function):
        return function
    names = sorted(key for key, value in vars(module).items() if callable(value) and _is_flow(value))
    wrong = f"has no flow or task {name!r}" if name else "is a module, not a flow"
    known = (
        f"choose one of {', '.join(names)}, as in {module.__name__}:{names[0]}"
        if names
        else "decorate a function with @flow or @flow.task"
    )
    raise UsageError(f"{module.__name__} {wrong}; {known}")


def _is_flow(function: object) -> bool:
    """Return whether *function* is a flow or a task; both can be run."""
    return attached(function, Flow) is not None or attached(function, TaskDefinition) is not None


def _bound(
    target: str, function: Callable[..., object], tokens: Sequence[str]
) -> inspect.BoundArguments | None:
    """Return the arguments for *function*; None if its help was requested, and printed."""
    app = cyclopts.App(
        name=f"asflow run {target}",
        default_command=function,
        version_flags=(),
        help_format="markdown",
        default_parameter=cyclopts.Parameter(negative_iterable=()),
    )
    app["--help"].show = False
    try:
        command, bound, _ = app.parse_args(tokens, print_error=False, exit_on_error=False)
    except cyclopts.CycloptsError as error:
        raise UsageError(refusal(error, f"asflow run {target}")) from None
    except Exception as error:  # evaluating annotations may raise anything
        raise UsageError(
            f"the signature of {target} has an annotation that can't be used ({error_line(error)}); "
            "annotate arguments with types that text converts to, and import these outside of "
            "`if TYPE_CHECKING:`"
        ) from error
    if command is not function:
        command(*bound.args, **bound.kwargs)
        return None
    return bound


def _called(function: Callable[..., object], bound: inspect.BoundArguments) -> object:
    value = function(*bound.args, **bound.kwargs)
    return asyncio.run(_awaited(value)) if inspect.isawaitable(value) else value


async def _awaited(value: Awaitable[Any]) -> object:
    return await value


def _show(error: BaseException) -> None:
    """Print the traceback from the user's first frame on."""
    _start_in_users_code(error)
    leave_out_ours(error)
    escape_odd_text()
    sys.stderr.write(text_of(error))


def _start_in_users_code(error: BaseException) -> None:
    """Drop the frames before the user's code from *error* and from the members of a group."""
    error.__traceback__ = after_packages(error.__traceback__, ("asflow", "asyncio", "importlib"))
    if isinstance(error, BaseExceptionGroup):
        for each in cast("BaseExceptionGroup[BaseException]", error).exceptions:
            _start_in_users_code(each)
