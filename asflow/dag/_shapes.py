"""The shapes by which checkers take an awaitable for a positional argument. Nothing here runs.

A node's `func` is matched against functions of one to eight positional parameters. The match shows what
each parameter takes, and so what an awaitable for it must return. All parameters are positional-only, so
that the names of a user's parameters don't matter.
"""

from __future__ import annotations

from typing import ParamSpec, Protocol, TypeVar

P = ParamSpec("P")
R_co = TypeVar("R_co", covariant=True)
A_contra = TypeVar("A_contra", contravariant=True)
B_contra = TypeVar("B_contra", contravariant=True)
C_contra = TypeVar("C_contra", contravariant=True)
D_contra = TypeVar("D_contra", contravariant=True)
E_contra = TypeVar("E_contra", contravariant=True)
F_contra = TypeVar("F_contra", contravariant=True)
G_contra = TypeVar("G_contra", contravariant=True)
H_contra = TypeVar("H_contra", contravariant=True)


class Func(Protocol[P, R_co]):
    """Anything with a function, of any parameters."""

    def __wrapped__(self, *args: P.args, **kwargs: P.kwargs) -> R_co: ...


class F1(Protocol[A_contra, R_co]):
    """Anything with a function that can be called with one positional argument."""

    def __wrapped__(self, a: A_contra, /) -> R_co: ...


class F2(Protocol[A_contra, B_contra, R_co]):
    """Anything with a function that can be called with two positional arguments."""

    def __wrapped__(self, a: A_contra, b: B_contra, /) -> R_co: ...


class F3(Protocol[A_contra, B_contra, C_contra, R_co]):
    """Anything with a function that can be called with three positional arguments."""

    def __wrapped__(self, a: A_contra, b: B_contra, c: C_contra, /) -> R_co: ...


class F4(Protocol[A_contra, B_contra, C_contra, D_contra, R_co]):
    """Anything with a function that can be called with four positional arguments."""

    def __wrapped__(self, a: A_contra, b: B_contra, c: C_contra, d: D_contra, /) -> R_co: ...


class F5(Protocol[A_contra, B_contra, C_contra, D_contra, E_contra, R_co]):
    """Anything with a function that can be called with five positional arguments."""

    def __wrapped__(self, a: A_contra, b: B_contra, c: C_contra, d: D_contra, e: E_contra, /) -> R_co: ...


class F6(Protocol[A_contra, B_contra, C_contra, D_contra, E_contra, F_contra, R_co]):
    """Anything with a function that can be called with six positional arguments."""

    def __wrapped__(
        self, a: A_contra, b: B_contra, c: C_contra, d: D_contra, e: E_contra, f: F_contra, /
    ) -> R_co: ...


class F7(Protocol[A_contra, B_contra, C_contra, D_contra, E_contra, F_contra, G_contra, R_co]):
    """Anything with a function that can be called with seven positional arguments."""

    def __wrapped__(
        self, a: A_contra, b: B_contra, c: C_contra, d: D_contra, e: E_contra, f: F_contra, g: G_contra, /
    ) -> R_co: ...


class F8(Protocol[A_contra, B_contra, C_contra, D_contra, E_contra, F_contra, G_contra, H_contra, R_co]):
    """Anything with a function that can be called with eight positional arguments."""

    def __wrapped__(
        self,
        a: A_contra,
        b: B_contra,
        c: C_contra,
        d: D_contra,
        e: E_contra,
        f: F_contra,
        g: G_contra,
        h: H_contra,
        /,
    ) -> R_co: ...
