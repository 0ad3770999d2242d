"""One form for every message about a wrong option: ``SUBJECT: what is wrong, not VALUE; what to do``.

Each row makes one mistake; another test checks that every option has a row.
"""

from __future__ import annotations

import dataclasses
import inspect
import pydoc
import re
import traceback
import typing
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import pytest

from asflow import Flow, Format, Limit, LocalStore, MemoryStore, Retry, TaskDecorator, add_format, run
from asflow.dag import task as node
from asflow.dataflow import (
    ArgsMapperArgsError,
    ArgsMapperInputKeyError,
    DataFlow,
    DataFlowDefinitionError,
    DataFlowEmptyError,
    DataFlowNotCallableError,
    DataFlowNotTupleError,
    amapper,
    stage,
)
from asflow.errors import DefinitionTypeError, DefinitionValueError, NoPathError, NotInTaskError
from asflow.sinks import (
    HistorySink,
    LineSink,
    LogSink,
    NullSink,
    PrometheusSink,
    RichSink,
    StreamlitSink,
    Tee,
    TqdmSink,
    TraceSink,
    WebhookSink,
)
from asflow.stores import ObjectStore
from asflow.writers import by_path

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

FORM = re.compile(
    r"(?P<subject>(?:(?:task|flow) [\w.<>]+|[@\w.]+)\(\)): (?P<wrong>[a-z@*].*?); (?P<remedy>\S.*[^.\s])"
)
TYPE, VALUE = DefinitionTypeError, DefinitionValueError

flow = Flow(store=MemoryStore(), sink=NullSink())


class AsyncWriter:
    """A writer whose `write` nobody would await."""

    def __init__(self, stream: object) -> None: ...

    async def write(self, record: object, /) -> None: ...

    def commit(self) -> None: ...

    def abort(self) -> None: ...


class Mistake(NamedTuple):
    """What to call, with which wrong option, and what the message must have.

    Attributes:
        make: makes the mistake.
        option: the option that is wrong; the coverage of options is checked.
        error: the exact class.
        subject: what the message begins with.
        shown: what it shows of the value.
    """

    make: Callable[[], object]
    option: str
    error: type[Exception]
    subject: str
    shown: str


def with_option(make: Callable[..., object], option: str, value: object) -> Callable[[], object]:
    return lambda: make(**{option: value})


def sync_task(**options: Any) -> object:
    def extract(day: str) -> None: ...

    return flow.task(**options)(extract)


def async_task(**options: Any) -> object:
    async def extract(day: str) -> None: ...

    return flow.task(**options)(extract)


def kept_task(**options: Any) -> object:
    return sync_task(**{"on": "*.txt.gz"} | options)


def saved_task(**options: Any) -> object:
    def extract(day: str) -> str:
        return day

    return flow.task(**options)(extract)


@flow.task(on="cities/{city}.txt")
def needs_more(city: str) -> None: ...


@Flow(store=MemoryStore(), sink=NullSink()).task(on="days/{day}.txt")
def elsewhere(day: str) -> None: ...


class Untimed:
    """A store that has no more than it must."""

    def __init__(self) -> None:
        inner = MemoryStore()
        for name in ("status", "info", "claim", "open", "list", "delete", "blocking"):
            setattr(self, name, getattr(inner, name))

    def __repr__(self) -> str:
        return "Untimed()"


untimed = Flow(store=cast("Any", Untimed()), sink=NullSink())


def kept_task_of(flow: Flow, **options: Any) -> object:
    def extract(day: str) -> None: ...

    return flow.task(on="*.txt", **options)(extract)


async def asynchronous(value: object) -> float:
    return 1.0


def generator() -> Any:
    yield 1


# ------------------------------------------------------------------ tasks

TASK = "task extract()"
SECONDS: list[tuple[object, type[Exception]]] = [
    ("x", TYPE), (True, TYPE), (-1, VALUE), (float("inf"), VALUE), (float("nan"), VALUE)
]  # fmt: skip


def tasks() -> Iterator[Mistake]:
    wrong: list[tuple[Callable[..., object], str, object, type[Exception]]] = [
        *[(sync_task, "skip", value, TYPE) for value in (3, (3,), int)],
        *[(sync_task, "suppress", value, TYPE) for value in ("x", (int,), int)],
        *[(sync_task, "retry_exceptions", value, TYPE) for value in (3, int)],
        (sync_task, "retry_exceptions", OSError, VALUE),
        *[(sync_task, "retry", value, TYPE) for value in ("x", True, 1.5)],
        (sync_task, "retry", -1, VALUE),
        *[(sync_task, "limit", value, TYPE) for value in ("x", True, 2.5)],
        *[(sync_task, "limit", value, VALUE) for value in (-1, 2_000_000)],
        *[(async_task, "timeout", value, error) for value, error in SECONDS],
        (async_task, "timeout", 0, VALUE),
        (sync_task, "timeout", 1, TYPE),
        (sync_task, "executor", 3, TYPE),
        *[(kept_task, "key", value, TYPE) for value in (3, asynchronous)],
        *[(kept_task, "refresh", value, error) for value, error in SECONDS],
        *[(kept_task, "refresh", value, TYPE) for value in (asynchronous, lambda output: True)],
        (kept_task, "refresh", datetime(2026, 1, 2), VALUE),
        *[(kept_task, "reads", value, TYPE) for value in (3, b"x", sync_task(), needs_more)],
        *[(kept_task, "reads", value, VALUE) for value in ("{other}.txt", "data/**/x", "../x", elsewhere)],
        (partial(kept_task_of, untimed), "reads", "x.txt", VALUE),
        *[(kept_task, "level", value, TYPE) for value in ("x", 3.5, True)],
        *[(kept_task, "level", value, VALUE) for value in (-1, 10)],
        *[(kept_task, "writer", value, TYPE) for value in (3, asynchronous, AsyncWriter)],
        *[(sync_task, name, 3, VALUE) for name in ("key", "refresh", "reads", "level", "writer")],
        *[(kept_task, "on", value, TYPE) for value in (3, ["x"], b"x")],
        *[(saved_task, "save", value, TYPE) for value in (3, ["x"], b"x")],
        (partial(saved_task, save="*.txt"), "on", "{day}.txt", VALUE),
        (partial(saved_task, save="*.txt"), "writer", asynchronous, VALUE),
    ]
    for make, option, value, error in wrong:
        shown = getattr(value, "__qualname__", repr(value[0] if isinstance(value, tuple) else value))
        shown = "int" if value == (int,) else shown
        yield Mistake(with_option(make, option, value), option, error, TASK, shown)
    yield Mistake(with_option(sync_task, "skip", [OSError]), "skip", TYPE, TASK, "a list")
    yield Mistake(with_option(kept_task, "refresh", timedelta(-1)), "refresh", VALUE, TASK, "-86400.0")
    yield Mistake(lambda: async_task(executor=ThreadPoolExecutor(1)), "executor", TYPE, TASK, "<ThreadPool")
    both = Retry(exceptions=OSError)
    yield Mistake(lambda: sync_task(retry=both, retry_exceptions=OSError), "retry", VALUE, TASK, "OSError")
    yield Mistake(lambda: sync_task(on="{day}.txt", key=str), "key", VALUE, TASK, "'{day}.txt'")
    yield Mistake(lambda: sync_task(on="{day}.txt", level=3), "level", VALUE, TASK, "3")
    yield Mistake(lambda: sync_task(on="{day}.zst", level=23), "level", VALUE, TASK, "23")
    yield Mistake(lambda: sync_task(on="{day}", suppress=OSError), "suppress", VALUE, TASK, "'{day}'")
    yield Mistake(lambda: sync_task(retri=3), "retri", TYPE, TASK, "'retri'")
    yield Mistake(lambda: sync_task(oops=3), "oops", TYPE, TASK, "'oops'")


PATTERNS = [
    "", "/", ".", "..", "{day}/", "/data/{day}.txt", "C:/{day}.txt", "~/{day}.txt", "../{day}.txt",
    "data/../../{day}.txt", "{dya}.txt", "{}.txt", "{0}.txt", "{day.year}.txt", "{day[0]}.txt", "{day!r}.txt",
    "{day:{width}}.txt", "{day", "day}.txt", "*/*.txt", "{day}{day}.txt", "{day}.err", "{day}.part",
    "data\\{day}.txt", "a\0{day}.txt",
]  # fmt: skip


def patterns() -> Iterator[Mistake]:
    for pattern in PATTERNS:
        yield Mistake(with_option(sync_task, "on", pattern), "on", VALUE, TASK, f"on={pattern!r}")
        yield Mistake(with_option(saved_task, "save", pattern), "save", VALUE, TASK, f"save={pattern!r}")
    yield Mistake(with_option(sync_task, "on", "x" * 300), "on", VALUE, TASK, "on='xxx")


def decorated() -> Iterator[Mistake]:
    values: list[tuple[Any, str]] = [(3, "<int>"), ("x", "<str>"), (int, "int")]
    for value, name in values:
        shown = "int" if value is int else repr(value)
        yield Mistake(partial(flow.task, value), "", TYPE, f"task {name}()", shown)
        yield Mistake(partial(flow, value), "", TYPE, f"flow {name}()", shown)
    yield Mistake(lambda: flow.task(generator), "", TYPE, "task generator()", "a generator function")
    yield Mistake(lambda: flow(generator), "", TYPE, "flow generator()", "a generator function")


def formats() -> Iterator[Mistake]:
    def write(stream: Any) -> Any: ...

    def by(**options: Any) -> object:
        given: dict[str, Any] = {"suffix": ".x", "writer": write, **options}
        return Format(**given)

    for value, error in (3, TYPE), ("x", VALUE), (".a.b", VALUE), (".gz", VALUE), (".part", VALUE):
        yield Mistake(with_option(by, "suffix", value), "suffix", error, "Format()", repr(value))
    functions: list[tuple[str, Any]] = [("3", 3), ("asynchronous", asynchronous)]
    for shown, function in functions:
        yield Mistake(with_option(by, "writer", function), "writer", TYPE, "Format()", shown)
        yield Mistake(with_option(by, "reader", function), "reader", TYPE, "Format()", shown)
    yield Mistake(with_option(by, "writer", AsyncWriter), "writer", TYPE, "Format()", "AsyncWriter")
    csv = Format(".csv", write)
    yield Mistake(lambda: add_format(3), "", TYPE, "add_format()", "3")  # type: ignore[arg-type]
    yield Mistake(lambda: add_format(csv), "", VALUE, "add_format()", "Format('.csv', ")
    path: Any = 3
    yield Mistake(lambda: by_path(path), "", TYPE, "by_path()", "3")
    yield Mistake(lambda: by_path(write, suffix="xlsx"), "", VALUE, "by_path()", "'xlsx'")  # type: ignore[arg-type]


# ------------------------------------------------------------------ everything else


@flow.task
def download(url: str) -> int:
    return len(url)


@flow.task(on="{url}.txt")
def keep(url: str) -> None: ...


def rows(
    subject: str, make: Callable[..., object], wrong: list[tuple[str, object, type[Exception]]]
) -> Iterator[Mistake]:
    for option, value, error in wrong:
        name = getattr(value, "__qualname__", None)
        yield Mistake(with_option(make, option, value), option, error, subject, name or repr(value))


def flows() -> Iterator[Mistake]:
    class Wishing(NullSink):  # type: ignore[misc]
        wants_tasks = "some"  # type: ignore[assignment]

    wrong: list[tuple[str, object, type[Exception]]] = [
        *[("base", value, TYPE) for value in (3, b"data")],
        *[("base", value, VALUE) for value in ("~/data", "a\0b", "file://host/x")],
        *[("store", value, TYPE) for value in (3, MemoryStore)],
        *[("sink", value, TYPE) for value in (3, NullSink)],
        ("verbose", 3, TYPE),
    ]
    yield from rows("Flow()", Flow, wrong)
    yield Mistake(lambda: Flow(Path("s3://bucket")), "base", VALUE, "Flow()", "'s3:/bucket'")
    yield Mistake(lambda: Flow("s3://b", store=MemoryStore()), "base", VALUE, "Flow()", "'s3://b'")
    yield Mistake(lambda: Flow(sink=Wishing()), "sink", VALUE, "Flow()", "'some'")
    yield from rows("@flow()", flow, [("verbose", 3, TYPE), ("progress", None, TYPE), ("progress", 3, TYPE)])
    yield from rows("@flow()", flow, [("total", "x", TYPE), ("total", True, TYPE), ("total", -1, VALUE)])


def retries_and_limits() -> Iterator[Mistake]:
    wrong: list[tuple[str, object, type[Exception]]] = [
        *[("total", value, TYPE) for value in ("x", True, 2.5)],
        ("total", -1, VALUE),
        *[(name, *each) for name in ("backoff_factor", "backoff_jitter", "max_delay") for each in SECONDS],
        *[("exceptions", value, TYPE) for value in ("x", int)],
        *[("delay", value, TYPE) for value in (3, asynchronous)],
        ("hold_limit", 3, TYPE),
    ]
    yield from rows("Retry()", Retry, wrong)
    totals = [("total", value, TYPE) for value in ("x", True, 2.5)]
    yield from rows("Limit()", Limit, [*totals, ("total", -1, VALUE), ("total", 2_000_000, VALUE)])
    rates: list[tuple[str, object, type[Exception]]] = [
        ("rate", 3, TYPE),
        *[("rate", value, VALUE) for value in ("x", "0/s", "1/0s", "1/year")],
    ]
    yield from rows("Limit()", partial(Limit, 1), [*rates, ("per", "host", TYPE), ("per", 3, TYPE)])
    names: list[tuple[str, object, type[Exception]]] = [
        ("shared", 3, TYPE),
        ("shared", b"api", TYPE),
        ("shared", "", VALUE),
        ("shared", "a/b", VALUE),
    ]
    yield from rows("Limit()", partial(Limit, 1), names)
    held: list[tuple[str, object, type[Exception]]] = [
        *[("seconds", value, TypeError) for value in ("x", True)],
        ("seconds", float("inf"), ValueError),
    ]
    yield from rows("Limit.hold()", Limit(1).hold, held)


def stores() -> Iterator[Mistake]:
    yield from rows("LocalStore()", LocalStore, [("durability", 3, TYPE), ("durability", "x", VALUE)])
    url = "s3://bucket/data"

    def store(**options: Any) -> ObjectStore:
        given: dict[str, Any] = {"url": url} | options
        return ObjectStore(**given)

    wrong: list[tuple[str, object, type[Exception]]] = [
        ("url", 3, TYPE),
        *[("url", value, VALUE) for value in ("x", "ftp://x", "s3://")],
        *[("config", value, TYPE) for value in (3, "x")],
        *[("client_options", value, TYPE) for value in (3, "x")],
        *[("retry_seconds", value, error) for value, error in SECONDS],
        ("retry_seconds", 0, VALUE),
        *[("listing_seconds", value, error) for value, error in SECONDS],
        *[("lease_seconds", value, error) for value, error in SECONDS],
    ]
    yield from rows("ObjectStore()", store, wrong)
    subject = "ObjectStore()"
    yield Mistake(lambda: store(credential_provider="secret"), "credential_provider", TYPE, subject, "a str")
    yield Mistake(lambda: store(config={"nope": "x"}), "config", VALUE, subject, "'nope'")
    yield Mistake(lambda: store(client_options={"nope": "x"}), "client_options", VALUE, subject, "nope")


def sinks() -> Iterator[Mistake]:
    rates: list[tuple[object, type[Exception]]] = [("x", TYPE), (True, TYPE), (0, VALUE), (100, VALUE)]
    yield from rows(
        "RichSink()",
        RichSink,
        [
            *[(name, 3, TYPE) for name in ("verbose", "display", "console")],
            *[("refresh_per_second", *each) for each in rates],
        ],
    )
    yield from rows(
        "LineSink()",
        LineSink,
        [
            ("verbose", 3, TYPE),
            ("stream", 3, TYPE),
            *[("every", value, error) for value, error in SECONDS],
            ("every", 0, VALUE),
        ],
    )
    yield from rows("LogSink()", LogSink, [("logger", 3, TYPE)])
    yield from rows("TqdmSink()", TqdmSink, [("bar", 3, TYPE)])
    yield from rows("HistorySink()", HistorySink, [("folder", 3, TYPE)])
    kept = partial(HistorySink, "history")
    yield from rows("HistorySink()", kept, [("keep", "x", TYPE), ("keep", True, TYPE), ("keep", 0, VALUE)])
    yield from rows("TraceSink()", TraceSink, [("path", 3, TYPE)])
    yield from rows("PrometheusSink()", PrometheusSink, [("textfile", 3, TYPE)])
    webhook = partial(WebhookSink, "http://localhost")
    yield from rows("WebhookSink()", WebhookSink, [("url", 3, TYPE), ("url", "localhost", VALUE)])
    yield from rows(
        "WebhookSink()",
        webhook,
        [
            ("when", "never", VALUE),
            ("message", 3, TYPE),
            *[("timeout", value, error) for value, error in SECONDS],
            ("timeout", 0, VALUE),
        ],
    )
    wrong: list[Any] = [3, NullSink]
    for value in wrong:
        shown = getattr(value, "__name__", repr(value))
        yield Mistake(partial(Tee, value), "sinks", TYPE, "Tee()", shown)
    yield from rows(
        "StreamlitSink()",
        StreamlitSink,
        [
            *[(name, 3, TYPE) for name in ("keep", "interrupt", "elsewhere")],
            *[("updates_per_second", *each) for each in rates],
        ],
    )


def calls() -> Iterator[Mistake]:
    """What hangs on `flow.task`, and `run`."""
    item: Any = 3
    yield Mistake(lambda: flow.task.map(item, []), "task", TYPE, "flow.task.map()", "3")
    yield Mistake(lambda: flow.task.map(len, []), "task", TYPE, "flow.task.map()", "len")
    yield Mistake(lambda: flow.task.map(download, item), "items", TYPE, "flow.task.map()", "3")
    yield Mistake(lambda: flow.task.map(download, [], ordered=item), "ordered", TYPE, "flow.task.map()", "3")
    errors: list[tuple[str, object, type[Exception]]] = [("on_error", 3, TYPE), ("on_error", "x", VALUE)]
    mapping: Any = flow.task.map
    yield from rows("flow.task.map()", partial(mapping, download, []), errors)
    yield Mistake(lambda: flow.task.output(item), "task", TYPE, "flow.task.output()", "3")
    yield Mistake(lambda: flow.task.outputs(item), "task", TYPE, "flow.task.outputs()", "3")
    yield Mistake(lambda: flow.task.output(download, "x"), "task", TYPE, "task download()", "on='...'")
    yield Mistake(lambda: flow.task.outputs(download), "task", TYPE, "task download()", "on='...'")
    yield Mistake(lambda: flow.task.output(keep, "x").path, "", NoPathError, "MemoryStore()", "'x.txt'")
    yield Mistake(lambda: flow.path("x"), "", NoPathError, "MemoryStore()", "'x'")
    yield Mistake(lambda: flow.task.write("x"), "", NotInTaskError, "flow.task.write()", "outside any task")
    yield Mistake(lambda: run(item), "coroutine", TypeError, "run()", "3")


TABLE = [
    *tasks(), *patterns(), *decorated(), *flows(), *retries_and_limits(), *stores(), *sinks(), *calls(),
    *formats(),
]  # fmt: skip


def graphs() -> Iterator[Mistake]:
    def read() -> dict[str, int]:
        return {"rows": 1}

    def save(rows: int) -> None: ...

    wrong: Any = 3
    subject = "DataFlow()"
    yield Mistake(lambda: node(raw=wrong), "raw", TYPE, "@task()", "3")
    yield Mistake(lambda: node(wrong, raw=wrong), "raw", TYPE, "@task()", "3")
    yield Mistake(lambda: node(wrong), "func", TYPE, "task <int>()", "3")
    yield Mistake(lambda: node(generator), "func", TYPE, "task generator()", "a generator function")
    yield Mistake(lambda: DataFlow(wrong), "definition", DataFlowNotTupleError, subject, "3")
    yield Mistake(lambda: DataFlow(()), "definition", DataFlowEmptyError, subject, "an empty tuple")
    yield Mistake(lambda: DataFlow((wrong,)), "definition", DataFlowNotCallableError, subject, "3")
    yield Mistake(
        lambda: DataFlow((generator,)),
        "definition",
        DataFlowDefinitionError,
        "task generator()",
        "a generator function",
    )
    yield Mistake(lambda: DataFlow((read,), name=wrong), "name", DataFlowDefinitionError, subject, "3")
    yield Mistake(lambda: stage(wrong), "members", DataFlowNotCallableError, subject, "3")
    yield Mistake(stage, "members", DataFlowEmptyError, subject, "at least one member")
    yield Mistake(lambda: amapper(wrong), "func", ArgsMapperArgsError, subject, "3")
    yield Mistake(lambda: amapper(save, input=wrong), "input", ArgsMapperArgsError, subject, "3")
    yield Mistake(lambda: amapper(read, output=wrong), "output", ArgsMapperArgsError, subject, "3")
    yield Mistake(
        lambda: amapper(save, input={"nope": "rows"}), "input", ArgsMapperInputKeyError, subject, "'nope'"
    )


GRAPHS = list(graphs())


def refusal(mistake: Mistake) -> Exception:
    with pytest.raises(mistake.error) as caught:
        mistake.make()
    return caught.value


@pytest.mark.parametrize("mistake", [*TABLE, *GRAPHS], ids=lambda each: f"{each.subject}-{each.option}")
def test_a_mistake_is_refused_in_the_one_form(mistake: Mistake) -> None:
    error = refusal(mistake)
    assert type(error) is mistake.error
    message = str(error)
    found = FORM.fullmatch(message)
    assert found is not None, message
    assert found["subject"] == mistake.subject, message
    assert mistake.shown in message, message
    assert ";" not in found["remedy"], message
    assert not message.endswith("."), message


def options_of(function: Any) -> set[str]:
    """Return the parameters of *function*, or of all its overloads."""
    variants = typing.get_overloads(function) if inspect.isfunction(function) else []
    found = {name for each in variants or [function] for name in inspect.signature(each).parameters}
    return found - {"self", "func"}


@pytest.mark.parametrize(
    ("subject", "function"),
    [
        ("task extract()", TaskDecorator.__call__),
        ("@flow()", Flow.__call__),
        ("Flow()", Flow),
        ("Limit()", Limit),
        ("LocalStore()", LocalStore),
        ("ObjectStore()", ObjectStore),
        ("flow.task.map()", TaskDecorator.map),
        ("RichSink()", RichSink),
        ("LineSink()", LineSink),
        ("LogSink()", LogSink),
        ("TqdmSink()", TqdmSink),
        ("HistorySink()", HistorySink),
        ("TraceSink()", TraceSink),
        ("StreamlitSink()", StreamlitSink),
        ("Tee()", Tee),
    ],
)
def test_every_option_is_in_the_table(subject: str, function: object) -> None:
    assert options_of(function) <= {each.option for each in TABLE if each.subject == subject}


def test_every_field_of_retry_is_in_the_table() -> None:
    tried = {each.option for each in TABLE if each.subject == "Retry()"}
    assert {field.name for field in dataclasses.fields(Retry)} == tried


# ------------------------------------------------------------------ where an error at decoration begins


@pytest.mark.parametrize("mistake", [*tasks(), *patterns(), *decorated()], ids=lambda each: each.option)
def test_an_error_at_decoration_begins_at_the_users_line(mistake: Mistake) -> None:
    frames = traceback.extract_tb(refusal(mistake).__traceback__)
    ours = [f"{frame.filename}:{frame.name}" for frame in frames if frame.filename != __file__]
    assert frames[0].filename == __file__
    assert len(ours) <= 3, ours
    assert frames[-1].filename != __file__
    assert refusal(mistake).__context__ is None or refusal(mistake).__suppress_context__


def test_help_names_every_option() -> None:
    text = pydoc.plain(pydoc.render_doc(flow.task))
    for option in options_of(TaskDecorator.__call__):
        assert re.search(rf"`{option}`", text), option
