"""The public interface as text: names, signatures, overloads, fields. `make api` writes it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import griffe

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
SNAPSHOT = ROOT / "tests" / "types" / "api.txt"


def interface() -> str:
    """Return a line for each public name and each public member, sorted by module."""
    package = griffe.load("asflow", search_paths=[str(ROOT)], resolve_aliases=True, resolve_external=False)
    lines: list[str] = []
    for module in _modules(package):
        lines.append(f"# {module.path}")
        for name in sorted(_exports(module)):
            lines += _described(f"{module.path}.{name}", module.members[name])
        lines.append("")
    return "\n".join(lines)


def _modules(package: griffe.Object | griffe.Alias) -> Iterator[griffe.Object | griffe.Alias]:
    yield package
    for name in sorted(package.modules):
        if not name.startswith("_"):
            yield package.modules[name]


def _exports(module: griffe.Object | griffe.Alias) -> list[str]:
    names = [str(each) for each in module.exports or ()]
    return [name for name in names if name not in module.modules]


def _described(path: str, member: griffe.Object | griffe.Alias) -> Iterator[str]:
    if member.is_alias:
        try:
            member = member.final_target  # type: ignore[union-attr]
        except griffe.AliasResolutionError:
            yield f"{path}: of another library"
            return
    if isinstance(member, griffe.Class):
        yield from _class(path, member)
    elif isinstance(member, griffe.Function):
        yield from _function(path, member)
    elif isinstance(member, griffe.Attribute):
        yield f"{path}: {member.annotation or member.value}"


def _class(path: str, member: griffe.Class) -> Iterator[str]:
    bases = ", ".join(str(each) for each in member.bases)
    yield f"class {path}({bases})" if bases else f"class {path}"
    made = [each for each in member.decorators if str(each.value).startswith("dataclass(")]
    if made and "__init__" not in member.members:
        start = "self, *, " if "kw_only=True" in str(made[0].value) else "self, "
        yield f"def {path}.__init__({start}{', '.join(_fields(member))}) -> None"
    for name, each in sorted(member.members.items()):
        if not name.startswith("_") or name in _SPECIAL:
            yield from _described(f"{path}.{name}", each)


def _fields(member: griffe.Class) -> list[str]:
    """Return the parameters of a class of fields: griffe knows only those that `dataclasses` makes."""
    fields: dict[str, str] = {}
    for each in reversed([member, *member.mro()]):
        for name, field in each.members.items():
            if isinstance(field, griffe.Attribute) and field.annotation is not None:
                default = "" if field.value is None else f" = {field.value}"
                fields[name] = f"{name}: {field.annotation}{default}"
    return list(fields.values())


_SPECIAL = {
    "__init__",
    "__new__",
    "__call__",
    "__iter__",
    "__next__",
    "__aiter__",
    "__anext__",
    "__await__",
    "__len__",
    "__enter__",
    "__exit__",
    "__aenter__",
    "__aexit__",
    "__getitem__",
    "__contains__",
    "__bool__",
    "__match_args__",
}


def _function(path: str, function: griffe.Function) -> Iterator[str]:
    for each in function.overloads or [function]:
        start = "async def" if "async" in each.labels else "def"
        parameters = ", ".join(_parameters(each))
        yield f"{start} {path}({parameters}) -> {each.returns}"


def _parameters(function: griffe.Function) -> Iterator[str]:
    before: griffe.ParameterKind | None = None
    kinds = griffe.ParameterKind
    for each in function.parameters:
        if before is kinds.positional_only and each.kind is not kinds.positional_only:
            yield "/"
        if each.kind is kinds.keyword_only and before not in (kinds.keyword_only, kinds.var_positional):
            yield "*"
        stars = {kinds.var_positional: "*", kinds.var_keyword: "**"}.get(
            each.kind or kinds.positional_only, ""
        )
        text = f"{stars}{each.name}" + (f": {each.annotation}" if each.annotation is not None else "")
        yield text + (f" = {each.default}" if each.default is not None and not stars else "")
        before = each.kind
    if before is kinds.positional_only:
        yield "/"


if __name__ == "__main__":
    SNAPSHOT.write_text(interface())
