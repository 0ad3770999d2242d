"""Draw the scenes that the display is judged by: `python docs/scenes.py after` writes `docs/assets/scenes/`.

Each runs on a pseudo-terminal of its own; `PYTHONPATH` says whose asflow it is (the pictures called `before`
are of e8aa31d). Needs a terminal's pty, so Linux or macOS.
"""

from __future__ import annotations

import io
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import time
from contextlib import suppress
from fcntl import ioctl
from pathlib import Path
from typing import NamedTuple

import pyte
from pictures import ASSETS, PYTE_COLORS
from rich.console import Console
from rich.style import Style
from rich.text import Text

BEGIN = """
import asyncio, datetime, random, time
from asflow import Retry, flow
random.seed(1)
class HTTPError(Exception): pass
"""

LOOP = """
@flow.task
def work(n: int) -> int:
    time.sleep(0.02)
    return n
@flow
def main() -> None:
    for n in range(400):
        work(n)
main()
"""

ARCHIVE = """
@flow.task(on="data/{day}.txt", limit=8, skip=KeyError, suppress=FileNotFoundError,
           retry=Retry(2, backoff_factor=1, exceptions=(TimeoutError,)))
async def download(day: datetime.date) -> None:
    with flow.task.progress("archive", total=12_000_000UNIT) as progress:
        for _ in range(10):
            await asyncio.sleep(random.random() * 0.08)
            progress.advance(1_200_000)
    number = day.toordinal()
    for divisor, error in ((17, HTTPError("503 Service Unavailable")), (13, TimeoutError("read timed out")),
                           (11, KeyError("rows")), (19, FileNotFoundError("404 no archive for this day"))):
        if number % divisor == 0:
            raise error
    flow.task.write("x")
@flow
async def archive(year: int) -> None:
    days = [datetime.date(year, 1, 1) + datetime.timedelta(n) for n in range(90)]
    await flow.task.map(download, days, on_error="collect")
asyncio.run(archive(2010))
"""

RUN = "asyncio.run(archive(2010))"
CAUGHT = f"""try:
    {RUN}
except KeyboardInterrupt:
    print("interrupted")
"""

FLOWS = """
@flow.task(limit=100)
async def call(n: int) -> None:
    await asyncio.sleep(0.1)
@flow
async def part(n: int) -> None:
    await flow.task.map(call, range(200))
@flow
async def everything() -> None:
    async with asyncio.TaskGroup() as group:
        for n in range(50):
            group.create_task(part(n))
asyncio.run(everything())
"""

HOSTILE = """
NAMES = ["\\u202eevil\\u202c", "a\\x1b[2Jb\\x1b]0;t\\x07", "漢字" * 30, "zero\\u200bwidth", "x" * 300]
@flow.task(limit=9)
async def fetch(name: str) -> None:
    with flow.task.progress(name, total=3) as progress:
        progress.advance()
        await asyncio.sleep(2)
    raise ValueError(name)
@flow
async def main() -> None:
    await flow.task.map(fetch, NAMES * 3, on_error="collect")
asyncio.run(main())
"""


class Scene(NamedTuple):
    """A program on a terminal of some size, and what is done to it."""

    code: str
    columns: int = 80
    rows: int = 24
    seconds: float = 3.5
    signal: int = 0
    to_the_end: bool = False


SCENES = {
    "loop": Scene(LOOP, seconds=2.5),
    "track": Scene(LOOP.replace("in range(400)", "in STEPS"), seconds=2.5),
    "archive": Scene(ARCHIVE),
    "narrow": Scene(ARCHIVE, columns=40, rows=10),
    "wide": Scene(ARCHIVE, columns=120, rows=40),
    "end": Scene(ARCHIVE, to_the_end=True),
    "interrupted": Scene(ARCHIVE.replace(RUN, CAUGHT), signal=signal.SIGINT, to_the_end=True),
    "killed": Scene(ARCHIVE, signal=signal.SIGKILL),
    "flows": Scene(FLOWS),
    "hostile": Scene(HOSTILE, seconds=1.5),
}


def play(scene: Scene) -> pyte.Screen:
    """Run the program of *scene* and return its terminal."""
    screen = pyte.Screen(scene.columns, scene.rows)
    stream = pyte.ByteStream(screen)
    master, slave = pty.openpty()
    ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", scene.rows, scene.columns, 0, 0))
    env = {**os.environ, "TERM": "xterm-256color", "PYTHONUTF8": "1"}
    for name in ("CI", "NO_COLOR", "COLUMNS", "LINES", "TMUX"):
        env.pop(name, None)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "pipeline.py")
        path.write_text(BEGIN + spoken(scene.code), encoding="utf-8")
        program = subprocess.Popen(
            [sys.executable, str(path)], stdin=slave, stdout=slave, stderr=slave, cwd=folder, env=env
        )
        os.close(slave)
        _feed(stream, master, scene.seconds)
        if scene.signal:
            program.send_signal(scene.signal)
        if scene.to_the_end:
            _feed(stream, master, 60)
        elif scene.signal:
            program.wait()
            _feed(stream, master, 0.2)
            for line in ("Killed", "$ ls -l data", "total 88", "$ "):
                stream.feed(f"{line}\r\n".encode())
        program.kill()
        program.wait()
    os.close(master)
    return screen


def spoken(code: str) -> str:
    """Return *code* with what the asflow that is drawn can say."""
    from asflow import Flow

    new = hasattr(Flow, "track")
    steps = "flow.track(range(400), 'numbers')" if new else "range(400)"
    return code.replace("UNIT", ', unit="B"' if new else "").replace("STEPS", steps)


def _feed(stream: pyte.ByteStream, master: int, seconds: float) -> None:
    end = time.monotonic() + seconds
    with suppress(OSError):  # EIO: the program has ended
        while (left := end - time.monotonic()) > 0:
            if select.select([master], [], [], left)[0]:
                stream.feed(os.read(master, 65536))


def picture(screen: pyte.Screen, title: str) -> str:
    """Return the contents of a terminal as SVG, in the reader's own monospaced font."""
    console = Console(record=True, width=screen.columns, file=io.StringIO(), color_system="truecolor")
    last = max((row for row, line in enumerate(screen.display) if line.strip()), default=0)
    for row in range(last + 1):
        line = Text()
        for column in range(screen.columns):
            cell = screen.buffer[row][column]
            color = PYTE_COLORS.get(cell.fg, cell.fg)
            if color is not None and re.fullmatch("[0-9a-f]{6}", color):
                color = f"#{color}"
            line.append(cell.data, Style(color=color, bold=cell.bold))
        line.rstrip()
        console.print(line, no_wrap=True)
    drawn = console.export_svg(title=title, unique_id=title.replace(" ", "-"))
    return re.sub(r"@font-face \{.*?\}\s*", "", drawn, flags=re.DOTALL)


if __name__ == "__main__":
    when, *chosen = sys.argv[1:]
    folder = ASSETS / "scenes"
    folder.mkdir(exist_ok=True)
    for name in chosen or SCENES:
        (folder / f"{name}-{when}.svg").write_text(picture(play(SCENES[name]), f"{name} {when}"), "utf-8")
        print(name)
