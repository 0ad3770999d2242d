"""From the options of `@flow.task` to the values that the engine and the drivers use."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from asflow._checks import checked_seconds
from asflow._engine.policy import Retry, TaskPolicy, checked_exceptions
from asflow._frozen import replace
from asflow._labels import short
from asflow._runtime.limiters import Limiter, task_limiter
from asflow._runtime.limits import (
    Limit,
    checked_total,
    limiter_of,
    limiters_of,
)
from asflow.errors import DefinitionTypeError, DefinitionValueError

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Mapping
    from concurrent.futures import Executor
    from dataclasses import dataclass
    from datetime import datetime, timedelta
    from typing import Never

    from asflow._engine.policy import ExceptionTypes
    from asflow._task.callables import Subject
    from asflow.protocols import ByteStream, Writer
else:
    from asflow._frozen import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskOptions:
    """The options of `@flow.task(...)`, unchecked."""

    on: str | os.PathLike[str] | None = None
    save: str | os.PathLike[str] | None = None
    skip: ExceptionTypes = ()
    suppress: ExceptionTypes = ()
    retry: int | Retry | None = None
    retry_exceptions: ExceptionTypes | None = None
    limit: int | Limit | None = None
    timeout: float | None = None
    key: Callable[..., str] | None = None
    refresh: timedelta | float | datetime | Callable[..., object] | None = None
    reads: tuple[object, ...] | None = None
    level: int | None = None
    writer: Callable[[ByteStream], Writer[Never]] | None = None
    executor: Executor | None = None

    @property
    def pattern(self) -> str | os.PathLike[str] | None:
        """The pattern of the outputs, `on` or `save`."""
        return self.on if self.save is None else self.save


_OLD_OPTIONS = {
    "serializer": "the suffix names the format; for one of your own give writer= or asflow.add_format",
    "compressor": "the suffix .gz or .zst names the compression; its level is level=",
}
"""Options of AsFlow 0.0.x that are spelled otherwise now."""


def options_from(given: Mapping[str, object], subject: Subject) -> TaskOptions:
    """Return the options that were *given*, by name.

    Raises:
        DefinitionTypeError: an option does not exist.
    """
    known = TaskOptions.__annotations__
    for name in given:
        if name not in known:
            from difflib import get_close_matches

            close = [one for one in known if one[:4] == name[:4]] or get_close_matches(name, known, n=1)
            hint = f"did you mean {close[0]!r}?" if close else f"choose from {', '.join(known)}"
            hint = _OLD_OPTIONS.get(name, hint)
            raise DefinitionTypeError(f"task {subject.name}(): has no option {name!r}; {hint}")
    return TaskOptions(**given)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType] - checked one by one later


def policy_for(options: TaskOptions, subject: Subject) -> TaskPolicy:
    """Return the policy: check the options about failures.

    Raises:
        DefinitionTypeError: a value is not an exception class, or not a number.
        DefinitionValueError: a number is negative, or two options say which exceptions to retry.
    """
    who = f"task {subject.name}()"
    skip = checked_exceptions(who, "skip", options.skip)
    suppress = checked_exceptions(who, "suppress", options.suppress)
    retry = _retry_for(options, who)
    unbounded = isinstance(options.limit, int) and options.limit == 0
    return TaskPolicy(
        persistent=options.pattern is not None,
        saved=options.save is not None,
        # Without a bound there is no slot to wait for, but with `hold_limit` another call's retry.
        limited=not unbounded or (retry is not None and retry.hold_limit),
        skip=skip,
        suppress=suppress,
        retry=retry,
    )


def _retry_for(options: TaskOptions, who: str) -> Retry | None:
    retry, exceptions = options.retry, options.retry_exceptions
    if exceptions is not None:
        checked_exceptions(who, "retry_exceptions", exceptions)
    if retry is None:
        if exceptions is not None:
            raise DefinitionValueError(
                f"{who}: retry_exceptions={short(exceptions)} does nothing without retry=...; give both"
            )
        return None
    if not isinstance(retry, Retry):
        retry = Retry(_checked_retries(retry, who))
    elif exceptions is not None and retry.exceptions is not None:
        raise DefinitionValueError(
            f"{who}: retry_exceptions={short(exceptions)} and Retry(exceptions=...) say the same; "
            f"give one of them"
        )
    return retry if exceptions is None else replace(retry, exceptions=exceptions)


def _checked_retries(retry: object, who: str) -> int:
    wrong = (
        f"{who}: retry takes a number of retries or a Retry, not {short(retry)}; write for example retry=3"
    )
    if isinstance(retry, bool) or not isinstance(retry, int):
        raise DefinitionTypeError(wrong)
    if retry < 0:
        raise DefinitionValueError(wrong)
    return retry


def check_limit(options: TaskOptions, subject: Subject) -> None:
    """Check `limit` without touching the limit that earlier decorations of the task share.

    Raises:
        DefinitionTypeError: it is neither a number nor a Limit.
        DefinitionValueError: it is negative.
    """
    if options.limit is not None and not isinstance(options.limit, Limit):
        checked_total(f"task {subject.name}()", "limit", options.limit)


def limit_for(options: TaskOptions, subject: Subject) -> Limiter:
    """Return the limit that was passed, or the task's own. Call `check_limit` first."""
    if isinstance(options.limit, Limit):
        return limiter_of(options.limit)
    # An edited function may change its colour; sync and async callers can't share these slots.
    return task_limiter(None if subject.key is None else (subject.key, subject.is_async), options.limit)


def limits_for(options: TaskOptions, subject: Subject) -> Callable[..., Limiter] | None:
    """Return a function that returns the limit of a call with its arguments; None if all calls have one.

    Raises:
        DefinitionTypeError: the function of the limit has other parameters than the task.
    """
    limits = limiters_of(options.limit) if isinstance(options.limit, Limit) else None
    if limits is None:
        return None
    per, who = limits.per, f"task {subject.name}()"
    if subject.signature is not None:
        from asflow._naming.calling import compile_passing
        from asflow._naming.parameters import check_parameters

        check_parameters("per", per, subject.signature, who)
        per = compile_passing(per, subject.signature, task=subject.qualname)

    def limiter(*args: object, **kwargs: object) -> Limiter:
        value = per(*args, **kwargs)
        try:
            hash(value)
        except TypeError:
            raise TypeError(
                f"{who}: per returned {short(value)}, which can't be hashed; return for example a str"
            ) from None
        return limits.of(value)

    return limiter


def timeout_for(options: TaskOptions, subject: Subject) -> float | None:
    """Check `timeout`.

    Raises:
        DefinitionTypeError: it is not a number, or the function is sync, so it can't be stopped.
        DefinitionValueError: it is not above 0.
    """
    if options.timeout is None:
        return None
    seconds = checked_seconds(f"task {subject.name}()", "timeout", options.timeout, positive=True)
    if not subject.is_async:
        raise DefinitionTypeError(
            f"task {subject.name}(): timeout={short(options.timeout)} needs an `async def`, since nothing "
            f"stops a running sync function; give the timeout to what it calls"
        )
    return seconds


def check_executor(options: TaskOptions, subject: Subject) -> None:
    """Check `executor`.

    Raises:
        DefinitionTypeError: it is not a `concurrent.futures.Executor`, or the function is async.
    """
    if options.executor is None:
        return
    from concurrent.futures import Executor

    if not isinstance(options.executor, Executor):  # pyright: ignore[reportUnnecessaryIsInstance] - users may not check
        raise DefinitionTypeError(
            f"task {subject.name}(): executor takes a concurrent.futures.Executor, not "
            f"{short(options.executor)}; give ProcessPoolExecutor() or Dask's client.get_executor()"
        )
    if subject.is_async:
        raise DefinitionTypeError(
            f"task {subject.name}(): executor={short(options.executor)} needs a plain `def`, since a "
            f"coroutine can't leave its loop; call a sync task with flow.task.map or asyncio.to_thread"
        )


def refuse_without_output(options: TaskOptions, subject: Subject) -> None:
    """Refuse options about an output.

    Raises:
        DefinitionValueError: one was passed.
    """
    for name in ("key", "refresh", "reads", "level", "writer"):
        value = cast("object", getattr(options, name))
        if value is not None:
            raise DefinitionValueError(
                f"task {subject.name}(): {name}={short(value)} is about an output, and it has none; "
                f"give it one with on='...'"
            )
