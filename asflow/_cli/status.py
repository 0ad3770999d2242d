"""`asflow status`: how many outputs each task has, and in which state."""

from __future__ import annotations

from asflow._cli.console import Terminal, printable
from asflow._cli.modules import tasks_of
from asflow._cli.parameters import AsJson  # noqa: TC001 - cyclopts reads it
from asflow._cli.stale import STYLES
from asflow._cli.verdicts import STATES, verdicts


def status(target: str, /, *, as_json: AsJson = False) -> int:
    """Count the outputs of each task of a module by state; see `asflow stale`.

    Args:
        target: The module, as `package.module`, or one of its tasks, as `package.module:task`.
        as_json: Write one JSON array instead, a line per task.

    Raises:
        UsageError: there is no such module or task.
    """
    terminal = Terminal()
    everything, wanted = tasks_of(target)
    counts = {each.spec.name: dict.fromkeys(STATES, 0) for each in wanted if each.keeps_outputs}
    for verdict in verdicts(everything, wanted):
        counts[verdict.task][verdict.state] += 1
    if as_json:
        terminal.json(
            {"task": name, **{str(state): n for state, n in count.items()}} for name, count in counts.items()
        )
        return 0
    terminal.line(("".join(f"{state.upper():>11}" for state in STATES) + "  TASK", "bold"))
    for name, count in counts.items():
        cells = [(f"{number:>11,}", STYLES[state] if number else "dim") for state, number in count.items()]
        terminal.line(*cells, (f"  {printable(name)}", ""))
    return 0
