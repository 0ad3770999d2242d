"""The notebook editions of pages of `docs/learn/`, made from the pages: `python docs/notebook_editions.py`.

Prose becomes cells of text, a block with a title a cell that writes the file, and each command of a `console`
block a cell that runs it, with the output that the page shows. A test compares the notebooks with the pages,
and runs them.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

LEARN = Path(__file__).parent / "learn"
EDITIONS = ("tutorial", "crash")
"""The pages that have one."""

_BLOCK = re.compile(
    r'^```(?P<language>python|console)(?: title="(?P<title>[^"]+)")?\n(?P<text>.*?)^```$', re.M | re.S
)
_COMMAND = re.compile(r"^\$ (?P<command>.*)\n(?P<output>(?:(?!\$ ).*\n)*)", re.M)
_DIRECTIVE = re.compile(r"^<!-- skip:.*?-->\n", re.M | re.S)
_SHELL = "%%sh --no-raise-error\nexec 2>&1\n"


def notebook(page: str, name: str) -> dict[str, Any]:
    """Return the notebook of a page, as JSON has it."""
    cells: list[dict[str, Any]] = []
    folders = {""}
    position = 0
    for block in _BLOCK.finditer(page):
        cells += prose(page[position : block.start()])
        position = block.end()
        if block["language"] == "console":
            cells += [command(each["command"], each["output"]) for each in _COMMAND.finditer(block["text"])]
        elif title := block["title"]:
            folder = title.rpartition("/")[0]
            if folder not in folders:
                folders.add(folder)
                cells.append(command(f"mkdir -p {folder}", ""))
            cells.append(code(f"%%writefile {title}\n{block['text']}"))
        else:
            cells.append(code(block["text"]))
    cells += prose(page[position:])
    cells.insert(
        1, text(f"This is the notebook edition of [the page]({name}.md); the cells work in its folder.")
    )
    return {
        "cells": [{"id": f"cell-{number}", **cell} for number, cell in enumerate(cells)],
        "metadata": {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }


def prose(part: str) -> list[dict[str, Any]]:
    """Return a cell for text between two blocks, if there is any."""
    stripped = _DIRECTIVE.sub("", part).strip()
    return [text(stripped)] if stripped else []


def text(source: str) -> dict[str, Any]:
    """Return a cell of text."""
    return {"cell_type": "markdown", "metadata": {}, "source": source.splitlines(True)}


def code(source: str, output: str = "") -> dict[str, Any]:
    """Return a cell of code, with what it prints."""
    shown = [{"name": "stdout", "output_type": "stream", "text": output.splitlines(True)}] if output else []
    return {"cell_type": "code", "execution_count": None, "metadata": {}, "outputs": shown,
            "source": source.rstrip("\n").splitlines(True)}  # fmt: skip


def command(line: str, output: str) -> dict[str, Any]:
    """Return a cell that runs a command, with what it prints."""
    return code(f"%{line}" if line.startswith("pip ") else f"{_SHELL}{line}", output)


def edition(name: str) -> str:
    """Return the text of a page's notebook."""
    page = (LEARN / f"{name}.md").read_text("utf-8")
    return json.dumps(notebook(page, name), indent=1, ensure_ascii=False) + "\n"


def main() -> None:
    """Write the notebooks beside their pages."""
    for name in EDITIONS:
        (LEARN / f"{name}.ipynb").write_text(edition(name), "utf-8")


if __name__ == "__main__":
    main()
