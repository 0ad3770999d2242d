"""The five checkers: how to run each in its strictest mode, and how to read its output."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

__all__ = ["CHECKERS", "CheckerError", "Diagnostic", "check", "project_code"]

ROOT = Path(__file__).parent.parent
STUBS = ROOT / "stubs"
BIN = Path(sys.executable).parent


class CheckerError(Exception):
    """A checker did not run, or its output can't be read."""


@dataclass(frozen=True)
class Diagnostic:
    """One error that a checker reports."""

    path: Path
    line: int
    rule: str
    message: str


@dataclass(frozen=True)
class Checker:
    """How to run a checker, and how to read its output.

    Attributes:
        run: runs the checker on files, for a Python version (`"3.12"`), with a folder for configuration;
            returns its output.
        along: runs it on files and on the project's code at once, which comes second; None where it doesn't
            check that.
        parse: returns the errors in the output.
        broken: rules for broken cases (an unknown name), which are not refusals.
        unawaited: rules for a forgotten `await`, which are refusals where a case is about that.
    """

    run: Callable[[Sequence[Path], str, Path], str]
    parse: Callable[[str], list[Diagnostic]]
    broken: frozenset[str]
    unawaited: frozenset[str]
    along: Callable[[Sequence[Path], Sequence[str], str, Path], str] | None = None


def check(
    name: str, files: Sequence[Path], python: str, folder: Path, *, code: Sequence[str] = ()
) -> list[Diagnostic]:
    """Run the checker *name* on *files* and return its errors.

    Args:
        name: a key of `CHECKERS`.
        files: the files to check.
        python: the Python version to check for, as in `"3.12"`.
        folder: an empty folder, for configuration and caches.
        code: files, folders and patterns of the project's own code (see `project_code`), to be checked as
            `pyproject.toml` says in the same run: most of the time goes into what it has in common with
            *files*.

    Raises:
        CheckerError: it did not run to the end, its output can't be read, or it doesn't check the code.
    """
    checker = CHECKERS[name]
    if not code:
        text = checker.run(files, python, folder)
    elif checker.along is None:
        raise CheckerError(f"{name} doesn't check the project's code")
    else:
        text = checker.along(files, code, python, folder)
    try:
        return checker.parse(text)
    except (ValueError, KeyError, TypeError) as error:
        raise CheckerError(f"{name}: can't read its answer: {error!r}\n{text[-2000:]}") from error


def _run(name: str, *arguments: str | Path, cwd: Path) -> str:
    program = BIN / name
    environment = {**os.environ, "PATH": f"{BIN}{os.pathsep}{os.environ.get('PATH', '')}", "NO_COLOR": "1"}
    environment.pop("FORCE_COLOR", None)
    environment.setdefault(
        "NODE_OPTIONS", "--max-semi-space-size=64"
    )  # MB; pyright collects garbage less often
    result = subprocess.run(
        [program, *arguments], capture_output=True, text=True, cwd=cwd, env=environment, check=False
    )
    if result.returncode not in (0, 1):
        raise CheckerError(f"{name} ended with {result.returncode}:\n{result.stdout}{result.stderr}")
    return result.stdout


def _mypy(files: Sequence[Path], python: str, folder: Path) -> str:
    config = folder / "mypy.ini"
    config.write_text(f"[mypy]\nmypy_path = {ROOT}:{STUBS}\n")
    options = ("--strict", "--explicit-package-bases", "--output=json", "--hide-error-context")
    codes = ("redundant-expr", "truthy-bool", "unused-awaitable")
    errors = [f"--enable-error-code={code}" for code in codes]
    cache = ROOT / ".mypy_cache" / "typecheck"
    arguments = (*options, *errors, f"--python-version={python}", f"--cache-dir={cache}")
    return _run("mypy", "--config-file", config, *arguments, *files, cwd=folder)


def _mypy_along(files: Sequence[Path], code: Sequence[str], python: str, folder: Path) -> str:
    paths = [path for pattern in code for path in sorted(ROOT.glob(pattern))]
    arguments = ("--output=json", "--hide-error-context", f"--python-version={python}")
    return _run("mypy", "--config-file", ROOT / "pyproject.toml", *arguments, *paths, *files, cwd=ROOT)


def project_code(*, tests: bool = True) -> list[str]:
    """Return the project's code, as files, folders and patterns in its root.

    Args:
        tests: all of the tests; without them, only what they share.
    """
    with (ROOT / "pyproject.toml").open("rb") as file:
        code: list[str] = tomllib.load(file)["tool"]["pyright"]["include"]
    return code if tests else [name if name != "tests" else "tests/support" for name in code]


def _parse_mypy(text: str) -> list[Diagnostic]:
    found = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
    return [
        Diagnostic(Path(each["file"]).resolve(), each["line"], each["code"] or "syntax", each["message"])
        for each in found
        if each["severity"] == "error"
    ]


def _pyright(name: str) -> Callable[[Sequence[Path], str, Path], str]:
    def run(files: Sequence[Path], python: str, folder: Path) -> str:
        config: Mapping[str, Any] = {
            # Absolute paths are not allowed here.
            "include": [os.path.relpath(file, folder) for file in files],
            "extraPaths": [str(ROOT)],
            "stubPath": str(STUBS),
            "typeCheckingMode": "strict",
            "pythonVersion": python,
        }
        path = folder / "pyrightconfig.json"
        path.write_text(json.dumps(config))
        return _run(name, "-p", path, "--outputjson", "--pythonpath", sys.executable, cwd=folder)

    return run


def _pyright_along(files: Sequence[Path], code: Sequence[str], python: str, folder: Path) -> str:
    included = [*(ROOT / pattern for pattern in code), *files]
    config: Mapping[str, Any] = {
        "extends": os.path.relpath(ROOT / "pyproject.toml", folder),
        "include": [os.path.relpath(path, folder) for path in included],
        "pythonVersion": python,
    }
    path = folder / "pyrightconfig.json"
    path.write_text(json.dumps(config))
    return _run("pyright", "-p", path, "--outputjson", "--pythonpath", sys.executable, cwd=ROOT)


def _parse_pyright(text: str) -> list[Diagnostic]:
    return [
        Diagnostic(
            Path(each["file"]).resolve(),
            each["range"]["start"]["line"] + 1,
            each.get("rule", "syntax"),
            each["message"],
        )
        for each in json.loads(text)["generalDiagnostics"]
        if each["severity"] == "error"
    ]


def _pyrefly(files: Sequence[Path], python: str, folder: Path) -> str:
    config = folder / "pyrefly.toml"
    config.write_text(
        f"search-path = {json.dumps([str(STUBS), str(ROOT)])}\n"
        f"python-version = {json.dumps(python)}\n"
        f"python-interpreter-path = {json.dumps(sys.executable)}\n"
    )
    options = ("--output-format=json", "--progress-bar=no", "--summary=none")
    return _run("pyrefly", "check", "-c", config, *options, *files, cwd=ROOT)


def _parse_pyrefly(text: str) -> list[Diagnostic]:
    return [
        Diagnostic((ROOT / each["path"]).resolve(), each["line"], each["name"], each["description"])
        for each in json.loads(text)["errors"]
        if each["severity"] == "error"
    ]


def _ty(files: Sequence[Path], python: str, folder: Path) -> str:
    paths = ("--extra-search-path", STUBS, "--extra-search-path", ROOT, "--python", sys.executable)
    options = ("--output-format=gitlab", "--python-version", python, "--project", folder, "--no-progress")
    errors = ("--error=unused-awaitable",)  # a warning by default
    return _run("ty", "check", *paths, *options, *errors, *files, cwd=ROOT)


def _parse_ty(text: str) -> list[Diagnostic]:
    return [
        Diagnostic(
            (ROOT / each["location"]["path"]).resolve(),
            each["location"]["positions"]["begin"]["line"],
            each["check_name"],
            re.sub(r"^[a-z-]+: ", "", each["description"]),
        )
        for each in json.loads(text)
        if each["severity"] in ("major", "critical", "blocker")
    ]


_PYRIGHT_BROKEN = frozenset(
    {
        "reportAttributeAccessIssue-import",
        "reportMissingImports",
        "reportUndefinedVariable",
        "reportUnusedExpression",
        "reportUnusedImport",
        "reportUnusedVariable",
        "syntax",
    }
)

CHECKERS: Mapping[str, Checker] = {
    "mypy": Checker(
        _mypy,
        _parse_mypy,
        frozenset({"syntax", "name-defined", "import-not-found", "import-untyped"}),
        frozenset({"unused-coroutine", "unused-awaitable"}),
        _mypy_along,
    ),
    "pyright": Checker(
        _pyright("pyright"),
        _parse_pyright,
        _PYRIGHT_BROKEN,
        frozenset({"reportUnusedCoroutine"}),
        _pyright_along,
    ),
    "basedpyright": Checker(
        _pyright("basedpyright"), _parse_pyright, _PYRIGHT_BROKEN, frozenset({"reportUnusedCoroutine"})
    ),
    "pyrefly": Checker(
        _pyrefly,
        _parse_pyrefly,
        frozenset({"parse-error", "unknown-name", "missing-import", "missing-module-attribute"}),
        frozenset({"unused-coroutine"}),
    ),
    "ty": Checker(
        _ty,
        _parse_ty,
        frozenset({"invalid-syntax", "unresolved-reference", "unresolved-import"}),
        frozenset({"unused-awaitable"}),
    ),
}
"""By name, in the order of the matrix."""
