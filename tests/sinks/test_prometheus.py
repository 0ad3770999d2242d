"""Metrics, in a registry of prometheus-client."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import pytest

from asflow import Flow, Retry
from asflow.errors import MissingExtraError
from asflow.sinks import PrometheusSink
from asflow.testing import check_sink

if TYPE_CHECKING:
    from pathlib import Path

client: Any = pytest.importorskip("prometheus_client")


@pytest.fixture
def registry() -> Any:
    return client.CollectorRegistry()


def test_the_kit_finds_no_fault(registry: Any) -> None:
    check_sink(lambda: PrometheusSink(registry=registry))


def run(flow: Flow) -> None:
    tries: list[int] = []

    @flow.task(
        on="{n}.txt", skip=LookupError, retry=Retry(1, exceptions=OSError, backoff_factor=0, backoff_jitter=0)
    )
    def write(n: int) -> None:
        if n == 2:
            raise LookupError
        if n == 3 and not tries:
            tries.append(1)
            raise ConnectionError
        flow.task.write("four")

    @flow
    def pipeline() -> None:
        for n in (0, 1, 2, 3, 0):
            write(n)

    pipeline()


def test_what_is_counted(registry: Any, tmp_path: Path) -> None:
    run(Flow(tmp_path, sink=PrometheusSink(registry=registry)))

    def value(name: str, **labels: str) -> float | None:
        found: float | None = registry.get_sample_value(name, labels)
        return found

    task = {"flow": "pipeline", "task": "write"}
    assert value("asflow_calls_total", **task, outcome="completed") == 3
    assert value("asflow_calls_total", **task, outcome="skipped") == 1
    assert value("asflow_calls_total", **task, outcome="cached") == 1
    assert value("asflow_retries_total", **task) == 1
    assert value("asflow_body_seconds_count", **task) == 4
    assert value("asflow_wait_seconds_count", **task) == 4
    assert value("asflow_running", **task) == 0
    assert value("asflow_output_bytes_total", **task) == 12
    assert value("asflow_flows_total", flow="pipeline", outcome="completed") == 1
    assert value("asflow_flow_seconds_count", flow="pipeline") == 1
    assert (value("asflow_flow_last_success_seconds", flow="pipeline") or 0) > 1e9


def test_a_call_outside_any_flow_and_sinks_that_share_a_registry(registry: Any) -> None:
    for _ in range(2):
        flow = Flow(sink=PrometheusSink(registry=registry))

        @flow.task
        def work() -> None: ...

        work()
    labels = {"flow": "", "task": "work", "outcome": "completed"}
    assert registry.get_sample_value("asflow_calls_total", labels) == 2


def test_a_file_for_the_node_exporter(registry: Any, tmp_path: Path) -> None:
    path = tmp_path / "asflow.prom"
    sink = PrometheusSink(registry=registry, textfile=path)
    assert repr(sink) == f"PrometheusSink(textfile={str(path)!r})"
    run(Flow(tmp_path / "out", sink=sink))
    assert 'asflow_calls_total{flow="pipeline",outcome="completed",task="write"} 3.0' in path.read_text()
    with pytest.raises(TypeError, match=r"^PrometheusSink\(\): textfile takes a path, not 3; write"):
        PrometheusSink(textfile=3)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def test_without_the_package_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'asflow\[prometheus\]'"):
        PrometheusSink()
