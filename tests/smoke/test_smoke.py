"""The wheel's smoke tests, run on the source tree."""

import subprocess
import sys
from pathlib import Path

import pytest


def test_smoke() -> None:
    run = [sys.executable, "-W", "error", str(Path(__file__).with_name("smoke.py"))]
    done = subprocess.run(run, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.startswith("OK: ")


@pytest.mark.timeout(180)  # starts a cluster and a Streamlit page
def test_every_extra_works() -> None:
    """Every module can be imported, too."""
    run = [sys.executable, str(Path(__file__).with_name("extras.py")), "--all"]
    done = subprocess.run(run, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.startswith("OK: ")
    assert (
        "cli, dask, opentelemetry, parquet, prometheus, ray, s3, streamlit, structlog, tqdm, webhook"
        in done.stdout
    )
