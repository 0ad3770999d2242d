"""Print the oldest versions of the required dependencies that pyproject.toml allows, as pip constraints."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

PROJECT = Path(__file__).parents[2] / "pyproject.toml"


def oldest(project: Path = PROJECT) -> list[str]:
    """Return `name==version` for each `name>=version`, with its marker; a missing lower bound is an error."""
    found: list[str] = []
    for requirement in tomllib.loads(project.read_text())["project"]["dependencies"]:
        match = re.fullmatch(r"([\w-]+)>=([\d.]+)(; .*)?", requirement)
        if match is None:
            raise SystemExit(f"{requirement!r} has no lower bound; write name>=version")
        found.append(f"{match[1]}=={match[2]}{match[3] or ''}")
    return found


if __name__ == "__main__":
    print("\n".join(oldest()))
