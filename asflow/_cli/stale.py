"""`asflow stale`: what the next calls would make, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING

from asflow._cli.console import REASON, Terminal, printable
from asflow._cli.modules import tasks_of
from asflow._cli.parameters import AsJson  # noqa: TC001 - cyclopts reads it
from asflow._cli.verdicts import STATES, verdicts
from asflow._labels import cut

if TYPE_CHECKING:
    from asflow._cli.verdicts import Verdict

STYLES = {"stale": "yellow", "missing": "cyan", "suppressed": "red", "unknown": "magenta", "fresh": "green"}

_REASONS = {
    "input": "{} is newer",
    "input made again": "{} is made again before",
    "marked": "marked by asflow refresh",
    "age": "older than refresh=",
    "moment": "made before refresh=",
    "asked": "refresh= returned True",
    "missing input": "its input {} does not exist",
}


def stale(target: str, /, *, as_json: AsJson = False) -> int:
    """List the outputs that the next calls would make, and why. No body is called.

    An output is `stale` (an input is newer or will be made again, it is too old, or marked) or `missing`.
    `suppressed` ones have a recorded failure, which is final. Of outputs whose arguments can't be read from
    their names (a `*` in `on=`), only what does not depend on arguments is checked; if that leaves a doubt
    they are `unknown`. The exit code is 1 if anything would be made.

    Args:
        target: The module, as `package.module`, or one of its tasks, as `package.module:task`.
        as_json: Write one JSON array instead, a line per entry.

    Raises:
        UsageError: there is no such module or task.
    """
    terminal = Terminal()
    counts: dict[str, int] = dict.fromkeys(STATES, 0)
    found: list[Verdict] = []
    for verdict in verdicts(*tasks_of(target)):
        counts[verdict.state] += 1
        if verdict.state != "fresh":
            found.append(verdict)
    if as_json:
        terminal.json(verdict._asdict() for verdict in found)
    else:
        for verdict in found:
            terminal.line(
                (f"{verdict.state:<10}", STYLES[verdict.state]),
                (f"  {printable(verdict.name)}", ""),
                (f"  {why(verdict)}".rstrip(), "dim"),
            )
        words = [f"{count:,} {state}" for state, count in counts.items() if count]
        terminal.note((", ".join(words) or "no outputs", "dim"))
    return 1 if any(verdict.is_made for verdict in found) else 0


def why(verdict: Verdict) -> str:
    """Return the reason of a verdict in words."""
    reason = verdict.reason or ""
    text = _REASONS.get(reason, reason).format(verdict.input)
    return printable(cut(text, REASON, "…"))
