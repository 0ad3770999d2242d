"""Print the oldest versions of the hard dependencies that pyproject.toml allows, as pip constraints."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

PROJECT = Path(__file__).parents[2] / "pyproject.toml"


def oldest(project: Path = PROJECT) -> list[str]:
    """Turn each `name>=version` into `name==version`; a dependency without a lower bound is an error."""
    found: list[str] = []
    for requirement in tomllib.loads(project.read_text())["project"]["dependencies"]:
        match = re.fullmatch(r"([\w-]+)>=([\d.]+)", requirement)
        if match is None:
            raise SystemExit(f"{requirement!r} names no lower bound")
        found.append(f"{match[1]}=={match[2]}")
    return found


if __name__ == "__main__":
    print("\n".join(oldest()))
