"""Functions are inspected without evaluating annotations, through everything that may be around them."""

from __future__ import annotations

import asyncio
import functools
import inspect
import sys
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any
from unittest import mock

import pytest

from asflow import Flow, MemoryStore
from asflow._inspect import (
    annotations_of,
    body_of,
    is_async,
    layers,
    name_of,
    refuse_generators,
    signature_of,
    unwrapped,
)
from asflow.dag import task
from asflow.dataflow import DataFlow, DataFlowDefinitionError
from asflow.errors import DefinitionTypeError
from asflow.sinks import NullSink

LAZY = "from __future__ import annotations\n"
"""What makes annotations texts; since Python 3.14 they are evaluated late without it."""

FORMS = {"texts": LAZY} if sys.version_info < (3, 14) else {"texts": LAZY, "late": ""}

SOURCE = """
import functools
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nowhere import Frame, Missing

@flow.task(on="plain-{name}.txt")
def plain(name: Missing, /, *, frame: Frame[Missing] | None = None) -> None:
    flow.task.write("plain")

@flow.task(on="later-{name}.txt")
async def later(name: Missing, *rest: Missing) -> None:
    flow.task.write("later")

@flow.task(on="hashed-*.txt")
def hashed(name: Missing, frame: Missing = None) -> None:
    flow.task.write("hashed")

@flow.task(on="keyed-*.txt", key=lambda name: name)
def keyed(name: Missing) -> None:
    flow.task.write("keyed")

@flow.task(save="saved-{name}.txt")
def saved(name: Missing) -> str:
    return "saved"

@flow.task
def bare(name: Missing, /, *, frame: Frame[Missing] | None = None) -> Missing:
    return name

class Source:
    @flow.task(on="method-{name}.txt")
    def method(self, name: Missing) -> None:
        flow.task.write("method")

    def __call__(self, name: Missing) -> None:
        flow.task.write("object")

called = flow.task(on="object-{name}.txt")(Source())
partial = flow.task(on="partial-{name}.txt")(functools.partial(Source().__call__))

@flow
def everything(name: Missing) -> Missing:
    return name

def awaited(name: Missing) -> Coroutine[Missing, Any, None]:
    async def work() -> None:
        flow.task.write("awaited")
    return work()

awaited = flow.task(on="awaited-{name}.txt")(awaited)
"""


def made(form: str) -> tuple[Flow, dict[str, Any]]:
    flow = Flow(store=MemoryStore(), sink=NullSink())
    scope: dict[str, Any] = {"flow": flow, "__name__": "made"}
    exec(compile(form + SOURCE, "made.py", "exec", dont_inherit=True), scope)
    return flow, scope


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
async def test_tasks_whose_types_are_for_checkers_only(form: str) -> None:
    """They can be decorated and run, of every kind: names of outputs and hashes need no types."""
    flow, scope = made(form)
    for name in ("plain", "hashed", "keyed", "called", "partial"):
        assert scope[name]("a") is None
    scope["Source"]().method("a")
    assert scope["saved"]("a") == scope["saved"]("a") == "saved"
    await scope["later"]("a", "b")
    await scope["awaited"]("a")
    assert scope["bare"]("a") == scope["everything"]("a") == "a"
    kinds = [name.partition("-")[0] for name in flow.store.list("")]
    assert kinds == ["awaited", "hashed", "keyed", "later", "method", "object", "partial", "plain", "saved"]


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_the_decorated_function_can_be_looked_at(form: str) -> None:
    """Its signature, names and defaults are the function's; types are shown as far as they can be."""
    scope = made(form)[1]
    signature = signature_of(scope["bare"])
    assert list(signature.parameters) == ["name", "frame"]
    assert signature.parameters["name"].kind is inspect.Parameter.POSITIONAL_ONLY
    assert signature.parameters["frame"].default is None
    annotations = annotations_of(scope["bare"])
    assert list(annotations) == ["name", "frame", "return"]
    returned = annotations["return"]
    assert getattr(returned, "__forward_arg__", returned) == "Missing"


def test_what_has_no_annotations_has_none() -> None:
    """Partials, objects and built-ins; a class that says None too."""

    class Odd:
        __annotations__ = None  # type: ignore[assignment]

    for thing in (functools.partial(print), object(), len, 3, Odd()):
        assert annotations_of(thing) == {}


def test_the_wrapped_function_is_followed_if_asked() -> None:
    def inner(a: int) -> None: ...

    @functools.wraps(inner)
    def outer(*args: Any) -> None: ...

    assert list(signature_of(outer).parameters) == ["a"]
    assert list(signature_of(outer, follow_wrapped=False).parameters) == ["args"]
    with pytest.raises(TypeError, match="not a callable"):
        signature_of(3)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def plain() -> None: ...


async def native() -> None: ...


def generating() -> Any:
    yield 1


async def generating_async() -> Any:
    yield 1


class Kinds:
    """Callables of every kind, each around the function that it is made with."""

    def __init__(self, function: Callable[..., Any]) -> None:
        class Object:
            def __init__(self) -> None:
                self.func = plain  # that a callable object has an attribute of this name says nothing

        class Methods:
            method = function
            static = staticmethod(function)
            of_class = classmethod(function)

        class Nested:
            __call__ = staticmethod(functools.partial(function))

        setattr(Object, "__call__", function)  # noqa: B010 - not assigned in the class, for the checkers
        called: Any = Object()
        self.kinds: dict[str, Any] = {
            "function": function,
            "partial": functools.partial(functools.partial(function)),
            "method": Methods().method,
            "static method": Methods.__dict__["static"],
            "class method": Methods.__dict__["of_class"],
            "bound class method": Methods.of_class,
            "object": called,
            "partial of an object": functools.partial(called),
            "method __call__": called.__call__,
            "object with a partial": Nested(),
        }


FUNCTIONS = [plain, native, generating, generating_async]
KINDS = list(Kinds(plain).kinds)


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_callable_is_looked_through(function: Callable[..., Any], kind: str) -> None:
    candidate = Kinds(function).kinds[kind]
    first, *_ = layers(candidate)
    assert first is candidate
    assert body_of(candidate) is function
    assert is_async(candidate) == is_async(candidate, declared=True) == (function is native)
    if function in (plain, native):
        refuse_generators("task f()", DefinitionTypeError, "return a list", candidate)
    else:
        with pytest.raises(
            DefinitionTypeError, match=r"^task f\(\): .* not a generator function; return a list$"
        ):
            refuse_generators("task f()", DefinitionTypeError, "return a list", candidate)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "static method"])
def test_all_three_ways_of_writing_a_pipeline_refuse_a_generator_function(kind: str) -> None:
    candidate = Kinds(generating).kinds[kind]
    for decorate in (Flow(sink=NullSink()).task, task, lambda member: DataFlow((member,))):
        if not callable(candidate) and decorate is not task:
            continue  # only a decorator in a class ever sees a classmethod
        with pytest.raises((DefinitionTypeError, DataFlowDefinitionError), match="not a generator function;"):
            decorate(candidate)


def test_a_wrapper_is_what_runs_unless_the_function_below_it_counts() -> None:
    @functools.wraps(native)
    def wrapper() -> Any:
        return native()

    assert body_of(wrapper) is wrapper
    assert unwrapped(functools.wraps(wrapper)(lambda: wrapper())) is native
    assert not is_async(wrapper)
    assert is_async(wrapper, declared=True)
    assert is_async(functools.partial(wrapper), declared=True)


def returns_coroutine() -> Coroutine[Any, Any, int]: ...  # type: ignore[empty-body]


def returns_awaitable() -> Awaitable[int]: ...  # type: ignore[empty-body]


@pytest.mark.parametrize("function", [returns_coroutine, returns_awaitable])
def test_a_function_that_says_that_it_returns_an_awaitable_counts_if_asked_for(function: Any) -> None:
    for candidate in (function, functools.partial(function)):
        assert not is_async(candidate)
        assert is_async(candidate, declared=True)


class Marked:
    def __init__(self) -> None:
        if sys.version_info >= (3, 12):
            inspect.markcoroutinefunction(self)
        else:
            self._is_coroutine = asyncio.coroutines._is_coroutine  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType]

    def __call__(self) -> Any:
        return native()


def test_what_is_marked_as_async_is_async() -> None:
    for candidate in (Marked(), functools.partial(Marked()), mock.AsyncMock()):
        assert is_async(candidate)
        assert is_async(Flow(sink=NullSink()).task(candidate))


def test_an_object_that_has_every_attribute_ends_the_search() -> None:
    for candidate in (mock.call, mock.Mock(), mock.MagicMock()):
        assert len(list(layers(candidate))) == 2
        assert not is_async(candidate, declared=True)
        assert name_of(candidate)
        unwrapped(candidate)
        refuse_generators("task f()", DefinitionTypeError, "", candidate)


class Wrapping:
    """Keeps its function as `func` and has no name, as joblib's objects do."""

    def __init__(self, func: Callable[..., Any]) -> None:
        self.func = func

    def __call__(self) -> Any:
        return self.func()


@pytest.mark.parametrize(
    ("candidate", "name"),
    [
        (plain, "plain"),
        (functools.partial(functools.partial(plain)), "plain"),
        (Wrapping(plain), "plain"),
        (functools.partial(Wrapping(functools.partial(plain))), "plain"),
        (Marked(), "Marked"),
        (functools.partial(Marked()), "Marked"),
        (Marked, "Marked"),
        (3, "int"),
    ],
)
def test_a_callable_is_called_what_its_function_is(candidate: object, name: str) -> None:
    assert name_of(candidate) == name


def test_a_wrapping_object_around_a_generator_function_is_no_task() -> None:
    with pytest.raises(DefinitionTypeError, match=r"^task generating\(\): .* not a generator function"):
        Flow(sink=NullSink()).task(Wrapping(generating))
