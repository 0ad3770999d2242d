"""Fits rows to a width, as lines of styled pieces.

The picture, on 100 columns:

    @flow nightly()     ━━━━━━━━━━━━╺━━━━━━━━━━━━                       31  4.1/s  7.6 s
     @task extract()    ━━━━━━━━━╺━━━━━━━━━━━━━━━  38%    0:12 left   31/870  4.1/s  7.6 s
           F6PqxbvOCUI  ━━━━━━━━━━━━━━━━━━━━╺━━━━  83%    0:01 left    10/12  2.0/s  5.1 s
           Pv0iVoSZzN8  again in 4.0 s: HTTPError: 503
           … and 96 more calls
     extract() failed, 2 HTTPError: l-nMKJ5J3Uc, erLbbextvlY: 404

A bar has a share, a percentage and a time left only if the total is known; otherwise it moves. If there is
little room, bars give way first, then labels, then the time left; counts, rates and times are the last.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from asflow.sinks._words import Piece

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from asflow.sinks._live.rows import Row

Line = list[Piece]

_BAR = 40  # as wide as rich's bars
_BAR_GOOD, _BAR_LEAST = 20, 8
_LABEL_GOOD, _LABEL_LEAST = 30, 12
_PROGRESS_MOST, _PROGRESS_LEAST = 30, 8
_NARROW = 60  # columns; on fewer, calls are indented less
_TURN = 1.5  # seconds in which a moving bar goes through once


def fold(pieces: list[Piece], width: int, cell_len: Callable[[str], int], hang: int = 0) -> list[Line]:
    """Break *pieces* into lines of at most *width* columns, all but the first *hang* columns narrower.

    Breaks are before pieces that begin with a space, in longer ones between words. A word that is itself too
    wide is left to the terminal to wrap.
    """
    lines: list[Line] = [[]]
    free = width
    for text, style in pieces:
        length = cell_len(text)
        whole = length <= free or (text.startswith(" ") and length <= width - hang)
        for part in [text] if whole else re.findall(r"\s*\S+|\s+$", text):
            length = cell_len(part)
            word = part
            if length > free and part.startswith(" ") and lines[-1]:
                lines.append([])
                free, word = width - hang, part.lstrip()
            lines[-1].append((word, style))
            free -= cell_len(word)
    return lines


class _Columns:
    """How many columns each part of a row takes, with the blanks before it; 0: it is left out."""

    __slots__ = ("bar", "count", "elapsed", "label", "left", "percent", "rate")

    def __init__(self) -> None:
        self.label = self.bar = self.percent = self.left = self.count = self.rate = self.elapsed = 0

    @property
    def numbers(self) -> int:
        return self.percent + self.left + self.count + self.rate + self.elapsed


# What is left out, in this order, while labels have fewer columns than that.
_GIVING_WAY = (("left", 12), ("percent", 12), ("elapsed", 10), ("rate", 10), ("count", 6))


class Layout:
    """Turns rows into lines of a given width. Columns never shrink, so that frames don't jump.

    Threads: one at a time.
    """

    def __init__(self, cell_len: Callable[[str], int], *, color: bool) -> None:
        """Start with empty columns.

        Args:
            cell_len: returns how many columns a text takes on the terminal.
            color: False draws the rest of a bar in another character, since color can't distinguish it.
        """
        self._cell_len = cell_len
        self._rest = "━" if color else "─"
        self._width = 0
        self._most: dict[str, int] = {}

    def lines(self, rows: list[Row], width: int, now: float = 0.0) -> list[Line]:
        """Return the lines of *rows*, none wider than *width* - 1 columns (>= 1), as they are at *now*.

        The last column is not used: some terminals wrap as soon as it is written to.
        """
        width = max(1, width - 1)
        if width != self._width:
            self._width, self._most = width, {}
        columns = self._measure(rows, width)
        lines: list[Line] = []
        for row in rows:
            lines += self._row_lines(row, width, columns, now)
        return lines

    def _widest(self, name: str, lengths: Iterator[int]) -> int:
        """Return the largest of *lengths*, or what it was in an earlier frame."""
        self._most[name] = most = max(self._most.get(name, 0), max(lengths, default=0))
        return most

    def _measure(self, rows: list[Row], width: int) -> _Columns:
        """Return what each part of a row gets: numbers first, then labels, descriptions and bars."""
        bars = [row for row in rows if row.has_bar]
        columns = _Columns()
        for name in ("count", "rate", "elapsed"):
            most = self._widest(name, (self._cell_len(getattr(row, name)) for row in bars))
            setattr(columns, name, most + 2 if most else 0)
        known = self._widest("percent", (4 for row in bars if row.done is not None))
        columns.percent = known + 1 if known else 0
        lefts = (len(row.time_left) for row in bars)
        left = self._widest("left", (length + len(" left") for length in lefts if length))
        columns.left = left + 1 if left else 0
        titled = (row for row in rows if row.has_bar or (row.title and row.text))
        label = self._widest("label", (self._indent(row) + self._cell_len(row.title) for row in titled))
        self._give_way(columns, width, label)
        progress = min(
            self._widest("progress", (self._pieces_len(row.progress) for row in bars)), _PROGRESS_MOST
        )
        notes = self._widest("notes", (self._pieces_len(row.notes) for row in bars))
        free = width - columns.numbers
        room = max(free - 1 - _BAR_GOOD, min(_LABEL_GOOD, free - 1 - _BAR_LEAST))
        columns.label = min(label, max(20, room, width // 4), free)
        free -= columns.label + 1
        for spare in (max(progress, notes) + 2, progress + 2):
            if free - spare >= 2 * _BAR_LEAST:
                columns.bar = min(_BAR, free - spare) + 1
                return columns
        # What a call says of itself then takes the place of its bar.
        columns.bar = min(_BAR, free) + 1 if free >= _BAR_LEAST else 0
        return columns

    def _give_way(self, columns: _Columns, width: int, label: int) -> None:
        """Leave out the numbers that matter least until there is room for labels."""
        for name, least in _GIVING_WAY:
            if width - columns.numbers < min(label, least):
                setattr(columns, name, 0)

    def _indent(self, row: Row) -> int:
        return row.indent + (row.more_indent if self._width >= _NARROW else 0)

    def _pieces_len(self, pieces: list[Piece]) -> int:
        return sum(self._cell_len(text) for text, _ in pieces)

    def _row_lines(self, row: Row, width: int, columns: _Columns, now: float) -> list[Line]:
        indent = self._indent(row)
        title = " " * indent + row.title
        if not row.has_bar:
            if not row.text:
                return [self._cut([(title, "dim")], width)]
            label = min(columns.label, max(_LABEL_LEAST, width // 3)) if row.title else indent
            return [
                self._cut([(self._fit(title, label), ""), (" " if row.title else "", ""), *row.text], width)
            ]
        line: Line = [(self._fit(title, columns.label), "progress.description")]
        after = width - columns.numbers - columns.label - columns.bar - 2
        instead = bool(row.progress and columns.bar) and after < min(
            _PROGRESS_LEAST, self._pieces_len(row.progress)
        )
        if instead:
            said = self._cut(row.progress, columns.bar - 1)
            line += [(" ", ""), *said, (" " * (columns.bar - 1 - self._pieces_len(said)), "")]
        elif columns.bar:
            moving = self._moving(now, columns.bar - 1)
            line += [(" ", ""), *(moving if row.done is None else self._bar(row.done, columns.bar - 1))]
        if columns.percent:
            text = "" if row.done is None else f"{int(row.done * 100)}%"
            line.append((f"{text:>{columns.percent}}", "progress.percentage"))
        if columns.left:
            text = row.time_left and f" {row.time_left} left"
            line.append((f"{text:>{columns.left}}", "progress.remaining"))
        numbers = ((row.count, columns.count, "progress.download"), (row.rate, columns.rate, ""))
        for text, columns_of, style in (*numbers, (row.elapsed, columns.elapsed, "progress.elapsed")):
            line.append((" " * (columns_of - self._cell_len(text)) + text if columns_of else "", style))
        while line and not line[-1][0].strip():
            line.pop()
        return self._with_notes(line, row.notes, [] if instead else row.progress, indent, width)

    def _with_notes(
        self, line: Line, notes: list[Piece], progress: list[Piece], indent: int, width: int
    ) -> list[Line]:
        """Append notes and progress as they fit; notes otherwise get a line of their own."""
        free = width - self._pieces_len(line) - 2
        both = [*notes, (", ", ""), *progress] if notes and progress else notes or progress
        if both and self._pieces_len(both) <= free:
            return [[*line, ("  ", ""), *both]]
        line = self._cut(line, width)
        if progress and free >= _PROGRESS_LEAST:
            line = [*line, ("  ", ""), *self._cut(progress, free)]
        return [line, self._cut([(" " * (indent + 2), ""), *notes], width)] if notes else [line]

    def _bar(self, done: float, width: int) -> Line:
        """Return a bar as rich draws it, in steps of half a column."""
        halves = int(width * 2 * done)
        full, half = divmod(halves, 2)
        style = "bar.finished" if done >= 1 else "bar.complete"
        pieces: Line = [("━" * full + "╸" * half, style)] if halves else []
        rest = width - full - half
        if rest:
            lead = "╺" if full and not half else ""
            pieces.append((lead + self._rest * (rest - len(lead)), "bar.back"))
        return pieces

    def _moving(self, now: float, width: int) -> Line:
        """Return a bar without a share: a piece of it moves along."""
        size = max(2, width // 5)
        start = int(now % _TURN / _TURN * (width + size)) - size
        begin, end = max(0, start), min(width, max(0, start + size))
        pieces = [
            (self._rest * begin, "bar.back"),
            ("━" * (end - begin), "bar.pulse"),
            (self._rest * (width - end), "bar.back"),
        ]
        return [piece for piece in pieces if piece[0]]

    def _fit(self, text: str, width: int) -> str:
        """Truncate or pad *text* to *width* columns."""
        length = self._cell_len(text)
        if length <= width:
            return text + " " * (width - length)
        while text and self._cell_len(text) > width - 1:
            text = text[:-1]
        return (text + "…" + " " * (width - 1 - self._cell_len(text))) if width else ""

    def _cut(self, line: Line, width: int) -> Line:
        if self._pieces_len(line) <= width:
            return line
        cut: Line = []
        for text, style in line:
            length = self._cell_len(text)
            if length > width:
                return [*cut, (self._fit(text, width), style)] if width else cut
            cut.append((text, style))
            width -= length
        return cut
