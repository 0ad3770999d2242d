"""The import graph of the package: who may know whom, and what the engine may never reach."""

from __future__ import annotations

import ast
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "asflow"

# One helper each, for everybody above.
GROUND = {
    *("_checks", "_descriptors", "_digest", "_forks", "_frozen", "_inspect", "_labels", "_ledger", "_lives"),
    *("_locking", "_markers", "_mermaid", "_names"),
    "_svg",
    "_tracebacks",
    "_version",
}
BASE = {"errors", "events", "protocols"} | GROUND | {"_reporter", "_plugins"}
ADAPTERS = {"writers", "stores", "sinks"}
ACTING = BASE | ADAPTERS | {"_engine", "_naming", "_runtime", "_executors"}

# Package -> the packages that it may import. A package is a folder or a module right under asflow/.
MAY_IMPORT: dict[str, set[str]] = {
    "_version": set(),
    "_frozen": set(),
    "errors": set(),
    "_names": set(),
    "_labels": set(),
    "_digest": {"_labels"},
    "events": {"_digest", "_frozen", "_names"},
    "protocols": {"errors", "events"},
    "_descriptors": set(),
    "_forks": set(),
    "_locking": set(),
    "_inspect": {"_labels"},
    "_tracebacks": {"errors", "_labels"},
    "_lives": {"_forks", "_labels", "_tracebacks"},
    "_checks": {"errors", "_labels"},
    "_ledger": {"_labels"},
    "_markers": {"errors", "_labels"},
    "_run": {"_labels", "_names"},
    "_mermaid": {"_labels"},
    "_svg": set(),
    "_reporter": {"errors", "events", "protocols", "_checks", "_forks", "_labels", "_lives", "_tracebacks"},
    "_plugins": {"errors", "protocols", "_forks", "_labels", "_reporter", "_tracebacks"},
    "_naming": {"errors", "_checks", "_frozen", "_inspect", "_labels"},
    "_engine": {"errors", "events", "_checks", "_frozen", "_labels"},
    "writers": BASE,
    "stores": BASE,
    "sinks": BASE,
    "_runtime": BASE | {"_engine"},
    "_executors": BASE | {"_engine", "_runtime", "stores"},
    "executors": BASE,
    "_task": ACTING,
    "_flow": ACTING | {"_task"},
    "dag": ACTING | {"_task", "_flow"},
    "dataflow": ACTING | {"_task", "_flow", "dag"},
    "_adding": ACTING | {"_task", "_flow"},
    "typing": {"_names", "_task"},
    "testing": ACTING | {"_task", "_flow", "dag", "dataflow"},
    "_cli": ACTING | {"_run", "_task", "_flow", "dag", "dataflow", "testing"},
    "__main__": {"_cli"},
    "__init__": ACTING
    | {"executors", "_adding", "_run", "_task", "_flow", "dag", "dataflow", "testing", "typing"},
}

PUBLIC = (
    {"__init__", "__main__", "errors", "events", "protocols"}
    | ADAPTERS
    | {"dag", "dataflow", "executors", "testing", "typing"}
)

# Whatever acts: it does I/O, keeps time, runs threads or loops, draws random numbers or shows something.
NEVER_IN_ENGINE = {
    *("asyncio", "concurrent", "contextvars", "io", "logging", "multiprocessing", "os", "pathlib", "random"),
    *("secrets", "select", "shutil", "signal", "socket", "subprocess", "tempfile", "threading", "time"),
    *("msgspec", "rich", "tqdm", "zstandard"),
}

# What `import asflow` leaves to its first use, and what it must never need.
LOADED_LATE = {
    *("csv", "gzip", "json", "tempfile", "sqlite3", "multiprocessing"),
    *("rich", "zstandard", "msgspec"),
    *("attr", "attrs", "distributed", "duckdb", "httpx", "joblib", "numpy", "obstore", "pandas", "polars"),
    *("pyarrow", "pydantic", "ray", "requests", "streamlit", "tqdm"),
}

# Our own modules that it leaves, too: each is imported where its feature is first used.
USED_LATE = {
    *("asflow._adding", "asflow._executors", "asflow._naming", "asflow._run", "asflow.protocols"),
    *("asflow.sinks", "asflow.stores", "asflow.writers"),
    *("asflow._engine.lifecycle", "asflow._engine.vocabulary"),
    *("asflow._runtime.deadlocks", "asflow._runtime.drive_async", "asflow._runtime.drive_sync"),
    *("asflow._runtime.found", "asflow._runtime.machine", "asflow._runtime.report"),
    *("asflow._task.finding", "asflow._task.mapping", "asflow._task.output", "asflow._task.progress"),
}


def sources() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def pure() -> list[Path]:
    return sorted(path for name in ("_engine", "_naming") for path in (PACKAGE / name).rglob("*.py"))


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def room(module: str) -> str:
    """`asflow._naming.namer` -> `_naming`; the package itself is `__init__`."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else "__init__"


def absolute(node: ast.ImportFrom, path: Path) -> str:
    """The module that *node* imports from, relative dots resolved."""
    if not node.level:
        return node.module or ""
    package = path.relative_to(ROOT).parent.parts
    base = package[: len(package) - (node.level - 1)]
    return ".".join([*base, node.module] if node.module else base)


def nodes(tree: ast.AST, *, for_types: bool) -> Iterator[ast.AST]:
    """Walk *tree*; without *for_types*, leave out what stands under `if TYPE_CHECKING:`."""
    yield tree
    if isinstance(tree, ast.If) and ast.unparse(tree.test) == "TYPE_CHECKING" and not for_types:
        children: list[ast.AST] = [*tree.orelse]
    else:
        children = list(ast.iter_child_nodes(tree))
    for child in children:
        yield from nodes(child, for_types=for_types)


@cache
def imports(path: Path, *, for_types: bool = True) -> frozenset[str]:
    """Every module that *path* imports, at any depth of its code."""
    found: set[str] = set()
    for node in nodes(ast.parse(path.read_text("utf-8")), for_types=for_types):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = absolute(node, path)
            # `from asflow import events` imports a module, `from asflow.events import Event` a name.
            members = {f"{base}.{alias.name}" for alias in node.names}
            modules = members & modules_of_package()
            found.update(modules or {base})
            if modules and modules != members:
                found.add(base)
    return frozenset(found)


@cache
def paths_of_package() -> dict[str, Path]:
    return {module_name(path): path for path in sources()}


@cache
def modules_of_package() -> frozenset[str]:
    return frozenset(paths_of_package())


def own(names: frozenset[str]) -> frozenset[str]:
    return frozenset(name for name in names if name.split(".")[0] == "asflow")


@cache
def targets(path: Path, *, for_types: bool) -> tuple[str, ...]:
    """The modules of the package that *path* imports."""
    return tuple(sorted(own(imports(path, for_types=for_types)) & modules_of_package()))


def reachable(start: Path, *, for_types: bool = False) -> dict[str, list[str]]:
    """Module of asflow that *start* reaches (at run time) -> the chain of imports that leads there."""
    paths = paths_of_package()
    chains = {module_name(start): [module_name(start)]}
    waiting = [module_name(start)]
    while waiting:
        module = waiting.pop()
        for target in targets(paths[module], for_types=for_types):
            if target not in chains:
                chains[target] = [*chains[module], target]
                waiting.append(target)
    return chains


def test_every_room_has_its_place_in_the_list() -> None:
    rooms = {room(module_name(path)) for path in sources()}
    assert rooms <= MAY_IMPORT.keys()


def test_the_list_has_no_way_back() -> None:
    """A room's imports all stand above it, so no two rooms can import each other."""
    seen: set[str] = set()
    for name, above in MAY_IMPORT.items():
        assert above <= seen, name
        seen.add(name)


def test_no_module_reaches_itself() -> None:
    """No circle of imports, those for type checkers included. A package may import its own modules."""
    paths = paths_of_package()
    for path in sources():
        start = module_name(path)
        for module, chain in reachable(path, for_types=True).items():
            back = start in imports(paths[module]) and module != start
            allowed = path.name == "__init__.py"
            assert not back or allowed, " -> ".join([*chain, start])


@pytest.mark.parametrize("path", sources(), ids=module_name)
def test_imports_point_up(path: Path) -> None:
    here = room(module_name(path))
    allowed = MAY_IMPORT[here] | {here}
    wrong = {target for target in own(imports(path)) if room(target) not in allowed}
    assert not wrong, (
        f"{module_name(path)} may import {sorted(MAY_IMPORT[here])} of asflow, not {sorted(wrong)}"
    )


def test_engine_writers_stores_and_sinks_do_not_know_each_other() -> None:
    apart = ADAPTERS | {"_engine", "_naming"}
    for path in sources():
        here = room(module_name(path))
        if here in apart:
            assert not {room(target) for target in own(imports(path))} & (apart - {here}), path


@pytest.mark.parametrize("path", pure(), ids=module_name)
def test_nothing_that_acts_is_reachable_from_the_engine(path: Path) -> None:
    paths = {module_name(source): source for source in sources()}
    for module, chain in reachable(path).items():
        names = imports(paths[module], for_types=module == module_name(path))
        acting = {name for name in names if name.split(".")[0] in NEVER_IN_ENGINE}
        assert not acting, f"{' -> '.join(chain)} imports {sorted(acting)}"


@pytest.mark.parametrize("path", pure(), ids=module_name)
def test_the_engine_opens_awaits_and_prints_nothing(path: Path) -> None:
    """Built-ins act too: no `open`, `print` or `input`, no `async def`, no import by string."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        assert not isinstance(node, ast.AsyncFunctionDef | ast.Await | ast.AsyncFor | ast.AsyncWith), path
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id not in {"open", "print", "input", "__import__"}, path


def test_public_is_what_has_no_underscore() -> None:
    """Packages are public doors; the modules inside are private."""
    for path in sources():
        *package, module = path.relative_to(PACKAGE).with_suffix("").parts
        private = any(part.startswith("_") and part != "__init__" for part in [*package, module])
        assert private or (package or [module])[0] in PUBLIC, path
        assert not package or private or module == "__init__", path


def test_no_module_takes_the_names_that_users_import() -> None:
    names = {part for path in sources() for part in module_name(path).split(".")}
    assert not names & {"flow", "task"}


def test_the_package_itself_only_names_things() -> None:
    """`asflow/__init__.py` holds imports, `__all__` and a docstring, and no code of its own."""
    tree = ast.parse((PACKAGE / "__init__.py").read_text("utf-8"))
    parts = [*tree.body]
    for node in parts:
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            parts += [*node.body, *node.orelse]
            continue
        assert isinstance(node, ast.Import | ast.ImportFrom | ast.Assign | ast.AnnAssign | ast.Expr), (
            ast.dump(node)
        )


def test_import_asflow_loads_nothing_heavy() -> None:
    run = [sys.executable, "-W", "error", "-c", "import sys, asflow; print(*sys.modules)"]
    loaded = set(subprocess.run(run, check=True, capture_output=True, text=True).stdout.split())
    assert "asflow" in loaded
    assert not {name.split(".")[0] for name in loaded} & LOADED_LATE
    assert not loaded & USED_LATE
    assert modules_of_package() >= USED_LATE
