"""Carries out a definition: one call of a data flow, all of whose state lives in that call.

A node makes what it adds from what it sees:

- a function sees its arguments and adds its result; an optional one whose arguments are missing adds None,
  which is as if it were not there;
- concurrent members all see what their group sees; the group adds their results, merged;
- in a sequence the first step sees what the sequence sees, and `View` says what the next one does. The
  sequence adds the result of its last step or, if everything stays visible, those of all its
  steps, of which the newest wins.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Coroutine, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias, assert_never, cast

from asflow._labels import error_line, short
from asflow._runtime.threads import without_stop_iteration
from asflow.dataflow._errors import (
    DataFlowFunctionResultError,
    DataFlowMergeResultError,
    DataFlowRunItemError,
)
from asflow.dataflow._tree import Function, Node, Parallel, Serial
from asflow.dataflow._wiring import missing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from asflow.dataflow._wiring import ArgsVisibility

Values: TypeAlias = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class View:
    """What the stages of one call see.

    Attributes:
        visibility: the flow's `args_visibility`.
        initial: the call's arguments.
    """

    visibility: ArgsVisibility
    initial: Values

    def added(self, before: Values, result: Values) -> Values:
        """Return what a sequence adds so far, after a step that added *result*."""
        return {**before, **result} if self.visibility == "All" else result

    def seen(self, given: Values, added: Values) -> Values:
        """Return what the next step sees in a sequence that was *given* something and has *added* some."""
        match self.visibility:
            case "None":
                return added
            case "Initial":
                return {**self.initial, **added}
            case "All":
                return {**given, **added}
            case _:
                assert_never(self.visibility)


async def run(node: Node, given: Values, view: View) -> Values | None:
    """Run *node*, which sees *given*, and return what it adds; None if all of it was passed over.

    A failing member cancels its neighbours; once they have stopped its exception passes on. Cancelling the
    caller cancels every member that runs; a thread can't be interrupted, so a sync function goes on in
    the background and its result is dropped.

    Raises:
        DataFlowRunItemError: an argument is missing, or a result can't be used.
        Exception: what a member raised, unchanged.
    """
    match node:
        case Function():
            return await _run_function(node, given, view)
        case Serial():
            seen = given
            added: Values | None = None
            for step in node.steps:
                result = await run(step, seen, view)
                if result is not None:
                    added = view.added(added or {}, result)
                    seen = view.seen(given, added)
            return added
        case Parallel():
            if len(node.members) == 1:
                return await run(node.members[0], given, view)
            results = await _Neighbours([run(member, given, view) for member in node.members]).results()
            named = zip((member.name for member in node.members), results, strict=True)
            ran = [(name, result) for name, result in named if result is not None]
            return merge(ran) if ran else None
        case _:
            assert_never(node)


async def _run_function(function: Function, given: Values, view: View) -> Values | None:
    arguments: dict[str, object] = {}
    for one in function.parameters:
        if one.name in given:
            arguments[one.name] = given[one.name]
        elif one.required and function.optional:
            return None
        elif one.required:
            raise DataFlowRunItemError(
                missing(function.name, one.name, given.keys(), view.visibility, view.initial.keys())
            )
    return _checked(function.name, await call_function(function, arguments))


async def call_function(function: Function, arguments: dict[str, object]) -> object:
    """Call one member: on the loop if it is async, else in a thread with a copy of the context.

    The threads are those of the loop's default executor.
    """
    if function.on_loop:
        return await cast("Awaitable[object]", function.call(**arguments))
    result = await asyncio.to_thread(without_stop_iteration, f"{function.name}()", function.call, **arguments)
    # A plain function may return a coroutine, as the wrapper of a decorator around an async function does.
    return await result if inspect.isawaitable(result) else result


def _checked(name: str, result: object) -> Values:
    """Return a member's result as a mapping of names."""
    if result is None:
        return {}
    if not isinstance(result, Mapping):
        raise DataFlowFunctionResultError(
            f"task {name}(): must return a mapping or None, not {short(result)}; return {{'name': value}}, "
            f"or name the value: amapper({name}, output='name')"
        )
    values = dict(cast("Mapping[object, object]", result))
    for key in values:
        if not isinstance(key, str):
            raise DataFlowFunctionResultError(
                f"task {name}(): must return a mapping with names as keys, not {short(key)}; "
                "use strings, the names of parameters"
            )
    return cast("Values", values)


def merge(results: Sequence[tuple[str, Values]]) -> dict[str, object]:
    """Merge the results of neighbours, each with its member's name, in order.

    Raises:
        DataFlowMergeResultError: two of them hold different values under one key, or values that can't
            be compared.
    """
    merged: dict[str, object] = {}
    owners: dict[str, str] = {}
    for owner, result in results:
        for key, value in result.items():
            if key not in merged:
                merged[key], owners[key] = value, owner
            elif merged[key] is not value:
                _must_be_equal(key, (owners[key], merged[key]), (owner, value))
    return merged


def _must_be_equal(key: str, first: tuple[str, object], second: tuple[str, object]) -> None:
    """Raise unless the two values, each with its owner, are certainly equal."""
    cause: Exception | None = None
    verdict = "which == can't compare"
    try:
        equal: object = first[1] == second[1]
        # An array of one item has a truth value, an array of two has none: neither is a yes or no.
        if not getattr(equal, "shape", ()):
            if equal:
                return
            verdict = "which differ"
    except Exception as error:  # noqa: BLE001 - a user's __eq__ or __bool__ may raise anything; it is the cause
        cause = error
    raise DataFlowMergeResultError(
        f"DataFlow(): {first[0]} and {second[0]} both returned {key!r}, {short(first[1])} and "
        f"{short(second[1])}, {verdict}; return it from one of them, or under two names"
    ) from cause


class _Neighbours:
    """Tasks of which the first to fail stops all the others.

    Not a TaskGroup: that ignores a CancelledError that a member raises itself, and on Python 3.11 and 3.12
    it leaves its caller's `cancelling()` raised after a failure, which breaks a later `asyncio.timeout`.
    """

    __slots__ = ("_failed", "_stopping", "_tasks")

    def __init__(self, coroutines: Sequence[Coroutine[object, object, Values | None]]) -> None:
        self._failed: list[asyncio.Task[Values | None]] = []
        self._stopping = False
        self._tasks = [asyncio.create_task(one) for one in coroutines]
        for task in self._tasks:
            task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[Values | None]) -> None:
        # A cancelled task counts as failed unless it was cancelled from here.
        if (not self._stopping) if task.cancelled() else task.exception() is not None:
            self._failed.append(task)
            if not self._stopping:  # a second failure must not interrupt the clean-up of the others
                self._stop()

    def _stop(self) -> None:
        self._stopping = True
        for task in self._tasks:
            task.cancel()

    async def results(self) -> list[Values | None]:
        """Wait until all have ended; raise the first failure, or a cancel of the waiting task."""
        cancel: asyncio.CancelledError | None = None
        while not all(task.done() for task in self._tasks):
            try:
                await asyncio.wait(self._tasks)
            except asyncio.CancelledError as error:
                cancel = error
                self._stop()
        try:
            if self._failed:
                raise _first([_error_of(task) for task in self._failed])
            if cancel is not None:
                raise cancel
            return [task.result() for task in self._tasks]
        finally:
            # The traceback refers to this frame, and these refer to the exception: a reference cycle.
            self._failed.clear()
            self._tasks.clear()
            del cancel


def _error_of(task: asyncio.Task[Values | None]) -> BaseException:
    return asyncio.CancelledError() if task.cancelled() else cast("BaseException", task.exception())


def _first(failures: Sequence[BaseException]) -> BaseException:
    """Return the first failure; its notes say what the others raised, then or while they stopped."""
    first, *others = failures
    for other in others:
        if other is not first:
            line = error_line(other)
            with suppress(Exception):  # an exception may refuse notes, as a frozen dataclass does
                first.add_note(f"asflow: a neighbour failed too: {line}")
    return first
