"""`task`: makes a function a node of implicit graphs, on its definition or at the call."""

from __future__ import annotations

from collections.abc import Awaitable  # noqa: TC003 -- read by typing.get_type_hints on a user's side
from types import MethodType
from typing import TYPE_CHECKING, Any, Literal, ParamSpec, Protocol, TypeVar, cast, overload

from asflow._checks import check_flag
from asflow._inspect import name_of, refuse_generators
from asflow._labels import short
from asflow._names import create
from asflow.dag._calls import Extra, close_unstarted, is_awaitable
from asflow.dag._node_base import BaseNode
from asflow.dag._nodes import Node, RawNode
from asflow.errors import DefinitionTypeError

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Coroutine

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")
NodeT_co = TypeVar("NodeT_co", covariant=True)

MISSING: Any = object()
"""No function was passed; None is a value that a user may pass by mistake."""


class BoundOnAccess(Protocol[NodeT_co]):
    """A node made of a class method or static method: access through class or instance returns the node."""

    def __get__(self, instance: object, owner: type | None = None, /) -> NodeT_co:
        """Return the node, bound if the method is."""
        ...


class NodeDecorator(Protocol):
    """What `task()` returns: `task` without options."""

    @overload
    def __call__(self, func: classmethod[Any, P, Coroutine[Any, Any, R]], /) -> BoundOnAccess[Node[P, R]]: ...
    @overload
    def __call__(self, func: Callable[P, Coroutine[Any, Any, R]], /) -> Node[P, R]: ...
    @overload
    def __call__(self, func: Callable[P, asyncio.Future[R]], /) -> Node[P, R]: ...
    @overload
    def __call__(self, func: Callable[P, R], /) -> Node[P, R]: ...


class RawNodeDecorator(Protocol):
    """What `task(raw=True)` returns."""

    @overload
    def __call__(self, func: Callable[P, Coroutine[Any, Any, R]], /) -> RawNode[P, R]: ...
    @overload
    def __call__(self, func: Callable[P, asyncio.Future[R]], /) -> RawNode[P, R]: ...
    @overload
    def __call__(self, func: Callable[P, R], /) -> RawNode[P, R]: ...


@overload
def task(func: Node[P, R], /, *deps: Awaitable[object]) -> Node[P, R]:
    """Return the node with more dependencies that pass no value."""


@overload
def task(func: RawNode[P, R], /, *deps: Awaitable[object]) -> RawNode[P, R]:  # type: ignore[overload-overlap]  # pyright: ignore[reportOverlappingOverload]
    """Return the raw node with more dependencies that pass no value."""


@overload
def task(
    func: classmethod[Any, P, Coroutine[Any, Any, R]], /, *deps: Awaitable[object]
) -> BoundOnAccess[Node[P, R]]:
    """Make an async class method a node."""


@overload
def task(func: Callable[P, Coroutine[Any, Any, R]], /, *deps: Awaitable[object]) -> Node[P, R]:
    """Make an async function a node. It waits for *deps* too, failed or not."""


@overload
def task(func: Callable[P, asyncio.Future[R]], /, *deps: Awaitable[object]) -> Node[P, R]:
    """Make a function that returns a future or task a node of its result."""


@overload
def task(func: Callable[P, R], /, *deps: Awaitable[object]) -> Node[P, R]:
    """Make a function a node that runs in a thread. It waits for *deps* too, failed or not."""


@overload
def task(*, raw: Literal[False] = False) -> NodeDecorator:
    """Return the decorator itself."""


@overload
def task(*, raw: Literal[True]) -> RawNodeDecorator:
    """Return a decorator for functions that take finished tasks instead of their results."""


@overload
def task(
    func: Callable[P, Coroutine[Any, Any, R]], /, *deps: Awaitable[object], raw: Literal[True]
) -> RawNode[P, R]:
    """Make an async function a node that takes finished tasks instead of their results."""


@overload
def task(
    func: Callable[P, asyncio.Future[R]], /, *deps: Awaitable[object], raw: Literal[True]
) -> RawNode[P, R]:
    """Make a function that returns a future or task a node that takes finished tasks."""


@overload
def task(func: Callable[P, R], /, *deps: Awaitable[object], raw: Literal[True]) -> RawNode[P, R]:
    """Make a function a node that takes finished tasks instead of their results, in a thread."""


def task(func: Any = MISSING, /, *deps: Awaitable[object], raw: bool = False) -> Any:
    """Make a function a node of implicit graphs: calling it schedules it and returns its `asyncio.Task`.

    On the definition, `@task`, `@task()` or `@task(raw=True)`, or at the call, `task(function)(...)`.

    Args:
        func: an async function, a function (it will run in a thread), a method, a static or class method, a
            partial or another callable, a function made by `@flow.task`; or a node, to add *deps* to it.
        *deps: awaitables to wait for, failed or not, before the body runs; they pass no value. A
            coroutine among them is started by the first call.
        raw: pass finished tasks instead of their results, so that failures reach the body.

    Returns:
        A `Node`, or a `RawNode` if raw; without *func* a decorator that makes one.

    Raises:
        DefinitionTypeError: *func* isn't callable, or is a generator function; one of *deps* isn't awaitable;
            *raw* is not a bool.
    """
    try:
        check_flag("@task()", "raw", raw)
        if func is MISSING:
            return NewNode(raw)
        extras = tuple(Extra(_checked(dep, func)) for dep in deps)
        node = _node_in(func)
        if node is not None:
            return create(RawNode if raw else type(node), node, extras)
        _check_function(func)
    except DefinitionTypeError as error:
        raise error.with_traceback(None) from error.__cause__  # without the frames below this one
    return create(cast("Any", RawNode if raw else Node), func, extras)


def later(awaitable: Awaitable[T], /) -> T:
    """Return *awaitable* itself, typed as its result.

    For arguments of a node that a checker doesn't accept as awaitables: those by keyword, more than eight
    of them, and those of a function that is generic in its parameter.

        upload(rows, headers=later(fetch_headers()))
    """
    return cast("T", awaitable)


class NewNode:
    """The decorator that `task()` and `task(raw=True)` return."""

    def __init__(self, raw: bool) -> None:
        self._raw = raw

    def __call__(self, func: Any, /) -> Any:
        return cast("Any", task)(func, raw=self._raw)


def _node_in(func: object) -> BaseNode[..., Any] | None:
    """Return *func* if it is a node, or the node that a `classmethod` above it has bound."""
    inner: object = getattr(func, "__func__", None)
    if isinstance(func, MethodType) and isinstance(inner, BaseNode):
        return cast("BaseNode[..., Any]", cast("Any", inner).__get__(func.__self__))
    return cast("BaseNode[..., Any]", func) if isinstance(func, BaseNode) else None


def _checked(dep: object, func: object) -> Awaitable[object]:
    if is_awaitable(dep):
        return cast("Awaitable[object]", dep)
    raise DefinitionTypeError(
        f"task {_name(func)}(): takes awaitables as dependencies, not {short(dep)}; "
        "pass values when you call the node"
    )


def _check_function(func: Any) -> None:
    who = f"task {_name(func)}()"
    if is_awaitable(func):
        close_unstarted((func,))
        raise DefinitionTypeError(
            f"{who}: takes a function, not the awaitable {short(func)}; "
            "pass it to the node's call, or after the function: task(function, awaitable)"
        )
    if not _is_function(func):
        raise DefinitionTypeError(f"{who}: takes a function, not {short(func)}; put @task above a def")
    refuse_generators(who, DefinitionTypeError, "return a list instead", func)


def _is_function(func: object) -> bool:
    return callable(func) or type(func) is classmethod


def _name(func: object) -> str:
    """Return what to call *func* in messages; what has no name is called by its type, as in `<int>`."""
    return name_of(func) if _is_function(func) or hasattr(func, "__name__") else f"<{name_of(func)}>"
