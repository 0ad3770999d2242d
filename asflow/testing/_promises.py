"""How the kits fail: `check_store(): what is wrong; what to do`."""

from __future__ import annotations

from inspect import isawaitable, iscoroutine


def failure(kit: str, problem: str, remedy: str) -> AssertionError:
    """Return the error that *kit* raises for a broken promise."""
    return AssertionError(f"{kit}(): {problem}; {remedy}")


def expect_no_awaitable(kit: str, method: str, result: object) -> None:
    """Raise an AssertionError if *method* returned an awaitable: asflow never awaits it."""
    if not isawaitable(result):
        return
    if iscoroutine(result):
        result.close()  # avoids a RuntimeWarning after the error
    raise failure(kit, f"{method}() returned an awaitable", "write it as a plain function")
