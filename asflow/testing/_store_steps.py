"""Steps and expectations that the checks of a store are made of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, cast

from asflow._labels import short
from asflow.testing._promises import failure

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from asflow.protocols import Claim, OutputStatus, Store

End = Literal["publish", "abort", "fail"]
"""A way in which a claim ends."""

ENDS: tuple[End, ...] = ("publish", "abort", "fail")


def store_failure(problem: str, remedy: str) -> AssertionError:
    return failure("check_store", problem, remedy)


def expect(kept: bool, problem: str, remedy: str) -> None:
    if not kept:
        raise store_failure(problem, remedy)


def expect_returned(call: str, found: object, wanted: object) -> None:
    """Raise an AssertionError unless *call* returned *wanted*; bools are compared by identity."""
    same = found is wanted if isinstance(wanted, bool) else found == wanted
    expect(same, f"{call} returned {short(found)}", f"return {wanted!r}")


def names_in(folder: str, stem: str = "output") -> tuple[str, str]:
    """Return the names of an output and of its failure."""
    return f"{folder}{stem}.txt", f"{folder}{stem}.err"


def take(store: Store, name: str, failure: str, *, replace: bool = False) -> Claim:
    """Claim an output that no other claim holds."""
    claim = store.claim(name, failure, replace=replace)
    if isinstance(claim, str):
        raise store_failure(f"claim() of a free output returned {claim!r}", "return a claim")
    return claim


def finish(claim: Claim, end: End, report: bytes = b"report") -> None:
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
    with store.open(name) as file:
        return file.read()


def expect_content(store: Store, name: str, wanted: bytes, what: str, remedy: str) -> None:
    """Check the bytes of *name*, which the message calls *what*."""
    found = read(store, name)
    expect(found == wanted, f"{what} reads back as {short(found)}, not {short(wanted)}", remedy)


def expect_names(call: str, found: Sequence[str], wanted: Sequence[str]) -> None:
    """Check that a listing holds the names *wanted*, in their order."""
    for name in wanted:
        expect(name in found, f"{call} lacks {name!r}", "yield every output and failure with the prefix")
    for name in found:
        expect(name in wanted, f"{call} yields {name!r}", "yield only what has the prefix and is complete")
    expect(
        list(found) == list(wanted), f"{call} is unsorted or repeats a name", "sort, and yield each name once"
    )


def expect_status(store: Store, name: str, failure: str, wanted: OutputStatus, when: str) -> None:
    """Check the status, and that the optional `is_complete` does not contradict it."""
    expect_returned(f"status() {when}", store.status(name, failure), wanted)
    sure = _is_complete(store, name, when)
    expect(wanted == "complete" or not sure, f"is_complete() {when} returned True", "return False")


def _is_complete(store: Store, name: str, when: str) -> bool:
    look = cast("Callable[[str], object] | None", getattr(store, "is_complete", None))
    if look is None:
        return False
    try:
        found = look(name)
    except Exception as error:
        raise store_failure(
            f"is_complete() {when} raised {error!r}", "return False if it can't know"
        ) from error
    expect(isinstance(found, bool), f"is_complete() {when} returned {short(found)}", "return True or False")
    return found is True


def expect_absent(store: Store, name: str, failure: str, when: str) -> None:
    """Check that neither the output nor its failure exists."""
    expect_status(store, name, failure, "absent", when)
    for each in (name, failure):
        expect_returned(f"info() {when}", store.info(each), None)
        expect_names(f"list() {when}", list(store.list(each)), [])
        try:
            store.open(each).close()
        except FileNotFoundError:
            continue
        raise store_failure(f"open() {when} returned a file", "raise FileNotFoundError")
