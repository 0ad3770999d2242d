"""The options that say what a task does on an error: frozen values, validated on creation.

`Retry` is public (`asflow.Retry`); `TaskPolicy` is what the options of `@flow.task` become.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable  # noqa: TC003 - read by typing.get_type_hints(Retry)
from typing import TYPE_CHECKING, cast

from asflow._checks import checked_seconds, clamped
from asflow._labels import short
from asflow.errors import AsflowError, DefinitionTypeError, DefinitionValueError

if TYPE_CHECKING:
    from dataclasses import dataclass
else:
    from asflow._frozen import dataclass


ExceptionTypes = type[BaseException] | tuple[type[BaseException], ...]
"""One exception class, or a tuple of them, as `except` takes it."""


def checked_exceptions(subject: str, what: str, value: object) -> tuple[type[BaseException], ...]:
    """Return *value* as a tuple of exception classes.

    Args:
        subject: what the message begins with, as in `task extract()`.
        what: the option's name.
        value: what was given for it.

    Raises:
        DefinitionTypeError: *value* is neither an exception class nor a tuple of them.
    """
    if isinstance(value, (list, set, frozenset)):
        kind = type(value).__name__  # pyright: ignore[reportUnknownArgumentType] - of any items
        raise DefinitionTypeError(
            f"{subject}: {what} takes an exception class or a tuple of them, not a {kind}; "
            f"write for example {what}=(TimeoutError,)"
        )
    listed = cast("tuple[object, ...]", value) if isinstance(value, tuple) else (value,)
    classes: list[type[BaseException]] = []
    for item in listed:
        if not (isinstance(item, type) and issubclass(item, BaseException)):
            refused = short(item)  # pyright: ignore[reportUnknownArgumentType] - it may be any class
            raise DefinitionTypeError(
                f"{subject}: {what} takes exception classes, not {refused}; "
                f"write for example {what}=(TimeoutError,)"
            )
        classes.append(item)
    return tuple(classes)


def listed(error: BaseException, classes: ExceptionTypes) -> bool:
    """Whether *error* is one of *classes*.

    An error of asflow's own (a misuse, a record that can't be encoded) only counts if one of asflow's own
    classes is listed: `skip=Exception` is about what the user's code meets.
    """
    if not isinstance(error, classes):
        return False
    if not isinstance(error, AsflowError):
        return True
    each = classes if isinstance(classes, tuple) else (classes,)
    return isinstance(error, tuple(kind for kind in each if issubclass(kind, AsflowError)))


@dataclass(frozen=True, slots=True)
class Retry:
    """How often a failing body is called again, and how long to wait before each retry.

    Before retry n = 1, 2, ... the wait is
    `min(max_delay, backoff_factor * 2**(n-1)) + uniform(0, backoff_jitter)` seconds ("exponential
    backoff with jitter"), or what *delay* returns; 10^9 seconds at most. The call holds no slot of its limit
    during the wait.

    Attributes:
        total: retries after the first call, >= 0.
        backoff_factor: seconds before the first retry, >= 0; doubled for each retry after it.
        backoff_jitter: upper bound of the random addition in seconds, >= 0.
        max_delay: upper bound of the doubling part in seconds, >= 0.
        exceptions: the exceptions to retry, matched by isinstance; None is every `Exception`.
        delay: called as `delay(exception, n)`; returns the seconds to wait (>= 0), or None for the
            formula. Use it to honour a Retry-After header. An exception that it raises ends the call.
        hold_limit: True keeps all other calls that share the task's limit from starting during the wait,
            too: a server that says "not before" means all callers.

    Raises:
        DefinitionTypeError: a value has the wrong type.
        DefinitionValueError: a number is negative or not finite.
    """

    total: int = 3
    backoff_factor: float = 1.0
    backoff_jitter: float = 1.0
    max_delay: float = 60.0
    exceptions: ExceptionTypes | None = None
    delay: Callable[[Exception, int], float | None] | None = None
    hold_limit: bool = False

    def __post_init__(self) -> None:
        """Check every field."""
        if isinstance(self.total, bool) or not isinstance(self.total, int):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise DefinitionTypeError(
                f"Retry(): total takes an integer, not {short(self.total)}; write for example total=3"
            )
        if self.total < 0:
            raise DefinitionValueError(
                f"Retry(): total takes 0 or more retries, not {short(self.total)}; write for example total=3"
            )
        for name in ("backoff_factor", "backoff_jitter", "max_delay"):
            checked_seconds("Retry()", name, getattr(self, name))
        if self.exceptions is not None:
            object.__setattr__(
                self, "exceptions", checked_exceptions("Retry()", "exceptions", self.exceptions)
            )
        if self.delay is not None and not callable(self.delay):
            raise DefinitionTypeError(
                f"Retry(): delay takes a function of (exception, n), not {short(self.delay)}; "
                f"let it return the seconds to wait"
            )
        if inspect.iscoroutinefunction(self.delay):
            raise DefinitionTypeError(
                f"Retry(): delay takes a plain function, not the async {short(self.delay)}; "
                f"let it return the seconds to wait"
            )
        if not isinstance(self.hold_limit, bool):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise DefinitionTypeError(
                f"Retry(): hold_limit takes a bool, not {short(self.hold_limit)}; write True or False"
            )

    def matches(self, error: Exception) -> bool:
        """Return whether *error* is to be retried."""
        return listed(error, (Exception,) if self.exceptions is None else self.exceptions)

    def backoff(self, retry: int, draw: float) -> float:
        """Return the seconds to wait before retry number *retry* (1 is the first).

        Args:
            retry: which retry, >= 1.
            draw: a uniform random number, 0 <= draw < 1.
        """
        try:
            doubled = math.ldexp(self.backoff_factor, retry - 1)
        except OverflowError:
            doubled = math.inf
        return clamped(min(self.max_delay, doubled) + draw * self.backoff_jitter)


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskPolicy:
    """What one task does on each event; see the table in `asflow._engine.lifecycle`.

    Attributes:
        persistent: whether the task has an output (`on=`).
        saved: whether an output holds what the body returns (`save=`), which a later call reads back.
        limited: whether a call waits for a slot before its body starts.
        skip: exceptions that end a call quietly; the next run tries again.
        suppress: exceptions that end a call quietly and are recorded.
        retry: when and how often a failing body is called again; None is never.
    """

    persistent: bool = False
    saved: bool = False
    limited: bool = True
    skip: tuple[type[BaseException], ...] = ()
    suppress: tuple[type[BaseException], ...] = ()
    retry: Retry | None = None
