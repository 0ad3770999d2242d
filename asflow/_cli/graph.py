"""`asflow graph`: the tasks of a module and what they read, as text or as a picture."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from asflow._cli.console import Terminal
from asflow._cli.modules import tasks_of
from asflow._task.graph import graph_of


def graph(target: str, /, *, as_svg: Annotated[bool, Parameter(name="--svg")] = False) -> int:
    """Print the tasks of a module and what they read (`reads=`), as a Mermaid flowchart.

    Args:
        target: The module, as `package.module`.
        as_svg: Print an SVG picture instead.

    Raises:
        UsageError: there is no such module, or it has no task.
    """
    drawn = graph_of(tasks_of(target)[0])
    text = drawn.to_svg() + "\n" if as_svg else drawn.to_mermaid()
    Terminal().line((text, ""), end="")
    return 0
