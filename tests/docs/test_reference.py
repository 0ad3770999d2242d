"""The reference lists what the package offers, and docstrings explain each parameter."""

from __future__ import annotations

import importlib
import inspect
import re
import types
from typing import TYPE_CHECKING

import griffe
import pytest
from docs.pages import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

REFERENCE = ROOT / "docs" / "reference"
MODULES = {
    "asflow", "asflow.dag", "asflow.dataflow", "asflow.errors", "asflow.events", "asflow.executors",
    "asflow.protocols", "asflow.sinks", "asflow.stores", "asflow.testing", "asflow.typing",
    "asflow.writers",
}  # fmt: skip

MADE_BY_ASFLOW = {
    "FlowGraph",
    "AddedSink",
    "FlowReport",
    "FlowRun",
    "Graph",
    "GraphNode",
    "Node",
    "Output",
    "Records",
    "Problem",
    "Progress",
    "RawNode",
    "Stage",
    "TaskDecorator",
    "SyncTaskMap",
    "TaskMap",
    "TaskReport",
    "TaskRun",
}
"""Users get these from a call and never make them."""

PROTOCOLS = {"claim", "delete", "emit", "info", "list", "open", "status"}
"""Methods that `asflow.protocols` explains for every class that has them."""


def public(module: str) -> set[str]:
    return set(importlib.import_module(module).__all__)


def load() -> griffe.Module:
    package = griffe.load("asflow", search_paths=[ROOT], docstring_parser="google", resolve_aliases=True)
    assert isinstance(package, griffe.Module)
    return package


def test_each_public_module_has_a_page() -> None:
    assert {
        f"asflow.{page.stem}".replace("asflow.asflow", "asflow") for page in REFERENCE.glob("*.md")
    } == MODULES


def test_the_reference_lists_every_public_name_of_asflow() -> None:
    text = (REFERENCE / "asflow.md").read_text()
    listed = set(re.findall(r"^::: asflow\.(\w+)$", text, re.M)) | set(
        re.findall(r"\{ #asflow\.(\w+) \}", text)
    )
    mentioned = listed | set(re.findall(r"`(\w+)`", text))
    assert listed <= public("asflow")
    assert public("asflow") <= mentioned


def test_every_store_has_its_entry() -> None:
    text = (REFERENCE / "stores.md").read_text()
    assert public("asflow.stores") == set(re.findall(r"\b\w+(?:Store|Wrapper)\b", text))


@pytest.mark.parametrize("module", sorted(MODULES - {"asflow", "asflow.stores"}))
def test_a_module_page_is_made_from_its_docstrings(module: str) -> None:
    text = (REFERENCE / f"{module.rpartition('.')[2]}.md").read_text()
    listed = set(re.findall(rf"^::: {re.escape(module)}\.(\w+)$", text, re.M))
    assert re.search(rf"^::: {re.escape(module)}$", text, re.M) or listed == public(module)


def test_no_public_name_of_asflow_came_or_went_unnoticed() -> None:
    """Users see a change here: add it to the changelog, too."""
    assert sorted(public("asflow")) == [
        "AddedSink", "AsflowError", "Completed", "Failed", "Flow", "FlowGraph", "FlowReport", "FlowRun",
        "Format", "Ignored", "Limit", "LocalStore", "MemoryStore", "Output", "Problem", "Progress",
        "ProgressSink", "Records", "Retry",
        "Secret", "Store", "SyncTaskMap", "TaskDecorator", "TaskMap", "TaskReport", "TaskRun", "Unchanged",
        "Writer", "__version__", "add_format", "add_sink", "flow", "run",
    ]  # fmt: skip


def functions() -> Iterator[tuple[str, griffe.Function]]:
    """Yield public functions and methods of public modules, with their overloads."""
    package = load()
    seen: set[str] = set()
    for module in sorted(MODULES):
        place = package if module == "asflow" else package[module.removeprefix("asflow.")]
        for name in sorted(public(module)):
            member = place.members.get(name)
            if member is None:
                continue
            target = member.final_target if isinstance(member, griffe.Alias) else member
            inside = [target, *target.members.values()] if isinstance(target, griffe.Class) else [target]
            for each in inside:
                if each.name in PROTOCOLS and module != "asflow.protocols":
                    continue
                if each.name == "__init__" and (name in MADE_BY_ASFLOW or module == "asflow.events"):
                    continue
                if isinstance(each, griffe.Function) and each.path not in seen:
                    if each.name.startswith("_") and each.name not in {"__init__", "__call__"}:
                        continue
                    seen.add(each.path)
                    yield each.path, each


def documented(function: griffe.Function) -> tuple[str, set[str]]:
    """Return the prose that explains a function, its class's for `__init__`, and the Args it names."""
    docstrings = [function.docstring, *(each.docstring for each in function.overloads or ())]
    if function.name == "__init__" and function.parent is not None:
        docstrings.append(function.parent.docstring)
    prose, named = "", set[str]()
    for docstring in filter(None, docstrings):
        prose += docstring.value
        for section in docstring.parse("google"):
            if section.kind in {
                griffe.DocstringSectionKind.parameters,
                griffe.DocstringSectionKind.attributes,
            }:
                named |= {parameter.name.lstrip("*") for parameter in section.value}
    return prose, named


def test_every_public_parameter_is_explained() -> None:
    """By an entry under Args, or, in a docstring of one line, by its name."""
    unexplained: list[str] = []
    for path, function in functions():
        prose, named = documented(function)
        if not prose:
            unexplained.append(f"{path}: no docstring")
            continue
        for parameter in function.parameters:
            name = parameter.name.lstrip("*")
            if (
                name in {"self", "cls", "args", "kwargs", "options"}
                or name in named
                or re.search(rf"[*`]{name}\b|\b{name}\b", prose)
            ):
                continue
            unexplained.append(f"{path}({name})")
    assert unexplained == [], "\n".join(unexplained)


def test_the_args_of_a_docstring_are_parameters_that_exist() -> None:
    wrong: list[str] = []
    for path, function in functions():
        if function.name == "__init__":
            continue
        there = {p.name.lstrip("*") for f in (function, *(function.overloads or ())) for p in f.parameters}
        _, named = documented(function)
        wrong += [f"{path}({name})" for name in sorted(named - there)]
    assert wrong == [], "\n".join(wrong)


def test_every_error_says_when_it_is_raised() -> None:
    errors = importlib.import_module("asflow.errors")
    for name in errors.__all__:
        error = getattr(errors, name)
        assert isinstance(error, type)
        assert (inspect.getdoc(error) or "").strip()
        assert name in (errors.__doc__ or "")


def test_public_modules_say_what_they_are() -> None:
    for name in MODULES:
        module = importlib.import_module(name)
        assert isinstance(module, types.ModuleType)
        assert (module.__doc__ or "").strip().splitlines()[0].endswith((".", "`.")), name
