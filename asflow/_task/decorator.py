"""`flow.task`: the decorator that makes tasks, and everything that belongs to a call of one.

Long because of the overloads: each has the docstring that an editor shows for it, options included.
"""

from __future__ import annotations

from inspect import currentframe
from typing import TYPE_CHECKING, Any, Literal, ParamSpec, TypeVar, cast, final, overload

from asflow._checks import check_flag
from asflow._frozen import replace
from asflow._labels import short
from asflow._names import Sealed, create
from asflow._runtime.calls import TaskCall
from asflow._runtime.current import current
from asflow._runtime.writing import no_output, path_for, write_failed, written_all
from asflow._task.callables import decorate
from asflow._task.definition import define
from asflow._task.handles import TaskRun
from asflow._task.options import options_from
from asflow.errors import DefinitionError, DefinitionTypeError, DefinitionValueError

if TYPE_CHECKING:
    import os
    from collections.abc import AsyncIterable, Callable, Coroutine, Iterable, Iterator
    from concurrent.futures import Executor
    from datetime import datetime, timedelta
    from pathlib import Path
    from types import CoroutineType
    from typing import Never

    from asflow._engine.policy import ExceptionTypes, Retry
    from asflow._runtime.limits import Limit
    from asflow._task.callables import Subject
    from asflow._task.definition import TaskDefinition
    from asflow._task.finding import Bind
    from asflow._task.mapping import SyncTaskMap, TaskMap
    from asflow._task.outcomes import Completed, Failed
    from asflow._task.output import Output
    from asflow._task.progress import Progress
    from asflow._task.typing import (
        Keep,
        MaybeNone,
        Reads,
        Saved,
        SavedKeyed,
        SavedMaybe,
        SavedMaybeKeyed,
        Writes,
        WritesKeyed,
    )
    from asflow._task.workspace import Workspace
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
        """Turn a function into a task: logged, shown, and limited to one body at once for each CPU.

        Without options nothing is stored, and the task has the type of the function. `save=` keeps what its
        body returns, and `on=` what it writes.

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
        save: str | os.PathLike[str] | None,
        retry: int | Retry | None = None,
        retry_exceptions: ExceptionTypes | None = None,
        limit: int | Limit | None = None,
        timeout: float | None = None,
        refresh: timedelta | float | datetime | None = None,
        reads: Reads | None = None,
        level: int | None = None,
        executor: Executor | None = None,
    ) -> Saved:
        """Turn a function into a task whose value is saved, once and whole, and read back with its type.

        Every call returns what the output holds: the first, a later one and one after a crash. The body of a
        generator function is streamed to the output; a call returns `Records`, which read it.

        Args:
            save: the output's pattern, as in `"data/{day}.json"`: a path under the flow's `base`.
                `{parameter}` is an argument, with an optional format (`{day:%Y-%m-%d}`); `*` (one at
                most) a hash of all arguments. The suffixes name format and compression.
                `.json` keeps what JSON decodes to its annotation: dataclass, TypedDict, NamedTuple,
                msgspec, attrs, pydantic, dict, list, tuple, scalars and unions of them. `.jsonl`,
                `.ndjson`, `.csv`, `.tsv` and `.parquet` keep a list of records, or what a generator
                yields; `.parquet` a DataFrame or Table, too. Any other keeps `str` or `bytes`.
            retry: retries after a failing first call (>= 0), or a `Retry` that says how long to wait.
            retry_exceptions: the exceptions worth a retry; None: every `Exception`.
            limit: bodies at once in the whole process; None: the CPU count; 0: no bound; a `Limit` may
                be shared by several tasks.
            timeout: seconds (> 0) that one call of an async body may take; then TimeoutError.
            refresh: make an output again that is older than this (a timedelta or seconds), or that was made
                before this (a datetime with a time zone).
            reads: what the output is made from, by which it is made again if that is newer: a task, a
                pattern (in which `*` is a glob), or a list of these.
            level: compression: 0 to 9 for `.gz` (default 6), 1 to 22 for `.zst` (default 3).
            executor: runs the body of a sync function elsewhere: any `concurrent.futures.Executor`.

        Raises:
            DefinitionTypeError: an option of the wrong type; the function is not annotated, or with a
                type that the format can't return.
            DefinitionValueError: an option or a pattern with a bad value.
        """
        ...

    @overload
    def __call__(
        self,
        /,
        *,
        save: str | os.PathLike[str] | None,
        skip: ExceptionTypes,
        suppress: ExceptionTypes = (),
        retry: int | Retry | None = None,
        retry_exceptions: ExceptionTypes | None = None,
        limit: int | Limit | None = None,
        timeout: float | None = None,
        refresh: timedelta | float | datetime | None = None,
        reads: Reads | None = None,
        level: int | None = None,
        executor: Executor | None = None,
    ) -> SavedMaybe:
        """Turn a function into a task whose value is saved, or that returns None.

        Every call returns what the output holds, or None if a failure is quiet. The body of a
        generator function is streamed to the output; a call returns `Records`, which read it.

        Args:
            save: the output's pattern, as in `"data/{day}.json"`: a path under the flow's `base`.
                `{parameter}` is an argument, with an optional format (`{day:%Y-%m-%d}`); `*` (one at
                most) a hash of all arguments. The suffixes name format and compression.
                `.json` keeps what JSON decodes to its annotation: dataclass, TypedDict, NamedTuple,
                msgspec, attrs, pydantic, dict, list, tuple, scalars and unions of them. `.jsonl`,
                `.ndjson`, `.csv`, `.tsv` and `.parquet` keep a list of records, or what a generator
                yields; `.parquet` a DataFrame or Table, too. Any other keeps `str` or `bytes`.
            skip: exceptions that end a call quietly, with None; the next run tries again.
            suppress: exceptions that end a call quietly, for good; they are recorded in an `.err` file.
            retry: retries after a failing first call (>= 0), or a `Retry` that says how long to wait.
            retry_exceptions: the exceptions to retry; None: every `Exception`.
            limit: bodies at once in the whole process; None: the CPU count; 0: no bound; several tasks may
                share a `Limit`.
            timeout: seconds (> 0) that one call of an async body may take; then TimeoutError.
            refresh: make an output again that is older than this (a timedelta or seconds), or that was made
                before this (a datetime with a time zone).
            reads: what the output is made from, by which it is made again if that is newer: a task, a
                pattern (in which `*` is a glob), or a list of these.
            level: compression: 0 to 9 for `.gz` (default 6), 1 to 22 for `.zst` (default 3).
            executor: runs the body of a sync function elsewhere: any `concurrent.futures.Executor`.

        Raises:
            DefinitionTypeError: an option of the wrong type; the function is not annotated, or with a
                type that the format can't return.
            DefinitionValueError: an option or a pattern with a bad value.
        """
        ...

    @overload
    def __call__(
        self,
        /,
        *,
        save: str | os.PathLike[str] | None,
        suppress: ExceptionTypes,
        retry: int | Retry | None = None,
        retry_exceptions: ExceptionTypes | None = None,
        limit: int | Limit | None = None,
        timeout: float | None = None,
        refresh: timedelta | float | datetime | None = None,
        reads: Reads | None = None,
        level: int | None = None,
        executor: Executor | None = None,
    ) -> SavedMaybe:
        """Turn a function into a task whose value is saved, or that returns None.

        Every call returns what the output holds, or None if a failure is quiet. The body of a
        generator function is streamed to the output; a call returns `Records`, which read it.

        Args:
            save: the output's pattern, as in `"data/{day}.json"`: a path under the flow's `base`.
                `{parameter}` is an argument, with an optional format (`{day:%Y-%m-%d}`); `*` (one at
                most) a hash of all arguments. The suffixes name format and compression.
                `.json` keeps what JSON decodes to its annotation: dataclass, TypedDict, NamedTuple,
                msgspec, attrs, pydantic, dict, list, tuple, scalars and unions of them. `.jsonl`,
                `.ndjson`, `.csv`, `.tsv` and `.parquet` keep a list of records, or what a generator
                yields; `.parquet` a DataFrame or Table, too. Any other keeps `str` or `bytes`.
            suppress: exceptions that end a call for good, with None; they are recorded in an `.err` file.
            retry: retries after a failing first call (>= 0), or a `Retry` that says how long to wait.
            retry_exceptions: the exceptions worth a retry; None: every `Exception`.
            limit: bodies at once in the whole process; None: the CPU count; 0: no bound; a `Limit` may
                be shared by several tasks.
            timeout: seconds (> 0) that one call of an async body may take; then TimeoutError.
            refresh: make an output again that is older than this (a timedelta or seconds), or that was made
                before this (a datetime with a time zone).
            reads: what the output is made from, by which it is made again if that is newer: a task, a
                pattern (in which `*` is a glob), or a list of these.
            level: compression: 0 to 9 for `.gz` (default 6), 1 to 22 for `.zst` (default 3).
            executor: runs the body of a sync function elsewhere: any `concurrent.futures.Executor`.

        Raises:
            DefinitionTypeError: an option of the wrong type; the function is not annotated, or with a
                type that the format can't return.
            DefinitionValueError: an option or a pattern with a bad value.
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
        refresh: timedelta | float | datetime | None = None,
        reads: Reads | None = None,
        level: int | None = None,
        writer: Callable[[ByteStream], Writer[Never]] | None = None,
        executor: Executor | None = None,
    ) -> Writes:
        """Turn a function that writes its output into a task: the output is kept, once and whole.

        The function returns None, and the task has its type. To keep what a function returns, use `save`.

        Args:
            on: the output's pattern, as in `"data/{video_id}.jsonl.zst"`: a path under the flow's `base`.
                `{parameter}` is an argument, with an optional format (`{day:%Y-%m-%d}`); `*` (one at
                most) is a hash of all arguments. The suffixes name format and compression.
            skip: exceptions that end a call quietly; the next run tries again.
            suppress: exceptions that end a call quietly, for good; they are recorded in an `.err` file.
            retry: retries after a failing first call (>= 0), or a `Retry` that says how long to wait.
            retry_exceptions: the exceptions to retry; None: every `Exception`.
            limit: bodies at once in the whole process; None: the CPU count; 0: no bound; several tasks may
                share a `Limit`.
            timeout: seconds (> 0) that one call of an async body may take; then TimeoutError.
            refresh: make an output again that is older than this (a timedelta or seconds), or that was made
                before this (a datetime with a time zone).
            reads: what the output is made from, by which it is made again if that is newer: a task, a
                pattern (in which `*` is a glob), or a list of these.
            level: compression: 0 to 9 for `.gz` (default 6), 1 to 22 for `.zst` (default 3).
            writer: makes the format, instead of the one that the suffix names.
            executor: runs the body of a sync function elsewhere: any `concurrent.futures.Executor`.

        Raises:
            DefinitionTypeError: an option of the wrong type, a generator function, or a function that
                is annotated to return something: use `save`.
            DefinitionValueError: an option or a pattern with a bad value.
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
            suppress: the same, without retries; without an output there is no place to remember it.
            retry: retries after a failing first call (>= 0), or a `Retry` that says how long to wait.
            retry_exceptions: the exceptions worth a retry; None: every `Exception`.
            limit: bodies at once in the whole process; None: the CPU count; 0: no bound; a `Limit` may
                be shared by several tasks.
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
            suppress: exceptions that end a call quietly and are never retried; without an output there is
                no place to remember them, so this holds for the one call.
            retry: retries after a failing first call (>= 0), or a `Retry` that says how long to wait.
            retry_exceptions: the exceptions worth a retry; None: every `Exception`.
            limit: bodies at once in the whole process; None: the CPU count; 0: no bound; a `Limit` may
                be shared by several tasks.
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
        save: str | os.PathLike[str] | None,
        key: Callable[P, str],
        retry: int | Retry | None = None,
        retry_exceptions: ExceptionTypes | None = None,
        limit: int | Limit | None = None,
        timeout: float | None = None,
        refresh: timedelta
        | float
        | datetime
        | Callable[P, timedelta | float | datetime | None]
        | None = None,
        reads: Reads | None = None,
        level: int | None = None,
        executor: Executor | None = None,
    ) -> SavedKeyed[P]:
        """Turn a function into a task whose value is saved where *key* says, and read back with its type.

        Every call returns what the output holds: the first, a later one and one after a crash. The body of a
        generator function is streamed to the output; a call returns `Records`, which read it.

        Args:
            save: the output's pattern, with a `*` that *key* fills, as in `"data/*.json"`.
                `.json` keeps what JSON decodes to its annotation: dataclass, TypedDict, NamedTuple,
                msgspec, attrs, pydantic, dict, list, tuple, scalars and unions of them. `.jsonl`,
                `.ndjson`, `.csv`, `.tsv` and `.parquet` keep a list of records, or what a generator
                yields; `.parquet` a DataFrame or Table, too. Any other keeps `str` or `bytes`.
            key: a function with the task's own parameters that returns the text for `*`.
            retry: retries after a failing first call (>= 0), or a `Retry` that says how long to wait.
            retry_exceptions: the exceptions worth a retry; None: every `Exception`.
            limit: bodies at once in the whole process; None: the CPU count; 0: no bound; a `Limit` may
                be shared by several tasks.
            timeout: seconds (> 0) that one call of an async body may take; then TimeoutError.
            refresh: the same, or a function with the task's own parameters that returns one of these, True
                (make it again), False or None (never).
            reads: what the output is made from, by which it is made again if that is newer: a task, a
                pattern (in which `*` is a glob), or a list of these.
            level: compression: 0 to 9 for `.gz` (default 6), 1 to 22 for `.zst` (default 3).
            executor: runs the body of a sync function elsewhere: any `concurrent.futures.Executor`.

        Raises:
            DefinitionTypeError: an option of the wrong type; the function is not annotated, or with a
                type that the format can't return.
            DefinitionValueError: an option or a pattern with a bad value.
        """
        ...

    @overload
    def __call__(
        self,
        /,
        *,
        save: str | os.PathLike[str] | None,
        key: Callable[P, str],
        skip: ExceptionTypes,
        suppress: ExceptionTypes = (),
        retry: int | Retry | None = None,
        retry_exceptions: ExceptionTypes | None = None,
        limit: int | Limit | None = None,
        timeout: float | None = None,
        refresh: timedelta
        | float
        | datetime
        | Callable[P, timedelta | float | datetime | None]
        | None = None,
        reads: Reads | None = None,
        level: int | None = None,
        executor: Executor | None = None,
    ) -> SavedMaybeKeyed[P]:
        """Turn a function into a task whose value is saved where *key* says, or that returns None.

        Every call returns what the output holds, or None if a failure is quiet. The body of a
        generator function is streamed to the output; a call returns `Records`, which read it.

        Args:
            save: the output's pattern, with a `*` that *key* fills, as in `"data/*.json"`.
                `.json` keeps what JSON decodes to its annotation: dataclass, TypedDict, NamedTuple,
                msgspec, attrs, pydantic, dict, list, tuple, scalars and unions of them. `.jsonl`,
                `.ndjson`, `.csv`, `.tsv` and `.parquet` keep a list of records, or what a generator
                yields; `.parquet` a DataFrame or Table, too. Any other keeps `str` or `bytes`.
            key: a function with the task's own parameters that returns the text for `*`.
            skip: exceptions that end a call quietly, with None; the next run tries again.
            suppress: exceptions that end a call quietly, for good; they are recorded in an `.err` file.
            retry: retries after a failing first call (>= 0), or a `Retry` that says how long to wait.
            retry_exceptions: the exceptions worth a retry; None: every `Exception`.
            limit: bodies at once in the whole process; None: the CPU count; 0: no bound; a `Limit` may
                be shared by several tasks.
            timeout: seconds (> 0) that one call of an async body may take; then TimeoutError.
            refresh: the same, or a function with the task's own parameters that returns one of these, True
                (make it again), False or None (never).
            reads: what the output is made from, by which it is made again if that is newer: a task, a
                pattern (in which `*` is a glob), or a list of these.
            level: compression: 0 to 9 for `.gz` (default 6), 1 to 22 for `.zst` (default 3).
            executor: runs the body of a sync function elsewhere: any `concurrent.futures.Executor`.

        Raises:
            DefinitionTypeError: an option of the wrong type; the function is not annotated, or with a
                type that the format can't return.
            DefinitionValueError: an option or a pattern with a bad value.
        """
        ...

    @overload
    def __call__(
        self,
        /,
        *,
        save: str | os.PathLike[str] | None,
        key: Callable[P, str],
        suppress: ExceptionTypes,
        retry: int | Retry | None = None,
        retry_exceptions: ExceptionTypes | None = None,
        limit: int | Limit | None = None,
        timeout: float | None = None,
        refresh: timedelta
        | float
        | datetime
        | Callable[P, timedelta | float | datetime | None]
        | None = None,
        reads: Reads | None = None,
        level: int | None = None,
        executor: Executor | None = None,
    ) -> SavedMaybeKeyed[P]:
        """Turn a function into a task whose value is saved where *key* says, or that returns None.

        Every call returns what the output holds, or None if a failure is quiet. The body of a
        generator function is streamed to the output; a call returns `Records`, which read it.

        Args:
            save: the output's pattern, with a `*` that *key* fills, as in `"data/*.json"`.
                `.json` keeps what JSON decodes to its annotation: dataclass, TypedDict, NamedTuple,
                msgspec, attrs, pydantic, dict, list, tuple, scalars and unions of them. `.jsonl`,
                `.ndjson`, `.csv`, `.tsv` and `.parquet` keep a list of records, or what a generator
                yields; `.parquet` a DataFrame or Table, too. Any other keeps `str` or `bytes`.
            key: a function with the task's own parameters that returns the text for `*`.
            suppress: exceptions that end a call for good, with None; they are recorded in an `.err` file.
            retry: retries after a failing first call (>= 0), or a `Retry` that says how long to wait.
            retry_exceptions: the exceptions worth a retry; None: every `Exception`.
            limit: bodies at once in the whole process; None: the CPU count; 0: no bound; a `Limit` may
                be shared by several tasks.
            timeout: seconds (> 0) that one call of an async body may take; then TimeoutError.
            refresh: the same, or a function with the task's own parameters that returns one of these, True
                (make it again), False or None (never).
            reads: what the output is made from, by which it is made again if that is newer: a task, a
                pattern (in which `*` is a glob), or a list of these.
            level: compression: 0 to 9 for `.gz` (default 6), 1 to 22 for `.zst` (default 3).
            executor: runs the body of a sync function elsewhere: any `concurrent.futures.Executor`.

        Raises:
            DefinitionTypeError: an option of the wrong type; the function is not annotated, or with a
                type that the format can't return.
            DefinitionValueError: an option or a pattern with a bad value.
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
        refresh: timedelta
        | float
        | datetime
        | Callable[P, timedelta | float | datetime | None]
        | None = None,
        reads: Reads | None = None,
        level: int | None = None,
        writer: Callable[[ByteStream], Writer[Never]] | None = None,
        executor: Executor | None = None,
    ) -> WritesKeyed[P]:
        """Turn a function that writes its output into a task: the output is kept, and *key* names it.

        The function returns None. To keep what a function returns, use `save`.

        Args:
            on: the output's pattern, with a `*` that *key* fills, as in `"data/*.jsonl.zst"`.
            key: a function with the task's own parameters that returns the text for `*`.
            skip: exceptions that end a call quietly; the next run tries again.
            suppress: exceptions that end a call quietly, for good; they are recorded in an `.err` file.
            retry: retries after a failing first call (>= 0), or a `Retry` that says how long to wait.
            retry_exceptions: the exceptions worth a retry; None: every `Exception`.
            limit: bodies at once in the whole process; None: the CPU count; 0: no bound; a `Limit` may
                be shared by several tasks.
            timeout: seconds (> 0) that one call of an async body may take; then TimeoutError.
            refresh: the same, or a function with the task's own parameters that returns one of these, True
                (make it again), False or None (never).
            reads: what the output is made from, by which it is made again if that is newer: a task, a
                pattern (in which `*` is a glob), or a list of these.
            level: compression: 0 to 9 for `.gz` (default 6), 1 to 22 for `.zst` (default 3).
            writer: makes the format, instead of the one that the suffix names.
            executor: runs the body of a sync function elsewhere: any `concurrent.futures.Executor`.

        Raises:
            DefinitionTypeError: an option of the wrong type, a generator function, or a function that
                is annotated to return something: use `save`.
            DefinitionValueError: an option or a pattern with a bad value.
        """
        ...

    @overload
    def __call__(
        self,
        /,
        *,
        save: str | os.PathLike[str] | None,
        refresh: Callable[P, timedelta | float | datetime | None],
        retry: int | Retry | None = None,
        retry_exceptions: ExceptionTypes | None = None,
        limit: int | Limit | None = None,
        timeout: float | None = None,
        reads: Reads | None = None,
        level: int | None = None,
        executor: Executor | None = None,
    ) -> SavedKeyed[P]:
        """Turn a function into a task whose value is saved, and made again when *refresh* says so.

        Every call returns what the output holds: the first, a later one and one after a crash. The body of a
        generator function is streamed to the output; a call returns `Records`, which read it.

        Args:
            save: the output's pattern, as in `"data/{day}.json"`.
                `.json` keeps what JSON decodes to its annotation: dataclass, TypedDict, NamedTuple,
                msgspec, attrs, pydantic, dict, list, tuple, scalars and unions of them. `.jsonl`,
                `.ndjson`, `.csv`, `.tsv` and `.parquet` keep a list of records, or what a generator
                yields; `.parquet` a DataFrame or Table, too. Any other keeps `str` or `bytes`.
            refresh: a function with the task's own parameters. It returns how old an output may be (a
                timedelta or seconds), before which moment it is out of date (a datetime with a time
                zone), True (make it again), False or None (never).
            retry: retries after a failing first call (>= 0), or a `Retry` that says how long to wait.
            retry_exceptions: the exceptions worth a retry; None: every `Exception`.
            limit: bodies at once in the whole process; None: the CPU count; 0: no bound; a `Limit` may
                be shared by several tasks.
            timeout: seconds (> 0) that one call of an async body may take; then TimeoutError.
            reads: what the output is made from, by which it is made again if that is newer: a task, a
                pattern (in which `*` is a glob), or a list of these.
            level: compression: 0 to 9 for `.gz` (default 6), 1 to 22 for `.zst` (default 3).
            executor: runs the body of a sync function elsewhere: any `concurrent.futures.Executor`.

        Raises:
            DefinitionTypeError: an option of the wrong type; the function is not annotated, or with a
                type that the format can't return.
            DefinitionValueError: an option or a pattern with a bad value.
        """
        ...

    @overload
    def __call__(
        self,
        /,
        *,
        save: str | os.PathLike[str] | None,
        refresh: Callable[P, timedelta | float | datetime | None],
        skip: ExceptionTypes,
        suppress: ExceptionTypes = (),
        retry: int | Retry | None = None,
        retry_exceptions: ExceptionTypes | None = None,
        limit: int | Limit | None = None,
        timeout: float | None = None,
        reads: Reads | None = None,
        level: int | None = None,
        executor: Executor | None = None,
    ) -> SavedMaybeKeyed[P]:
        """Turn a function into a task that returns None, or a value that is saved until *refresh* objects.

        Every call returns what the output holds, or None if a failure is quiet. The body of a
        generator function is streamed to the output; a call returns `Records`, which read it.

        Args:
            save: the output's pattern, as in `"data/{day}.json"`.
                `.json` keeps what JSON decodes to its annotation: dataclass, TypedDict, NamedTuple,
                msgspec, attrs, pydantic, dict, list, tuple, scalars and unions of them. `.jsonl`,
                `.ndjson`, `.csv`, `.tsv` and `.parquet` keep a list of records, or what a generator
                yields; `.parquet` a DataFrame or Table, too. Any other keeps `str` or `bytes`.
            refresh: a function with the task's own parameters. It returns how old an output may be (a
                timedelta or seconds), before which moment it is out of date (a datetime with a time
                zone), True (make it again), False or None (never).
            skip: exceptions that end a call quietly, with None; the next run tries again.
            suppress: exceptions that end a call quietly, for good; they are recorded in an `.err` file.
            retry: retries after a failing first call (>= 0), or a `Retry` that says how long to wait.
            retry_exceptions: the exceptions worth a retry; None: every `Exception`.
            limit: bodies at once in the whole process; None: the CPU count; 0: no bound; a `Limit` may
                be shared by several tasks.
            timeout: seconds (> 0) that one call of an async body may take; then TimeoutError.
            reads: what the output is made from, by which it is made again if that is newer: a task, a
                pattern (in which `*` is a glob), or a list of these.
            level: compression: 0 to 9 for `.gz` (default 6), 1 to 22 for `.zst` (default 3).
            executor: runs the body of a sync function elsewhere: any `concurrent.futures.Executor`.

        Raises:
            DefinitionTypeError: an option of the wrong type; the function is not annotated, or with a
                type that the format can't return.
            DefinitionValueError: an option or a pattern with a bad value.
        """
        ...

    @overload
    def __call__(
        self,
        /,
        *,
        save: str | os.PathLike[str] | None,
        refresh: Callable[P, timedelta | float | datetime | None],
        suppress: ExceptionTypes,
        retry: int | Retry | None = None,
        retry_exceptions: ExceptionTypes | None = None,
        limit: int | Limit | None = None,
        timeout: float | None = None,
        reads: Reads | None = None,
        level: int | None = None,
        executor: Executor | None = None,
    ) -> SavedMaybeKeyed[P]:
        """Turn a function into a task that returns None, or a value that is saved until *refresh* objects.

        Every call returns what the output holds, or None if a failure is quiet. The body of a
        generator function is streamed to the output; a call returns `Records`, which read it.

        Args:
            save: the output's pattern, as in `"data/{day}.json"`.
                `.json` keeps what JSON decodes to its annotation: dataclass, TypedDict, NamedTuple,
                msgspec, attrs, pydantic, dict, list, tuple, scalars and unions of them. `.jsonl`,
                `.ndjson`, `.csv`, `.tsv` and `.parquet` keep a list of records, or what a generator
                yields; `.parquet` a DataFrame or Table, too. Any other keeps `str` or `bytes`.
            refresh: a function with the task's own parameters. It returns how old an output may be (a
                timedelta or seconds), before which moment it is out of date (a datetime with a time
                zone), True (make it again), False or None (never).
            suppress: exceptions that end a call for good, with None; they are recorded in an `.err` file.
            retry: retries after a failing first call (>= 0), or a `Retry` that says how long to wait.
            retry_exceptions: the exceptions worth a retry; None: every `Exception`.
            limit: bodies at once in the whole process; None: the CPU count; 0: no bound; a `Limit` may
                be shared by several tasks.
            timeout: seconds (> 0) that one call of an async body may take; then TimeoutError.
            reads: what the output is made from, by which it is made again if that is newer: a task, a
                pattern (in which `*` is a glob), or a list of these.
            level: compression: 0 to 9 for `.gz` (default 6), 1 to 22 for `.zst` (default 3).
            executor: runs the body of a sync function elsewhere: any `concurrent.futures.Executor`.

        Raises:
            DefinitionTypeError: an option of the wrong type; the function is not annotated, or with a
                type that the format can't return.
            DefinitionValueError: an option or a pattern with a bad value.
        """
        ...

    @overload
    def __call__(
        self,
        /,
        *,
        on: str | os.PathLike[str] | None,
        refresh: Callable[P, timedelta | float | datetime | None],
        skip: ExceptionTypes = (),
        suppress: ExceptionTypes = (),
        retry: int | Retry | None = None,
        retry_exceptions: ExceptionTypes | None = None,
        limit: int | Limit | None = None,
        timeout: float | None = None,
        reads: Reads | None = None,
        level: int | None = None,
        writer: Callable[[ByteStream], Writer[Never]] | None = None,
        executor: Executor | None = None,
    ) -> WritesKeyed[P]:
        """Turn a function that writes its output into a task: the output is kept until *refresh* objects.

        The function returns None. To keep what a function returns, use `save`.

        Args:
            on: the output's pattern, as in `"data/{day}.jsonl.zst"`.
            refresh: a function with the task's own parameters. It returns how old an output may be (a
                timedelta or seconds), before which moment it is out of date (a datetime with a time
                zone), True (make it again), False or None (never).
            skip: exceptions that end a call quietly; the next run tries again.
            suppress: exceptions that end a call quietly, for good; they are recorded in an `.err` file.
            retry: retries after a failing first call (>= 0), or a `Retry` that says how long to wait.
            retry_exceptions: the exceptions worth a retry; None: every `Exception`.
            limit: bodies at once in the whole process; None: the CPU count; 0: no bound; a `Limit` may
                be shared by several tasks.
            timeout: seconds (> 0) that one call of an async body may take; then TimeoutError.
            reads: what the output is made from, by which it is made again if that is newer: a task, a
                pattern (in which `*` is a glob), or a list of these.
            level: compression: 0 to 9 for `.gz` (default 6), 1 to 22 for `.zst` (default 3).
            writer: makes the format, instead of the one that the suffix names.
            executor: runs the body of a sync function elsewhere: any `concurrent.futures.Executor`.

        Raises:
            DefinitionTypeError: an option of the wrong type, a generator function, or a function that
                is annotated to return something: use `save`.
            DefinitionValueError: an option or a pattern with a bad value.
        """
        ...

    def __call__(self, func: object = None, /, **options: Any) -> object:
        """Turn a function into a task.

        Args:
            func: the function, if no option is given: `@flow.task`.
            options: `save` to keep what its body returns, or `on` what it writes; `key`, `refresh`, `reads`,
                `level` and `writer` for that output; `skip`, `suppress`, `retry` and `retry_exceptions` for
                its failures; `limit`, `timeout` and `executor` for its calls.

        Raises:
            DefinitionTypeError: an option has the wrong type, or does not exist.
            DefinitionValueError: an option has a bad value.
        """

        def task(func: object, /) -> object:
            def make(subject: Subject) -> tuple[Callable[..., object], TaskDefinition]:
                given = options_from(options, subject)
                if given.reads is not None:
                    from asflow._task.finding import tasks_read

                    given = replace(given, reads=tasks_read(given.reads))
                return define(self._workspace, subject, given)

            try:
                return decorate(func, "@flow.task", make, generators="save" in options)
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
        lines, kind = run.lines, type(data)
        try:
            if lines is None or kind is not dict:
                run.put(data)
                return
            # As `put` of such an output does: see `Lines`.
            encode = lines.encode  # not called as a method, which takes 15 ns longer
            try:
                line = encode(data)
            except lines.encode_errors as error:
                raise lines.refused(data, error) from error
            gathered = lines.gathered
            gathered.append(line)
            if len(gathered) >= lines.batch or len(line) > lines.longest:
                lines.drain()
        except Exception as error:
            write_failed(run, error)
            raise

    def path(self) -> Path:
        """Return a path for the output of the task that is running here, for a library that writes to a path.

            @flow.task(on="sheets/{month}.xlsx")
            def sheet(month: str) -> None:
                table(month).to_excel(flow.task.path())

        The path has the output's file name and leads into a temporary folder, so that no glob of yours finds
        the unfinished file. Nothing is there yet. When the body returns, the file is published as the
        output, byte for byte and as durably as any: for a `.gz` or `.zst` output, the library compresses.
        If the body raises or is cancelled, the file is discarded.

        Returns:
            The path; the same one each time in one attempt.

        Raises:
            NotInTaskError: the caller does not run in a task with `on` (a RuntimeError).
            OutputClosedError: the task has ended or was cancelled (a RuntimeError).
            RecordValueError: the task has written its output with `write` (a ValueError).
            OSError: the temporary folder can't be made.

        After the body, the call raises FileNotFoundError if there is no file, OutputPlaceError if there is a
        folder, and RecordValueError if the file is not compressed as its name says, or has no bytes although
        its format always has some.

        Threads: as `write`.
        """
        from pathlib import Path

        return Path(path_for(_get_run()))

    def write_all(self, records: Iterable[object], /) -> None:
        """Write each of *records* to the output of the task that is running here, in order.

        Records are encoded in batches, so this is quicker than `write` for each of them.

        Args:
            records: any iterable of records; a generator is consumed as it is written, in constant memory.

        Raises:
            RecordTypeError, RecordValueError: as `write`, for the first record that the format refuses; those
                before it have been written.
            NotInTaskError, OutputClosedError, OSError: as `write`.

        Threads: as `write`.
        """
        written_all(_get_run(), records)

    def progress(
        self, description: str | None = None, *, total: float | None = None, unit: str | None = None
    ) -> Progress:
        """Report the running task's progress: a context manager with `advance` and `update`.

            with flow.task.progress("pages", total=12) as progress:
                for page in pages:
                    ...
                    progress.advance()

        Args:
            description: what is being done, shown in the task's line.
            total: units in all, >= 0; None or infinity if unknown.
            unit: what is counted, as in `pages`; `B` for bytes, shown as in `4.1/12.0 MB, 3.2 MB/s`.
        """
        from asflow._task.progress import Progress

        return create(Progress, _running(), description, total, unit)

    def track(
        self,
        items: Iterable[T],
        /,
        description: str | None = None,
        *,
        total: float | None = None,
        unit: str | None = None,
    ) -> Iterator[T]:
        """Iterate over *items*, and show the number done in the task's line.

        Args:
            items: what to iterate over.
            description: what is being done.
            total: the number of items; None: `len(items)`, if it has a length.
            unit: what an item is, as in `pages`.
        """
        from asflow._task.progress import track

        return track(_running(), items, description, total, unit)

    @overload
    def output(
        self, task: Callable[P, Coroutine[Any, Any, R]], /, *args: P.args, **kwargs: P.kwargs
    ) -> Output[R]:
        """Return a handle on the output of the call `task(*args, **kwargs)`, which is not made.

        The handle of a task with `save` has its type: `value()` returns what the task returns.

        Raises:
            TypeError: *task* is not a task with an output, or the arguments are not its own.
        """
        ...

    @overload
    def output(self, task: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> Output[R]:
        """Return a handle on the output of the call `task(*args, **kwargs)`, which is not made.

        The handle of a task with `save` has its type: `value()` returns what the task returns.

        Raises:
            TypeError: *task* is not a task with an output, or the arguments are not its own.
        """
        ...

    def output(self, task: Callable[..., object], /, *args: object, **kwargs: object) -> Output[Any]:
        """Return a handle on the output of the call `task(*args, **kwargs)`, which is not made."""
        definition, bind = self._definition(task, "output")
        output: Output[Any] = bind(definition.plan.output)(*args, **kwargs)
        return output

    def to_thread(
        self, task: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs
    ) -> CoroutineType[object, None, R]:
        """Run the call `task(*args, **kwargs)` of a sync task in a thread, from async code.

        As `asyncio.to_thread`, with the context variables of the caller; but the call waits for its slot and
        its rate on the event loop, so that waiting calls occupy no thread.

        Args:
            task: a task that is not async.
            *args: its arguments.
            **kwargs: its arguments.

        Raises:
            DefinitionTypeError: *task* is async, or not a task (a TypeError).
            Exception: what the call raises.

        Cancellation: a call that waits for its slot is not made. A body that runs can't be stopped: it goes
        on in its thread, keeps its slot until it ends, and what it makes is published.
        """
        definition, bind = self._definition(task, "to_thread")
        if definition.is_async:
            raise DefinitionTypeError(
                f"flow.task.to_thread(): takes a sync task, not the async task {definition.spec.name}(); "
                f"await the task itself"
            )
        from asflow._task.to_thread import in_thread

        call = bind(lambda *args, **kwargs: in_thread(definition, args, kwargs))(*args, **kwargs)
        return cast("CoroutineType[object, None, R]", call)

    # A sync function that returns a coroutine is an async one: it fits both overloads, the first is right.
    @overload
    def make(  # type: ignore[overload-overlap]
        self, task: Callable[P, Coroutine[Any, Any, R]], /, *args: P.args, **kwargs: P.kwargs
    ) -> CoroutineType[object, None, Output[R]]:
        """Find or make the output of the call `task(*args, **kwargs)`, and return its handle, unread.

        For an output that only has to exist. A skipped or suppressed call returns the handle, too: ask its
        `status`.

        Raises:
            TypeError: *task* is not a task with an output, or the arguments are not its own.
            Exception: what the call raises.
        """
        ...

    @overload
    def make(self, task: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> Output[R]:
        """Find or make the output of the call `task(*args, **kwargs)`, and return its handle, unread.

        For an output that only has to exist. A skipped or suppressed call returns the handle, too: ask its
        `status`.

        Raises:
            TypeError: *task* is not a task with an output, or the arguments are not its own.
            Exception: what the call raises.
        """
        ...

    def make(self, task: Callable[..., object], /, *args: object, **kwargs: object) -> object:
        """Find or make the output of the call `task(*args, **kwargs)`, and return its handle, unread."""
        definition, bind = self._definition(task, "make")
        output: Output[Any] = bind(definition.plan.output)(*args, **kwargs)
        made: object = bind(lambda *args, **kwargs: definition.made(output, args, kwargs))(*args, **kwargs)
        return made

    @overload
    def outputs(self, task: Callable[..., Coroutine[Any, Any, R]], /) -> Iterator[Output[R]]:
        """Yield handles on all outputs of *task* that are there, complete ones and suppressed failures.

        They are listed lazily, sorted by name: everything whose name fits the task's pattern.

        Raises:
            TypeError: *task* is not a task with an output.
        """
        ...

    @overload
    def outputs(self, task: Callable[..., R], /) -> Iterator[Output[R]]:
        """Yield handles on all outputs of *task* that are there, complete ones and suppressed failures.

        Lazily and sorted by name. An output counts if its name fits the task's pattern.

        Raises:
            TypeError: *task* is not a task with an output.
        """
        ...

    def outputs(self, task: Callable[..., object], /) -> Iterator[Output[Any]]:
        """Yield handles on all outputs of *task* that are there, complete ones and suppressed failures."""
        definition, _ = self._definition(task, "outputs")
        return definition.plan.outputs()

    @overload
    def map(  # type: ignore[overload-overlap]  # a function whose result is unknown fits the sync ones too
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
        A call that waits for a retry, or whose output is being made elsewhere, is passed over, and finished
        later: at most 10 times the limit at once. A CancelledError that a body raises, although it was not
        cancelled, is a failure: a RuntimeError.

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
    def map(  # type: ignore[overload-overlap]  # a function whose result is unknown fits the sync ones too
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
    ) -> SyncTaskMap[R]:
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
    ) -> SyncTaskMap[Completed[T, R] | Failed[T]]:
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
        from asflow._task.finding import find_for_map
        from asflow._task.mapping import SyncTaskMap, TaskMap
        from asflow._task.workers import Work

        found = find_for_map(task)
        if found is None:
            raise DefinitionTypeError(
                f"flow.task.map(): takes a function under @flow.task, not {short(task)}; "
                "put @flow.task on it, or bind a task's other arguments with functools.partial"
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
        work = Work(
            found,
            items,
            ordered=ordered,
            collect=on_error == "collect",
        )
        kind: type[TaskMap[Any]] = TaskMap if found.definition.is_async else SyncTaskMap
        return create(kind, work, currentframe())

    def _definition(self, task: object, method: str) -> tuple[TaskDefinition, Bind]:
        from asflow._task.finding import find

        found = find(task)
        if found is None:
            options = "" if method == "to_thread" else "(save='...') or (on='...')"
            raise DefinitionTypeError(
                f"flow.task.{method}(): takes a function under @flow.task, not {short(task)}; "
                f"put @flow.task{options} on it"
            )
        return found
