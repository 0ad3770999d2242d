"""A flow in the test's folder that shows nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from asflow import Flow
from asflow.sinks import NullSink

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def flow(tmp_path: Path) -> Flow:
    return Flow(tmp_path, sink=NullSink())
