"""What users get from a call shows what the reference documents, and has no public constructor."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING

import griffe
import pytest
from docs.pages import ROOT

from asflow import Flow, FlowRun, Limit, MemoryStore, Output, Progress, TaskDecorator, TaskMap, TaskRun, dag
from asflow.dag import Scope
from asflow.sinks import NullSink

if TYPE_CHECKING:
    from typing import Any

REFERENCE = ROOT / "docs" / "reference"
SEALED: list[type[Any]] = [FlowRun, Output, Progress, Scope, TaskDecorator, TaskMap, TaskRun]


@cache
def package() -> griffe.Module:
    loaded = griffe.load("asflow", search_paths=[ROOT], docstring_parser="google", resolve_aliases=True)
    assert isinstance(loaded, griffe.Module)
    return loaded


@cache
def handles() -> dict[str, object]:
    """Return one object of each class: those of a call, and those that name no call."""
    flow = Flow(store=MemoryStore(), sink=NullSink())
    found: dict[str, object] = {}

    @flow.task(on="{number}.txt")
    def work(number: int) -> None:
        with flow.task.progress() as progress:
            found.update(TaskRun=flow.task.run, FlowRun=flow.run, Progress=progress)

    @flow
    def pipeline() -> None:
        work(1)

    pipeline()
    mapped = flow.task.map(work, [1])
    mapped.close()

    @flow.task
    async def wait(number: int) -> int:
        return number

    waiting = flow.task.map(wait, [1])
    waiting.close()
    output = flow.task.output(work, 1)
    return found | {
        "Limit": Limit(1),
        "Output": output,
        "Scope": dag.scope(),
        "TaskDecorator": flow.task,
        "SyncTaskMap": mapped,
        "TaskMap": waiting,
    }


def documented(page: str, name: str) -> set[str]:
    """Return the members that *page* shows: those with a docstring, and the Attributes of the class."""
    text = (REFERENCE / f"{page}.md").read_text("utf-8")
    kind = package()["dag." + name if page == "dag" else name]
    kind = kind.final_target if isinstance(kind, griffe.Alias) else kind
    assert isinstance(kind, griffe.Class)
    if page == "asflow":
        entry = re.search(rf"^::: asflow\.{name}\n(?:    .*\n)*", text, re.MULTILINE)
        assert entry is not None
        assert "members:" not in entry[0], "the class itself hides what users don't need"
    shown = {each.name for each in kind.all_members.values() if each.has_docstring}
    assert kind.docstring is not None
    for section in kind.docstring.parse("google"):
        if section.kind is griffe.DocstringSectionKind.attributes:
            shown |= {attribute.name for attribute in section.value}
    return {each for each in shown if not each.startswith("_")}


@pytest.mark.parametrize(
    "name",
    ["FlowRun", "Limit", "Output", "Progress", "Scope", "SyncTaskMap", "TaskDecorator", "TaskMap", "TaskRun"],
)
def test_dir_shows_what_the_reference_documents(name: str) -> None:
    handle = handles()[name]
    assert type(handle).__name__ == name
    shown = {each for each in dir(handle) if not each.startswith("_")}
    assert shown == documented("dag" if name == "Scope" else "asflow", name)


@pytest.mark.parametrize("kind", SEALED)
def test_what_users_never_make_has_no_public_constructor(kind: type[Any]) -> None:
    refused = rf"^{kind.__name__}\(\): has no public constructor; \S.*[^.]$"
    with pytest.raises(TypeError, match=refused):
        kind()
    with pytest.raises(TypeError, match=refused):
        kind(1, 2, three=3)
