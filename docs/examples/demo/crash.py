"""Kill the demo half-way, and let it go on: `python docs/examples/demo/crash.py`.

The options are those of `pipeline.py`. With pages on disk already, nothing is killed.
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

PIPELINE = Path(__file__).with_name("pipeline.py")
ENOUGH = 120
"""Pages on disk at which the first run is killed, of 353."""


def pages(base: Path) -> int:
    """Count the pages that are complete."""
    return len(list((base / "data" / "temperatures").glob("*.jsonl.zst")))


def base_in(arguments: list[str]) -> Path:
    """Return the folder that the options name."""
    return Path(arguments[arguments.index("--base") + 1]) if "--base" in arguments else Path()


def main(arguments: list[str]) -> int:
    """Run the pipeline, and return its exit status."""
    command, base = [sys.executable, str(PIPELINE), *arguments], base_in(arguments)
    if pages(base) == 0:
        run = subprocess.Popen(command)
        while run.poll() is None and pages(base) < ENOUGH:
            time.sleep(0.01)
        run.kill()
        if run.wait():
            print(f"\nkill -9, with {pages(base)} pages on disk, each of them whole. Again:\n", flush=True)
    return subprocess.call(command)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
