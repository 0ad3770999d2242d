"""Helpers for tests of pipelines, and of a store, writer or sink of your own.

- `use` replaces the store and the sink of a module's flow for a test.
- `RecordingSink` records every event; `fake_clock` skips the waits of backoffs and rates.
- `check_store`, `check_writer` and `check_sink` check that a class keeps the promises of its Protocol.
- `FaultyStore` makes chosen steps of a store fail.
"""

from asflow._names import set_homes
from asflow.testing._clocks import FakeClock, fake_clock
from asflow.testing._faults import FaultyStore
from asflow.testing._sinks import RecordingSink, check_sink
from asflow.testing._stores import check_store
from asflow.testing._using import use
from asflow.testing._writers import check_writer

__all__ = [
    "FakeClock",
    "FaultyStore",
    "RecordingSink",
    "check_sink",
    "check_store",
    "check_writer",
    "fake_clock",
    "use",
]

set_homes(
    __name__, (FakeClock, FaultyStore, RecordingSink, check_sink, check_store, check_writer, fake_clock, use)
)
