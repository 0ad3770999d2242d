"""Every lock that outlives a call is renewed in a forked child: see `asflow/_forks.py`."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import TYPE_CHECKING, cast

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]

LOCKS = {"Lock", "RLock", "Condition", "Semaphore", "BoundedSemaphore"}

# Modules that make such locks themselves, and why a forked child is safe all the same.
EXCEPT = {
    "_runtime/calls.py": "`FlowCall.after_fork` renews those of its tallies and its digest",
    "stores/_local_claim.py": "a forked child refuses before it takes the lock",
    "stores/_posix.py": "held during a fork, and renewed with the descriptors that it guards",
    "stores/_objects/store.py": "an ObjectStore refuses to work in a forked child",
}


def lasting_locks(tree: ast.AST, function: ast.AST | None = None) -> Iterator[ast.Call]:
    """Yield the calls that make a lock, unless only a local variable of a function holds it."""
    for node in ast.iter_child_nodes(tree):
        inside = node if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)) else function
        match node:
            case ast.Assign(targets=[ast.Name()], value=value) if inside is not None and is_lock(value):
                continue
            case _:
                pass
        if is_lock(node):
            yield cast("ast.Call", node)
        yield from lasting_locks(node, inside)


def is_lock(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in LOCKS
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id == "threading"
    )


@pytest.mark.parametrize(
    ("source", "count"),
    [
        ("_lock = threading.Lock()", 1),
        ("_lock = _forks.renewed(sys.modules[__name__], '_lock', threading.Lock)", 0),
        ("class A:\n def __init__(self) -> None:\n  self._lock: object = threading.RLock()", 1),
        ("def f() -> None:\n lock = threading.Lock()", 0),
        ("def f() -> None:\n made.setdefault(1, (threading.Condition(), 0))", 1),
    ],
)
def test_the_check_finds_locks_that_last(source: str, count: int) -> None:
    assert len(list(lasting_locks(ast.parse(source)))) == count


def test_locks_are_made_by_renewed() -> None:
    for path in sorted((ROOT / "asflow").rglob("*.py")):
        name = path.relative_to(ROOT / "asflow").as_posix()
        lines = [call.lineno for call in lasting_locks(ast.parse(path.read_text("utf-8")))]
        if name in EXCEPT:
            assert lines, f"{name} is not an exception any more"
        else:
            assert not lines, f"{name}:{lines[0]} makes a lock that a forked child may find taken for ever"
        assert "from threading import" not in path.read_text("utf-8"), f"{name}: write `import threading`"
