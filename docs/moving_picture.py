"""Turn the recording of a terminal into a moving picture: `python docs/moving_picture.py`.

Reads `docs/assets/terminal.cast` (asciicast 2, as `make pictures` records it from a real run) and writes
`docs/assets/demo.svg`: the screen of every quarter of a second, shown one after the other with CSS alone, and
a key where Ctrl-C was pressed. Pauses are shortened as the recording asks for. Nothing is fetched to show it,
and readers who prefer reduced motion see the last screen.
"""

from __future__ import annotations

import json
import math
from html import escape
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyte

if TYPE_CHECKING:
    from collections.abc import Sequence

ASSETS = Path(__file__).parent / "assets"
STEP = 0.25
HOLD = 4.0
KEY = 1.5
"""Seconds between two frames, for which the last one stays, and for which a key is shown."""

WIDTH, HEIGHT = 8.4, 19.0
FONTS = "ui-monospace,Menlo,Consolas,DejaVu Sans Mono,monospace"
COLORS = {
    "default": "#d0d0d0", "black": "#555753", "red": "#ef2929", "green": "#8ae234", "brown": "#fce94f",
    "blue": "#729fcf", "magenta": "#d787d7", "cyan": "#5fd7d7", "white": "#eeeeec",
}  # fmt: skip

Row = tuple[tuple[str, str], ...]
"""A line of the screen: runs of text with their colors."""


def row_of(screen: pyte.Screen, y: int) -> Row:
    """Read a line of the screen."""
    cells = [screen.buffer[y][x] for x in range(screen.columns)]
    runs = groupby(cells, key=lambda cell: COLORS.get(cell.fg, f"#{cell.fg}"))
    return tuple(("".join(cell.data for cell in run), color) for color, run in runs)


def played(cast: str) -> tuple[dict[str, Any], list[tuple[float, str, str]]]:
    """Return the header of a recording and its events, from time 0 on and without long pauses."""
    header, *events = (json.loads(line) for line in cast.splitlines())
    longest = header.get("idle_time_limit", math.inf)
    shown: list[tuple[float, str, str]] = []
    before, now = events[0][0], 0.0
    for time, kind, data in events:
        now += min(time - before, longest)
        before = time
        shown.append((now, kind, data))
    return header, shown


def frames(cast: str) -> list[tuple[float, list[Row]]]:
    """Play a recording and return the screen and its time, for each change."""
    header, events = played(cast)
    screen = pyte.Screen(header["width"], header["height"])
    stream = pyte.Stream(screen)
    found: list[tuple[float, list[Row]]] = []
    due = 0.0
    for time, kind, data in events:
        while time >= due + STEP:
            note(found, due, screen)
            due += STEP
        if kind == "o":
            stream.feed(data)
    note(found, due + STEP, screen)
    return found


def interrupts(cast: str) -> list[float]:
    """Return when Ctrl-C was pressed."""
    return [time for time, kind, data in played(cast)[1] if (kind, data) == ("i", "\x03")]


def note(found: list[tuple[float, list[Row]]], time: float, screen: pyte.Screen) -> None:
    """Add the screen if it has changed."""
    rows = [row_of(screen, y) for y in range(screen.lines)]
    if not found or found[-1][1] != rows:
        found.append((time, rows))


def svg_of(shown: list[tuple[float, list[Row]]], pressed: Sequence[float] = ()) -> str:
    """Return the moving picture, no larger than what is shown; a line that stays the same is written once."""
    used = 1 + max(y for _, rows in shown for y, row in enumerate(rows) if not blank(row))
    columns = max(len("".join(text for text, _ in row).rstrip()) for _, rows in shown for row in rows)
    width, height = columns * WIDTH + 24, used * HEIGHT + 24
    names: dict[Row, str] = {}
    drawn: list[str] = []
    for number, (_, rows) in enumerate(shown):
        lines = [
            f'<use href="#{names.setdefault(row, f"r{len(names)}")}" y="{y * HEIGHT:.0f}"/>'
            for y, row in enumerate(rows)
            if not blank(row)
        ]
        drawn.append(f'<g class="f" id="f{number}">{"".join(lines)}</g>')
    rows_drawn = [f'<g id="{name}">{text_of(row)}</g>' for row, name in names.items()]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" role="img" '
        f'aria-label="The demo in a terminal" font-family="{FONTS}" font-size="14">'
        f"<style>{styles([time for time, _ in shown], pressed)}</style><defs>{''.join(rows_drawn)}</defs>"
        f'<rect width="100%" height="100%" rx="8" fill="#1c1c1c"/><g transform="translate(12 24)">'
        f"{''.join(drawn)}</g>{keys_of(pressed, width, height)}</svg>\n"
    )


def keys_of(pressed: Sequence[float], width: float, height: float) -> str:
    """Draw the keys that were pressed, in the lower right corner."""
    return "".join(
        f'<g class="f" id="p{number}" transform="translate({width - 150:.0f} {height - 66:.0f})">'
        '<rect width="126" height="42" rx="7" fill="#eeeeec"/>'
        '<text x="63" y="27" text-anchor="middle" font-size="18" fill="#1c1c1c">Ctrl-C</text></g>'
        for number, _ in enumerate(pressed)
    )


def blank(row: Row) -> bool:
    """Whether a line shows nothing."""
    return not any(text.strip() for text, _ in row)


def styles(times: list[float], pressed: Sequence[float]) -> str:
    """Return the style sheet that shows each frame from its time until that of the next, and each key."""
    total, last = times[-1] + HOLD, len(times) - 1
    rules = [".f{visibility:hidden}", "text{white-space:pre}"]
    spans = [
        (f"f{number}", *span) for number, span in enumerate(zip(times, [*times[1:], total], strict=True))
    ]
    spans += [(f"p{number}", time, time + KEY) for number, time in enumerate(pressed)]
    for name, begin, end in spans:
        first = "visible" if begin == 0 else "hidden"
        after = "visible" if end == total else "hidden"
        rules.append(
            f"@keyframes {name}{{0%{{visibility:{first}}}{100 * begin / total:.3f}%{{visibility:visible}}"
            f"{100 * end / total:.3f}%{{visibility:{after}}}}}"
            f"#{name}{{animation:{name} {total:.2f}s step-end infinite}}"
        )
    rules.append(
        "@media(prefers-reduced-motion:reduce)"
        f"{{.f{{animation:none!important}}#f{last}{{visibility:visible}}}}"
    )
    return "".join(rules)


def text_of(row: Row) -> str:
    """Draw the runs of one line, each at its column and of its exact width in any font."""
    parts: list[str] = []
    column = 0
    for text, color in row:
        kept = text.rstrip(" ")
        skipped = len(kept) - len(kept.lstrip(" "))
        if kept.strip():
            x, length = (column + skipped) * WIDTH, (len(kept) - skipped) * WIDTH
            parts.append(
                f'<text x="{x:.1f}" fill="{color}" textLength="{length:.1f}" '
                f'lengthAdjust="spacingAndGlyphs">{escape(kept.lstrip(" "))}</text>'
            )
        column += len(text)
    return "".join(parts)


if __name__ == "__main__":
    target = ASSETS / "demo.svg"
    recording = (ASSETS / "terminal.cast").read_text()
    target.write_text(svg_of(frames(recording), interrupts(recording)))
    print(f"{target}: {target.stat().st_size} bytes")
