"""Runs the code of the pages: a file of `tests/pages/examples`, with its addresses replaced."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["EXAMPLES", "load", "place", "run"]

EXAMPLES = Path(__file__).parents[1] / "pages" / "examples"


def load(name: str, replaced: Mapping[str, str] | None = None, **names: object) -> ModuleType:
    """Run *name*, a file under the examples, as an import would, and return the module.

    Args:
        name: as in `page2/manual.py`.
        replaced: texts to put in the place of others, which must be there.
        names: what the module finds among its names beside its own.

    The code keeps the file name of the example, whatever was replaced: so a task that a second test
    loads anew is the same task, as it is when Streamlit reruns a script.
    """
    path = EXAMPLES / name
    module = ModuleType(path.stem)
    module.__file__ = str(path)
    vars(module).update(names)
    exec(compile(_text(path, replaced or {}), str(path), "exec"), vars(module))
    return module


def place(folder: str, into: Path, replaced: Mapping[str, str]) -> None:
    """Copy the Python files of *folder* (as in `page3`) into *into*, with texts replaced in all."""
    texts = {path: path.read_text(encoding="utf-8") for path in sorted((EXAMPLES / folder).rglob("*.py"))}
    missing = [old for old in replaced if not any(old in text for text in texts.values())]
    assert not missing, f"{missing[0]!r} is nowhere in {folder}"
    for path, text in texts.items():
        for old, new in replaced.items():
            text = text.replace(old, new)
        target = into / path.relative_to(EXAMPLES / folder)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")


def run(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run `python *arguments` in *cwd*, with the commands of this environment first on the path."""
    scripts = str(Path(sys.executable).parent)
    env = {**os.environ, "PATH": scripts + os.pathsep + os.environ["PATH"], "PYTHONIOENCODING": "utf-8"}
    done = subprocess.run(
        [sys.executable, *arguments], cwd=cwd, env=env, capture_output=True, encoding="utf-8", check=False
    )
    assert done.returncode == 0, done.stderr
    return done


def _text(path: Path, replaced: Mapping[str, str]) -> str:
    text = path.read_text(encoding="utf-8")
    for old, new in replaced.items():
        assert old in text, f"{old!r} is not in {path.name}"
        text = text.replace(old, new)
    return text
