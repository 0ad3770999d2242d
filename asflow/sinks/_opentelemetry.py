"""A sink that makes OpenTelemetry spans and metrics."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, NamedTuple, final

from asflow._labels import error_line
from asflow._tracebacks import text_of
from asflow.sinks._extras import needed

if TYPE_CHECKING:
    from asflow.events import (
        Event,
        FlowFinished,
        FlowStarted,
        TaskFinished,
        TaskRetrying,
        TaskStarted,
    )

_NAME = "asflow"


class _Open(NamedTuple):
    """A span that has not ended.

    Attributes:
        span: the span.
        context: the OpenTelemetry context that has it as its current span.
        token: undoes that `context` is the current one.
    """

    span: Any
    context: Any
    token: Any


@final
class OpenTelemetrySink:
    """Makes a span of each flow and of each attempt of a call, and counts calls as metrics.

    Spans: a flow's is the child of the span that is current where it is called. An attempt's is the child of
    the calling task's, of the flow's, or, outside any flow, of the current one. It is current while the body
    runs, so that the spans of a client that the body uses are its children. The attempts of a call are
    linked, each to the one before it. A call whose body doesn't run (its output exists) has no span.
    Names: `flow NAME` and `task NAME`. Attributes: `code.function.name`, and with the prefix `asflow.`:
    `run_id`, `flow`, `task`, `label`, `attempt`, `outcome`, `output`, `output.size`, `output.records`,
    `waited_seconds`. A span of an attempt that raised has the exception as an event; its status is an error
    if the call or flow failed or is tried again.

    Metrics: `asflow.task.calls` (ended calls) and `asflow.task.retries`; `asflow.task.duration` and
    `asflow.task.wait`, histograms in seconds, of calls whose bodies ran; `asflow.task.active`, running
    bodies; `asflow.output.size`, published bytes; `asflow.flow.duration`. All have `asflow.task` or
    `asflow.flow`; those of ended calls and flows have `asflow.outcome` too.

    The names follow OpenTelemetry's semantic conventions where there is one
    (https://opentelemetry.io/docs/specs/semconv/attributes-registry/code/).

    Threads: `emit` may be called from any thread. With `executor=`, a body in another process has no span of
    its own there.
    """

    wants_tasks: Literal["all"] = "all"

    def __init__(self, *, tracer_provider: object = None, meter_provider: object = None) -> None:
        """Make a sink.

        Args:
            tracer_provider: where spans go, an `opentelemetry.trace.TracerProvider`; None: the global one.
            meter_provider: where metrics go, an `opentelemetry.metrics.MeterProvider`; None: the global one.

        Raises:
            MissingExtraError: opentelemetry-api is not installed (extra `opentelemetry`).
        """
        package = "opentelemetry-api"
        self._trace = needed("OpenTelemetrySink", "opentelemetry", "opentelemetry.trace", package)
        self._context = needed("OpenTelemetrySink", "opentelemetry", "opentelemetry.context", package)
        metrics = needed("OpenTelemetrySink", "opentelemetry", "opentelemetry.metrics", package)
        self._tracer = self._trace.get_tracer(_NAME, tracer_provider=tracer_provider)
        self._metrics = _Metrics(metrics.get_meter(_NAME, meter_provider=meter_provider))
        self._flows: dict[int, _Open] = {}
        self._attempts: dict[int, _Open] = {}
        self._earlier: dict[int, Any] = {}
        self._named: dict[int, str] = {}

    def __repr__(self) -> str:
        return "OpenTelemetrySink()"

    def emit(self, event: Event, /) -> None:
        """Begin or end a span, and count."""
        match event.kind:
            case "flow_started":
                self._flow_started(event)
            case "flow_finished":
                self._flow_finished(event)
            case "task_started":
                self._task_started(event)
            case "task_retrying":
                self._metrics.retried(event)
                self._attempt_failed(event)
            case "task_finished":
                self._metrics.finished(event)
                self._task_finished(event)
            case "task_queued" | "task_waiting" | "task_progressed":
                pass

    def close(self) -> None:
        """End the spans that are left: of calls that their flow did not wait for."""
        for spans in (self._attempts, self._flows):
            while spans:
                spans.popitem()[1].span.end()

    # ---------------------------------------------------------------- flows

    def _flow_started(self, event: FlowStarted) -> None:
        above = self._attempts.get(event.parent_call_id or 0) or self._flows.get(event.parent_id or 0)
        attributes = {"code.function.name": event.qualname or event.flow, "asflow.flow": event.flow}
        attributes |= {"asflow.label": event.label, "asflow.run_id": event.run_id}
        self._named[event.flow_id] = event.flow
        self._flows[event.flow_id] = self._open(f"flow {event.flow}", event, above, attributes)

    def _flow_finished(self, event: FlowFinished) -> None:
        self._named.pop(event.flow_id, None)
        self._metrics.flow_finished(event)
        opened = self._flows.pop(event.flow_id, None)
        if opened is not None:
            opened.span.set_attribute("asflow.outcome", event.outcome)
            self._close(opened, event, event.error, is_error=event.outcome == "failed")

    # ---------------------------------------------------------------- calls

    def _task_started(self, event: TaskStarted) -> None:
        above = self._attempts.get(event.parent_id or 0) or self._flows.get(event.flow_id or 0)
        attributes: dict[str, object] = {
            "code.function.name": event.qualname or event.task,
            "asflow.task": event.task,
            "asflow.label": event.label,
            "asflow.run_id": event.run_id,
            "asflow.attempt": event.attempt,
        }
        if event.flow_id in self._named:
            attributes["asflow.flow"] = self._named[event.flow_id]
        earlier = self._earlier.pop(event.call_id, None)
        links = [] if earlier is None else [self._trace.Link(earlier)]
        self._attempts[event.call_id] = self._open(f"task {event.task}", event, above, attributes, links)
        self._metrics.started(event)

    def _attempt_failed(self, event: TaskRetrying) -> None:
        opened = self._attempts.pop(event.call_id, None)
        if opened is None:
            return
        self._earlier[event.call_id] = opened.span.get_span_context()
        opened.span.set_attribute("asflow.outcome", "retried")
        self._close(opened, event, event.error, is_error=True)
        self._metrics.body_ended(event)

    def _task_finished(self, event: TaskFinished) -> None:
        self._earlier.pop(event.call_id, None)  # left if the call was cancelled while it waited
        opened = self._attempts.pop(event.call_id, None)
        if opened is None:
            return
        self._metrics.body_ended(event)
        found: dict[str, object] = {
            "asflow.outcome": event.outcome,
            "asflow.waited_seconds": event.waited_seconds,
            "asflow.output": event.output,
            "asflow.output.size": event.size,
            "asflow.output.records": event.records,
        }
        opened.span.set_attributes({name: value for name, value in found.items() if value is not None})
        self._close(opened, event, event.error, is_error=event.outcome == "failed")

    # ---------------------------------------------------------------- spans

    def _open(
        self, name: str, event: Event, above: _Open | None, attributes: object, links: object = ()
    ) -> _Open:
        context = self._context.get_current() if above is None else above.context
        span = self._tracer.start_span(
            name, context, attributes=attributes, links=links, start_time=_nanoseconds(event)
        )
        context = self._trace.set_span_in_context(span, context)
        return _Open(span, context, self._context.attach(context))

    def _close(self, opened: _Open, event: Event, error: BaseException | None, *, is_error: bool) -> None:
        if error is not None:
            opened.span.add_event("exception", _exception(error), _nanoseconds(event))
        if is_error:
            text = None if error is None else error_line(error)
            opened.span.set_status(self._trace.Status(self._trace.StatusCode.ERROR, text))
        opened.span.end(_nanoseconds(event))
        # Elsewhere than in the body's own context (a generator that is closed late) there is nothing to undo.
        if self._context.get_current() is opened.context:
            self._context.detach(opened.token)


def _exception(error: BaseException) -> dict[str, str]:
    """Return what the span's own `record_exception` would, clean and cut, and also if str(error) raises.

    Source: https://opentelemetry.io/docs/specs/semconv/exceptions/exceptions-spans/
    """
    kind, module = type(error).__qualname__, type(error).__module__
    return {
        "exception.type": kind if module == "builtins" else f"{module}.{kind}",
        "exception.message": error_line(error, 1000).removeprefix(f"{type(error).__name__}: "),
        "exception.stacktrace": text_of(error),
    }


def _nanoseconds(event: Event) -> int:
    return int(event.time * 1e9)


class _Metrics:
    """The instruments, and what is counted when."""

    def __init__(self, meter: Any) -> None:
        self._calls = meter.create_counter("asflow.task.calls", "{call}", "Calls of a task that have ended")
        self._retries = meter.create_counter("asflow.task.retries", "{retry}", "Bodies called again")
        self._seconds = meter.create_histogram("asflow.task.duration", "s", "Time in the bodies of a call")
        self._waits = meter.create_histogram("asflow.task.wait", "s", "Time that a call waited")
        self._active = meter.create_up_down_counter("asflow.task.active", "{call}", "Bodies that run")
        self._bytes = meter.create_counter("asflow.output.size", "By", "Bytes of published outputs")
        self._flows = meter.create_histogram("asflow.flow.duration", "s", "Time that a flow ran")

    def started(self, event: TaskStarted) -> None:
        self._active.add(1, {"asflow.task": event.task})

    def body_ended(self, event: TaskRetrying | TaskFinished) -> None:
        self._active.add(-1, {"asflow.task": event.task})

    def retried(self, event: TaskRetrying) -> None:
        self._retries.add(1, {"asflow.task": event.task})

    def finished(self, event: TaskFinished) -> None:
        kind = {"asflow.task": event.task, "asflow.outcome": event.outcome}
        self._calls.add(1, kind)
        if event.seconds > 0:
            self._seconds.record(event.seconds, kind)
            self._waits.record(event.waited_seconds, kind)
        if event.size and event.outcome == "completed":
            self._bytes.add(event.size, {"asflow.task": event.task})

    def flow_finished(self, event: FlowFinished) -> None:
        self._flows.record(event.seconds, {"asflow.flow": event.flow, "asflow.outcome": event.outcome})
