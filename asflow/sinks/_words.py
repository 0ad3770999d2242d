"""The wording that the sinks share: numbers, durations, log lines and summaries, as styled pieces of text.

A piece is `(text, style)`; the style is the name of a rich style, or empty. Plain sinks join the texts.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TypeAlias

from asflow._digest import unquoted
from asflow._labels import clean, error_line

if TYPE_CHECKING:
    from collections.abc import Iterable

    from asflow.events import FlowOutcome, RunningCall, Tally, TaskFinished, TaskWaiting, WaitingCall

Piece: TypeAlias = tuple[str, str]
"""A text and the name of its style."""

_FOREVER = 1e9  # seconds; a body may report a total of infinity

# For a terminal without Unicode (an old Windows code page, LANG=C).
_ASCII = str.maketrans({"━": "#", "╸": "#", "╺": "-", "─": "-", "…": "..."})


def to_ascii(text: str) -> str:
    """Replace the display's own characters by similar ones, all other non-ASCII characters by escapes."""
    return text.translate(_ASCII).encode("ascii", "backslashreplace").decode("ascii")


def plain(pieces: Iterable[Piece]) -> str:
    return "".join(text for text, _ in pieces)


def join(groups: Iterable[Piece]) -> list[Piece]:
    """Join *groups* by `, `, so that `fold` can break a line before each."""
    pieces: list[Piece] = []
    for text, style in groups:
        pieces += [(",", ""), (" " + text, style)] if pieces else [(text, style)]
    return pieces


def duration(seconds: float) -> str:
    """Format *seconds* (>= 0) as `0.3 s`, `41 s`, `3 min 12 s` or `2 h 05 min`."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def clock(seconds: float | None) -> str:
    """Format a remaining time as `0:02:04`, or `-:--:--` for None."""
    if seconds is None or not seconds < _FOREVER:  # NaN too
        return "-:--:--"
    whole = max(0, round(seconds))
    if whole >= 100 * 3600:
        return f"{whole // 86400} days"
    return f"{whole // 3600}:{whole % 3600 // 60:02d}:{whole % 60:02d}"


def remaining(seconds: float) -> str:
    """Format a time left in few columns: `0:07`, `3:12`, `2:05:00`, `11 days`."""
    text = clock(seconds)
    return text.removeprefix("0:").removeprefix("0") if text.startswith("0:") else text


def took(seconds: float) -> str:
    """Format an elapsed time in few columns: `9.1 s`, `41 s`, `3:12`, `2:05:00`."""
    if seconds < 59.5:
        return duration(seconds)
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60}:{whole % 60:02d}"
    return clock(seconds)


_SIZES = ("B", "kB", "MB", "GB", "TB", "PB")


def _scale(size: float) -> tuple[float, str]:
    """Return how many bytes the unit has in which *size* bytes are shown, and its name."""
    factor = 1.0
    for name in _SIZES:
        if size < 999.5 * factor:
            return factor, name
        factor *= 1000
    return factor / 1000, _SIZES[-1]


def _number(number: float, digits: int = 1) -> str:
    text = f"{number:,.{digits}f}"
    return text.removesuffix("." + "0" * digits) if number == int(number) else text


def amount(done: float, total: float | None, unit: str | None = None) -> str:
    """Return what is done: `18/870`, `12/40 pages`, `4.1/12.0 MB`, or without a total `18`."""
    if unit == "B":
        factor, name = _scale(total or done)
        digits = 0 if factor == 1 else 1
        of = "" if not total else f"/{total / factor:,.{digits}f}"
        return f"{done / factor:,.{digits}f}{of} {name}"
    of = "" if not total else f"/{_number(total)}"
    return _number(done) + of + (f" {unit}" if unit else "")


def rate(per_second: float | None, unit: str | None = None) -> str:
    """Return how fast something goes: `12/s`, `3.2 MB/s`, `4.5/min`; empty if unknown."""
    if per_second is None or not 0 < per_second < _FOREVER * _FOREVER:
        return ""
    if unit == "B":
        factor, name = _scale(per_second)
        return f"{per_second / factor:,.{0 if factor == 1 else 1}f} {name}/s"
    for number, per in ((per_second, "s"), (per_second * 60, "min"), (per_second * 3600, "h")):
        if number >= 0.95 or per == "h":
            return f"{number:,.0f}/{per}" if number >= 99.5 else f"{number:,.1f}/{per}"
    return ""


def time_of_day() -> str:
    """Return the local time as `[12:49:06]`."""
    return time.strftime("[%H:%M:%S]")


def call_title(call: RunningCall) -> str:
    """Return the arguments of a call, a single string without its quotes. Never raises."""
    try:
        return unquoted(clean(call.label))
    except Exception:  # noqa: BLE001 - the label comes from a user's __repr__
        return "?"


def wait_words(wait: WaitingCall, now: float) -> str:
    """Return what a call waits for and how long, as in `again in 4 s: HTTPError: 503`."""
    waited = duration(max(0.0, now - wait.since))
    detail = "" if wait.detail is None else clean(wait.detail)
    if wait.reason == "retry":
        left = None if wait.until is None else wait.until - now
        when = "waits to be called again" if left is None or left < 0.1 else f"again in {duration(left)}"
        return when + (f": {detail}" if detail else "")
    if wait.reason == "owner":
        return f"waits {waited} for its output" + (f", made by {detail}" if detail else "")
    return f"waits {waited} for its {'rate' if wait.reason == 'rate' else 'slot'}"


def task_line(event: TaskFinished) -> list[Piece]:
    """Return the log line of a finished call, as in `Task extract('Hello') finished in 1.00s`."""
    call = f"Task {clean(event.task)}({clean(event.label)}) "
    took = f"{event.seconds:.2f}s"
    match event.outcome:
        case "completed":
            return [(f"{call}finished in {took}", "")]
        case "cached":
            return [(f"{call}already on disk", "dim")]
        case "suppressed" if event.error is None:
            return [(f"{call}suppressed in an earlier run", "dim")]
        case outcome:
            style = "red" if outcome == "failed" else "yellow"
            pieces = [(call, ""), (outcome, style), (f" after {took}", "")]
            if event.error is not None and outcome != "cancelled":
                pieces.append((f": {error_line(event.error)}", style))
            return pieces


def waiting_line(event: TaskWaiting) -> list[Piece]:
    """Return the log line of a call that waits, as in `Task make('x') waits for its output, 1.0 s so far`."""
    return [(f"Task {clean(event.task)}({clean(event.label)}) {waiting_words(event)}", "dim")]


def waiting_words(event: TaskWaiting) -> str:
    """Return what a call waits for, as in `waits for a slot, 12 s so far`."""
    match event.reason:
        case "owner":
            what = "its output" if event.owner is None else f"its output, made by {clean(event.owner)}"
        case "rate":
            what = "its rate"
        case "slot":
            what = "a slot"
    return f"waits for {what}, {duration(event.waited_seconds)} so far"


class Counts:
    """The sums of several tallies.

    Attributes:
        completed, cached, skipped, suppressed, failed, cancelled: calls that ended this way.
        retries: how often a body was called again.
    """

    __slots__ = ("cached", "cancelled", "completed", "failed", "retries", "skipped", "suppressed")

    def __init__(self) -> None:
        self.completed: int = 0
        self.cached: int = 0
        self.skipped: int = 0
        self.suppressed: int = 0
        self.failed: int = 0
        self.cancelled: int = 0
        self.retries: int = 0

    def add(self, other: Tally | Counts) -> None:
        self.completed += other.completed
        self.cached += other.cached
        self.skipped += other.skipped
        self.suppressed += other.suppressed
        self.failed += other.failed
        self.cancelled += other.cancelled
        self.retries += other.retries

    def by_outcome(self) -> dict[str, int]:
        """Return the number of calls by outcome, and of retries."""
        return {name: getattr(self, name) for name in self.__slots__}

    @property
    def finished(self) -> int:
        """The number of calls that have ended."""
        return self.completed + self.cached + self.skipped + self.suppressed + self.failed + self.cancelled

    def words(self, *, done: bool = True) -> list[Piece]:
        """Return the counts above zero, as in `23 done`, `2 skipped`; *done* includes the completed calls."""
        numbers = [
            (self.completed if done else 0, "done", "green"),
            (self.cached, "on disk", "dim"),
            (self.skipped, "skipped", "yellow"),
            (self.suppressed, "suppressed", "yellow"),
            (self.failed, "failed", "red"),
            (self.cancelled, "cancelled", "yellow"),
            (self.retries, "retry" if self.retries == 1 else "retries", "yellow"),
        ]
        return [(f"{number:,} {word}", style) for number, word, style in numbers if number]


def flow_summary(
    title: str, outcome: FlowOutcome, error: BaseException | None, counts: Counts, seconds: float
) -> list[Piece]:
    """Return the line that remains when a flow has ended.

    As in `Flow transcripts(): 23 done, 870 on disk, 2 skipped, 1 suppressed in 41 s`.
    """
    words = counts.words()
    pieces: list[Piece] = [(f"Flow {title}", "")]
    if outcome == "failed":
        pieces.append((f" failed ({error_line(error)})" if error is not None else " failed", "red"))
    elif outcome == "cancelled":
        pieces.append((" cancelled", "yellow"))
    elif not words:
        pieces.append((" finished", ""))
    if words:
        first, *others = join(words)
        pieces += [(":", ""), (" " + first[0], first[1]), *others]
    when = "in" if words or outcome == "completed" else "after"
    pieces.append((f" {when} {duration(seconds)}", ""))
    return pieces
