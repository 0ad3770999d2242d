"""Progress sinks of the user's own: anything with `emit` fits."""

from __future__ import annotations

import queue
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, assert_type

from asflow import AddedSink, Flow, MemoryStore, ProgressSink, add_sink, flow
from asflow.events import Event, FlowFinished, FlowStarted, TaskFinished
from asflow.sinks import (
    GitHubActionsSink,
    HistorySink,
    LineSink,
    NullSink,
    OpenTelemetrySink,
    PrometheusSink,
    RichSink,
    StructlogSink,
    Tee,
    WebhookSink,
)
from asflow.testing import use


class Printing:
    def emit(self, event: Event) -> None:
        print(event.kind, event.at)


class Queued:
    """Returns something, and names its parameter as it likes."""

    wants_tasks: Literal["all", "outside", "none"] = "outside"

    def __init__(self) -> None:
        self.queue = queue.SimpleQueue[Event]()

    def emit(self, told: Event, /) -> bool:
        self.queue.put(told)
        return True


class Made:
    """Wants calls with something to do, and is closed at the end."""

    wants_tasks: Literal["made", "finished"] = "made"

    def emit(self, event: Event, /) -> None:
        print(event.run_id, event.time)

    def close(self) -> None: ...


class Wider:
    """Takes more than it has to."""

    def emit(self, event: object, *, urgent: bool = False) -> None:
        print(event, urgent)


@dataclass
class Recording(ProgressSink):
    """Says that it is a sink, which it need not."""

    events: list[Event] = field(default_factory=list[Event])

    def emit(self, event: Event, /) -> None:
        self.events.append(event)


@dataclass
class Calling:
    """Keeps its method in an attribute."""

    emit: Callable[[Event], int | None]


class Counting:
    """Looks at the events that it needs."""

    finished = 0

    def emit(self, event: Event) -> None:
        if isinstance(event, TaskFinished):
            self.finished += event.outcome == "completed"
        elif event.kind == "flow_started":
            assert_type(event, FlowStarted)


sinks: list[ProgressSink] = [Printing(), Queued(), Wider(), Recording(), Counting(), NullSink()]  # OK
shipped: list[ProgressSink] = [RichSink(), LineSink(), NullSink(), Tee(RichSink(), Printing())]  # OK
exports: list[ProgressSink] = [
    OpenTelemetrySink(),
    PrometheusSink(),
    StructlogSink(),
    GitHubActionsSink(),
]  # OK


def message(event: FlowFinished, default: Mapping[str, Any]) -> dict[str, object]:
    return {"text": default["text"], "seconds": event.seconds}


webhook: ProgressSink = WebhookSink("https://example.org", when="failed", message=message, timeout=3)  # OK
kept: ProgressSink = HistorySink(Path("history"), keep=100)  # OK
calling: ProgressSink = Calling(print)  # OK
assert_type(Flow(sink=Printing()), Flow)
assert_type(Flow(sink=Queued()), Flow)
assert_type(Flow(sink=Wider()), Flow)
assert_type(Flow(sink=Recording()), Flow)
assert_type(Flow(sink=Tee(Counting(), LineSink())), Flow)
assert_type(Flow(sink=[Counting(), Made(), LineSink()]), Flow)
assert_type(Flow(sink=sinks), Flow)
added = add_sink(Made(), flows=[flow, Flow()])
assert_type(added, AddedSink)
assert_type(added.sink, ProgressSink)
with add_sink(Counting()) as handle:
    assert_type(handle, AddedSink)
    handle.close()
with use(flow, store=MemoryStore(), sink=Made()) as used:
    assert_type(used, Flow)
with use(flow, sink=[Counting(), Made()]):
    pass
