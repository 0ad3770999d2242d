"""`save=` goes by the return annotation: where that comes from, and what the task says of itself."""

from __future__ import annotations

import asyncio
import functools
import inspect
import sys
import types
import typing
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple, TypedDict, TypeVar

import pytest
from support.decorators import passes_on, passes_on_awaiting

from asflow import Flow, MemoryStore, Records
from asflow.errors import DefinitionTypeError
from asflow.sinks import NullSink


@dataclass
class Row:
    number: int


@pytest.fixture
def flow() -> Flow:
    return Flow(store=MemoryStore(), sink=NullSink())


def returned(task: Any) -> list[object]:
    """Call *task* twice, the second time to find its output."""

    def call() -> object:
        value = task()
        if inspect.isawaitable(value):
            value = asyncio.run(typing.cast("Coroutine[Any, Any, object]", value))
        return list(typing.cast("Records[object]", value)) if isinstance(value, Records) else value

    return [call(), call()]


# ------------------------------------------------------------------ where the annotation comes from


def test_a_class_of_the_function_around_the_task(flow: Flow) -> None:
    """Made before the task, or after it; used in the body, or only in the annotation."""

    @dataclass
    class Before:
        number: int

    @flow.task(save="before.json")
    def before() -> Before:
        return Before(1)

    make: Callable[[], Any] = lambda: Before(2)  # noqa: E731

    @flow.task(save="only.jsonl")
    def annotated_only() -> list[Before]:
        return [make()]

    @flow.task(save="after.json")
    def after() -> After:
        return After(3)

    @flow.task(save="stream.jsonl")
    def stream() -> Iterator[After]:
        yield After(4)

    @dataclass
    class After:
        number: int

    assert returned(before) == [Before(1)] * 2
    assert returned(annotated_only) == [[Before(2)]] * 2
    assert returned(after) == [After(3)] * 2
    assert returned(stream) == [[After(4)]] * 2


class Outer:
    """A class whose methods return what it defines."""

    flow = Flow(store=MemoryStore(), sink=NullSink())

    class Inner(NamedTuple):
        number: int

    @flow.task(save="short.json")
    def by_short_name(self) -> Inner:
        return Outer.Inner(1)

    @flow.task(save="long.json")
    def by_long_name(self) -> Outer.Inner:
        return Outer.Inner(1)

    @flow.task(save="later.json")
    def made_later(self) -> Later:
        return Later(1)


@dataclass
class Later:
    number: int


def test_a_class_in_a_class_and_one_further_down() -> None:
    outer = Outer()
    for task in (outer.by_short_name, outer.by_long_name):
        assert returned(task) == [Outer.Inner(1)] * 2
    assert returned(outer.made_later) == [Later(1)] * 2


def test_the_annotation_of_the_function_below_a_decorator(flow: Flow) -> None:
    """Its names are those of its own module, not of the decorator's."""

    def row() -> Row:
        return Row(1)

    async def row_async() -> Row:
        return Row(2)

    def rows() -> Iterator[Row]:
        yield Row(3)

    async def rows_async() -> AsyncIterator[Row]:
        yield Row(4)

    decorate = flow.task
    assert returned(decorate(save="a.json")(passes_on(row))) == [Row(1)] * 2
    assert returned(decorate(save="b.json")(passes_on_awaiting(row_async))) == [Row(2)] * 2
    assert returned(decorate(save="c.json")(passes_on(row_async))) == [Row(2)] * 2
    assert returned(decorate(save="d.jsonl")(passes_on(passes_on(rows)))) == [[Row(3)]] * 2
    assert returned(decorate(save="e.jsonl")(passes_on(rows_async))) == [[Row(4)]] * 2
    assert returned(decorate(save="f.json")(functools.cache(row))) == [Row(1)] * 2
    assert returned(decorate(save="g.json")(functools.partial(row))) == [Row(1)] * 2
    assert returned(decorate(save="h.json")(flow.task(row))) == [Row(1)] * 2


def test_functions_that_only_say_that_they_are_async(flow: Flow) -> None:
    async def row() -> Row:
        return Row(1)

    @flow.task(save="a.json")
    def declared() -> Coroutine[Any, Any, Row]:
        return row()

    assert returned(declared) == [Row(1)] * 2


ONLY_FOR_CHECKERS = """
from __future__ import annotations
from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nowhere import Missing

def plain(day: Missing = None) -> Missing:
    called.append("plain")
    return {}

async def awaited(day: Missing = None) -> dict[str, Missing]:
    called.append("awaited")
    return {}

def rows(day: Missing = None) -> Iterator[Missing]:
    called.append("rows")
    yield {}

async def rows_async(day: Missing = None) -> AsyncIterator[Missing]:
    called.append("rows_async")
    yield {}

def listed(day: Missing = None) -> list[Missing]:
    called.append("listed")
    return []

def iterated(day: Missing = None) -> Iterator[Missing]:
    called.append("iterated")
    return iter([])
"""


@pytest.mark.parametrize("name", ["plain", "awaited", "rows", "rows_async", "listed", "iterated"])
@pytest.mark.parametrize("options", [{}, {"skip": Exception, "retry": 3, "suppress": TypeError}])
def test_a_type_that_is_imported_for_checkers_only(flow: Flow, name: str, options: dict[str, Any]) -> None:
    """Refused at the first call, before the body runs; every time, and whatever is listed."""
    called: list[str] = []
    scope: dict[str, Any] = {"called": called, "__name__": "for_checkers"}
    exec(ONLY_FOR_CHECKERS, scope)
    pattern = "x.json" if name in ("plain", "awaited") else "x.jsonl"
    task = flow.task(save=pattern, **options)(scope[name])
    says = rf"^task {name}\(\): save= needs .*TYPE_CHECKING.*'Missing'.*; move that import out of"
    for _ in range(2):
        with pytest.raises(DefinitionTypeError, match=says):
            returned(task)
    output = flow.task.output(task)
    assert (called, output.status) == ([], "absent")
    with pytest.raises(DefinitionTypeError, match=says):
        output.value()


# ------------------------------------------------------------------ what a task says of itself


def test_what_a_call_returns_is_what_the_signature_says(flow: Flow) -> None:
    def row(n: int) -> Row:
        return Row(n)

    async def row_async(n: int) -> Row:
        return Row(n)

    def maybe(n: int) -> Row | None:
        return Row(n)

    def rows(n: int) -> Iterator[Row]:
        yield Row(n)

    async def rows_async(n: int) -> AsyncIterator[Row]:
        yield Row(n)

    options: list[dict[str, Any]] = [{}, {"skip": OSError}, {"suppress": KeyError}, {"skip": (), "retry": 1}]
    for given in options:
        quiet = bool(given.get("skip") or given.get("suppress"))
        for body in (row, row_async, maybe):
            task = flow.task(save=f"{body.__name__}.json", **given)(body)
            plain = Row | None if body is maybe else Row
            hints = typing.get_type_hints(task)
            assert hints == {"n": int, "return": Row | None if quiet else plain}
            wanted = inspect.signature(body).return_annotation
            if quiet and body is not maybe:
                wanted = "Row | None"
            assert inspect.signature(task).return_annotation == wanted
            assert inspect.iscoroutinefunction(task) == (body is row_async)
        for stream in (rows, rows_async):
            task = flow.task(save=f"{stream.__name__}.jsonl", **given)(stream)
            expected = Records[Row] | None if quiet else Records[Row]
            assert typing.get_type_hints(task)["return"] == expected
            assert inspect.signature(task).return_annotation == expected
            assert list(inspect.signature(task).parameters) == ["n"]
            assert inspect.iscoroutinefunction(task) == (stream is rows_async)
            assert not inspect.isgeneratorfunction(task)
            assert not inspect.isasyncgenfunction(task)


def test_the_signature_of_a_method_and_of_an_object_that_yields(flow: Flow) -> None:
    class Source:
        @flow.task(save="x.jsonl", skip=OSError)
        def rows(self, n: int) -> Iterator[Row]:
            yield Row(n)

        def __call__(self, n: int) -> Iterator[Row]:
            yield Row(n)

    assert str(inspect.signature(Source().rows)).startswith("(n: 'int') -> ")
    assert inspect.signature(Source().rows).return_annotation == Records[Row] | None
    called = flow.task(save="y.jsonl")(Source())
    assert inspect.signature(called).return_annotation == Records[Row]


def test_on_says_what_the_function_says(flow: Flow) -> None:
    @flow.task(on="x.txt", skip=OSError)
    def write() -> None: ...

    assert typing.get_type_hints(write) == {"return": types.NoneType}


# ------------------------------------------------------------------ what is refused at decoration

T = TypeVar("T")


class Client:
    """A class that no format knows."""

    def __init__(self) -> None:
        self.socket = object()


class Document(TypedDict):
    client: Client


REFUSED: list[tuple[str, object, str]] = [
    (".json", None, "use on= for a body that writes"),
    (".json", Any, "annotate the type"),
    (".json", object, "annotate the type"),
    (".json", T, "annotate the type"),
    (".json", list[T], "type variables"),  # type: ignore[valid-type]
    (".json", Client, "annotate a dataclass"),
    (".json", list[Client], "annotate a dataclass"),
    (".json", Document, "annotate a dataclass"),
    (".json", Iterator[int], "name the output .jsonl"),
    (".json", Coroutine[Any, Any, None], "use on="),
    (".jsonl", dict[str, int], "name the output .json"),
    (".jsonl", list[Any], "annotate the type that a record has"),
    (".jsonl", Iterator[Any], "annotate the type that a record has"),
    (".jsonl", Iterator[Client], "annotate a dataclass"),
    (".csv", int, "name the output .json"),
    (".csv", list[int], "annotate a dataclass"),
    (".csv", list[dict[str, Any]], "annotate the type of its columns"),
    (".parquet", str, "list[Record]"),
    (".txt", int, "return str or bytes"),
    (".txt", list[str], "return str or bytes"),
    ("", dict[str, int], "return str or bytes"),
]


@pytest.mark.parametrize(("suffix", "annotation", "remedy"), REFUSED, ids=[f"{s} {a}" for s, a, _ in REFUSED])
def test_what_a_format_can_not_return_is_refused(
    flow: Flow, suffix: str, annotation: object, remedy: str
) -> None:
    def extract(day: str) -> Any: ...

    extract.__annotations__["return"] = annotation
    with pytest.raises(DefinitionTypeError, match=r"^task .*extract\(\): save= can't keep .*; ") as caught:
        flow.task(save="{day}" + suffix)(extract)
    assert remedy in str(caught.value)
    assert len(str(caught.value)) < 400


def test_a_body_without_an_annotation_is_refused(flow: Flow) -> None:
    def extract(day):  # type: ignore[no-untyped-def]
        return day

    async def rows(day):  # type: ignore[no-untyped-def]
        yield day

    for body in (extract, rows, lambda day: day, len):
        with pytest.raises(
            DefinitionTypeError, match=r"\(\): save= keeps what the body returns, and its type"
        ):
            flow.task(save="x.jsonl")(body)


def test_a_coroutine_that_returns_an_iterator_is_refused(flow: Flow) -> None:
    """A checker takes the task to return that iterator."""

    async def rows() -> Iterator[Row]:
        return iter([Row(1)])

    async def rows_async() -> AsyncIterator[Row]:
        raise NotImplementedError

    for body in (rows, rows_async):
        with pytest.raises(DefinitionTypeError, match=r"rows.*\(\): save= keeps records .*; yield them"):
            flow.task(save="x.jsonl")(body)


if sys.version_info >= (3, 12):

    def test_type_parameters_are_refused(flow: Flow) -> None:
        scope: dict[str, Any] = {}
        exec("def extract[R](day: str, kind: type[R]) -> list[R]: return []", scope)
        with pytest.raises(DefinitionTypeError, match=r"extract\(\): save= can't keep"):
            flow.task(save="x.json")(scope["extract"])
