"""Under `on=` a body keeps what it writes; a value that it returns and a failed write are errors."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import threading
import typing
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from asflow import AsflowError, Flow, LocalStore, MemoryStore, Store
from asflow.errors import DefinitionTypeError, NotInTaskError, RecordError, RecordTypeError, RecordValueError
from asflow.sinks import NullSink
from asflow.testing import FaultyStore, RecordingSink, fake_clock


@pytest.fixture(params=["memory", "disk"])
def store(request: pytest.FixtureRequest) -> Store:
    return MemoryStore() if request.param == "memory" else LocalStore()


@pytest.fixture
def flow(store: Store, tmp_path: Path) -> Flow:
    return Flow(tmp_path, store=store, sink=NullSink())


# ------------------------------------------------------------------ what it returns

SAYS_SOMETHING = [
    "int", "str | None", "Optional[dict[str, int]]", "Iterator[int]", "'bool'", "typing.Any | None",
    "Coroutine[Any, Any, str]", "Awaitable[int]", "Coroutine[Any, Any, dict[str, None]]", "typing.List[None]",
]  # fmt: skip
SAYS_NOTHING = [
    "None", "'None'", "NoReturn", "typing.Never", "Any", "object", "Coroutine[Any, Any, None]",
    "typing.Awaitable[None]", "Coroutine[Any, Any, Any]",
]  # fmt: skip


def annotated(annotation: str, *, as_text: bool) -> Any:
    """Return a function with this return annotation, evaluated or not."""
    scope: dict[str, Any] = {**vars(typing), "typing": typing}
    lazy = "from __future__ import annotations\n" if as_text else ""
    exec(
        compile(f"{lazy}def extract(day) -> {annotation}: ...", "annotated", "exec", dont_inherit=True), scope
    )
    return scope["extract"]


@pytest.mark.parametrize("as_text", [False, True])
@pytest.mark.parametrize("annotation", SAYS_SOMETHING)
def test_a_body_that_says_it_returns_something_is_refused(flow: Flow, annotation: str, as_text: bool) -> None:
    with pytest.raises(DefinitionTypeError) as caught:
        flow.task(on="{day}.txt")(annotated(annotation, as_text=as_text))
    assert str(caught.value) == (
        "task extract(): on= keeps what the body writes, and it is annotated to return a value; "
        "write save= to keep that, or return None"
    )


@pytest.mark.parametrize("as_text", [False, True])
@pytest.mark.parametrize("annotation", SAYS_NOTHING)
def test_a_body_that_does_not_is_accepted(flow: Flow, annotation: str, as_text: bool) -> None:
    flow.task(on="{day}.txt")(annotated(annotation, as_text=as_text))


OPTIONS: list[dict[str, Any]] = [{}, {"skip": Exception, "suppress": Exception, "retry": 3}, {"limit": 0}]


@pytest.mark.parametrize("options", OPTIONS, ids=["plain", "lenient", "unlimited"])
@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
@pytest.mark.parametrize("suffix", ["txt", "jsonl.zst", "json.gz", "csv", "parquet"])
def test_a_value_of_a_body_that_wrote_nothing_is_an_error(
    flow: Flow, options: dict[str, Any], is_async: bool, suffix: str
) -> None:
    """It was meant to be kept. Nothing is published, whatever is listed."""
    calls: list[str] = []

    def extract(day: str) -> Any:
        calls.append(day)
        return [day]

    async def extract_async(day: str) -> Any:
        return extract(day)

    decorate: Any = flow.task(on="{day}." + suffix, **options)
    task = decorate(extract_async if is_async else extract)
    for _ in range(2):
        with (
            fake_clock() as clock,
            pytest.raises(RecordTypeError, match=r"and it wrote nothing; use save=") as caught,
        ):
            asyncio.run(task("mon")) if is_async else task("mon")
        assert str(caught.value).startswith(f"task {task.__name__}(): on= keeps what the body writes")
        assert clock.waits == []
    assert calls == ["mon", "mon"]
    assert list(flow.task.outputs(task)) == []


@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
def test_a_value_of_a_body_that_wrote_warns_once(flow: Flow, is_async: bool) -> None:
    """At the function; the value is returned this once, and never by a later call."""

    def extract(day: str) -> Any:
        flow.task.write(day)
        return len(day)

    async def extract_async(day: str) -> Any:
        flow.task.write(day)
        return len(day)

    body = extract_async if is_async else extract
    decorate: Any = flow.task
    task = decorate(on="{day}.txt")(body)

    def call(day: str) -> object:
        return asyncio.run(task(day)) if is_async else task(day)

    with pytest.warns(
        UserWarning, match=r"on= keeps what the body writes, not what it returns; use save="
    ) as caught:
        assert [call("mon"), call("mon"), call("friday")] == [3, None, 6]
    (warning,) = caught
    assert warning.filename == __file__
    assert warning.lineno == inspect.getsourcelines(body)[1]
    assert str(warning.message).startswith(f"task {body.__name__}():")
    assert flow.task.output(task, "mon").text() == "mon"


def test_the_warning_may_be_an_error(flow: Flow) -> None:
    """As under `python -W error`: the user's wish, not an exception of the body."""

    @flow.task(on="{day}.txt", skip=Exception)
    def extract(day: str) -> Any:
        flow.task.write(day)
        return day

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(UserWarning, match="on= keeps"):
            extract("mon")
    assert flow.task.output(extract, "mon").status == "absent"


def test_a_write_in_a_thread_counts_as_one(flow: Flow) -> None:
    @flow.task(on="x.jsonl")
    def extract() -> Any:
        context = contextvars.copy_context()
        thread = threading.Thread(target=context.run, args=(flow.task.write, {"a": 1}))
        thread.start()
        thread.join()
        return 1

    with pytest.warns(UserWarning, match="on= keeps"):
        extract()
    assert flow.task.output(extract).text() == '{"a":1}\n'


def test_write_all_counts_as_a_write_even_of_nothing_but_not_of_no_records(flow: Flow) -> None:
    @flow.task(on="{count}.jsonl")
    def extract(count: int) -> Any:
        flow.task.write_all({"n": number} for number in range(count))
        return count

    with pytest.warns(UserWarning, match="on= keeps"):
        extract(2)
    assert len(list(flow.task.output(extract, 2).records(dict[str, int]))) == 2
    with pytest.raises(RecordTypeError, match="wrote nothing"):
        extract(0)


def test_falsy_values_are_values_and_none_is_not(flow: Flow) -> None:
    values: list[Any] = [0, "", [], False]

    @flow.task(on="{n}.txt")
    def extract(n: int) -> Any:
        return values[n]

    for number in range(len(values)):
        with pytest.raises(RecordTypeError):
            extract(number)
    values.append(None)
    assert extract(4) is None
    assert flow.task.output(extract, 4).status == "complete"


def test_a_body_on_a_thread_pool(flow: Flow) -> None:
    with ThreadPoolExecutor(1) as pool:

        @flow.task(on="{writes}.txt.gz", executor=pool)
        def extract(writes: bool) -> Any:
            if writes:
                flow.task.write("x")
            return 1

        with pytest.raises(RecordTypeError, match="wrote nothing"):
            extract(False)
        with pytest.warns(UserWarning, match="on= keeps"):
            assert extract(True) == 1


# ------------------------------------------------------------------ writes that fail

FORGIVING: list[dict[str, Any]] = [
    {},
    {"skip": Exception},
    {"suppress": (Exception, RecordError)},
    {"retry": 3, "skip": (OSError, RecordError)},
]


@pytest.mark.parametrize("options", FORGIVING, ids=lambda options: ",".join(options) or "plain")
@pytest.mark.parametrize("after", ["raises", "swallows", "raises another", "retries the write"])
@pytest.mark.parametrize("kind", ["disk", "record", "second document"])
def test_a_failed_write_ends_the_call_as_itself(options: dict[str, Any], after: str, kind: str) -> None:
    """Whatever the body makes of it and whatever is listed: nothing is published that lacks a record."""
    inner, sink = MemoryStore(), RecordingSink()
    store = FaultyStore(inner)
    flow = Flow(store=store, sink=sink)
    full = OSError(28, "No space left on device")
    calls: list[str] = []
    records: dict[str, Any] = {"disk": "x" * 10**7, "record": object(), "second document": {"b": 2}}

    def write() -> None:
        if kind == "disk":
            store.fail("write", full)
        flow.task.write(records[kind])

    decorate: Any = flow.task(on="{name}." + ("json" if kind == "second document" else "jsonl"), **options)

    def body(name: str) -> None:
        calls.append(name)
        flow.task.write({"a": 1})
        try:
            write()
        except (OSError, RecordError):
            if after == "raises":
                raise
            if after == "raises another":
                raise KeyError("because of it") from None
            if after == "retries the write":
                flow.task.write({"c": 3}) if kind != "second document" else None

    extract = decorate(body)
    expected = {"disk": OSError, "record": RecordTypeError, "second document": RecordValueError}[kind]
    with fake_clock() as clock, pytest.raises(expected) as caught:
        extract("x")
    assert (caught.value is full) == (kind == "disk")
    assert (calls, clock.waits) == (["x"], [])
    assert list(inner.list("")) == []
    assert sink.outcomes() == ["failed"]
    assert len(sink.finished()) == 1


async def test_a_failed_write_in_a_thread_or_a_child_ends_the_call_too(flow: Flow) -> None:
    @flow.task(on="{way}.jsonl", skip=Exception)
    async def extract(way: str) -> None:
        flow.task.write({"a": 1})
        if way == "thread":
            await asyncio.gather(asyncio.to_thread(flow.task.write, object()), return_exceptions=True)
        else:
            await asyncio.gather(child(), return_exceptions=True)

    async def child() -> None:
        flow.task.write(object())

    for way in ("thread", "child"):
        with pytest.raises(RecordTypeError):
            await extract(way)
        assert flow.task.output(extract, way).status == "absent"


def test_a_failed_write_breaks_one_attempt_only(flow: Flow) -> None:
    """The call ends with it; the next call begins afresh."""
    broken = True

    @flow.task(on="x.jsonl", retry=1)
    def extract() -> None:
        flow.task.write(object() if broken else {"a": 1})

    with pytest.raises(RecordTypeError):
        extract()
    broken = False
    extract()
    assert flow.task.output(extract).text() == '{"a":1}\n'


@pytest.mark.parametrize("sink", [NullSink, RecordingSink])
def test_where_nothing_is_kept_a_write_is_the_bodys_own_mistake(sink: Any) -> None:
    """It is raised to the body, which may go on: there is no output that could lack something."""
    flow = Flow(store=MemoryStore(), sink=sink())

    @flow.task
    def bare() -> str:
        with pytest.raises(NotInTaskError):
            flow.task.write("nowhere")
        return "done"

    @flow.task(skip=Exception)
    def lenient() -> str:
        flow.task.write("nowhere")
        return "done"

    assert bare() == "done"
    with pytest.raises(NotInTaskError):
        lenient()


# ------------------------------------------------------------------ asflow's own errors and policies


@pytest.mark.parametrize(
    ("options", "matches"),
    [
        ({"skip": Exception}, False),
        ({"skip": (ValueError, TypeError, RuntimeError)}, False),
        ({"skip": AsflowError}, True),
        ({"skip": (OSError, RecordError)}, True),
        ({"skip": RecordTypeError}, True),
        ({"skip": RecordValueError}, False),
        ({"suppress": Exception}, False),
        ({"suppress": RecordError}, True),
    ],
)
def test_asflows_errors_are_matched_where_one_of_its_classes_is_listed(
    flow: Flow, options: dict[str, Any], matches: bool
) -> None:
    """Here that of a task which the body calls: as such it is the body's own error."""

    @flow.task(on="inner-{name}.jsonl")
    def inner(name: str) -> None:
        flow.task.write(object())

    def body(name: str) -> None:
        inner(name)

    decorate: Any = flow.task(on="{name}.jsonl", **options)
    outer = decorate(body)
    if matches:
        outer("x")
    else:
        with pytest.raises(RecordTypeError):
            outer("x")
    expected = "suppressed" if matches and "suppress" in options else "absent"
    assert flow.task.output(outer, "x").status == expected


def test_asflows_errors_are_retried_where_one_of_its_classes_is_listed(flow: Flow) -> None:
    calls: list[str] = []

    @flow.task(on="inner-{name}.jsonl")
    def inner(name: str) -> None:
        calls.append(name)
        flow.task.write(object())

    with fake_clock():
        for name, options, count in [
            ("any", {"retry": 2}, 1),
            ("builtin", {"retry": 2, "retry_exceptions": (TypeError, OSError)}, 1),
            ("own", {"retry": 2, "retry_exceptions": RecordError}, 3),
        ]:
            given: dict[str, Any] = dict(typing.cast("dict[str, Any]", options))
            with pytest.raises(RecordTypeError):
                flow.task(**given)(inner)(name)
            assert calls.count(name) == count
