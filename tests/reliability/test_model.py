"""The whole of it against a dict: random runs, cancellations, failures, kills, corruptions, deletions.

A hypothesis state machine over a real folder. What is on the disk must be, at every step, what the model
says; `ASFLOW_MODEL_RUNS` sets how many machines of 50 steps are tried (`make soak` asks for many).
"""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from reliability.processes import Stable, everything

from asflow import Flow
from asflow.errors import CorruptOutputError
from asflow.sinks import NullSink
from asflow.stores import LocalStore

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs flock and fork")

RUNS = int(os.environ.get("ASFLOW_MODEL_RUNS", "60"))
STEPS = 50

Held = Literal["whole", "elsewhere", "failed", "cut", "empty"]
names = st.integers(0, 5)


class SourError(Exception):
    """Suppressed."""


class PassingError(Exception):
    """Skipped."""


class Machine(RuleBasedStateMachine):
    """Outputs `held/N.jsonl.zst` of one task, and what the model says of each."""

    server: Stable
    steps = 0

    def __init__(self) -> None:
        super().__init__()
        self.top = Path(tempfile.mkdtemp(prefix="model"))
        self.model: dict[int, Held] = {}
        self.orphans: set[int] = set()
        self.bodies = 0
        os.mkfifo(self.top / "told")
        self.open()

    def teardown(self) -> None:
        shutil.rmtree(self.top)

    @initialize()
    def open(self) -> None:
        """Decorate anew, as a new process does."""
        self.flow = flow = Flow(self.top / "out", store=LocalStore(durability="atomic"), sink=NullSink())

        @flow.task(on="held/{index}.jsonl.zst", suppress=SourError, skip=PassingError, limit=2)
        async def make(index: int, what: str, entered: asyncio.Event | None) -> None:
            self.bodies += 1
            flow.task.write({"index": index})
            if what == "hold":
                assert entered is not None
                entered.set()
                await asyncio.sleep(60)
            if what != "return":
                raise {"suppress": SourError, "skip": PassingError, "fail": KeyError}[what](index)
            await asyncio.to_thread(flow.task.write, {"index": index + 1})

        self.make = make

    def expect(self, index: int) -> Literal["absent", "complete", "suppressed"]:
        held = self.model.get(index)
        if held is None or held == "empty":
            return "absent"
        return "suppressed" if held == "failed" else "complete"

    async def call(self, index: int, what: str) -> None:
        await self.make(index, what, None)

    @rule(index=names, what=st.sampled_from(["return", "return", "suppress", "skip", "fail"]))
    def run(self, index: int, what: str) -> None:
        self.settle(index, what, lambda: asyncio.run(self.call(index, what)))

    def settle(self, index: int, what: str, run: object) -> None:
        Machine.steps += 1
        missing, before = self.expect(index) == "absent", self.bodies
        assert callable(run)
        if missing and what == "fail":
            with pytest.raises(KeyError):
                run()
        else:
            assert run() is None
        assert self.bodies == before + missing, "a body ran although the output was there, or did not"
        if not missing:
            return
        self.orphans.discard(index)
        if what == "return":
            self.model[index] = "whole"
        elif what == "suppress":
            self.model[index] = "failed"

    @rule(index=names, callers=st.integers(2, 6))
    def run_together(self, index: int, callers: int) -> None:
        """Some callers of one output in one loop: one body."""

        async def all_of_them() -> None:
            await asyncio.gather(*(self.call(index, "return") for _ in range(callers)))

        self.settle(index, "return", lambda: asyncio.run(all_of_them()))

    @rule(index=names, another=st.booleans())
    def cancel(self, index: int, another: bool) -> None:
        """The owner is cancelled in its body; with *another*, a second caller was waiting and goes on."""
        Machine.steps += 1
        missing = self.expect(index) == "absent"

        async def main() -> None:
            entered = asyncio.Event()
            owner = asyncio.create_task(self.make(index, "hold", entered))
            await (entered.wait() if missing else owner)
            other = asyncio.create_task(self.call(index, "return")) if another else None
            for _ in range(3):
                await asyncio.sleep(0)
            owner.cancel()
            await asyncio.gather(owner, return_exceptions=True)
            if other is not None:
                await other

        asyncio.run(main())
        if missing:
            self.orphans.discard(index)
            if another:
                self.model[index] = "whole"

    @rule(index=names)
    def kill(self, index: int) -> None:
        """Another process is killed in the middle of its body."""
        Machine.steps += 1
        if self.expect(index) != "absent":
            assert self.server.run("model", self.top, index, "wait") == 0
            return
        child = self.server.start("model", self.top, index, "wait")
        assert (self.top / "told").read_text() == "held"
        assert self.server.kill(child) == -9
        self.orphans.add(index)

    @rule(index=names)
    def run_elsewhere(self, index: int) -> None:
        """Another process makes it."""
        Machine.steps += 1
        missing = self.expect(index) == "absent"
        assert self.server.run("model", self.top, index, "finish") == 0
        if missing:
            self.orphans.discard(index)
            self.model[index] = "elsewhere"

    @rule(index=names, size=st.integers(0, 10))
    def corrupt(self, index: int, size: int) -> None:
        """Somebody cuts the file: to nothing it counts as absent, else the reader refuses it."""
        Machine.steps += 1
        if self.model.get(index) in {"whole", "elsewhere"}:
            os.truncate(self.flow.task.output(self.make, index, "", None).path, size)
            self.model[index] = "cut" if size else "empty"

    @rule(index=names)
    def delete(self, index: int) -> None:
        """The user asks for it again."""
        Machine.steps += 1
        self.flow.task.output(self.make, index, "", None).delete()
        self.model.pop(index, None)

    @rule()
    def reopen(self) -> None:
        Machine.steps += 1
        self.open()

    @invariant()
    def the_disk_is_as_the_model_says(self) -> None:
        found = everything(self.top / "out")
        suffix = {"failed": ".err"}
        expected = {f"held/{index}{suffix.get(held, '.jsonl.zst')}" for index, held in self.model.items()}
        orphans = {f"held/{index}.jsonl.zst.part" for index in self.orphans}
        assert found == expected | orphans
        for index in range(6):
            output = self.flow.task.output(self.make, index, "", None)
            assert output.status == self.expect(index)
            held = self.model.get(index)
            if held == "failed":
                assert (output.error() or "").rstrip().endswith(f"SourError: {index}")
            elif held == "cut":
                with pytest.raises(CorruptOutputError):
                    list(output.records(dict[str, int]))
            elif held in {"whole", "elsewhere"}:
                assert list(output.records(dict[str, int])) == [{"index": index}, {"index": index + 1}]
        listed = {output.name for output in self.flow.task.outputs(self.make)}
        assert listed == {f"held/{index}.jsonl.zst" for index in range(6) if self.expect(index) != "absent"}


def check(runs: int, folder: Path) -> None:
    server = Stable(folder)
    Machine.server, Machine.steps = server, 0
    try:
        run_state_machine_as_test(
            Machine,
            settings=settings(
                max_examples=runs,
                stateful_step_count=STEPS,
                deadline=None,
                derandomize=True,
            ),
        )
    finally:
        server.close()


def test_the_model(tmp_path: Path) -> None:
    """A few hundred steps with every test run."""
    check(4, tmp_path)
    assert Machine.steps > 50


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_the_model_for_longer(tmp_path: Path) -> None:
    """Thousands of steps."""
    check(RUNS, tmp_path)
    assert Machine.steps > RUNS * 10
