"""Which task owns which names: two different tasks of one flow never own one output."""

from __future__ import annotations

import functools
import re
import sys
from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pytest

from asflow import Flow, MemoryStore
from asflow._task.callables import Subject
from asflow.errors import DefinitionTypeError, DefinitionValueError
from asflow.sinks import NullSink

if TYPE_CHECKING:
    from collections.abc import Callable

    from asflow._task.callables import Origin


def users(a: object, b: object = None) -> None: ...


def orders(a: object, b: object = None) -> None: ...


def keyed(a: object, b: object = None) -> str:
    return str(a)


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ("data/{a}.json", "data/{a}.json"),
        ("data/{a}.json", "data/{b}.json"),
        ("data/{a}.json", "./data//{a:>3}.json"),
        ("{a}/{b}.json", "{b}/{a:%Y}.json"),
        ("all.json", "all.json"),
    ],
)
def test_two_tasks_of_one_form_are_refused(flow: Flow, one: str, two: str) -> None:
    """The second would take the outputs of the first for its own."""
    flow.task(on=one)(users)
    with pytest.raises(DefinitionValueError) as caught:
        flow.task(on=two)(orders)
    assert re.fullmatch(
        r"task orders\(\): could own names of task users\(\), '.*'; give it a folder of its own in on=",
        str(caught.value),
    )


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ("data/{a}.json", "data/{a}.jsonl"),
        ("data/{a}.json", "other/{a}.json"),
        ("data/{a}.json", "data/{a}-{b}.json"),
        ("data/*.json", "data/{a}.json"),
        ("data/*.json", "data/*.json"),
    ],
)
def test_other_forms_and_hashes_are_apart(flow: Flow, one: str, two: str) -> None:
    flow.task(on=one)(users)
    flow.task(on=two)(orders)


def test_a_key_is_a_placeholder(flow: Flow) -> None:
    """The text for `*` may be any, so the qualified name doesn't keep two tasks apart."""
    flow.task(on="data/*.json", key=keyed)(users)
    with pytest.raises(DefinitionValueError, match=r"could own names of task users\(\), 'data/{}.json'"):
        flow.task(on="data/*.json", key=keyed)(orders)
    with pytest.raises(DefinitionValueError, match=r"could own names of task users\(\), 'data/{}.json'"):
        flow.task(on="data/{a}.json")(orders)


def test_another_flow_has_its_own_names() -> None:
    for flow in (Flow("a", sink=NullSink()), Flow("b", sink=NullSink())):
        flow.task(on="{a}.json")(users if flow.path("x").parts[0] == "a" else orders)


def test_failures_of_two_tasks_are_apart(flow: Flow) -> None:
    flow.task(on="{a}.json", suppress=KeyError)(users)
    flow.task(on="{a}.csv")(orders)
    with pytest.raises(DefinitionValueError) as caught:
        flow.task(on="{b}.tsv", suppress=KeyError)(orders)
    assert str(caught.value) == (
        "task orders(): would record its failures under names of task users(), '{}.err'; "
        "let the two patterns differ in more than their suffixes"
    )
    # It owns nothing now, the form of its outputs included.
    flow.task(on="{b}.tsv")(users)


def test_a_task_that_is_refused_owns_no_names(flow: Flow) -> None:
    with pytest.raises(DefinitionValueError, match="needs a suffix"):
        flow.task(on="data/{a}", suppress=KeyError)(users)
    with pytest.raises(DefinitionTypeError, match="retry"):
        flow.task(on="data/{a}", retry="3")(users)  # type: ignore[call-overload]
    flow.task(on="data/{a}")(orders)


SOURCE = """
@flow.task(on="data/*.json")
def fetch(a): ...
class Api:
    @flow.task(on="api/{a}.json")
    def fetch(self, a): ...
@flow.task(on="pages/{a}.json")
async def page(a): ...
"""


def load(flow: Flow, name: str, file: str) -> None:
    module = ModuleType(name)
    vars(module).update(flow=flow, __file__=file)
    exec(compile(SOURCE, file, "exec"), vars(module))


@pytest.mark.parametrize(
    ("first", "again"),
    [
        (("flows.github", "/x/flows/github.py"), ("flows.github", "/x/flows/github.py")),
        (("__main__", "/x/flows/github.py"), ("flows.github", "/x/flows/github.py")),
        (("github", "/x/flows/github.py"), ("flows.github", "/x/flows/github.py")),
        (("__main__", "<stdin>"), ("__main__", "<ipython-input-3>")),
        (("__main__", "/tmp/ipykernel_77/1.py"), ("__main__", "/tmp/ipykernel_77/2.py")),
        (("__main__", "/x/flows/github.py"), ("__main__", "/y/edited.py")),
        (("flows.github", "/x/flows/github.py"), ("flows.github", "/x/flows/../flows/github.py")),
        (("a", "/x/flows/github.py"), ("b", "/x/flows/../flows/github.py")),
    ],
)
def test_a_task_that_is_decorated_again_takes_its_own_place(
    flow: Flow, first: tuple[str, str], again: tuple[str, str]
) -> None:
    """A module that is run and imported, loaded again, or a cell that is edited and run again."""
    for _ in range(2):
        load(flow, *first)
        load(flow, *again)


def test_two_modules_with_one_name_for_their_tasks(flow: Flow) -> None:
    """With `*` too, whose hash holds the qualified name and not the module's."""
    load(flow, "github", "/x/github.py")
    with pytest.raises(DefinitionValueError) as caught:
        load(flow, "gitlab", "/x/gitlab.py")
    assert str(caught.value) == (
        "task fetch(): could own names of task fetch() in /x/github.py, 'data/*.json'; "
        "give it a folder of its own in on="
    )


def test_local_functions_of_one_place_are_one_task(flow: Flow) -> None:
    def make() -> Callable[[int], None]:
        @flow.task(on="{n}.txt")
        def write(n: int) -> None: ...

        return write

    make()
    make()


@dataclass(frozen=True)
class Api:
    host: str

    def fetch(self, a: int) -> None: ...


class Client:
    def fetch(self, a: int) -> None: ...


def test_what_is_bound_tells_partials_and_methods_apart(flow: Flow) -> None:
    """They have one qualified name, and `*` holds only what is not bound. A rerun binds the same again."""
    for _ in range(2):
        flow.task(on="a/*.json")(functools.partial(users, b="x"))
        flow.task(on="b/{a}.json")(Api("x").fetch)
        flow.task(on="c/{a}.json")(Client().fetch)  # another one each time: nothing tells what it holds
    with pytest.raises(DefinitionValueError, match="could own names"):
        flow.task(on="a/*.json")(functools.partial(users, b="y"))
    with pytest.raises(DefinitionValueError, match="could own names"):
        flow.task(on="b/{a}.json")(Api("y").fetch)


def origin(function: Callable[..., Any]) -> Origin:
    return Subject(function, "@flow.task").origin


def test_where_a_task_was_written() -> None:
    here = origin(users)
    assert (here.qualname, here.module, here.file) == ("users", __name__, __file__)
    assert here == origin(functools.wraps(users)(lambda *args: None))
    cell = origin(eval(compile("lambda: 0", "<ipython-input-1>", "eval"), {"__name__": "__main__"}))
    assert (cell.file, cell.place) == (None, "__main__")
    assert not cell.is_same(here)
    assert sys.modules[__name__] is not None


def test_a_flow_remembers_forms_not_tasks() -> None:
    """Decorating a local task a thousand times keeps one entry."""
    flow = Flow(store=MemoryStore(), sink=NullSink())
    for _ in range(1000):
        flow.task(on="{a}.txt", suppress=KeyError)(users)
    assert len(flow._workspace._owners) == 2  # pyright: ignore[reportPrivateUsage]
