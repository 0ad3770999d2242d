"""A flow on a store in memory, with a sink that remembers."""

from __future__ import annotations

import pytest

from asflow import Flow, MemoryStore
from asflow.testing import RecordingSink


@pytest.fixture
def sink() -> RecordingSink:
    return RecordingSink()


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def flow(store: MemoryStore, sink: RecordingSink) -> Flow:
    return Flow(store=store, sink=sink)
