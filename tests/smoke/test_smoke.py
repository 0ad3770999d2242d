"""The smoke test of the wheel, run on the source tree."""

import subprocess
import sys
from pathlib import Path


def test_smoke() -> None:
    run = [sys.executable, "-W", "error", str(Path(__file__).with_name("smoke.py"))]
    done = subprocess.run(run, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.startswith("OK: ")
