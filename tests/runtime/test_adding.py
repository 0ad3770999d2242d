"""Sinks from outside a flow, another store and sink for a test, and the end of the parts."""

from __future__ import annotations

import asyncio
import gc
import importlib
import logging
import subprocess
import sys
import textwrap
import threading
from typing import TYPE_CHECKING, Any

import pytest

import asflow
from asflow import Flow, LocalStore, MemoryStore, add_sink
from asflow import flow as ready
from asflow.errors import DefinitionTypeError, DefinitionValueError
from asflow.sinks import NullSink, Tee, TraceSink
from asflow.testing import RecordingSink, use

if TYPE_CHECKING:
    from pathlib import Path

    from asflow.events import Event

CALL = ["task_queued", "task_started", "task_finished"]
FLOW = ["flow_started", *CALL, "flow_finished"]


def pipeline_of(flow: Flow) -> Any:
    @flow.task
    def work() -> None: ...

    @flow
    def pipeline() -> None:
        work()

    return pipeline


class Closing:
    """Counts what it receives, and how often it is closed."""

    def __init__(self, fails: bool = False) -> None:
        self.received: list[str] = []
        self.closed: list[int] = []
        self.fails = fails

    def emit(self, event: Event, /) -> None:
        self.received.append(event.kind)
        if self.fails:
            raise OSError("no space")

    def close(self) -> None:
        self.closed.append(len(self.received))


# ------------------------------------------------------------------ add_sink


def test_an_added_sink_receives_the_events_of_all_flows_until_it_is_closed() -> None:
    before, sink = Flow(sink=NullSink()), RecordingSink()
    own = RecordingSink()
    with add_sink(sink) as added:
        assert added.sink is sink
        after = Flow(sink=own)
        for flow in (before, after):
            pipeline_of(flow)()
        pipeline_of(ready)()
    assert sink.kinds() == FLOW * 3
    assert own.kinds() == FLOW
    pipeline_of(before)()
    added.close()
    assert len(sink.events) == 15


def test_only_of_some_flows_and_their_options() -> None:
    one, two, sink = Flow(sink=NullSink()), Flow(sink=NullSink()), RecordingSink()

    @one(verbose=False)
    def quiet() -> None: ...

    with add_sink(sink, flows=one):
        pipeline_of(one)()
        pipeline_of(two)()
        quiet()
    assert sink.kinds() == [*FLOW, "flow_started", "flow_finished"]
    with add_sink(sink, flows=[two]):
        pipeline_of(one)()
        pipeline_of(two)()
    assert len(sink.events) == 12
    with pytest.raises(DefinitionTypeError, match=r"^add_sink\(\): flows takes Flow objects, not 'x'; "):
        add_sink(sink, flows=["x"])  # type: ignore[list-item]  # pyright: ignore[reportArgumentType]
    with pytest.raises(DefinitionTypeError, match=r"^add_sink\(\): sink takes an object with a method emit"):
        add_sink(3)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def test_a_sink_in_two_places_receives_each_event_once() -> None:
    sink = RecordingSink()
    flow = Flow(sink=[sink, Tee(sink, NullSink())])
    with add_sink(sink):
        pipeline_of(flow)()
    assert sink.kinds() == FLOW


def test_calls_that_were_quick_report_once_a_sink_is_added() -> None:
    """The wrappers of tasks are made before."""
    flow = Flow(store=MemoryStore(), sink=NullSink())
    sink = RecordingSink()

    @flow.task
    async def bare() -> None: ...

    @flow.task(on="x.txt")
    def kept() -> None: ...

    @flow.task(save="y.json")
    def saved() -> int:
        return 1

    @flow
    def pipeline() -> None:
        asyncio.run(bare())
        kept()
        saved()

    pipeline()
    kept()
    saved()
    asyncio.run(bare())
    with add_sink(sink):
        pipeline()
        kept()
        saved()
        asyncio.run(bare())
    assert sink.outcomes() == ["completed", "cached", "cached", "cached", "cached", "completed"]


# ------------------------------------------------------------------ entry points

PLUGIN = """
class Sink:
    wants_tasks = "finished"
    def __init__(self, path="received.txt"):
        self.path = path
    def emit(self, event):
        with open(self.path, "a") as file:
            print(event.kind, file=file)
    def close(self):
        with open(self.path, "a") as file:
            print("closed", file=file)

def broken():
    raise RuntimeError("can't start")
"""


@pytest.fixture
def plugin(tmp_path: Path) -> Path:
    (tmp_path / "sink_plugin.py").write_text(PLUGIN)
    info = tmp_path / "sink_plugin-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: sink-plugin\nVersion: 1\n")
    points = "history = sink_plugin:Sink\nworse = sink_plugin:broken\ngone = sink_plugin:nothing\n"
    (info / "entry_points.txt").write_text(f"[asflow.sinks]\n{points}")
    (tmp_path / "pipe.py").write_text(
        textwrap.dedent("""
        import sys
        from asflow import flow

        @flow.task
        def work() -> None: ...

        @flow
        def main() -> None:
            assert "sink_plugin" in sys.modules
            work()

        assert "importlib.metadata" not in sys.modules and "sink_plugin" not in sys.modules
        if __name__ == "__main__":
            main()
        """)
    )
    return tmp_path


def ran(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *command],
        cwd=folder,
        env={**__import__("os").environ, "PYTHONPATH": f"{folder}:{asflow.__path__[0]}/.."},
        capture_output=True,
        text=True,
        check=False,
    )


def test_entry_points_are_loaded_with_the_first_flow(plugin: Path) -> None:
    result = ran(plugin, "pipe.py")
    assert result.returncode == 0, result.stderr
    assert (plugin / "received.txt").read_text().split() == [
        "flow_started", "task_finished", "flow_finished", "closed"
    ]  # fmt: skip
    assert "entry point worse of asflow.sinks: can't be used; repair or remove the package" in result.stderr
    assert "can't start" in result.stderr
    assert "entry point gone of asflow.sinks: can't be used" in result.stderr


@pytest.mark.parametrize(
    ("option", "files", "shown"),
    [
        (["--sink", "null"], {"received.txt"}, False),
        (["--sink=history=mine.txt"], {"mine.txt"}, True),
        (["--sink", "trace=t.html", "--sink", "log"], {"received.txt", "t.html"}, False),
    ],
)
def test_run_with_a_sink(plugin: Path, option: list[str], files: set[str], shown: bool) -> None:
    pytest.importorskip("cyclopts")
    (plugin / "pipe.py").write_text((plugin / "pipe.py").read_text().replace("assert", "#"))
    result = ran(plugin, "-m", "asflow", "run", *option, "pipe:main")
    assert result.returncode == 0, result.stderr
    made = {path.name for path in plugin.iterdir() if path.suffix in (".txt", ".html")}
    assert made == files
    assert ("work 1/1" in result.stderr or "Flow main(): 1 done" in result.stderr) == shown
    assert ("INFO:asflow:Task work() finished" in result.stderr) == ("log" in option)


@pytest.mark.parametrize(
    ("option", "said"),
    [
        (["--sink", "nil"], "takes the name of a sink, not 'nil'; choose one of gone, history, lines, log, "),
        (["--sink", "trace"], "takes a file, not 'trace'; write trace=trace.html"),
        (["--sink", "null=x"], "null takes no argument, not 'x'; write null alone"),
        (["--sink", "worse"], "can't start"),
        (["--sink"], "--sink names no sink"),
    ],
)
def test_run_with_a_wrong_sink(plugin: Path, option: list[str], said: str) -> None:
    pytest.importorskip("cyclopts")
    result = ran(plugin, "-m", "asflow", "run", *option, *(["pipe:main"] if len(option) > 1 else []))
    assert result.returncode == 2
    assert said in " ".join(result.stderr.split())


# ------------------------------------------------------------------ use


def test_a_module_of_the_ready_flow_is_tested_with_other_parts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine.py").write_text(
        textwrap.dedent("""
        from asflow import flow

        @flow.task(on="data/{name}.txt")
        def kept(name: str) -> None:
            flow.task.write(name)

        @flow.task(save="data/{name}.json")
        async def saved(name: str) -> str:
            return name

        @flow.task(on="data/{name}.up", reads=kept)
        def upper(name: str) -> None:
            flow.task.write(flow.task.output(kept, name).text().upper())

        @flow
        async def pipeline(name: str) -> str:
            kept(name)
            upper(name)
            return await saved(name)
        """)
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    mine = importlib.import_module("mine")
    asyncio.run(mine.pipeline("a"))
    made = sorted(path.name for path in (tmp_path / "data").iterdir())
    assert made == ["a.json", "a.txt", "a.up"]
    for _ in range(2):
        store, sink = MemoryStore(), RecordingSink()
        with use(ready, store=store, sink=sink) as used:
            assert used is ready
            assert asyncio.run(mine.pipeline("a")) == "a"  # exists on disk, not here
            assert asyncio.run(mine.pipeline("a")) == "a"
            assert ready.task.output(mine.upper, "a").text() == "A"
            assert mine.kept("b") is None
            assert asyncio.run(mine.saved("b")) == "b"
        assert sorted(store.list("")) == [
            "data/a.json", "data/a.txt", "data/a.up", "data/b.json", "data/b.txt"
        ]  # fmt: skip
        assert sink.outcomes() == [*["completed"] * 3, *["cached"] * 3, *["completed"] * 2]
    assert sorted(path.name for path in (tmp_path / "data").iterdir()) == made
    with use(ready, sink=NullSink()):
        assert ready.store is not store
        assert asyncio.run(mine.saved("a")) == "a"


def test_use_within_another_flow_and_with_wrong_parts(tmp_path: Path) -> None:
    inner, outer = Flow(tmp_path, sink=NullSink()), Flow(sink=NullSink())

    @inner.task(on="x.txt")
    def kept() -> None:
        made.append(1)

    @outer
    def pipeline() -> None:
        kept()

    made: list[int] = []
    pipeline()
    with use(inner, store=MemoryStore()):
        pipeline()
        pipeline()
    pipeline()
    assert made == [1, 1]
    with pytest.raises(DefinitionTypeError, match=r"^use\(\): store takes a Store, not 3, which has no "):
        use(inner, store=3).__enter__()  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    with pytest.raises(DefinitionTypeError, match=r"^use\(\): takes a Flow, not "):
        use(pipeline).__enter__()  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    sink: Any = RecordingSink()
    sink.wants_tasks = "some"
    with pytest.raises(DefinitionValueError, match=r"^use\(\): sink takes an object whose wants_tasks is "):
        use(inner, sink=sink).__enter__()
    assert isinstance(inner.store, LocalStore)


# ------------------------------------------------------------------ close


def test_a_sink_is_closed_with_the_last_flow_that_uses_it() -> None:
    sink = Closing()
    one, two = Flow(sink=sink), Flow(sink=[sink])
    pipeline = pipeline_of(one)
    del one, two
    gc.collect()
    pipeline()
    assert sink.closed == []
    del pipeline
    gc.collect()
    assert sink.closed == [5]


def test_an_added_sink_is_closed_when_it_is_removed() -> None:
    sink, kept = Closing(), Closing()
    flow = Flow(sink=kept)
    for part in (sink, kept):
        add_sink(part).close()
    pipeline_of(flow)()
    assert (sink.closed, sink.received, kept.closed) == ([0], [], [])


def test_a_sink_that_is_dropped_is_closed_at_once(caplog: pytest.LogCaptureFixture) -> None:
    sink = Closing(fails=True)
    flow = Flow(sink=sink)
    for _ in range(2):
        pipeline_of(flow)()
    assert sink.closed == [5]
    del flow
    gc.collect()
    assert sink.closed == [5]
    assert len(caplog.records) == 2


def test_a_store_is_closed_with_the_last_flow_that_uses_it(caplog: pytest.LogCaptureFixture) -> None:
    class Store(MemoryStore):
        def close(self) -> None:
            closed.append(1)
            raise OSError("gone")

    closed: list[int] = []
    store = Store()
    one, two = Flow(store=store, sink=NullSink()), Flow(store=store, sink=NullSink())

    @one.task(on="x.txt")
    def kept() -> None: ...

    del one, two
    gc.collect()
    kept()
    assert closed == []
    with use(Flow(sink=NullSink()), store=store):
        del kept
        gc.collect()
        assert closed == []
    gc.collect()
    assert closed == [1]
    assert caplog.records[0].getMessage() == "Store.close(): raised; what it held may be left open"
    assert caplog.records[0].levelno == logging.WARNING


def test_what_is_open_at_exit_is_closed(tmp_path: Path) -> None:
    program = """
        import asflow
        from asflow import Flow, MemoryStore
        class Part(MemoryStore):
            def __init__(self, name):
                super().__init__()
                self.name = name
                self.cycle = self
            def emit(self, event): ...
            def close(self): print("closed", self.name)
        flow = Flow(store=Part("store"), sink=Part("sink"))
        asflow.add_sink(Part("added"))
        @flow
        def main(): ...
        main()
        print("end")
    """
    result = ran(tmp_path, "-c", textwrap.dedent(program))
    assert result.returncode == 0, result.stderr
    first, *rest = result.stdout.splitlines()
    assert (first, sorted(rest)) == ("end", ["closed added", "closed sink", "closed store"])


def test_flows_that_come_and_go_on_many_threads_leave_nothing_behind() -> None:
    before = len(gc.get_objects())
    errors: list[BaseException] = []

    def work() -> None:
        try:
            for _ in range(50):
                sink = Closing()
                with add_sink(RecordingSink()):
                    pipeline_of(Flow(store=MemoryStore(), sink=sink))()
                assert sink.received == FLOW
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    gc.collect()
    assert len(gc.get_objects()) - before < 2000


def test_a_trace_is_closed_as_well(tmp_path: Path) -> None:
    with add_sink(TraceSink(tmp_path / "trace.json")):
        pipeline_of(Flow(sink=NullSink()))()
    assert (tmp_path / "trace.json").read_text().count('"ph":"X"') == 2
