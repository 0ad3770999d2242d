"""Classes that are no ProgressSink, and wrong use of events in one."""

from __future__ import annotations

from asflow import Flow, MemoryStore, ProgressSink, add_sink, flow
from asflow.events import Event, TaskFinished
from asflow.sinks import HistorySink, LineSink, PrometheusSink, Tee, WebhookSink
from asflow.testing import use


class NoEmit:
    def handle(self, event: Event) -> None: ...


class OneKind:
    def emit(self, event: TaskFinished) -> None: ...


class TwoArguments:
    def emit(self, event: Event, at: float) -> None: ...


class Nothing:
    def emit(self) -> None: ...


class ByKeyword:
    def emit(self, *, event: Event) -> None: ...


class Attribute:
    emit = "event"


class Async:
    async def emit(self, event: Event) -> None: ...


class Explicit(ProgressSink):
    def emit(self, event: str, /) -> None: ...  # E


Flow(sink=NoEmit())  # E
Flow(sink=OneKind())  # E
Flow(sink=TwoArguments())  # E
Flow(sink=Nothing())  # E
Flow(sink=ByKeyword())  # E
Flow(sink=Attribute())  # E
Flow(sink=Async())  # E
Flow(sink=LineSink)  # E
Flow(sink="rich")  # E
Flow(sink=[LineSink(), NoEmit()])  # E
Flow(sink=[LineSink])  # E
add_sink(NoEmit())  # E
add_sink(Async())  # E
add_sink(LineSink(), Flow())  # E
add_sink(LineSink(), flows=["main"])  # E
add_sink(LineSink()).sink = LineSink()  # E
use(flow, store=LineSink())  # E
use(flow, sink=MemoryStore())  # E
use(LineSink())  # E
Tee(LineSink(), NoEmit())  # E
WebhookSink("https://example.org", when="never")  # E
WebhookSink("https://example.org", message=lambda event: None)  # E
PrometheusSink(textfile=3)  # E
HistorySink()  # E
HistorySink("history", keep="all")  # E
one: ProgressSink = OneKind()  # E


class Careless:
    def emit(self, event: Event) -> None:
        print(event.task)  # E
        print(event.outcome)  # E
        if isinstance(event, TaskFinished):
            print(event.attempt)  # E
            print(event.output.upper())  # E
            event.outcome = "failed"  # E
