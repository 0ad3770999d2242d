"""Interrupts a call at each point in turn, in a process of its own, and prints what was lost as JSON.

python interrupts.py KIND ERROR REAL FOLDER
"""

from __future__ import annotations

import dis
import gc
import itertools
import json
import os
import sys
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import asflow
from asflow import Flow, Limit, Retry
from asflow._runtime import owners
from asflow._runtime.current import current
from asflow._runtime.threads import closings
from asflow.sinks import NullSink
from asflow.stores import LocalStore, MemoryStore

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import CodeType, FrameType

PACKAGE = os.path.dirname(asflow.__file__) + os.sep


class Interrupt:
    """Raises an exception before the n-th bytecode of asflow's own frames that this thread executes."""

    def __init__(self, at: int, error: type[BaseException], *, real: bool) -> None:
        self.at = at
        self.error = error
        self.real = real
        self.seen = 0
        self.where = ""
        self._before: dict[FrameType, int] = {}

    def __call__(self, frame: FrameType, event: str, arg: object) -> Any:
        if not frame.f_code.co_filename.startswith(PACKAGE):
            return None
        frame.f_trace_opcodes = True
        frame.f_trace_lines = False
        return self._opcode

    def _opcode(self, frame: FrameType, event: str, arg: object) -> Any:
        if event == "opcode" and (not self.real or self._is_checked(frame)):
            self.seen += 1
            if self.seen == self.at:
                code = frame.f_code
                self.where = f"{os.path.basename(code.co_filename)}:{frame.f_lineno} {code.co_name}"
                sys.settrace(None)
                raise self.error
        return self._opcode

    def _is_checked(self, frame: FrameType) -> bool:
        """Whether Python handles signals at this point: after a call, at a function's start, in a loop.

        Python raises at the end of the last instruction, and this before the next one. Where that has another
        handler (the end of a `try`), the two differ, and the point is left out.
        """
        code = frame.f_code
        last, self._before[frame] = self._before.get(frame), frame.f_lasti
        if last is None:
            return True
        name = dis.opname[code.co_code[last]]
        is_checked = name.startswith(("CALL", "RESUME", "JUMP_BACK")) and "INTRINSIC" not in name
        return is_checked and _handler(code, last) == _handler(code, frame.f_lasti)


@cache
def _handlers(code: CodeType) -> list[tuple[int, int, int]]:
    parse: Any = vars(dis)["_parse_exception_table"]
    return [(entry.start, entry.end, entry.target) for entry in parse(code)]


def _handler(code: CodeType, offset: int) -> int | None:
    return next((target for start, end, target in _handlers(code) if start <= offset < end), None)


def interrupted(
    call: Callable[[], object], at: int, error: type[BaseException], *, real: bool
) -> tuple[Interrupt, BaseException | None]:
    """Make *call* with an interrupt; return it, and what came out."""
    interrupt = Interrupt(at, error, real=real)
    try:
        sys.settrace(interrupt)
        try:
            call()
        finally:
            sys.settrace(None)
            interrupt._before.clear()
    except error as raised:
        return interrupt, raised
    return interrupt, None


class Work:
    """A kind of task, and what has to be as before after each of its calls."""

    def __init__(self, folder: Path, kind: str) -> None:
        self._folder = folder
        self.flow = flow = Flow(folder, store=LocalStore(durability="atomic"), sink=NullSink())
        numbers = itertools.count()
        kinds: dict[str, dict[str, Any]] = {
            "plain": {"limit": 1},
            "shared": {"limit": Limit(1)},
            "rate": {"limit": Limit(1, rate="100000/s")},
            "retry": {"limit": 1, "retry": Retry(1, backoff_factor=0, backoff_jitter=0)},
            "on": {"limit": 1, "on": "{n}.txt"},
            "memory": {"limit": 1, "on": "{n}.txt"},
            "recursive": {"limit": 1},
            "flow": {"limit": 1},
        }
        options = kinds[kind]
        if kind == "memory":
            self.flow = flow = Flow(folder, store=MemoryStore(), sink=NullSink())

        def body(n: int, depth: int = 0) -> None:
            if "on" in options:
                flow.task.write("x")
            if kind == "retry" and flow.task.run is not None and flow.task.run.attempt == 1:
                raise ValueError
            if kind == "recursive" and depth < 2:
                self.task(n, depth + 1)

        self.task: Callable[..., None] = flow.task(**options)(body)

        def once() -> None:
            self.task(next(numbers))

        self.call: Callable[[], object] = flow(once) if kind == "flow" else once
        self.slots: Any = self.task.__asflow__.spec.limit.slots  # pyright: ignore[reportFunctionMemberAccess]
        self.call()
        self._descriptors = descriptors()

    def losses(self) -> list[str]:
        found = []
        if len(self.slots.free) != 1:
            found.append(f"{len(self.slots.free)} slots are free")
        if owners._owners:
            found.append("an owner")
        if len(closings.free) != closings.total:
            found.append("a place among the closings")
        return found

    def files(self) -> list[str]:
        """Return what is left of the file in progress; the frames of an exception may hold it."""
        found = [path.name for path in self._folder.glob("*.part")]
        return found + (["a descriptor"] if descriptors() != self._descriptors else [])


def descriptors() -> int:
    """Count the descriptors of this process, where the system lists them."""
    return len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0


KINDS = ["plain", "shared", "rate", "retry", "recursive", "flow", "on", "memory"]


def survey(folder: Path, kind: str, error: type[BaseException], *, real: bool) -> tuple[int, list[str]]:
    """Interrupt a call at every point in turn; return the number of points, and what was lost where."""
    work = Work(folder, kind)
    lost: list[str] = []
    interrupted(
        work.call, sys.maxsize, error, real=real
    )  # Python 3.12 begins to trace opcodes with the next call
    for at in itertools.count(1):
        interrupt, raised = interrupted(work.call, at, error, real=real)
        if interrupt.seen < at:
            return at - 1, lost
        held = raised  # as a notebook does, which keeps the last exception and its frames
        if "__del__" in interrupt.where:
            # Python swallows what is raised at the first instruction of a finaliser: see reliability.md.
            work = Work(folder / str(at), kind)
            continue
        if real and (found := work.losses()):
            lost.append(f"{interrupt.where}, while the exception is held: {found}")
        if real and current.get() is not None:
            lost.append(f"{interrupt.where}: the current call")
        current.set(None)
        del held, raised
        if not real and work.losses():
            gc.collect()  # a call that a flow counts as running is part of a cycle
        if found := work.losses() + work.files():
            lost.append(f"{interrupt.where}: {found}")
            work = Work(folder / str(at), kind)
    raise AssertionError


if __name__ == "__main__":
    kind, name, real, place = sys.argv[1:]
    errors: dict[str, type[BaseException]] = {
        "KeyboardInterrupt": KeyboardInterrupt,
        "MemoryError": MemoryError,
    }
    sys.unraisablehook = lambda _: None  # what is raised in a finaliser, Python reports and drops
    print(json.dumps(survey(Path(place), kind, errors[name], real=real == "real")))
