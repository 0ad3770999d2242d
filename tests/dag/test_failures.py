"""Failures, cancellation, and what is reported when no exception is retrieved."""

from __future__ import annotations

import asyncio
import gc
from dataclasses import dataclass
from typing import Any

import pytest

from asflow.dag import task
from asflow.dag._failures import Path


@task
async def give(value: Any) -> Any:
    return value


@task
async def fail(message: str) -> Any:
    raise ValueError(message)


@task
async def middle(value: Any) -> Any:
    return value


@task
async def last(*values: Any) -> Any:
    return values


@pytest.fixture
async def reports() -> Any:
    """What the loop's exception handler receives."""
    loop = asyncio.get_running_loop()
    received: list[dict[str, Any]] = []
    loop.set_exception_handler(lambda loop, context: received.append(context))
    yield received
    loop.set_exception_handler(None)


async def settled() -> None:
    """Let everything that can run do so, then collect what is not referenced."""
    for _ in range(10):
        await asyncio.sleep(0)
    gc.collect()


def notes(error: BaseException | None) -> list[str]:
    return getattr(error, "__notes__", [])


async def test_dependents_fail_with_the_same_object_and_its_path() -> None:
    failed = fail("boom")
    end = last(middle(failed))
    with pytest.raises(ValueError, match="boom") as raised:
        await end
    assert raised.value is failed.exception()
    assert notes(raised.value) == ["asflow graph: fail → middle → last"]


async def test_the_body_of_a_dependent_does_not_run() -> None:
    ran: list[int] = []

    async def body(value: Any) -> None:
        ran.append(value)

    with pytest.raises(ValueError, match="boom"):
        await task(body)(fail("boom"))
    assert not ran


@dataclass(frozen=True)
class FrozenError(Exception):
    code: int


class DeafError(Exception):
    def add_note(self, note: str, /) -> None:
        raise TypeError(note)


@pytest.mark.parametrize("error", [FrozenError(3), DeafError()])
async def test_an_exception_that_takes_no_notes_passes_all_the_same(error: Exception) -> None:
    @task
    async def fails() -> None:
        raise error

    with pytest.raises(type(error)) as raised:
        await last(middle(fails()))
    assert raised.value is error


async def test_shared_dependency_is_noted_once_for_each_path() -> None:
    """A diamond and twins of one name: no note says the same twice."""
    failed = fail("boom")
    twins = [middle(failed), middle(failed)]
    ends = [last(*twins), last(failed)]
    await asyncio.gather(*twins, *ends, return_exceptions=True)
    assert sorted(notes(failed.exception())) == [
        "asflow graph: fail → last",
        "asflow graph: fail → middle → last",
    ]


async def test_notes_and_traceback_stay_bounded() -> None:
    """A thousand dependents in a chain and a thousand beside each other."""
    failed = fail("boom")
    end = middle(failed)
    for _ in range(1000):
        end = middle(end)
    many = []
    for number in range(50):

        async def body(value: Any) -> None: ...

        body.__name__ = f"reader{number}"
        many.append(task(body)(failed))
    await asyncio.gather(end, *many, return_exceptions=True)
    error = failed.exception()
    assert error is not None
    texts = notes(error)
    assert len(texts) <= 9
    assert any("more)" in text and len(text) < 200 for text in texts)
    assert texts[-1] == "(43 more paths in the graph)"
    frames, traceback = 0, error.__traceback__
    while traceback is not None:
        frames, traceback = frames + 1, traceback.tb_next
    assert frames < 10


def test_path_keeps_its_ends() -> None:
    path = Path(("a",))
    for name in "bcdefghijklm":
        path = path.then(name)
    assert str(path) == "a → b → c → d → (5 more) → j → k → l → m"


async def test_fails_at_once_and_cancels_only_what_it_owns() -> None:
    """The other argument still waits: a task goes on, a coroutine of the call is cancelled."""
    gate = asyncio.Event()
    ended: list[str] = []

    async def slow(name: str) -> None:
        try:
            await gate.wait()
        except asyncio.CancelledError:
            ended.append(f"{name} cancelled")
            raise
        ended.append(name)

    shared = task(slow)("shared")
    with pytest.raises(ValueError, match="boom"):
        await last(shared, slow("owned"), fail("boom"))
    await settled()
    assert ended == ["owned cancelled"]
    gate.set()
    await shared
    assert ended == ["owned cancelled", "shared"]


async def test_cancelling_a_dependent_cancels_no_shared_dependency() -> None:
    gate = asyncio.get_running_loop().create_future()
    shared, future = give(gate), asyncio.get_running_loop().create_future()
    first, second = last(shared, future), last(shared)
    await asyncio.sleep(0)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    assert not future.cancelled()
    gate.set_result(3)
    assert await second == (3,)


async def test_cancelled_before_it_started_closes_its_coroutines() -> None:
    async def never() -> None:
        pytest.fail("a cancelled node's coroutine has run")

    running = last(never())
    running.cancel()
    # The coroutine's own task starts first, in the same turn; it must not be left behind either way.
    with pytest.raises((asyncio.CancelledError, pytest.fail.Exception)):
        await running
    await settled()


async def test_a_cancelled_dependency_cancels_its_dependents() -> None:
    gate = asyncio.get_running_loop().create_future()
    waiting = give(gate)
    end = last(middle(waiting))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await end
    assert end.cancelled()


async def test_an_exception_that_is_never_retrieved_is_reported_once(reports: list[dict[str, Any]]) -> None:
    failed = fail("boom")
    many = [last(failed), middle(failed), last(middle(failed), middle(failed))]
    await settled()
    assert not reports
    del failed, many
    await settled()
    assert [str(report["exception"]) for report in reports] == ["boom"]
    assert "(): its exception was never retrieved; await it" in reports[0]["message"]
    assert isinstance(reports[0]["task"], asyncio.Task)


async def test_dropped_at_once_it_is_reported_once_too(reports: list[dict[str, Any]]) -> None:
    last(middle(fail("boom")), middle(fail("other")))
    await settled()
    assert sorted(str(report["exception"]) for report in reports) == ["boom", "other"]


@pytest.mark.parametrize("looked", [0, 1, 2, 3])
async def test_an_exception_that_was_retrieved_is_not_reported(
    looked: int, reports: list[dict[str, Any]]
) -> None:
    """At the origin, at a dependent or at a dependent's dependent: it is one error."""
    failed = fail("boom")
    nodes = [failed, middle(failed), last(middle(failed)), last(failed)]
    with pytest.raises(ValueError, match="boom"):
        await nodes[looked]
    await settled()
    nodes.clear()
    del failed
    await settled()
    assert reports == []


async def test_looked_at_after_the_dependency_has_gone(reports: list[dict[str, Any]]) -> None:
    """The origin is freed: it must leave the report to the nodes that failed with it."""
    with pytest.raises(ValueError, match="boom"):
        await last(middle(fail("boom")))
    await settled()
    assert reports == []


async def test_a_plain_task_that_failed_is_reported_through_its_dependents_once(
    reports: list[dict[str, Any]],
) -> None:
    plain = asyncio.ensure_future(fail.func("boom"))
    pair = [middle(plain), last(plain)]
    await settled()
    del plain, pair
    await settled()
    assert [str(report["exception"]) for report in reports] == ["boom"]


async def test_an_exception_caught_in_a_body_is_retrieved(reports: list[dict[str, Any]]) -> None:
    @task
    async def tolerant() -> str:
        try:
            await fail("boom")
        except ValueError:
            return "fine"
        return "not reached"

    assert await tolerant() == "fine"
    await settled()
    assert reports == []


async def test_raw_that_does_not_look_leaves_the_report(reports: list[dict[str, Any]]) -> None:
    @task(raw=True)
    async def blind(_: Any) -> int:
        return 1

    @task(raw=True)
    async def looks(failed: asyncio.Task[Any]) -> BaseException | None:
        return failed.exception()

    assert isinstance(await looks(fail("seen")), ValueError)
    assert await blind(fail("unseen")) == 1
    await settled()
    assert [str(report["exception"]) for report in reports] == ["unseen"]


async def test_an_extra_dependency_that_fails_is_reported_by_itself(reports: list[dict[str, Any]]) -> None:
    assert await task(give, fail("extra"))(1) == 1
    await settled()
    assert [str(report["exception"]) for report in reports] == ["extra"]


async def test_ten_thousand_dependents_cancelled_at_once() -> None:
    """Leaving a shared dependency costs the same even if thousands wait for it."""
    shared = give(asyncio.get_running_loop().create_future())
    many = [middle(shared) for _ in range(10_000)]
    await asyncio.sleep(0)
    for running in many:
        running.cancel()
    await asyncio.wait(many)
    assert all(running.cancelled() for running in many)
    shared.cancel()


def test_nothing_is_remembered_of_a_failure_when_its_tasks_have_gone() -> None:
    """Also if the traceback's own frames hold the tasks."""
    from asflow.dag import _failures

    async def pipeline() -> None:
        nodes: list[asyncio.Task[Any]] = []

        @task
        async def body() -> None:
            nodes.append(fail("boom"))
            await last(middle(nodes[0]))

        await body()

    before = set(_failures._failures)
    with pytest.raises(ValueError, match="boom"):
        asyncio.run(pipeline())
    gc.collect()
    assert set(_failures._failures) <= before
