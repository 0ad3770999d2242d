"""Annotations that name what only type checkers see stop nobody: they are never evaluated."""

from __future__ import annotations

import functools
import inspect
import sys
from typing import Any

import pytest

from asflow import Flow, MemoryStore
from asflow._inspect import annotations_of, signature_of
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
def plain(name: Missing, /, *, frame: Frame[Missing] | None = None) -> Missing:
    flow.task.write("plain")

@flow.task(on="later-{name}.txt")
async def later(name: Missing, *rest: Missing) -> Missing:
    flow.task.write("later")

@flow.task(on="hashed-*.txt")
def hashed(name: Missing, frame: Missing = None) -> Missing:
    flow.task.write("hashed")

@flow.task(on="keyed-*.txt", key=lambda name: name)
def keyed(name: Missing) -> Missing:
    flow.task.write("keyed")

@flow.task
def bare(name: Missing) -> Missing:
    return name

class Source:
    @flow.task(on="method-{name}.txt")
    def method(self, name: Missing) -> Missing:
        flow.task.write("method")

    def __call__(self, name: Missing) -> Missing:
        flow.task.write("object")

called = flow.task(on="object-{name}.txt")(Source())
partial = flow.task(on="partial-{name}.txt")(functools.partial(Source().__call__))

@flow
def everything(name: Missing) -> Missing:
    return name

def awaited(name: Missing) -> Coroutine[Any, Any, Missing]:
    async def work() -> Missing:
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
    """They decorate, and run, whatever they are: names of outputs and hashes need no types."""
    flow, scope = made(form)
    for name in ("plain", "hashed", "keyed", "called", "partial"):
        assert scope[name]("a") is None
    scope["Source"]().method("a")
    await scope["later"]("a", "b")
    await scope["awaited"]("a")
    assert scope["bare"]("a") == scope["everything"]("a") == "a"
    kinds = [name.partition("-")[0] for name in flow.store.list("")]
    assert kinds == ["awaited", "hashed", "keyed", "later", "method", "object", "partial", "plain"]


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_the_decorated_function_can_be_looked_at(form: str) -> None:
    """Its signature, names and defaults are the function's; types are told as far as they can be."""
    scope = made(form)[1]
    signature = signature_of(scope["plain"])
    assert list(signature.parameters) == ["name", "frame"]
    assert signature.parameters["name"].kind is inspect.Parameter.POSITIONAL_ONLY
    assert signature.parameters["frame"].default is None
    annotations = annotations_of(scope["plain"])
    assert list(annotations) == ["name", "frame", "return"]
    told = annotations["return"]
    assert getattr(told, "__forward_arg__", told) == "Missing"


def test_what_has_no_annotations_has_none() -> None:
    """Partials, objects and built-ins; a class that says None is no harder."""

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
