"""`stubs/joblib` says of joblib what the installed joblib is, and checks as strictly as the rest."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_stubs_are_what_is_installed(tmp_path: Path) -> None:
    """What the stubs leave out is Any by their `__getattr__`; what they declare must be so."""
    config = tmp_path / "mypy.ini"
    config.write_text(f"[mypy]\nmypy_path = {ROOT / 'stubs'}\n")
    options = ("--ignore-missing-stub", "--mypy-config-file", config)
    result = subprocess.run(
        [BIN / "stubtest", "joblib", *options],
        cwd=tmp_path,
        env={**os.environ, "MYPYPATH": str(ROOT / "stubs")},
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert "Success" in result.stdout
