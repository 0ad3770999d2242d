"""What plain and raw nodes share at run time: one callable that schedules, binds and names."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Generic, NoReturn, ParamSpec, TypeVar, cast

from asflow._inspect import signature_of
from asflow.dag._calls import Extra, Inputs, close_unstarted, is_awaitable, kind_of, run, underlying
from asflow.dag._errors import NoRunningLoopError
from asflow.dag._scheduled import schedule
from asflow.dag._scope import current_scope

if TYPE_CHECKING:
    import inspect
    from collections.abc import Callable

    from asflow.dag._calls import Kind
    from asflow.dag._scheduled import NodeTask
    from asflow.dag._scope import Scope

__all__ = ["BaseNode"]

P = ParamSpec("P")
R_co = TypeVar("R_co", covariant=True)


class BaseNode(Generic[P, R_co]):
    """Everything of a node but the types of its calls."""

    raw = False
    """Whether the body gets finished tasks."""

    def __init__(
        self,
        func: Callable[P, object],
        extras: tuple[Extra, ...] = (),
        kind: Kind | None = None,
    ) -> None:
        self._func: Callable[..., Any] = func
        self._extras = extras
        self._kind: Kind = kind or kind_of(func)
        self._bare = self._kind == "native" and not extras and not self.raw
        self._signature: inspect.Signature | None = None
        if not TYPE_CHECKING:
            self.__wrapped__ = func
        inner = underlying(func)
        self.__name__: str = str(getattr(func, "__name__", None) or _name_of(func, inner))
        self.__qualname__: str = str(getattr(func, "__qualname__", None) or self.__name__)
        self.__module__: str = str(getattr(inner, "__module__", __name__))
        self.__doc__ = getattr(func, "__doc__", None)

    if TYPE_CHECKING:

        def __wrapped__(self, *args: P.args, **kwargs: P.kwargs) -> R_co:
            """The function."""
            ...

    @property
    def func(self) -> Callable[P, R_co]:
        """The function that was decorated, typed by its result: an async one still returns a coroutine."""
        return cast("Callable[P, R_co]", self._func)

    def bind(self, instance: object | None, owner: type | None = None, /) -> Any:
        """Return the node of a method for *instance*, as the function would be bound."""
        bind = getattr(type(self._func), "__get__", None)
        bound = self._func if bind is None else bind(self._func, instance, owner)
        return self if bound is self._func else type(self)(bound, self._extras, self._kind)

    def extended(self, kind: type[BaseNode[P, R_co]], extras: tuple[Extra, ...]) -> BaseNode[P, R_co]:
        """Return a node of class *kind* with this one's function, and *extras* after its dependencies."""
        return kind(self._func, (*self._extras, *extras), self._kind)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.__module__}.{self.__qualname__}>"

    def call(self, /, *args: Any, **kwargs: Any) -> NodeTask[Any]:
        """Schedule one call. See `Node`."""
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            loop = None
        if loop is None:
            self._refuse_without_loop(args, kwargs)
        scope = current_scope(loop)
        if self._bare and scope is None:
            for value in args:
                if is_awaitable(value):
                    break
            else:
                if not kwargs or not any(map(is_awaitable, kwargs.values())):
                    return schedule(self._func(*args, **kwargs), loop, self.__name__, None)
        return self.schedule_waiting(args, kwargs, loop, scope)

    def schedule_waiting(
        self,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        loop: asyncio.AbstractEventLoop,
        scope: Scope | None,
    ) -> NodeTask[Any]:
        """Schedule a call that has something to wait for, or whose scope keeps a record."""
        inputs = Inputs(args, kwargs, raw=self.raw)
        try:
            if scope is not None:
                scope.refuse_if_closed(self.__name__)
            self._check_arguments(args, kwargs)
            inputs.resolve(loop, scope, self._extras)
        except BaseException:
            inputs.cancel_owned()
            close_unstarted((*args, *kwargs.values()))
            raise
        record = None if scope is None else scope.record(self.__name__, inputs.seen)
        body = run(self._func, self._kind, self.__name__, inputs, record)
        task = schedule(body, loop, self.__name__, scope)
        task.record = record
        task.latch = inputs.latch()
        if inputs.owned:
            task.owned = inputs.owned
        return task

    def _check_arguments(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Raise the TypeError of a wrong call here, at the caller's line, and not in the task."""
        if self._kind == "native":
            self._func(*args, **kwargs).close()  # binds the arguments and runs nothing
            return
        if self._signature is None:
            try:
                # Not the wrapped function's: a decorator may well give it more than the caller does.
                self._signature = signature_of(self._func, follow_wrapped=False)
            except (TypeError, ValueError):
                return
        try:
            self._signature.bind(*args, **kwargs)
        except TypeError as error:
            message = f"{self.__name__}() {error}"
            raise TypeError(message) from None

    def _refuse_without_loop(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> NoReturn:
        close_unstarted((*args, *kwargs.values(), *(extra.awaitable for extra in self._extras)))
        message = (
            f"{self.__name__!r} was called where no event loop runs, so it can't be scheduled. Call it in "
            "an async function that asyncio.run() runs; a node that calls others must be async itself."
        )
        raise NoRunningLoopError(message) from None


def _name_of(func: object, inner: object) -> str:
    """Name a partial after its function, a callable object after its class."""
    name = getattr(inner, "__name__", "__call__")
    return type(func).__name__ if name == "__call__" else str(name)
