"""What plain and raw nodes share at run time: scheduling a call, binding a method, naming."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Generic, NoReturn, ParamSpec, TypeVar, cast

from asflow._inspect import body_of, name_of, signature_of
from asflow._labels import clean
from asflow._names import Sealed, create
from asflow.dag._calls import Extra, Inputs, close_unstarted, is_awaitable, kind_of, run
from asflow.dag._errors import NoRunningLoopError
from asflow.dag._labels import label_of
from asflow.dag._scheduled import schedule
from asflow.dag._scope import current_group

if TYPE_CHECKING:
    import inspect
    from collections.abc import Callable

    from asflow.dag._calls import Kind
    from asflow.dag._scheduled import NodeTask
    from asflow.dag._scope import NodeGroup

P = ParamSpec("P")
R_co = TypeVar("R_co", covariant=True)


class BaseNode(Generic[P, R_co], metaclass=Sealed):
    """Everything of a node but the types of its calls.

    Made of a function, or of a node: then with that node's function, and *extras* after its dependencies.
    """

    _made_by = "use @task"

    raw = False
    """Whether the body gets finished tasks."""

    def __init__(
        self,
        func: Callable[P, object] | BaseNode[P, object],
        extras: tuple[Extra, ...] = (),
        kind: Kind | None = None,
    ) -> None:
        if isinstance(func, BaseNode):
            extras, kind = (*func._extras, *extras), func._kind
            func = func._func
        self._func: Callable[..., Any] = func
        self._extras: tuple[Extra, ...] = extras
        self._kind: Kind = kind or kind_of(func)
        self._bare = self._kind == "native" and not extras and not self.raw
        self._signature: inspect.Signature | None = None
        if not TYPE_CHECKING:
            self.__wrapped__ = func
        self.__name__: str = name_of(func)
        self.__qualname__: str = str(getattr(func, "__qualname__", None) or self.__name__)
        self.__module__: str = str(getattr(body_of(func), "__module__", __name__))
        self.__doc__ = getattr(func, "__doc__", None)

    if TYPE_CHECKING:

        def __wrapped__(self, *args: P.args, **kwargs: P.kwargs) -> R_co:
            """The function."""
            ...

    @property
    def func(self) -> Callable[P, R_co]:
        """The decorated function, typed by its result: an async one still returns a coroutine."""
        return cast("Callable[P, R_co]", self._func)

    def _bind(self, instance: object | None, owner: type | None = None, /) -> Any:
        """Return the node of a method for *instance*, as the function would be bound."""
        bind = getattr(type(self._func), "__get__", None)
        bound = self._func if bind is None else bind(self._func, instance, owner)
        return self if bound is self._func else create(type(self), bound, self._extras, self._kind)

    def __repr__(self) -> str:
        return clean(f"<{type(self).__name__} {self.__module__}.{self.__qualname__}>")

    def _call(self, /, *args: Any, **kwargs: Any) -> NodeTask[Any]:
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            loop = None
        if loop is None:
            self._refuse_without_loop(args, kwargs)
        group = current_group(loop)
        if self._bare and group is None:
            for value in args:
                if is_awaitable(value):
                    break
            else:
                if not kwargs or not any(map(is_awaitable, kwargs.values())):
                    return schedule(self._func(*args, **kwargs), loop, self.__name__, None)
        return self._schedule(args, kwargs, loop, group)

    if not TYPE_CHECKING:  # the subclasses type them
        __call__, __get__ = _call, _bind

    def _schedule(
        self,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        loop: asyncio.AbstractEventLoop,
        group: NodeGroup | None,
    ) -> NodeTask[Any]:
        """Schedule a call that has something to wait for, or whose scope keeps a record."""
        inputs = Inputs(self.__name__, args, kwargs, raw=self.raw)
        try:
            if group is not None:
                group.refuse_if_closed(self.__name__)
            self._check_arguments(args, kwargs)
            inputs.resolve(loop, group, self._extras)
        except BaseException:
            inputs.cancel_owned()
            close_unstarted((*args, *kwargs.values()))
            raise
        record = None
        if group is not None:
            record = group.record(self.__name__, inputs.seen, label_of(self._func, args, kwargs))
        body = run(self._func, self._kind, inputs, record)
        task = schedule(body, loop, self.__name__, group)
        task.record = record
        task.latch = inputs.latch()
        if inputs.owned:
            task.owned = inputs.owned
        return task

    def _check_arguments(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Raise the TypeError of a wrong call here, at the caller's line, not in the task."""
        if self._kind == "native":
            self._func(*args, **kwargs).close()  # binds the arguments and runs nothing
            return
        if self._signature is None:
            try:
                # Not the wrapped function's: a decorator may pass it more than the caller does.
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
        raise NoRunningLoopError(
            f"task {self.__name__}(): was called without a running event loop; call it in an async function "
            "that asyncio.run() runs (a node that calls others must be async itself)"
        ) from None
