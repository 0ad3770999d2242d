"""`flow.task`: the decorator that makes tasks, and everything that belongs to a call of one.

Long because of the overloads: each has the docstring that an editor shows for it, options included.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, ParamSpec, TypeVar, final, overload

from asflow._checks import check_flag
from asflow._labels import short
from asflow._names import Sealed, create
from asflow._runtime.runs import TaskCall, current, no_output
from asflow._task.callables import attached, decorate
from asflow._task.definition import TaskDefinition, define
from asflow._task.handles import TaskRun
from asflow._task.mapping import TaskMap
from asflow._task.options import options_from
from asflow._task.progress import Progress, track
from asflow.errors import DefinitionError, DefinitionTypeError, DefinitionValueError

if TYPE_CHECKING:
    import os
    from collections.abc import AsyncIterable, Callable, Coroutine, Iterable, Iterator
    from concurrent.futures import Executor
    from datetime import timedelta
    from typing import Never

    from asflow._engine.policy import ExceptionTypes, Retry
    from asflow._runtime.limits import Limit
    from asflow._task.callables import Subject
    from asflow._task.definition import Workspace
    from asflow._task.mapping import Completed, Failed
    from asflow._task.output import Output
    from asflow._task.typing import Keep, MaybeKeyed, MaybeNone
    from asflow.protocols import ByteStream, Writer

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")
F = TypeVar("F", bound="Callable[..., object]")

_get_run = current.get  # bound once: `write` calls it for each record


def _running() -> TaskCall | None:
    call = _get_run()
    return call if isinstance(call, TaskCall) else None


@final
class TaskDecorator(metaclass=Sealed):
    """Turns functions into tasks; `flow.task` is one.

        @flow.task(on="data/{day}.jsonl.zst", retry=3, limit=4)
        async def download(day: str) -> None: ...

    Inside a task, `flow.task.write`, `.progress`, `.track` and `.run` find the running task, also through
    `asyncio.to_thread`, task groups and nested functions. From outside, `flow.task.output`, `.outputs` and
    `.map` take a task and its arguments.
    """

    __slots__ = ("_workspace",)
    _made_by = "use flow.task, or Flow().task"

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace

    def __repr__(self) -> str:
        workspace = self._workspace
        return f"<TaskDecorator of {workspace.store!r} under {workspace.prefix or './'!r}>"

    @overload
    def __call__(self, func: F, /) -> F:
        """Turn *func* into a task: logged, shown, and limited to one body per CPU at a time.

        No output is stored. The task has the type of *func*.

        Raises:
            DefinitionTypeError: *func* is a generator function, or not callable.
        """
        ...

    @overload
    def __call__(
        self,
        /,
        *,
        retry: int | Retry | None = None,
        retry_exceptions: ExceptionTypes | None = None,
        limit: int | Limit | None = None,
        timeout: float | None = None,
        executor: Executor | None = None,
    ) -> Keep:
        """Turn a function into a task of the same type.

        Args:
            retry: retries after a failing first call (>= 0), or a `Retry` that says how long to wait.
            retry_exceptions: the exceptions to retry; None: every `Exception`.
            limit: bodies at once in the whole process; None: the CPU count; 0: no bound; several tasks may
                share a `Limit`.
            timeout: seconds (> 0) that one call of an async body may take; then TimeoutError.
            executor: runs the body of a sync function elsewhere; any `concurrent.futures.Executor`.

        Raises:
            DefinitionTypeError: an option has the wrong type, or the function is a generator function.
            DefinitionValueError: an option has a bad value.
        """
        ...

    @overload
    def __call__(
        self,
        /,
        *,
        on: str | os.PathLike[str] | None,
        key: Callable[P, str],
        skip: ExceptionTypes = (),
        suppress: ExceptionTypes = (),
        retry: int | Retry | None = None,
        retry_exceptions: ExceptionTypes | None = None,
        limit: int | Limit | None = None,
        timeout: float | None = None,
        refresh: timedelta | float | Callable[[Output], bool] | None = None,
        level: int | None = None,
        writer: Callable[[ByteStream], Writer[Never]] | None = None,
        executor: Executor | None = None,
    ) -> MaybeKeyed[P]:
        """Turn a function into a task whose output is kept, named by *key*.

        A call returns the body's value, or None if the output exists or a failure is quiet.

        Args:
            on: the output's pattern, with a `*` that *key* fills, as in `"data/*.jsonl.zst"`.
            key: a function with the task's parameters that returns the text for `*`.
            skip: exceptions that end a call quietly; the next run tries again.
            suppress: exceptions that end a call quietly and for good; they are recorded in an `.err` file.
            retry: retries after a failing first call (>= 0), or a `Retry` that says how long to wait.
            retry_exceptions: the exceptions to retry; None: every `Exception`.
            limit: bodies at once in the whole process; None: the CPU count; 0: no bound; several tasks may
                share a `Limit`.
            timeout: seconds (> 0) that one call of an async body may take; then TimeoutError.
            refresh: make an output again that is older than this (a timedelta or seconds), or for which
                this function returns True.
            level: compression: 0 to 9 for `.gz` (default 6), 1 to 22 for `.zst` (default 3).
            writer: returns the writer, instead of the one for the suffix.
            executor: runs the body of a sync function elsewhere; any `concurrent.futures.Executor`.

        Raises:
            DefinitionTypeError: an option has the wrong type, or the function is a generator function.
            DefinitionValueError: an option or the pattern has a bad value.
        """
        ...

    @overload
    def __call__(
        self,
        /,
        *,
        on: str | os.PathLike[str] | None,
        skip: ExceptionTypes = (),
        suppress: ExceptionTypes = (),
        retry: int | Retry | None = None,
        retry_exceptions: ExceptionTypes | None = None,
        limit: int | Limit | None = None,
        timeout: float | None = None,
        refresh: timedelta | float | Callable[[Output], bool] | None = None,
        level: int | None = None,
        writer: Callable[[ByteStream], Writer[Never]] | None = None,
        executor: Executor | None = None,
    ) -> MaybeNone:
        """Turn a function into a task whose output is made once, and kept.

        A call returns the body's value, or None if the output exists or a failure is quiet.

        Args:
            on: the output's pattern, as in `"data/{video_id}.jsonl.zst"`: a path under the flow's `base`.
                `{parameter}` is an argument, with an optional format (`{day:%Y-%m-%d}`); `*` (one at
                most) is a hash of all arguments. The suffixes name format and compression.
            skip: exceptions that end a call quietly; the next run tries again.
            suppress: exceptions that end a call quietly and for good; they are recorded in an `.err` file.
            retry: retries after a failing first call (>= 0), or a `Retry` that says how long to wait.
            retry_exceptions: the exceptions to retry; None: every `Exception`.
            limit: bodies at once in the whole process; None: the CPU count; 0: no bound; several tasks may
                share a `Limit`.
            timeout: seconds (> 0) that one call of an async body may take; then TimeoutError.
            refresh: make an output again that is older than this (a timedelta or seconds), or for which
                this function returns True.
            level: compression: 0 to 9 for `.gz` (default 6), 1 to 22 for `.zst` (default 3).
            writer: returns the writer, instead of the one for the suffix.
            executor: runs the body of a sync function elsewhere; any `concurrent.futures.Executor`.

        Raises:
            DefinitionTypeError: an option has the wrong type, or the function is a generator function.
            DefinitionValueError: an option or the pattern has a bad value.
        """
        ...

    @overload
    def __call__(
        self,
        /,
        *,
        skip: ExceptionTypes,
        suppress: ExceptionTypes = (),
        retry: int | Retry | None = None,
        retry_exceptions: ExceptionTypes | None = None,
        limit: int | Limit | None = None,
        timeout: float | None = None,
        executor: Executor | None = None,
    ) -> MaybeNone:
        """Turn a function into a task that returns None if the body raises one of *skip*.

        Args:
            skip: exceptions that end a call quietly, once its retries are used up.
            suppress: the same without retries; without `on` it is not recorded.
            retry: retries after a failing first call (>= 0), or a `Retry` that says how long to wait.
            retry_exceptions: the exceptions to retry; None: every `Exception`.
            limit: bodies at once in the whole process; None: the CPU count; 0: no bound; or a `Limit`.
            timeout: seconds (> 0) that one call of an async body may take; then TimeoutError.
            executor: runs the body of a sync function elsewhere; any `concurrent.futures.Executor`.

        Raises:
            DefinitionTypeError: an option has the wrong type, or the function is a generator function.
            DefinitionValueError: an option has a bad value.
        """
        ...

    @overload
    def __call__(
        self,
        /,
        *,
        suppress: ExceptionTypes,
        retry: int | Retry | None = None,
        retry_exceptions: ExceptionTypes | None = None,
        limit: int | Limit | None = None,
        timeout: float | None = None,
        executor: Executor | None = None,
    ) -> MaybeNone:
        """Turn a function into a task that returns None if the body raises one of *suppress*.

        Args:
            suppress: exceptions that end a call quietly and are never retried; without `on` they are not
                recorded, so this holds for the one call.
            retry: retries after a failing first call (>= 0), or a `Retry` that says how long to wait.
            retry_exceptions: the exceptions to retry; None: every `Exception`.
            limit: bodies at once in the whole process; None: the CPU count; 0: no bound; or a `Limit`.
            timeout: seconds (> 0) that one call of an async body may take; then TimeoutError.
            executor: runs the body of a sync function elsewhere; any `concurrent.futures.Executor`.

        Raises:
            DefinitionTypeError: an option has the wrong type, or the function is a generator function.
            DefinitionValueError: an option has a bad value.
        """
        ...

    def __call__(self, func: object = None, /, **options: Any) -> object:
        """Turn a function into a task.

        Args:
            func: the function, for `@flow.task` without options.
            options: `on`, `key`, `refresh`, `level` and `writer` for its output; `skip`, `suppress`, `retry`
                and `retry_exceptions` for its failures; `limit`, `timeout` and `executor` for its calls.

        Raises:
            DefinitionTypeError: an option has the wrong type, or does not exist.
            DefinitionValueError: an option has a bad value.
        """

        def task(func: object, /) -> object:
            def make(subject: Subject) -> tuple[Callable[..., object], TaskDefinition]:
                return define(self._workspace, subject, options_from(options, subject))

            try:
                return decorate(func, "@flow.task", make)
            except DefinitionError as error:
                raise error.with_traceback(None) from error.__cause__

        return task if func is None else task(func)

    @property
    def run(self) -> TaskRun | None:
        """The run of the task that the caller runs in; None outside any task."""
        call = _running()
        return None if call is None else create(TaskRun, call)

    def write(self, data: object, /) -> None:
        """Write one record, or raw text or bytes, to the output of the running task.

        `str` and `bytes` are raw text in every format; anything else is encoded by the suffix. The output
        becomes visible as a whole when the body has returned.

        Args:
            data: the record. In JSON Lines: any JSON value, and dataclasses, datetimes, UUIDs, enums,
                msgspec, attrs and pydantic values (NaN and infinities become null).

        Raises:
            NotInTaskError: the caller does not run in a task with `on` (a RuntimeError).
            OutputClosedError: the task has ended or was cancelled (a RuntimeError).
            RecordTypeError: the format can't encode *data* (a TypeError).
            RecordValueError: a second JSON document, a new CSV column (a ValueError).
            OSError: the disk is full, or the like.

        Threads: any thread that runs in the task's context (as in `asyncio.to_thread`) may call this, also
        concurrently; the records of one thread keep their order.
        """
        run = _get_run()
        if run is None:
            no_output(data)
        run.put(data)

    def progress(self, description: str | None = None, *, total: float | None = None) -> Progress:
        """Report the running task's progress: a context manager with `advance` and `update`.

            with flow.task.progress("pages", total=12) as progress:
                for page in pages:
                    ...
                    progress.advance()

        Args:
            description: what is being done, shown in the task's line.
            total: units in all, >= 0; None or infinity if unknown.
        """
        return create(Progress, _running(), description, total)

    def track(
        self, items: Iterable[T], /, description: str | None = None, *, total: float | None = None
    ) -> Iterator[T]:
        """Iterate over *items*, and show the number done in the task's line.

        Args:
            items: what to iterate over.
            description: what is being done.
            total: the number of items; None: `len(items)`, if it has a length.
        """
        return track(_running(), items, description, total)

    def output(self, task: Callable[P, object], /, *args: P.args, **kwargs: P.kwargs) -> Output:
        """Return a handle on the output of the call `task(*args, **kwargs)`, without calling it.

        Raises:
            TypeError: *task* is not a task with `on`, or the arguments don't fit it.
        """
        definition, bound = self._definition(task, "output")
        return definition.plan.output(*bound, *args, **kwargs)

    def outputs(self, task: Callable[..., object], /) -> Iterator[Output]:
        """Yield handles on all existing outputs of *task*: complete ones and suppressed failures.

        They are listed lazily, sorted by name: everything whose name fits the task's pattern.

        Raises:
            TypeError: *task* is not a task with `on`.
        """
        definition, _ = self._definition(task, "outputs")
        return definition.plan.outputs()

    @overload
    def map(
        self,
        task: Callable[[T], Coroutine[Any, Any, R]],
        items: Iterable[T] | AsyncIterable[T],
        /,
        *,
        ordered: bool = True,
        on_error: Literal["raise"] = "raise",
    ) -> TaskMap[R]:
        """Apply an async task to each of *items*, as many at a time as its limit allows (100 without one).

        `async for` yields the results one by one; `await` returns all of them as a list. Items are pulled
        lazily: memory stays flat for any number of them, and a slow consumer slows the calls down.

        Args:
            task: a task of one argument.
            items: a sync or async iterable of any length, iterated on the event loop: make a source that
                waits an async one.
            ordered: results in the order of *items* (True), or of completion.
            on_error: `"raise"`: the first failure cancels the other calls and is raised, unchanged.
                `"collect"`: each result is a `Completed(item, value)` or a `Failed(item, error)`.

        Raises:
            DefinitionTypeError: *task* is not a task, or another argument has the wrong type.
            DefinitionValueError: *on_error* is another string.
        """
        ...

    @overload
    def map(
        self,
        task: Callable[[T], Coroutine[Any, Any, R]],
        items: Iterable[T] | AsyncIterable[T],
        /,
        *,
        ordered: bool = True,
        on_error: Literal["collect"],
    ) -> TaskMap[Completed[T, R] | Failed[T]]:
        """Apply an async task to each of *items*; failures are results, too."""
        ...

    @overload
    def map(
        self,
        task: Callable[[T], R],
        items: Iterable[T] | AsyncIterable[T],
        /,
        *,
        ordered: bool = True,
        on_error: Literal["raise"] = "raise",
    ) -> TaskMap[R]:
        """Apply a sync task to each of *items*, in threads, as many at a time as its limit allows."""
        ...

    @overload
    def map(
        self,
        task: Callable[[T], R],
        items: Iterable[T] | AsyncIterable[T],
        /,
        *,
        ordered: bool = True,
        on_error: Literal["collect"],
    ) -> TaskMap[Completed[T, R] | Failed[T]]:
        """Apply a sync task to each of *items*, in threads; failures are results, too."""
        ...

    def map(
        self,
        task: Callable[..., object],
        items: Iterable[Any] | AsyncIterable[Any],
        /,
        *,
        ordered: bool = True,
        on_error: object = "raise",
    ) -> TaskMap[Any]:
        """Apply *task* to each of *items*; see the overloads."""
        found = attached(task, TaskDefinition)
        if found is None:
            raise DefinitionTypeError(
                f"flow.task.map(): takes a function under @flow.task, not {short(task)}; put @flow.task on it"
            )
        if not any(hasattr(items, name) for name in ("__iter__", "__aiter__", "__getitem__")):
            raise DefinitionTypeError(
                f"flow.task.map(): items takes an iterable, not {short(items)}; put a single item into a list"
            )
        check_flag("flow.task.map()", "ordered", ordered)
        if on_error not in ("raise", "collect"):
            refused = DefinitionValueError if isinstance(on_error, str) else DefinitionTypeError
            raise refused(
                f"flow.task.map(): on_error takes one of two texts, not {short(on_error)}; "
                f"write 'raise' or 'collect'"
            )
        slots = found[0].spec.limit.slots
        mapped: TaskMap[Any] = create(  # pyright: ignore[reportUnknownVariableType] - of any results
            TaskMap,
            task,
            items,
            name=found[0].spec.name,
            is_async=found[0].is_async,
            workers=slots.total if slots is not None else 0,
            ordered=ordered,
            collect=on_error == "collect",
        )
        return mapped

    def _definition(self, task: object, method: str) -> tuple[TaskDefinition, tuple[object, ...]]:
        found = attached(task, TaskDefinition)
        if found is None:
            raise DefinitionTypeError(
                f"flow.task.{method}(): takes a function under @flow.task, not {short(task)}; "
                f"put @flow.task(on='...') on it"
            )
        return found
