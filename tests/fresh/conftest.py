from __future__ import annotations

from pathlib import Path

import pytest

from asflow import Flow
from asflow.sinks import NullSink


@pytest.fixture
def flow(tmp_path: Path) -> Flow:
    return Flow(tmp_path, sink=NullSink())
