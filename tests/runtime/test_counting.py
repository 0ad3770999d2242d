"""Counts are kept without a lock where there is a GIL: no thread comes between a load and its store."""

from __future__ import annotations

import asyncio
import dis
import sys
import threading
from types import CodeType, FunctionType
from typing import TYPE_CHECKING, Any

import pytest

from asflow import Flow, MemoryStore
from asflow._labels import argument_label, call_label
from asflow._runtime import counted, observing, quick
from asflow.events import Tally
from asflow.sinks import NullSink

if TYPE_CHECKING:
    from collections.abc import Iterator

COUNTS = {name for name in Tally.__slots__ if name not in ("active", "waiting", "lock", "task", "total")}
# Where the interpreter may hand over to another thread, or run a signal handler or finalizer.
CHECKS = ("CALL", "PRECALL", "JUMP_BACKWARD", "RESUME", "SEND", "YIELD", "WITH", "FOR_ITER", "SUBSCR")


def codes(module: Any) -> Iterator[CodeType]:
    found = [value.__code__ for value in vars(module).values() if isinstance(value, FunctionType)]
    while found:
        code = found.pop()
        yield code
        found += [each for each in code.co_consts if isinstance(each, CodeType)]


@pytest.mark.skipif(observing.FREE_THREADED, reason="counts under a lock")
def test_nothing_comes_between_the_load_and_the_store_of_a_count() -> None:
    stores = 0
    for module in (observing, counted, quick):
        for code in codes(module):
            if module is observing and code.co_name == "retrying":
                continue  # under the lock
            steps = list(dis.get_instructions(code))
            for index, step in enumerate(steps):
                if step.opname != "STORE_ATTR" or step.argval not in COUNTS:
                    continue
                loads = [at for at in range(index) if steps[at].opname == "LOAD_ATTR"
                         and steps[at].argval == step.argval]  # fmt: skip
                if not loads:
                    continue
                between = [each.opname for each in steps[loads[-1] + 1 : index]]
                assert not [name for name in between if any(check in name for check in CHECKS)], code
                stores += 1
    assert stores >= 10


@pytest.mark.parametrize("options", [{}, {"retry": 1, "skip": OSError}], ids=["bare", "policies"])
def test_counts_of_many_threads_are_exact(options: dict[str, Any]) -> None:
    flow = Flow(store=MemoryStore(), sink=NullSink())
    decorate: Any = flow.task(limit=100, **options)

    @decorate  # type: ignore[untyped-decorator]
    def work(number: int) -> int:
        return number

    @decorate  # type: ignore[untyped-decorator]
    async def work_async(number: int) -> int:
        return number

    tallies: list[Any] = []

    @flow
    async def pipeline() -> None:
        run = flow.run
        assert run is not None

        def many() -> None:
            for number in range(3000):
                work(number)

        async def many_async() -> None:
            for number in range(3000):
                await work_async(number)

        await asyncio.gather(*(asyncio.to_thread(many) for _ in range(4)), many_async())
        tallies.extend(run.report().tasks)

    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        asyncio.run(pipeline())
    finally:
        sys.setswitchinterval(before)
    assert {task.task.rpartition(".")[2]: (task.calls, task.completed) for task in tallies} == {
        "work": (12_000, 12_000),
        "work_async": (3000, 3000),
    }


def test_a_call_that_raises_is_handed_to_the_engine_as_its_first_attempt() -> None:
    flow = Flow(store=MemoryStore(), sink=NullSink())
    threads = threading.local()

    @flow.task(limit=1, retry=1, retry_exceptions=OSError, skip=KeyError)
    def work(error: type[Exception] | None) -> str:
        run = flow.task.run
        assert run is not None
        threads.attempts = [*getattr(threads, "attempts", []), run.attempt]
        if error is OSError and run.attempt == 2:
            return "again"
        if error is not None:
            raise error("x")
        return "once"

    for error, result, attempts in (
        (None, "once", [1]), (OSError, "again", [1, 2]), (KeyError, None, [1])
    ):  # fmt: skip
        threads.attempts = []
        assert (work(error), threads.attempts) == (result, attempts)
    threads.attempts = []
    with pytest.raises(ValueError, match="x") as caught:
        work(ValueError)
    assert threads.attempts == [1]
    assert caught.value.__context__ is None
    assert work(None) == "once"  # the slot came back


@pytest.mark.parametrize(
    "value",
    [
        1,
        -5,
        10**29,
        10**31,
        10**60,
        "a",
        "it's",
        "'\"",
        "x" * 25,
        "x" * 26,
        "x" * 99,
        "é",
        "\n",
        "",
        True,
        None,
    ],
)
def test_a_short_label_is_the_same_label(value: object) -> None:
    assert argument_label(value) == call_label((value,), {})
