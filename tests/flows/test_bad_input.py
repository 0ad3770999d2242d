"""Bad input: an error that names the task, the value and the next step, and leaves nothing behind."""

from __future__ import annotations

import dataclasses
import datetime
from pathlib import Path
from typing import Any

import pytest

from asflow import Flow, Limit, MemoryStore, Retry
from asflow.errors import (
    AsflowError,
    DefinitionError,
    DefinitionTypeError,
    DefinitionValueError,
    IdentityError,
    NotInTaskError,
    OutputNameError,
    OutputPlaceError,
    RecordTypeError,
    RecordValueError,
)
from asflow.sinks import NullSink
from asflow.testing import RecordingSink


def download(video_id: str, day: datetime.date | None = None) -> None: ...


async def download_async(video_id: str) -> None: ...


REFUSED: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"on": "data/{video}.txt"}, ValueError, r"video.*video_id"),
    ({"on": "data/{vidoe_id}.txt"}, ValueError, r"vidoe_id"),
    ({"on": "data/*/*.txt"}, ValueError, r"two `\*`"),
    ({"on": "../{video_id}.txt"}, ValueError, r"\.\."),
    ({"on": "/etc/{video_id}.txt"}, ValueError, "absolute"),
    ({"on": "~/{video_id}.txt"}, ValueError, "base"),
    ({"on": "data/{video_id.__class__}.txt"}, ValueError, "video_id"),
    ({"on": "data/{video_id[0]}.txt"}, ValueError, "video_id"),
    ({"on": "data/{video_id!r}.txt"}, ValueError, "!r"),
    ({"on": "data/{video_id.txt"}, ValueError, "brace"),
    ({"on": "data/{}.txt"}, ValueError, r"\{\}"),
    ({"on": "data/{video_id}.err"}, ValueError, "err"),
    ({"on": "data/{video_id}.part"}, ValueError, "part"),
    ({"on": ""}, ValueError, "empty"),
    ({"on": 3}, TypeError, "3"),
    ({"on": "data/{video_id}.txt", "suppress": "ValueError"}, TypeError, "suppress takes exception"),
    ({"on": "data/{video_id}", "suppress": ValueError}, ValueError, r"suffix.*\.txt"),
    ({"skip": 3}, TypeError, "skip takes exception classes"),
    ({"skip": [ValueError]}, TypeError, "skip"),
    ({"retry": 1, "retry_exceptions": (ValueError, "x")}, TypeError, "retry_exceptions"),
    ({"retry_exceptions": ValueError}, ValueError, "retry=..."),
    ({"retry": Retry(exceptions=OSError), "retry_exceptions": OSError}, ValueError, "say the same"),
    ({"retry": -1}, ValueError, "-1"),
    ({"retry": "3"}, TypeError, "'3'"),
    ({"retry": True}, TypeError, "True"),
    ({"limit": -4}, ValueError, "-4"),
    ({"limit": "4"}, TypeError, "'4'"),
    ({"limit": 2.5}, TypeError, "2.5"),
    ({"timeout": 3}, TypeError, "async def"),
    ({"refresh": 3}, ValueError, "on="),
    ({"key": lambda video_id, day: "x"}, ValueError, "on="),
    ({"level": 3}, ValueError, "on="),
    ({"on": "{video_id}.txt", "key": lambda video_id, day: "x"}, ValueError, r"`\*`"),
    ({"on": "*.txt", "key": 3}, TypeError, "key"),
    ({"on": "*.txt", "refresh": -1}, ValueError, "refresh"),
    ({"on": "*.txt", "refresh": "1d"}, TypeError, "refresh"),
    ({"on": "*.txt", "refresh": datetime.timedelta(days=-1)}, ValueError, "refresh"),
    ({"on": "*.txt.gz", "level": 12}, ValueError, "level"),
    ({"on": "*.txt", "level": 3}, ValueError, "level"),
    ({"on": "*.txt", "writer": "csv"}, TypeError, "writer takes .*'csv'"),
    ({"retries": 3}, TypeError, "did you mean 'retry'"),
    ({"base": "data"}, TypeError, "no option 'base'"),
]


@pytest.mark.parametrize(
    ("options", "error", "says"), REFUSED, ids=[f"{n} {sorted(row[0])}" for n, row in enumerate(REFUSED)]
)
def test_refused_at_decoration(options: dict[str, Any], error: type[Exception], says: str) -> None:
    """Nothing is made, nothing is told, and the same function can be decorated rightly afterwards."""
    store, sink = MemoryStore(), RecordingSink()
    flow = Flow(store=store, sink=sink)
    decorate: Any = flow.task
    with pytest.raises(error, match=says) as caught:
        decorate(**options)(download)
    assert isinstance(caught.value, DefinitionError)
    if "option" not in str(caught.value):
        assert "download" in str(caught.value)
    assert len(str(caught.value)) < 400
    assert list(store.list("")) == []
    assert sink.events == []
    decorate(on="data/{video_id}.txt", suppress=ValueError)(download)("x")
    assert list(store.list("")) == ["data/x.txt"]


@pytest.mark.parametrize("timeout", [0, -1, float("nan"), float("inf"), "3", True])
def test_a_bad_timeout(timeout: Any) -> None:
    with pytest.raises(DefinitionError, match=r"download_async.*timeout"):
        Flow(sink=NullSink()).task(timeout=timeout)(download_async)


async def test_async_functions_where_plain_ones_are_called() -> None:
    decorate: Any = Flow(sink=NullSink()).task

    async def key(video_id: str) -> str:
        return video_id

    for options in ({"key": key}, {"refresh": key}):
        with pytest.raises(DefinitionError, match="async"):
            decorate(on="*.txt", **options)(download_async)


def test_two_tasks_whose_failures_would_share_one_err() -> None:
    flow = Flow(store=MemoryStore(), sink=NullSink())

    @flow.task(on="data/{a}.csv", suppress=ValueError)
    def first(a: int) -> None: ...

    with pytest.raises(DefinitionError, match=r"second.*first"):

        @flow.task(on="data/{b}.json", suppress=ValueError)
        def second(b: int) -> None: ...

    @flow.task(on="data/{b}.json")  # suppresses nothing, so no failure is its own
    def without(b: int) -> None: ...

    @flow.task(on="data/*.json", suppress=ValueError)
    def hashed(b: int) -> None: ...

    @flow.task(on="data/*.csv", suppress=ValueError)
    def hashed_too(b: int) -> None: ...


@pytest.mark.parametrize(
    "value", ["../../etc/passwd", "a/b", "nul\0", "x" * 5000, "", ".", "..", "a.err", "C:\\x", "ü" * 300, "*"]
)
def test_awkward_values_become_one_harmless_file(tmp_path: Path, value: str) -> None:
    flow = Flow(tmp_path / "base", sink=NullSink())

    @flow.task(on="data/{video_id}.txt")
    def make(video_id: str) -> None:
        flow.task.write(video_id)

    make(value)
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert [path.parent for path in files] == [tmp_path / "base" / "data"]
    assert files[0].suffix == ".txt"
    assert files[0].read_bytes().decode() == value
    assert flow.task.output(make, value).path == files[0]


def test_arguments_without_an_identity(tmp_path: Path) -> None:
    sink = RecordingSink()
    flow = Flow(tmp_path, sink=sink)

    @flow.task(on="data/*.txt")
    def make(client: object) -> None: ...

    @flow.task(on="other/{client}.txt")
    def named(client: object) -> None: ...

    with pytest.raises(IdentityError, match=r"make.*client.*key="):
        make(object())
    with pytest.raises(OutputNameError, match=r"named.*client"):
        named(object())
    assert list(tmp_path.iterdir()) == []
    assert sink.events == []


def test_records_that_can_not_be_taken_discard_the_output(tmp_path: Path) -> None:
    flow = Flow(tmp_path, sink=NullSink())

    @flow.task(on="data/{kind}.jsonl.zst")
    def lines(kind: str) -> None:
        flow.task.write({"a": 1})
        flow.task.write({"a": object()})

    @flow.task(on="data/{kind}.json")
    def document(kind: str) -> None:
        flow.task.write([1])
        flow.task.write([2])

    @flow.task(on="data/{kind}.csv")
    def table(kind: str) -> None:
        flow.task.write({"a": 1})
        flow.task.write({"a": 1, "b": 2})

    @flow.task(on="data/{kind}.html")
    def raw(kind: str) -> None:
        flow.task.write({"a": 1})

    with pytest.raises(RecordTypeError, match="lines"):
        lines("x")
    with pytest.raises(RecordValueError, match="document"):
        document("x")
    with pytest.raises(RecordValueError, match="table"):
        table("x")
    with pytest.raises(RecordTypeError, match="raw"):
        raw("x")
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_writing_where_there_is_no_output() -> None:
    flow = Flow(store=MemoryStore(), sink=NullSink())

    @flow.task
    def bare() -> None:
        flow.task.write("x")

    @flow
    def pipeline() -> None:
        flow.task.write("x")

    with pytest.raises(NotInTaskError, match=r"task .*bare\(\): has no output.*on="):
        bare()
    for outside in (pipeline, lambda: flow.task.write("x")):
        with pytest.raises(RuntimeError, match=r"outside any task.*asyncio\.to_thread"):
            outside()


def test_places_that_can_not_be_written(tmp_path: Path) -> None:
    """A base that is a file, a folder in the output's place: OSErrors with their errno, nothing left."""
    (tmp_path / "file").write_text("in the way")
    flow = Flow(tmp_path / "file", sink=NullSink())

    @flow.task(on="{name}.txt")
    def make(name: str) -> None: ...

    with pytest.raises(NotADirectoryError):
        make("x")
    assert (tmp_path / "file").read_text() == "in the way"

    flow = Flow(tmp_path, sink=NullSink())
    (tmp_path / "x.txt").mkdir()

    @flow.task(on="{name}.txt", suppress=ValueError)
    def make_too(name: str) -> None: ...

    with pytest.raises(OutputPlaceError, match=r"x\.txt"):
        make_too("x")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "x.txt"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"base": 3}, "base"),
        ({"base": "~/data"}, "expanduser"),
        ({"store": object()}, "'status'"),
        ({"sink": object()}, "emit"),
        ({"verbose": 1}, "verbose"),
    ],
)
def test_bad_flows(arguments: dict[str, Any], says: str) -> None:
    with pytest.raises(DefinitionError, match=says):
        Flow(**arguments)


@pytest.mark.parametrize("options", [{"verbose": 1}, {"progress": "no"}])
def test_bad_flow_options(flow: Flow, options: dict[str, Any]) -> None:
    with pytest.raises(DefinitionError, match=r"@flow\(\): (verbose|progress) takes"):
        flow(**options)


def test_what_is_no_task(flow: Flow) -> None:
    @flow.task
    def bare() -> None: ...

    untyped: Any = flow.task
    for task in (bare, len, flow.task(len)):
        with pytest.raises(TypeError, match=r"on='\.\.\.'"):
            untyped.output(task)
    with pytest.raises(TypeError, match=r"flow\.task\.map\(\): takes"):
        untyped.map(len, [])
    with pytest.raises(DefinitionValueError, match=r"on_error .* not 'ignore'"):
        untyped.map(bare, [], on_error="ignore")
    with pytest.raises(DefinitionTypeError, match=r"on_error .* not True"):
        untyped.map(bare, [], on_error=True)


def test_every_error_of_ours_is_an_asflow_error_too() -> None:
    with pytest.raises(AsflowError):
        Limit(-1)


@pytest.mark.parametrize("answer", ["soon", -1, float("nan"), True])
def test_a_delay_that_answers_nonsense_ends_the_call(flow: Flow, answer: Any) -> None:
    @flow.task(retry=Retry(1, delay=lambda error, n: answer))
    def work() -> None:
        raise OSError("first")

    with pytest.raises((TypeError, ValueError), match=r"task .*work\(\): delay returned") as caught:
        work()
    assert isinstance(caught.value.__context__, OSError)


def test_a_delay_that_raises_what_can_not_be_changed_ends_the_call_with_it(flow: Flow) -> None:
    @dataclasses.dataclass(frozen=True)
    class FrozenError(Exception):
        code: int

    def delay(error: Exception, number: int) -> float:
        raise FrozenError(number)

    @flow.task(retry=Retry(1, delay=delay))
    def work() -> None:
        raise OSError("first")

    with pytest.raises(FrozenError) as caught:
        work()
    assert isinstance(caught.value.__context__, OSError)


class BytesPath:
    def __fspath__(self) -> bytes:
        return b"data"


@pytest.mark.parametrize("base", [3, b"data", BytesPath()])
def test_a_base_that_is_no_path_of_text_is_refused(base: Any) -> None:
    with pytest.raises(DefinitionTypeError, match="base takes a"):
        Flow(base)


def test_a_class_is_no_store_and_no_sink() -> None:
    wrong: Any = MemoryStore
    with pytest.raises(DefinitionTypeError, match=r"store takes a Store, .* write MemoryStore\(\)"):
        Flow(store=wrong)
    wrong = NullSink
    with pytest.raises(DefinitionTypeError, match=r"sink takes an instance, .* write NullSink\(\)"):
        Flow(sink=wrong)


def test_a_base_that_no_path_can_be() -> None:
    with pytest.raises(DefinitionValueError, match="NUL"):
        Flow("a\0b")


def test_the_task_is_named_even_if_its_name_stands_in_the_message() -> None:
    flow = Flow(store=MemoryStore(), sink=NullSink())
    wrong: Any = 3

    def a(x: int) -> None: ...
    def write(x: int) -> None: ...

    for body in (a, write):
        with pytest.raises(DefinitionTypeError, match=rf"^task {body.__name__}\(\): skip takes"):
            flow.task(skip=wrong)(body)


@pytest.mark.parametrize("seconds", [10**400, float("inf"), float("nan"), -1])
def test_times_beyond_reckoning(seconds: Any) -> None:
    with pytest.raises(DefinitionValueError, match="finite seconds"):
        Retry(backoff_factor=seconds)
