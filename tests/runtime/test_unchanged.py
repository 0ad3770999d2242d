"""What a body raises reaches the caller as the plain function would have raised it: with its own history."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest

from asflow import Flow, Retry
from asflow.sinks import NullSink


class FirstError(Exception):
    pass


class SecondError(Exception):
    pass


class ThirdError(Exception):
    pass


def history(error: BaseException) -> list[str]:
    """The types of *error* and of what was being handled when it was raised; fails on a circle."""
    names: list[str] = []
    link: BaseException | None = error
    while link is not None:
        names.append(type(link).__name__)
        assert len(names) < 10
        link = link.__context__
    return names


@pytest.fixture
def flow(tmp_path: Path) -> Flow:
    return Flow(tmp_path, sink=NullSink())


def raise_c_from_b() -> None:
    try:
        raise SecondError
    except SecondError:
        raise ThirdError  # noqa: B904 - the implicit history is what is looked at


async def raise_c_from_b_async() -> None:
    raise_c_from_b()


OPTIONS: list[dict[str, Any]] = [{}, {"retry": 0}, {"skip": OSError}, {"on": "x.txt"}]


@pytest.mark.parametrize("options", OPTIONS)
def test_a_task_called_while_an_exception_is_handled(flow: Flow, options: dict[str, Any]) -> None:
    task: Any = flow.task(**options)(raise_c_from_b)
    try:
        raise FirstError
    except FirstError:
        with pytest.raises(ThirdError) as caught:
            task()
    assert history(caught.value) == ["ThirdError", "SecondError", "FirstError"]


@pytest.mark.parametrize("options", [*OPTIONS, {"timeout": 10}])
async def test_an_async_task_awaited_while_an_exception_is_handled(
    flow: Flow, options: dict[str, Any]
) -> None:
    task: Any = flow.task(**options)(raise_c_from_b_async)
    try:
        raise FirstError
    except FirstError:
        with pytest.raises(ThirdError) as caught:
            await task()
    assert history(caught.value) == ["ThirdError", "SecondError", "FirstError"]


def test_a_delay_may_raise_the_error_it_was_given(flow: Flow) -> None:
    def give_up(error: Exception, retry: int) -> float:
        raise error

    task = flow.task(retry=Retry(2, delay=give_up))(raise_c_from_b)
    with pytest.raises(ThirdError) as caught:
        task()
    assert history(caught.value) == ["ThirdError", "SecondError"]


def test_a_delay_that_raises_tells_what_for_and_why(flow: Flow) -> None:
    def confused(error: Exception, retry: int) -> float:
        try:
            raise KeyError("retry-after")
        except KeyError:
            raise FirstError  # noqa: B904 - as above

    task = flow.task(retry=Retry(2, delay=confused))(raise_c_from_b)
    with pytest.raises(FirstError) as caught:
        task()
    assert history(caught.value) == ["FirstError", "KeyError", "ThirdError", "SecondError"]


def test_exceptions_are_told_apart_by_what_they_are_not_by_what_they_equal(flow: Flow) -> None:
    class EqualError(Exception):
        def __eq__(self, other: object) -> bool:
            return True

        __hash__ = Exception.__hash__

    def give_up(error: Exception, retry: int) -> float:
        raise EqualError

    @flow.task(retry=Retry(2, delay=give_up))
    def fail() -> None:
        raise FirstError

    with pytest.raises(EqualError) as caught:
        fail()
    assert history(caught.value) == ["EqualError", "FirstError"]


def test_a_failure_that_can_not_be_recorded_is_told_with_its_reason(flow: Flow, tmp_path: Path) -> None:
    @flow.task(on="{name}.txt", suppress=ThirdError)
    def text(name: str) -> None:
        os.mkdir(tmp_path / f"{name}.err")  # in the meantime
        raise_c_from_b()

    with pytest.raises(OSError, match=r"a\.err") as caught:
        text("a")
    assert "ThirdError" in history(caught.value)


def test_a_failure_that_python_can_not_print_is_recorded_by_its_type(flow: Flow) -> None:
    @flow.task(on="{name}.txt", suppress=SyntaxError)
    def text(name: str) -> None:
        raise SyntaxError("odd", ("file", 1, "bad", "text"))  # type: ignore[arg-type]

    text("a")
    recorded = flow.task.output(text, "a").error()
    assert recorded is not None
    assert recorded.rstrip("\n").rpartition("\n")[2] in ("SyntaxError", "SyntaxError: odd")  # 3.14 prints it
    assert "in text" in recorded


def test_a_cancelled_wait_for_an_output_leaves_nothing_behind(flow: Flow) -> None:
    from asflow._runtime import owners

    async def scenario() -> None:
        entered, gate = asyncio.Event(), asyncio.Event()

        @flow.task(on="x.txt", limit=0)
        async def make() -> None:
            entered.set()
            await gate.wait()

        owner = asyncio.create_task(make())
        await entered.wait()
        waiters = [asyncio.create_task(make()) for _ in range(50)]
        for _ in range(3):
            await asyncio.sleep(0)
        (held,) = (reference() for reference in owners._owners.values())
        assert held is not None
        assert len(held.callbacks) == 50
        for waiter in waiters[1:]:
            waiter.cancel()
        await asyncio.gather(*waiters[1:], return_exceptions=True)
        assert len(held.callbacks) == 1
        gate.set()
        await asyncio.gather(owner, waiters[0])

    asyncio.run(scenario())
