"""Spans and metrics, in the SDK's own exporters in memory."""

from __future__ import annotations

import asyncio
import sys
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextvars import copy_context
from typing import TYPE_CHECKING, Any

import pytest

from asflow import Flow, Retry
from asflow.errors import MissingExtraError
from asflow.sinks import OpenTelemetrySink
from asflow.testing import check_sink

if TYPE_CHECKING:
    from pathlib import Path

trace: Any = pytest.importorskip("opentelemetry.trace")
sdk_trace: Any = pytest.importorskip("opentelemetry.sdk.trace")
exporters: Any = pytest.importorskip("opentelemetry.sdk.trace.export")
memory: Any = pytest.importorskip("opentelemetry.sdk.trace.export.in_memory_span_exporter")
sdk_metrics: Any = pytest.importorskip("opentelemetry.sdk.metrics")
readers: Any = pytest.importorskip("opentelemetry.sdk.metrics.export")


class Telemetry:
    """The providers of one test, and what they have received."""

    def __init__(self) -> None:
        self.exporter = memory.InMemorySpanExporter()
        self.tracers = sdk_trace.TracerProvider()
        self.tracers.add_span_processor(exporters.SimpleSpanProcessor(self.exporter))
        self.tracer = self.tracers.get_tracer("test")
        self.reader = readers.InMemoryMetricReader()
        self.meters = sdk_metrics.MeterProvider([self.reader])
        self.sink = OpenTelemetrySink(tracer_provider=self.tracers, meter_provider=self.meters)

    def spans(self) -> dict[str, Any]:
        """The spans that have ended, by name; the last of each name."""
        return {span.name: span for span in self.exporter.get_finished_spans()}

    def named(self, name: str) -> list[Any]:
        return [span for span in self.exporter.get_finished_spans() if span.name == name]

    def parent(self, name: str) -> str | None:
        """The name of a span's parent."""
        span = self.spans()[name]
        if span.parent is None:
            return None
        ids = {each.context.span_id: each.name for each in self.exporter.get_finished_spans()}
        return str(ids[span.parent.span_id])

    def metrics(self) -> dict[str, list[Any]]:
        data = self.reader.get_metrics_data()
        return {
            metric.name: list(metric.data.data_points)
            for resource in data.resource_metrics
            for scope in resource.scope_metrics
            for metric in scope.metrics
        }


@pytest.fixture
def telemetry() -> Telemetry:
    return Telemetry()


def test_the_kit_finds_no_fault(telemetry: Telemetry) -> None:
    def make() -> OpenTelemetrySink:
        return OpenTelemetrySink(tracer_provider=telemetry.tracers, meter_provider=telemetry.meters)

    # In a context of its own: the kit has no bodies, whose contexts end with them.
    copy_context().run(check_sink, make)


def test_what_a_body_does_is_below_its_span(telemetry: Telemetry, tmp_path: Path) -> None:
    flow = Flow(tmp_path, sink=telemetry.sink)

    @flow.task(on="{name}.txt")
    async def get(name: str) -> None:
        with telemetry.tracer.start_as_current_span("GET"):
            await asyncio.sleep(0)
        flow.task.write(name)

    @flow
    async def pipeline() -> None:
        with telemetry.tracer.start_as_current_span("inside"):
            pass
        await asyncio.gather(get("a"), get("b"))

    with telemetry.tracer.start_as_current_span("outer"):
        asyncio.run(pipeline())
        assert trace.get_current_span().name == "outer"
    assert telemetry.parent("flow pipeline") == "outer"
    assert telemetry.parent("inside") == "flow pipeline"
    assert telemetry.parent("task get") == "flow pipeline"
    assert telemetry.parent("GET") == "task get"
    requests = {span.parent.span_id for span in telemetry.named("GET")}
    assert requests == {span.context.span_id for span in telemetry.named("task get")}
    [first, second] = telemetry.named("task get")
    outputs = {first.attributes["asflow.output"], second.attributes["asflow.output"]}
    assert {name.rpartition("/")[2] for name in outputs} == {"a.txt", "b.txt"}
    assert first.attributes["asflow.outcome"] == "completed"
    assert first.attributes["asflow.output.size"] == 1
    assert first.attributes["code.function.name"].endswith("get")
    assert first.attributes["asflow.flow"] == "pipeline"
    asyncio.run(get("a"))
    assert len(telemetry.named("task get")) == 2, "nothing was done, so there is no span"


def test_calls_of_sync_tasks_in_threads_and_of_tasks_in_tasks(telemetry: Telemetry) -> None:
    flow = Flow(sink=telemetry.sink)

    @flow.task
    def inner(n: int) -> int:
        with telemetry.tracer.start_as_current_span("inside"):
            return n

    @flow.task
    async def outer(n: int) -> int:
        return await asyncio.to_thread(inner, n)

    @flow
    def below() -> None:
        inner(1)

    assert asyncio.run(outer(3)) == 3
    assert telemetry.parent("task inner") == "task outer"
    assert telemetry.parent("inside") == "task inner"
    assert telemetry.parent("task outer") is None
    below()
    assert telemetry.parent("task inner") == "flow below"
    with ThreadPoolExecutor(1) as pool:
        flow.task(executor=pool)(inner.__wrapped__)(1)  # type: ignore[attr-defined]
    assert len(telemetry.named("inside")) == 3
    assert telemetry.parent("inside") == "task inner"
    assert not trace.get_current_span().is_recording()


def test_attempts_are_linked_and_a_failed_one_is_an_error(telemetry: Telemetry) -> None:
    flow = Flow(sink=telemetry.sink)
    tries: list[int] = []

    @flow.task(retry=Retry(3, exceptions=ConnectionError, backoff_factor=0, backoff_jitter=0))
    async def get() -> None:
        tries.append(1)
        if len(tries) < 3:
            raise ConnectionError("gone")

    asyncio.run(get())
    first, second, third = telemetry.named("task get")
    assert [span.attributes["asflow.attempt"] for span in (first, second, third)] == [1, 2, 3]
    assert [link.context.span_id for link in second.links] == [first.context.span_id]
    assert [link.context.span_id for link in third.links] == [second.context.span_id]
    assert not first.status.is_ok
    assert "gone" in first.status.description
    assert first.events[0].name == "exception"
    assert third.status.is_ok
    assert third.attributes["asflow.waited_seconds"] >= 0


@pytest.mark.parametrize("outcome", ["failed", "skipped", "cancelled"])
def test_outcomes(telemetry: Telemetry, outcome: str) -> None:
    flow = Flow(sink=telemetry.sink)
    error = {"failed": ValueError, "skipped": LookupError, "cancelled": asyncio.CancelledError}[outcome]

    @flow.task(skip=LookupError)
    async def get() -> None:
        raise error("why")

    @flow
    async def pipeline() -> None:
        await get()

    if outcome == "skipped":
        asyncio.run(pipeline())
    else:
        with pytest.raises(error):
            asyncio.run(pipeline())
    span = telemetry.spans()["task get"]
    assert span.attributes["asflow.outcome"] == outcome
    assert span.status.is_ok == (outcome != "failed")
    assert span.events[0].attributes["exception.message"] == "why"
    whole = telemetry.spans()["flow pipeline"]
    assert whole.attributes["asflow.outcome"] == {"skipped": "completed"}.get(outcome, outcome)


def test_a_timed_out_body_and_one_in_another_process(telemetry: Telemetry, tmp_path: Path) -> None:
    flow = Flow(tmp_path, sink=telemetry.sink)

    @flow.task(timeout=0.01)
    async def hang() -> None:
        await asyncio.Event().wait()

    with pytest.raises(TimeoutError):
        asyncio.run(hang())
    assert telemetry.spans()["task hang"].attributes["asflow.outcome"] == "failed"
    with ProcessPoolExecutor(1) as pool:
        assert flow.task(executor=pool)(abs)(-3) == 3
    assert telemetry.spans()["task abs"].attributes["asflow.outcome"] == "completed"


def test_what_is_left_behind_ends_with_the_sink(telemetry: Telemetry) -> None:
    flow = Flow(sink=telemetry.sink)
    waiting: list[Any] = []

    @flow.task
    async def linger() -> None:
        await asyncio.Event().wait()

    @flow
    async def pipeline() -> None:
        waiting.append(asyncio.ensure_future(linger()))
        await asyncio.sleep(0)

    async def scenario() -> None:
        await pipeline()
        telemetry.sink.close()
        assert [span.name for span in telemetry.named("task linger")] == ["task linger"]

    asyncio.run(scenario())


def test_metrics(telemetry: Telemetry, tmp_path: Path) -> None:
    flow = Flow(tmp_path, sink=telemetry.sink)

    @flow.task(on="{n}.txt", skip=LookupError)
    def write(n: int) -> None:
        if n == 2:
            raise LookupError
        flow.task.write("four")

    @flow
    def pipeline() -> None:
        for n in (0, 1, 2, 0):
            write(n)

    pipeline()
    found = telemetry.metrics()
    calls = {point.attributes["asflow.outcome"]: point.value for point in found["asflow.task.calls"]}
    assert calls == {"completed": 2, "skipped": 1, "cached": 1}
    assert [point.value for point in found["asflow.task.active"]] == [0]
    assert [point.value for point in found["asflow.output.size"]] == [8]
    assert sum(point.count for point in found["asflow.task.duration"]) == 3
    assert [point.attributes["asflow.flow"] for point in found["asflow.flow.duration"]] == ["pipeline"]


def test_without_the_package_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.trace", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'asflow\[opentelemetry\]'"):
        OpenTelemetrySink()
