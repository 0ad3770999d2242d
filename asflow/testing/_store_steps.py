"""Steps that the checks of a store are made of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, cast

from asflow.testing._promises import broken

if TYPE_CHECKING:
    from collections.abc import Callable

    from asflow.protocols import Claim, OutputStatus, Store

__all__ = [
    "ENDS",
    "End",
    "expect",
    "expect_absent",
    "expect_status",
    "finish",
    "names_in",
    "publish",
    "read",
    "take",
]

End = Literal["publish", "abort", "fail"]
"""A way in which a claim ends."""

ENDS: tuple[End, ...] = ("publish", "abort", "fail")


def expect(kept: bool, promise: str) -> None:
    """Raise an AssertionError about *promise* unless it was *kept*."""
    if not kept:
        raise broken("store", promise)


def names_in(folder: str, stem: str = "output") -> tuple[str, str]:
    """Return the names of an output and of its failure."""
    return f"{folder}{stem}.txt", f"{folder}{stem}.err"


def take(store: Store, name: str, failure: str, *, replace: bool = False) -> Claim:
    """Claim what is free."""
    claim = store.claim(name, failure, replace=replace)
    if isinstance(claim, str):
        raise broken("store", f"a free output can be claimed, not {claim!r}")
    return claim


def finish(claim: Claim, end: End, report: bytes = b"report") -> None:
    """End *claim* as *end* says."""
    if end == "fail":
        claim.fail(report)
    elif end == "publish":
        claim.publish()
    else:
        claim.abort()


def publish(store: Store, name: str, failure: str, data: bytes, *, replace: bool = False) -> None:
    """Make an output of *data*."""
    claim = take(store, name, failure, replace=replace)
    claim.write(data)
    claim.publish()


def read(store: Store, name: str) -> bytes:
    """Return the bytes of an output or failure."""
    with store.open(name) as file:
        return file.read()


def expect_status(store: Store, name: str, failure: str, wanted: OutputStatus, when: str) -> None:
    """Check the status, and that the optional `is_complete` is not surer than that."""
    expect(store.status(name, failure) == wanted, f"the status is {wanted!r} {when}")
    sure = _is_complete(store, name, when)
    expect(wanted == "complete" or not sure, f"is_complete() is False {when}")


def _is_complete(store: Store, name: str, when: str) -> bool:
    look = cast("Callable[[str], object] | None", getattr(store, "is_complete", None))
    if look is None:
        return False
    try:
        answer = look(name)
    except Exception as error:
        raise broken("store", f"is_complete() raises nothing {when}, not {error!r}") from error
    expect(isinstance(answer, bool), f"is_complete() returns True or False, not {answer!r}")
    return answer is True


def expect_absent(store: Store, name: str, failure: str, when: str) -> None:
    """Check that neither the output nor its failure is there."""
    expect_status(store, name, failure, "absent", when)
    for each in (name, failure):
        expect(store.info(each) is None, f"info() is None {when}")
        expect(list(store.list(each)) == [], f"list() tells nothing {when}")
        try:
            store.open(each).close()
        except FileNotFoundError:
            continue
        raise broken("store", f"open() raises FileNotFoundError {when}")
