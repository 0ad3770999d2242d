"""A sink that counts for Prometheus."""

from __future__ import annotations

import os
import sys
import threading
from typing import TYPE_CHECKING, Any, Literal, final
from weakref import WeakKeyDictionary

from asflow import _forks
from asflow._labels import short
from asflow.errors import DefinitionTypeError
from asflow.sinks._extras import needed

if TYPE_CHECKING:
    from asflow.events import Event, FlowFinished, TaskFinished

_BUCKETS = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0, 3000.0)  # seconds

# A registry takes each name once, and several sinks may share it.
_made: WeakKeyDictionary[object, _Instruments] = WeakKeyDictionary()
_making = _forks.renewed(sys.modules[__name__], "_making", threading.Lock)


@final
class PrometheusSink:
    """Counts calls and flows in a registry of prometheus-client.

    | metric | labels | |
    |---|---|---|
    | `asflow_calls_total` | flow, task, outcome | calls that have ended |
    | `asflow_retries_total` | flow, task | bodies called again |
    | `asflow_body_seconds` | flow, task | histogram: time in the bodies of a call, if any ran |
    | `asflow_wait_seconds` | flow, task | histogram: time that such a call waited |
    | `asflow_running` | flow, task | gauge: bodies that run now |
    | `asflow_output_bytes_total` | flow, task | bytes of published outputs |
    | `asflow_flows_total` | flow, outcome | flows that have ended |
    | `asflow_flow_seconds` | flow | histogram: time that a flow ran |
    | `asflow_flow_last_success_seconds` | flow | gauge: POSIX time of the last flow that returned |

    `flow` is empty for a call outside any flow. Serve the registry with prometheus-client's
    `start_http_server`, push it with its `push_to_gateway`, or, for jobs that cron starts, let the sink write
    *textfile*.

    Threads: `emit` may be called from any thread.
    """

    wants_tasks: Literal["all"] = "all"

    def __init__(self, *, registry: object = None, textfile: str | os.PathLike[str] | None = None) -> None:
        """Make a sink. Sinks with one registry share its metrics.

        Args:
            registry: a `prometheus_client.CollectorRegistry`; None: the global one.
            textfile: a file for the textfile collector of Prometheus' node exporter, replaced at once when
                an outermost flow has ended; None: no file. Its name must end in `.prom` there.

        Raises:
            MissingExtraError: prometheus-client is not installed (extra `prometheus`).
            TypeError: *textfile* is not a path.
        """
        client = needed("PrometheusSink", "prometheus", "prometheus_client", "prometheus-client")
        if not isinstance(textfile, (str, os.PathLike, type(None))):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise DefinitionTypeError(
                f"PrometheusSink(): textfile takes a path, not {short(textfile)}; "
                f"write for example textfile='asflow.prom'"
            )
        self._client = client
        self._registry: Any = client.REGISTRY if registry is None else registry
        self._textfile = None if textfile is None else os.fspath(textfile)
        with _making:
            made = _made.get(self._registry)
            if made is None:
                made = _made[self._registry] = _Instruments(client, self._registry)
        self._made = made
        self._flows: dict[int, str] = {}
        self._running: set[int] = set()

    def __repr__(self) -> str:
        return f"PrometheusSink(textfile={self._textfile!r})" if self._textfile else "PrometheusSink()"

    def emit(self, event: Event, /) -> None:
        """Count *event*.

        Raises:
            OSError: the file can't be written.
        """
        made = self._made
        match event.kind:
            case "flow_started":
                self._flows[event.flow_id] = event.flow
            case "flow_finished":
                self._flow_finished(event)
            case "task_started":
                self._running.add(event.call_id)
                made.running.labels(self._flow_of(event.flow_id), event.task).inc()
            case "task_retrying":
                made.retries.labels(self._flow_of(event.flow_id), event.task).inc()
                self._body_ended(event.call_id, event.flow_id, event.task)
            case "task_finished":
                self._task_finished(event)
            case "task_queued" | "task_waiting" | "task_progressed":
                pass

    def _flow_of(self, flow_id: int | None) -> str:
        return self._flows.get(flow_id or 0, "")

    def _body_ended(self, call_id: int, flow_id: int | None, task: str) -> None:
        if call_id in self._running:
            self._running.discard(call_id)
            self._made.running.labels(self._flow_of(flow_id), task).dec()

    def _task_finished(self, event: TaskFinished) -> None:
        made, flow = self._made, self._flow_of(event.flow_id)
        self._body_ended(event.call_id, event.flow_id, event.task)
        made.calls.labels(flow, event.task, event.outcome).inc()
        if event.seconds > 0:
            made.body.labels(flow, event.task).observe(event.seconds)
            made.wait.labels(flow, event.task).observe(event.waited_seconds)
        if event.size and event.outcome == "completed":
            made.bytes.labels(flow, event.task).inc(event.size)

    def _flow_finished(self, event: FlowFinished) -> None:
        made = self._made
        self._flows.pop(event.flow_id, None)
        made.flows.labels(event.flow, event.outcome).inc()
        made.flow.labels(event.flow).observe(event.seconds)
        if event.outcome == "completed":
            made.success.labels(event.flow).set(event.time)
        if self._textfile is not None and event.parent_id is None:
            self._client.write_to_textfile(self._textfile, self._registry)


class _Instruments:
    """The metrics of one registry."""

    def __init__(self, client: Any, registry: object) -> None:
        task, flow = ("flow", "task"), ("flow",)
        seconds: dict[str, object] = {"registry": registry, "buckets": _BUCKETS}
        counted: dict[str, object] = {"registry": registry}
        self.calls = client.Counter("asflow_calls", "Calls that have ended", (*task, "outcome"), **counted)
        self.retries = client.Counter("asflow_retries", "Bodies called again", task, **counted)
        self.body = client.Histogram("asflow_body_seconds", "Time in the bodies of a call", task, **seconds)
        self.wait = client.Histogram("asflow_wait_seconds", "Time that a call waited", task, **seconds)
        self.running = client.Gauge("asflow_running", "Bodies that run now", task, **counted)
        self.bytes = client.Counter("asflow_output_bytes", "Bytes of published outputs", task, **counted)
        self.flows = client.Counter("asflow_flows", "Flows that have ended", (*flow, "outcome"), **counted)
        self.flow = client.Histogram("asflow_flow_seconds", "Time that a flow ran", flow, **seconds)
        self.success = client.Gauge(
            "asflow_flow_last_success_seconds", "When a flow last returned, in POSIX seconds", flow, **counted
        )
