"""The two drivers: the same scenario leads to the same actions, events and outputs in both."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from support.drawing import examples
from support.scripts import ERRORS, BadError, OtherError, Script, policies
from support.tasks import flow_call, limit_of, slots_of

from asflow import Flow, Limit, MemoryStore, Retry
from asflow._engine.lifecycle import State
from asflow._engine.lifecycle import step as real_step
from asflow._engine.policy import TaskPolicy
from asflow._engine.vocabulary import Action, Event
from asflow._runtime import clock, drive_async, drive_sync
from asflow.sinks import NullSink
from asflow.testing import FaultyStore, RecordingSink, fake_clock

STEPS = ("status", "claim", "write", "publish", "abort", "fail")


@dataclass
class Scenario:
    """What a test draws: a policy, what the body does, which steps of the store fail, what is there."""

    policy: TaskPolicy
    script: list[object]
    faults: list[tuple[str, int]]
    there: str
    writes: bool


@dataclass
class Told:
    """What a run leaves behind, without what differs by nature (ids, times)."""

    trace: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    events: list[tuple[str, ...]] = field(default_factory=list[tuple[str, ...]])
    outputs: dict[str, bytes] = field(default_factory=dict[str, bytes])
    result: str = ""
    waits: list[float] = field(default_factory=list[float])
    steps: list[str] = field(default_factory=list[str])
    calls: int = 0


scenarios = st.builds(
    Scenario,
    policy=policies(),
    script=st.lists(st.sampled_from([*ERRORS, "value", None]), min_size=1, max_size=4),
    faults=st.lists(st.tuples(st.sampled_from(STEPS), st.integers(0, 2)), max_size=2),
    there=st.sampled_from(["nothing", "nothing", "output", "failure"]),
    writes=st.booleans(),
)


def options(policy: TaskPolicy) -> dict[str, Any]:
    """Return the options of `@flow.task` that make *policy*."""
    return {
        "save" if policy.saved else "on": "data/{name}.txt" if policy.persistent else None,
        "limit": 2 if policy.limited else 0,
        "skip": policy.skip,
        "suppress": policy.suppress,
        "retry": policy.retry,
    }


RETURNS = pytest.mark.filterwarnings("ignore:.* on= keeps what the body writes")


def play(scenario: Scenario, module: Any, is_async: bool, monkeypatch: pytest.MonkeyPatch) -> Told:
    told, sink, inner = Told(), RecordingSink(), MemoryStore()
    store = FaultyStore(inner)
    if scenario.there != "nothing":
        claim = inner.claim("data/x.txt", "data/x.err")
        assert not isinstance(claim, str)
        claim.publish() if scenario.there == "output" else claim.fail(b"earlier")
    for name, after in scenario.faults:
        faulty: Any = name
        store.fail(faulty, OSError(28, name), after=after)

    def step(policy: TaskPolicy, state: State, event: Event) -> tuple[State, Action]:
        state, action = real_step(policy, state, event)
        told.trace.append((repr(event), repr(action)))
        return state, action

    flow = Flow(store=store, sink=sink)
    decorate: Any = flow.task
    script = Script(scenario.script)
    if scenario.writes and scenario.policy.persistent:
        script.before = lambda: flow.task.write("text")

    def body(name: str) -> Any:
        return script.play()

    async def body_async(name: str) -> Any:
        return await script.play_async()

    body_async.__qualname__ = body.__qualname__  # messages name it
    if scenario.policy.saved:
        body.__annotations__["return"] = body_async.__annotations__["return"] = "str"
    task = decorate(**options(scenario.policy))(body_async if is_async else body)
    with monkeypatch.context() as patch, fake_clock() as fake:
        patch.setattr(module, "step", step)
        patch.setattr(clock, "draw", lambda: 0.25)
        try:
            told.result = repr(asyncio.run(task("x")) if is_async else task("x"))
        except Exception as error:
            told.result = f"raised {error!r}"
    for event in sink.events:
        parts = (
            event.kind,
            getattr(event, "outcome", ""),
            getattr(event, "error", None),
            getattr(event, "attempt", ""),
        )
        told.events.append(tuple(map(repr, parts)))
    told.outputs = {name: inner.open(name).read() for name in inner.list("")}
    for name, data in told.outputs.items():
        if name.endswith(".err"):  # the frames of the two bodies differ
            told.outputs[name] = data.splitlines()[-1]
    # The async driver asks for the size of what it reads.
    told.steps = [step for step in store.steps if step != "info"]
    told.waits, told.calls = fake.waits, script.calls
    slots = limit_of(task).slots
    assert slots is None or len(slots.free) == slots.total
    return told


@RETURNS
@given(scenarios)
@example(Scenario(TaskPolicy(persistent=True, retry=Retry(2)), [BadError, OtherError], [], "nothing", True))
@example(Scenario(TaskPolicy(persistent=True), ["value"], [("publish", 0), ("abort", 0)], "nothing", True))
@example(Scenario(TaskPolicy(persistent=True, saved=True), ["value"], [], "output", False))
@example(Scenario(TaskPolicy(persistent=True, saved=True), ["value"], [("write", 0)], "nothing", False))
@settings(
    max_examples=examples(250),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_both_drivers_do_the_same(monkeypatch: pytest.MonkeyPatch, scenario: Scenario) -> None:
    blocking = play(scenario, drive_sync, False, monkeypatch)
    awaited = play(scenario, drive_async, True, monkeypatch)
    assert blocking == awaited
    policy = scenario.policy
    has_options = policy.persistent or policy.skip or policy.suppress or policy.retry
    if policy.persistent or not has_options:  # otherwise a body that returns needs no decision
        assert bool(blocking.trace) == policy.persistent, "the drivers were really recorded"
    assert blocking.events[-1][0] == "'task_finished'"


@RETURNS
@given(scenarios)
@settings(
    max_examples=examples(150),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_the_events_of_a_call_come_in_order(monkeypatch: pytest.MonkeyPatch, scenario: Scenario) -> None:
    """Queued, (started, retrying)*, started, finished; no start where the output or failure was there."""
    kinds = [event[0].strip("'") for event in play(scenario, drive_sync, False, monkeypatch).events]
    assert kinds[0] == "task_queued"
    assert kinds[-1] == "task_finished"
    middle = kinds[1:-1]
    for index, kind in enumerate(middle):
        before = middle[index - 1] if index else "task_retrying"
        assert (kind, before) in {("task_started", "task_retrying"), ("task_retrying", "task_started")}


@RETURNS
@given(scenarios.filter(lambda scenario: not scenario.faults))
@settings(
    max_examples=examples(150),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_the_shortcuts_do_what_the_drivers_do(scenario: Scenario) -> None:
    """With nobody listening a call may take a shortcut: same result, outputs and counts in its flow."""

    def run(sink: Any) -> tuple[object, ...]:
        store = MemoryStore()
        if scenario.there != "nothing":
            claim = store.claim("data/x.txt", "data/x.err")
            assert not isinstance(claim, str)
            claim.publish() if scenario.there == "output" else claim.fail(b"earlier")
        flow = Flow(store=store, sink=sink)
        decorate: Any = flow.task
        script = Script(scenario.script)

        def body(name: str) -> Any:
            return script.play()

        if scenario.policy.saved:
            body.__annotations__["return"] = "str"
        task = decorate(**options(scenario.policy))(body)
        tallies: list[Any] = []

        @flow
        def pipeline() -> object:
            tallies.append(flow_call().tallies)
            return task("x")

        with fake_clock():
            try:
                result = repr(pipeline())
            except Exception as error:
                result = f"raised {error!r}"
        (counts,) = tallies[0].values()
        names = ("queued", "completed", "cached", "skipped", "suppressed", "failed", "retries", "active")
        return result, list(store.list("")), script.calls, [getattr(counts, name) for name in names]

    assert run(NullSink()) == run(RecordingSink())


# ------------------------------------------------------------------ what is no Exception

NO_EXCEPTIONS = (asyncio.CancelledError, KeyboardInterrupt, SystemExit, GeneratorExit)


@pytest.mark.parametrize("error", NO_EXCEPTIONS)
@pytest.mark.parametrize("option", ["skip", "suppress", "retry_exceptions"])
def test_what_is_no_exception_passes_even_where_it_is_listed(option: str, error: type[BaseException]) -> None:
    store, sink = MemoryStore(), RecordingSink()
    flow = Flow(store=store, sink=sink)
    decorate: Any = flow.task
    more = {"retry": 3} if option == "retry_exceptions" else {}
    thrown = error()
    script = Script([thrown], before=lambda: flow.task.write("half"))

    def body() -> object:
        return script.play()

    work = decorate(on="x.txt", limit=1, **{option: (BaseException, error)}, **more)(body)

    with pytest.raises(error) as caught:
        work()
    assert caught.value is thrown
    assert script.calls == 1
    assert list(store.list("")) == []
    assert sink.outcomes() == ["cancelled"]
    claim = store.claim("x.txt", "x.err")
    assert not isinstance(claim, str)
    claim.abort()
    assert len(slots_of(work).free) == 1


@pytest.mark.parametrize("error", [asyncio.CancelledError, KeyboardInterrupt])
async def test_the_same_in_an_async_task(error: type[BaseException]) -> None:
    store, sink = MemoryStore(), RecordingSink()
    flow = Flow(store=store, sink=sink)
    thrown = error()
    script = Script([thrown], before=lambda: flow.task.write("half"))

    @flow.task(on="x.txt", limit=Limit(1), skip=BaseException, suppress=BaseException)
    async def work() -> None:
        await script.play_async()

    call: Callable[[], Any] = work
    coro = call()
    with pytest.raises(error) as caught:
        await coro
    assert caught.value is thrown
    assert list(store.list("")) == []
    assert sink.outcomes() == ["cancelled"]
