"""What users see of a public object: a public home, also in pickles, annotations that resolve, and a repr."""

from __future__ import annotations

import importlib
import pickle
import re
import subprocess
import sys
import textwrap
import typing
from typing import TYPE_CHECKING

import pytest

from asflow import (
    Completed,
    Failed,
    Flow,
    Limit,
    LocalStore,
    MemoryStore,
    Retry,
    TaskDecorator,
    dag,
    dataflow,
    stores,
)
from asflow.errors import DefinitionTypeError
from asflow.sinks import LineSink, LogSink, NullSink, RichSink, Tee, TqdmSink, TraceSink
from asflow.testing import FaultyStore, RecordingSink, fake_clock
from asflow.writers import open_writer, read_records

if TYPE_CHECKING:
    from pathlib import Path

    from asflow.protocols import ProgressSink

MODULES = [
    "asflow",
    "asflow.dag",
    "asflow.dataflow",
    "asflow.errors",
    "asflow.events",
    "asflow.executors",
    "asflow.protocols",
    "asflow.sinks",
    "asflow.stores",
    "asflow.testing",
    "asflow.typing",
    "asflow.writers",
]
NO_HINTS = {
    *("as_file", "by_path", "check_sink", "check_store", "check_writer", "fake_clock", "open_format"),
    "open_writer",
}
"""Functions whose annotations have names that only checkers see."""


def definitions() -> list[tuple[str, object]]:
    """Return the public classes and functions: each has a qualified name."""
    found: dict[str, object] = {}
    for module in MODULES:
        names: list[str] = importlib.import_module(module).__all__
        for name in names:
            public: object = getattr(importlib.import_module(module), name)
            if hasattr(public, "__qualname__") and typing.get_origin(public) is None:
                found[f"{module}.{name}"] = public
    return list(found.items())


def classes() -> list[tuple[str, type]]:
    return [(name, each) for name, each in definitions() if isinstance(each, type)]


def names_a_private_module(pickled: bytes) -> bool:
    return b"asflow._" in pickled or b"._" in pickled


@pytest.mark.parametrize(("name", "definition"), definitions())
def test_the_home_is_public_and_has_it(name: str, definition: typing.Any) -> None:
    home: str = definition.__module__
    assert home in MODULES
    assert getattr(importlib.import_module(home), definition.__qualname__) is definition
    pickled = pickle.dumps(definition)
    assert not names_a_private_module(pickled)
    assert pickle.loads(pickled) is definition


@pytest.mark.parametrize(("name", "definition"), definitions())
def test_annotations_resolve(name: str, definition: typing.Any) -> None:
    if name.rpartition(".")[2] not in NO_HINTS:
        typing.get_type_hints(definition)


@pytest.mark.parametrize(("name", "kind"), classes())
def test_methods_have_the_home_of_their_class(name: str, kind: type) -> None:
    for member in vars(kind).values():
        if callable(member) and getattr(member, "__qualname__", "").startswith(f"{kind.__qualname__}."):
            assert "._" not in member.__module__


@pytest.mark.parametrize(
    ("function", "count"),
    [(TaskDecorator.__call__, 16), (TaskDecorator.map, 4), (Flow.__call__, 2), (dag.task, 11)],
)
def test_overloads_are_found(function: typing.Any, count: int) -> None:
    overloads = typing.get_overloads(function)
    assert len(overloads) == count
    assert {each.__module__ for each in overloads} == {function.__module__}


@pytest.mark.parametrize(("name", "kind"), classes())
def test_every_class_has_a_repr(name: str, kind: type) -> None:
    if not typing.cast("bool", getattr(kind, "_is_protocol", False)):
        assert any("__repr__" in vars(base) for base in kind.__mro__[:-1])


# ------------------------------------------------------------------ values


def run_of(sink: ProgressSink, base: Path) -> dict[str, object]:
    """Return what a flow leaves: its report, an output, the handles and the progress of a call."""
    flow = Flow(base, sink=sink)
    kept: dict[str, object] = {}
    again = Retry(total=1, exceptions=OSError, backoff_factor=0, backoff_jitter=0)

    @flow.task(on="{x}.jsonl", suppress=KeyError, skip=ValueError, retry=again)
    def download(x: int) -> None:
        run = flow.task.run
        assert run is not None
        kept.update(run=run, flow=run.flow)
        with flow.task.progress("pages", total=3) as progress:
            kept.update(progress=progress)
            if x == 2:
                raise KeyError(x)
            if run.attempt == 1:
                raise OSError(x)
            progress.advance()
        flow.task.write({"x": x})

    @flow
    def pipeline() -> None:
        for x in (1, 2, 1):
            download(x)
        assert flow.run is not None
        kept.update(report=flow.run.report())

    pipeline()
    kept.update(output=flow.task.output(download, 1))
    return kept


def test_pickles_of_values_name_no_private_module(tmp_path: Path) -> None:
    recorded = RecordingSink()
    kept = run_of(recorded, tmp_path)
    values: list[object] = [
        kept["report"],
        kept["output"],
        Retry(2, exceptions=(OSError, DefinitionTypeError)),
        Completed(1, "a"),
        Failed(1, DefinitionTypeError("x")),
        Flow(tmp_path, store=LocalStore(durability="full")),
        LocalStore(),
        LineSink(),
        LogSink(),
        NullSink(),
        RichSink(),
        Tee(NullSink(), LogSink()),
        *[event for event in recorded.events if event.kind != "flow_started"],  # that one has locks
    ]
    kinds = {event.kind for event in recorded.events}
    assert len(kinds) == 7, kinds
    for value in values:
        pickled = pickle.dumps(value)
        assert not names_a_private_module(pickled), value
        assert repr(pickle.loads(pickled)) == repr(value)


def test_the_sink_of_streamlit_is_pickled_by_its_options() -> None:
    pytest.importorskip("streamlit")
    from asflow.sinks import StreamlitSink

    pickled = pickle.dumps(StreamlitSink(keep=False, elsewhere=NullSink()))
    assert not names_a_private_module(pickled)
    assert repr(pickle.loads(pickled)) == "StreamlitSink(keep=False, interrupt=True)"


def test_reprs_read_back_or_name_the_object(tmp_path: Path) -> None:
    kept = run_of(RecordingSink(), tmp_path)
    flow = Flow("data")

    @flow.task(on="{x}.txt")
    def extract(x: int) -> None: ...

    mapped = flow.task.map(extract, [])
    assert repr(Limit(4, rate="10/s")) == "Limit(4, rate='10/s')"
    assert repr(Limit(4)) == "Limit(4)"
    assert repr(Limit(0)) == "Limit(0)"
    assert repr(Retry(2, delay=None)).startswith("Retry(total=2, backoff_factor=1.0, ")
    assert repr(LocalStore(durability="full")) == "LocalStore(durability='full')"
    assert repr(MemoryStore()) == "<MemoryStore of 0 outputs and failures>"
    assert repr(FaultyStore(LocalStore())) == "FaultyStore(LocalStore(durability='data'))"
    assert repr(flow) == "Flow('data')"
    assert repr(flow.task) == "<TaskDecorator of LocalStore(durability='data') under 'data/'>"
    assert repr(flow.task.output(extract, 1)) == "Output('1.txt')"
    assert repr(mapped).endswith("extract()>")
    mapped.close()
    assert repr(kept["progress"]) == "<Progress 0 of 3>"
    assert re.fullmatch(r"<TaskRun .*download\(2\) #\d+>", repr(kept["run"]))
    assert re.fullmatch(r"<FlowRun .*pipeline\(\) #\d+>", repr(kept["flow"]))
    assert repr(kept["report"]).startswith("FlowReport(flow=")
    assert repr(NullSink()) == "NullSink()"
    assert repr(RichSink()) == "RichSink(verbose=None)"
    assert repr(LineSink()) == "LineSink(verbose=None)"
    assert repr(LogSink("pipeline")) == "LogSink('pipeline')"
    assert repr(Tee(NullSink(), LogSink())) == "Tee(NullSink(), LogSink('asflow'))"
    assert repr(TqdmSink(print)) == "TqdmSink(print)"
    assert repr(TraceSink(tmp_path / "x.json")) == f"TraceSink({str(tmp_path / 'x.json')!r})"
    assert repr(RecordingSink()) == "<RecordingSink of 0 events>"
    assert repr(dag.scope()) == "<Scope of 0 nodes>"
    with fake_clock() as clock:
        assert repr(clock).startswith("<FakeClock at ")
    with LocalStore().open(str(tmp_path / "1.jsonl")) as file:
        assert repr(read_records("1.jsonl", file, object)) == "<RecordReader, open>"


def test_the_repr_of_what_needs_an_extra() -> None:
    pytest.importorskip("obstore")
    assert repr(stores.ObjectStore("memory:///data")) == "ObjectStore('memory:///data')"


def test_reprs_of_writers_and_data_flows() -> None:
    claim = MemoryStore().claim("x.txt", "x.err")
    assert not isinstance(claim, str)
    assert repr(open_writer(".txt", claim)) == "<OutputWriter of RawWriter>"
    claim.abort()

    def source() -> dict[str, int]:
        return {"a": 1}

    assert repr(dataflow.DataFlow((source,))).startswith("DataFlow(")
    assert repr(dataflow.stage(source)).startswith("<stage ")


# ------------------------------------------------------------------ modules


def fresh(code: str) -> str:
    """Run *code* in a process of its own and return what it prints."""
    command = [sys.executable, "-c", textwrap.dedent(code)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def test_public_modules_are_attributes_from_the_first_import_on() -> None:
    names = [module.partition(".")[2] for module in MODULES[1:]]
    printed = fresh(
        f"""
        import asflow, sys
        names = {names}
        print(sorted(set(names) - set(dir(asflow))))
        print("asflow.dag" in sys.modules)
        print([name for name in names if getattr(asflow, name) is not sys.modules["asflow." + name]])
        print(asflow.stores.ObjectStore.__module__, asflow.FlowReport.__module__)
        """
    )
    assert printed.splitlines() == ["[]", "False", "[]", "asflow.stores asflow"]


def test_a_sink_is_imported_when_it_is_named() -> None:
    printed = fresh(
        """
        import asflow.sinks, pickle, sys
        print([name for name in sys.modules if name.startswith("asflow.sinks.")])
        print(set(asflow.sinks.__all__) - set(dir(asflow.sinks)), hasattr(asflow.sinks, "_Unknown"))
        sink = pickle.loads(pickle.dumps(asflow.sinks.NullSink))
        print(sink is asflow.sinks.NullSink, sink.__module__, "asflow.sinks._live.screen" in sys.modules)
        from asflow.sinks import *
        print({each.__module__ for name, each in list(globals().items()) if name in asflow.sinks.__all__})
        """
    )
    assert printed.splitlines() == ["[]", "set() False", "True asflow.sinks False", "{'asflow.sinks'}"]


def test_what_is_imported_late_has_its_home_without_being_named() -> None:
    """An object that a method returns is pickled by its public name."""
    printed = fresh(
        """
        from asflow import Flow
        flow = Flow(sink=[])

        @flow.task(limit=2, save="{x}.json", reads=())
        def double(x: int) -> int:
            return 2 * x

        @flow
        def pipeline() -> None:
            mapped = flow.task.map(double, [])
            made = flow.run.report(), flow.graph(), flow.task.progress(), flow.task.output(double, 1), mapped
            print({type(each).__module__ for each in made}, type(flow.store).__module__)

        pipeline()
        """
    )
    assert printed.splitlines() == ["{'asflow'} asflow.stores"]


def test_first_uses_in_many_threads_at_once() -> None:
    """Features are imported where they are first used: in any thread, and in several at the same time."""
    printed = fresh(
        """
        import asyncio, threading
        import asflow
        from asflow import Flow, Limit

        flow, begin, failed = Flow(sink=[]), threading.Barrier(12), []

        def naming(name):
            return lambda: getattr(asflow, name)

        def retrying():
            tries = []

            @flow.task(retry=asflow.Retry(1, backoff_factor=0, backoff_jitter=0))
            def once_more():
                tries.append(1)
                return 1 // (len(tries) - 1)

            assert once_more() == 1

        def writing():
            mine = Flow(store=asflow.MemoryStore(), sink=[])

            @mine.task(on="{x}.txt")
            async def write(x):
                mine.task.write("x")

            async def run():
                return [each async for each in mine.task.map(write, range(3))]

            assert asflow.run(run()) == [None] * 3
            assert mine.task.output(write, 1).text() == "x"

        def waiting():
            @flow.task(limit=Limit(1, per=lambda x: x))
            async def wait(x):
                await asyncio.sleep(0)

            async def run():
                await asyncio.gather(*map(wait, (1, 1, 2)))

            asyncio.run(run())

        def in_thread(act):
            try:
                begin.wait()
                act()
            except BaseException as error:
                failed.append(repr(error))

        acts = [*map(naming, ("TaskMap", "Records", "Store", "LocalStore", "add_sink", "FlowGraph"))]
        acts += [retrying, retrying, writing, writing, waiting, waiting]
        threads = [threading.Thread(target=in_thread, args=(act,)) for act in acts]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        print(failed)
        """
    )
    assert printed.splitlines() == ["[]"]


@pytest.mark.parametrize("module", MODULES)
def test_dir_of_a_module_lists_its_names_and_a_typo_is_refused(module: str) -> None:
    public = importlib.import_module(module)
    assert set(public.__all__) <= set(dir(public))
    with pytest.raises(AttributeError, match=rf"module '{module}' has no attribute 'Typo'"):
        _ = public.Typo
