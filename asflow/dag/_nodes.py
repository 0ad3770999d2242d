"""Nodes as checkers and editors see them: one overload for each number of positional arguments."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, overload

from asflow.dag._node_base import BaseNode

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Awaitable
    from typing import Concatenate, Self

    from asflow.dag import _shapes

P = ParamSpec("P")
Q = ParamSpec("Q")
R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)
S = TypeVar("S")
A = TypeVar("A")
B = TypeVar("B")
C = TypeVar("C")
D = TypeVar("D")
E = TypeVar("E")
F = TypeVar("F")
G = TypeVar("G")
H = TypeVar("H")


class Node(BaseNode[P, R_co]):
    """A function whose calls are nodes of a graph: they schedule at once and return an `asyncio.Task`.

    Any argument - positional, by keyword, in `*args` or `**kwargs` - may be an awaitable of what the
    parameter takes. All are resolved side by side, then the body runs. Awaitables *inside* an argument
    (in a list, say) are passed as they are.

    Args of a call: those of the function. To checkers each positional one may be a value or an awaitable
    of it; for an awaitable by keyword see `later`. A call returns the node's task, named after the function;
    it need not be held or awaited. If a dependency failed, the body doesn't run, and awaiting the task
    raises what the dependency failed with: the same exception object, with the path in a note.

    Raises:
        TypeError: the arguments don't fit the function.
        NoRunningLoopError: no event loop runs in this thread; coroutines among the arguments are closed.
        ScopeClosedError: the scope that the call belongs to has ended, or is cancelling its rest.
        ForeignLoopError: an argument is a pending task or future of another event loop.

    An `async` body runs on the loop, any other in a thread (`asyncio.to_thread`). Cancelling the task
    cancels the coroutines that were given to this call, and no task or future.
    """

    if TYPE_CHECKING:

        @overload
        def __call__(self, /, *args: P.args, **kwargs: P.kwargs) -> asyncio.Task[R_co]:
            """Schedule the function with these arguments."""
            ...

        @overload
        def __call__(self: _shapes.F1[A, R], a: A | Awaitable[A], /) -> asyncio.Task[R]:
            """A value or an awaitable for the parameter."""
            ...

        @overload
        def __call__(
            self: _shapes.F2[A, B, R], a: A | Awaitable[A], b: B | Awaitable[B], /
        ) -> asyncio.Task[R]:
            """A value or an awaitable for each parameter."""
            ...

        @overload
        def __call__(
            self: _shapes.F3[A, B, C, R], a: A | Awaitable[A], b: B | Awaitable[B], c: C | Awaitable[C], /
        ) -> asyncio.Task[R]:
            """A value or an awaitable for each parameter."""
            ...

        @overload
        def __call__(
            self: _shapes.F4[A, B, C, D, R],
            a: A | Awaitable[A],
            b: B | Awaitable[B],
            c: C | Awaitable[C],
            d: D | Awaitable[D],
            /,
        ) -> asyncio.Task[R]:
            """A value or an awaitable for each parameter."""
            ...

        @overload
        def __call__(
            self: _shapes.F5[A, B, C, D, E, R],
            a: A | Awaitable[A],
            b: B | Awaitable[B],
            c: C | Awaitable[C],
            d: D | Awaitable[D],
            e: E | Awaitable[E],
            /,
        ) -> asyncio.Task[R]:
            """A value or an awaitable for each parameter."""
            ...

        @overload
        def __call__(
            self: _shapes.F6[A, B, C, D, E, F, R],
            a: A | Awaitable[A],
            b: B | Awaitable[B],
            c: C | Awaitable[C],
            d: D | Awaitable[D],
            e: E | Awaitable[E],
            f: F | Awaitable[F],
            /,
        ) -> asyncio.Task[R]:
            """A value or an awaitable for each parameter."""
            ...

        @overload
        def __call__(
            self: _shapes.F7[A, B, C, D, E, F, G, R],
            a: A | Awaitable[A],
            b: B | Awaitable[B],
            c: C | Awaitable[C],
            d: D | Awaitable[D],
            e: E | Awaitable[E],
            f: F | Awaitable[F],
            g: G | Awaitable[G],
            /,
        ) -> asyncio.Task[R]:
            """A value or an awaitable for each parameter."""
            ...

        @overload
        def __call__(
            self: _shapes.F8[A, B, C, D, E, F, G, H, R],
            a: A | Awaitable[A],
            b: B | Awaitable[B],
            c: C | Awaitable[C],
            d: D | Awaitable[D],
            e: E | Awaitable[E],
            f: F | Awaitable[F],
            g: G | Awaitable[G],
            h: H | Awaitable[H],
            /,
        ) -> asyncio.Task[R]:
            """A value or an awaitable for each parameter."""
            ...

        def __call__(self, /, *args: Any, **kwargs: Any) -> Any:
            """Schedule one call."""

        @overload
        def __get__(
            self: _shapes.Func[Concatenate[S, Q], R], instance: None, owner: type[S], /
        ) -> Node[P, R_co]: ...

        @overload
        def __get__(
            self: _shapes.Func[Concatenate[type[S], Q], R], instance: object, owner: type[S], /
        ) -> Node[Q, R]: ...

        @overload
        def __get__(self, instance: None, owner: type | None = None, /) -> Self: ...

        @overload
        def __get__(
            self: _shapes.Func[Concatenate[S, Q], R], instance: S, owner: type | None = None, /
        ) -> Node[Q, R]: ...

        @overload
        def __get__(self, instance: object, owner: type | None = None, /) -> Self: ...

        def __get__(self, instance: Any, owner: type | None = None, /) -> Any: ...


class RawNode(BaseNode[P, R_co]):
    """A node whose body gets each argument as a finished `asyncio.Task`, failed and cancelled ones too.

    A plain value arrives as a task that holds it; defaults arrive as they are. Everything else is as for
    `Node`. A failure whose exception the body doesn't retrieve is reported like any other.
    """

    raw = True

    if TYPE_CHECKING:

        @overload
        def __call__(self: _shapes.F1[asyncio.Task[A], R], a: A | Awaitable[A], /) -> asyncio.Task[R]:
            """A value or an awaitable for the parameter."""
            ...

        @overload
        def __call__(
            self: _shapes.F2[asyncio.Task[A], asyncio.Task[B], R], a: A | Awaitable[A], b: B | Awaitable[B], /
        ) -> asyncio.Task[R]:
            """A value or an awaitable for each parameter."""
            ...

        @overload
        def __call__(
            self: _shapes.F3[asyncio.Task[A], asyncio.Task[B], asyncio.Task[C], R],
            a: A | Awaitable[A],
            b: B | Awaitable[B],
            c: C | Awaitable[C],
            /,
        ) -> asyncio.Task[R]:
            """A value or an awaitable for each parameter."""
            ...

        @overload
        def __call__(
            self: _shapes.F4[asyncio.Task[A], asyncio.Task[B], asyncio.Task[C], asyncio.Task[D], R],
            a: A | Awaitable[A],
            b: B | Awaitable[B],
            c: C | Awaitable[C],
            d: D | Awaitable[D],
            /,
        ) -> asyncio.Task[R]:
            """A value or an awaitable for each parameter."""
            ...

        @overload
        def __call__(
            self: _shapes.F5[
                asyncio.Task[A], asyncio.Task[B], asyncio.Task[C], asyncio.Task[D], asyncio.Task[E], R
            ],
            a: A | Awaitable[A],
            b: B | Awaitable[B],
            c: C | Awaitable[C],
            d: D | Awaitable[D],
            e: E | Awaitable[E],
            /,
        ) -> asyncio.Task[R]:
            """A value or an awaitable for each parameter."""
            ...

        @overload
        def __call__(
            self: _shapes.F6[
                asyncio.Task[A],
                asyncio.Task[B],
                asyncio.Task[C],
                asyncio.Task[D],
                asyncio.Task[E],
                asyncio.Task[F],
                R,
            ],
            a: A | Awaitable[A],
            b: B | Awaitable[B],
            c: C | Awaitable[C],
            d: D | Awaitable[D],
            e: E | Awaitable[E],
            f: F | Awaitable[F],
            /,
        ) -> asyncio.Task[R]:
            """A value or an awaitable for each parameter."""
            ...

        @overload
        def __call__(
            self: _shapes.F7[
                asyncio.Task[A],
                asyncio.Task[B],
                asyncio.Task[C],
                asyncio.Task[D],
                asyncio.Task[E],
                asyncio.Task[F],
                asyncio.Task[G],
                R,
            ],
            a: A | Awaitable[A],
            b: B | Awaitable[B],
            c: C | Awaitable[C],
            d: D | Awaitable[D],
            e: E | Awaitable[E],
            f: F | Awaitable[F],
            g: G | Awaitable[G],
            /,
        ) -> asyncio.Task[R]:
            """A value or an awaitable for each parameter."""
            ...

        @overload
        def __call__(
            self: _shapes.F8[
                asyncio.Task[A],
                asyncio.Task[B],
                asyncio.Task[C],
                asyncio.Task[D],
                asyncio.Task[E],
                asyncio.Task[F],
                asyncio.Task[G],
                asyncio.Task[H],
                R,
            ],
            a: A | Awaitable[A],
            b: B | Awaitable[B],
            c: C | Awaitable[C],
            d: D | Awaitable[D],
            e: E | Awaitable[E],
            f: F | Awaitable[F],
            g: G | Awaitable[G],
            h: H | Awaitable[H],
            /,
        ) -> asyncio.Task[R]:
            """A value or an awaitable for each parameter."""
            ...

        @overload
        def __call__(self, /, *args: P.args, **kwargs: P.kwargs) -> asyncio.Task[R_co]:
            """Schedule the function with these arguments."""
            ...

        def __call__(self, /, *args: Any, **kwargs: Any) -> Any:
            """Schedule one call."""

        @overload
        def __get__(
            self: _shapes.Func[Concatenate[S, Q], R], instance: None, owner: type[S], /
        ) -> RawNode[P, R_co]: ...

        @overload
        def __get__(
            self: _shapes.Func[Concatenate[type[S], Q], R], instance: object, owner: type[S], /
        ) -> RawNode[Q, R]: ...

        @overload
        def __get__(self, instance: None, owner: type | None = None, /) -> Self: ...

        @overload
        def __get__(
            self: _shapes.Func[Concatenate[S, Q], R], instance: S, owner: type | None = None, /
        ) -> RawNode[Q, R]: ...

        @overload
        def __get__(self, instance: object, owner: type | None = None, /) -> Self: ...

        def __get__(self, instance: Any, owner: type | None = None, /) -> Any: ...
