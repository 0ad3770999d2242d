"""What the kits say of a promise that is broken."""

from __future__ import annotations

from inspect import isawaitable, iscoroutine

__all__ = ["broken", "expect_no_awaitable"]


def broken(who: str, promise: str) -> AssertionError:
    """Describe that *who* (a store, a writer, a sink) breaks *promise*."""
    return AssertionError(f"the {who} breaks a promise: {promise}")


def expect_no_awaitable(who: str, method: str, answer: object) -> None:
    """Raise an AssertionError if *answer*, from *method* of *who*, is to be awaited: asflow never does."""
    if not isawaitable(answer):
        return
    if iscoroutine(answer):
        answer.close()  # else Python warns that nobody awaited it, after the error that says why
    raise broken(who, f"{method}() is no async function, and returns nothing to await")
