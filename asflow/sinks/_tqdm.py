"""A sink that shows each task of a flow as a tqdm bar."""

from __future__ import annotations

import sys
import threading
from typing import TYPE_CHECKING, Literal, Protocol, cast, final

from asflow import _forks
from asflow._digest import digest_lines
from asflow._labels import clean, short
from asflow.errors import DefinitionTypeError, MissingExtraError
from asflow.sinks._words import plain

if TYPE_CHECKING:
    from collections.abc import Callable

    from asflow.events import Event, FlowFinished


class _Bar(Protocol):
    total: float | None

    def update(self, n: float = 1, /) -> object: ...
    def set_postfix_str(self, s: str = "", refresh: bool = True) -> object: ...
    def refresh(self) -> object: ...
    def close(self) -> object: ...


@final
class TqdmSink:
    """Shows one tqdm bar per task and flow: how many calls have ended, how many are left, how fast.

    Calls with another outcome than `completed` are counted after the bar (`on disk`, `skipped`, ...), and the
    first that went wrong are named on standard error when the flow has ended. The
    total grows with the calls made, unless `flow.task.map` knows it beforehand. Tasks outside any flow have
    no bar, nor do those in a flow under `@flow(progress=False)`.

    Threads: `emit` may be called from any thread.
    """

    wants_tasks: Literal["all"] = "all"

    def __init__(self, bar: Callable[..., object] | None = None) -> None:
        """Make a sink.

        Args:
            bar: makes a bar, called as `tqdm(desc=..., unit=...)`: a class of `tqdm` or `tqdm.contrib`, or
                a partial of one with more options. None: `tqdm.auto.tqdm`, which writes to standard error
                or, in a notebook, shows a widget.

        Raises:
            TypeError: *bar* is not callable.
            MissingExtraError: *bar* is None, and tqdm is not installed.
        """
        if bar is not None and not callable(bar):
            raise DefinitionTypeError(
                f"TqdmSink(): bar takes a class such as tqdm, not {short(bar)}; leave it out for the default"
            )
        self._given = bar
        self._make = cast("Callable[..., _Bar]", _default() if bar is None else bar)
        self._lock = _forks.renewed(self, "_lock", threading.Lock)
        self._flows: dict[int, tuple[str, dict[str, _TaskBar]]] = {}
        self._hidden: set[int] = set()

    def emit(self, event: Event, /) -> None:
        """Update the bar of the task that *event* is about."""
        with self._lock:
            if event.kind == "flow_started":
                if event.progress and event.parent_id not in self._hidden:
                    self._flows[event.flow_id] = (event.flow, {})
                else:
                    self._hidden.add(event.flow_id)
            elif event.kind == "flow_finished":
                self._hidden.discard(event.flow_id)
                shown = self._flows.pop(event.flow_id, None)
                for bar in () if shown is None else shown[1].values():
                    bar.close()
                if shown is not None and event.parent_id is None:
                    self._write_digest(event)
            elif event.flow_id in self._flows:
                flow, bars = self._flows[event.flow_id]
                if event.kind == "task_queued":
                    if event.task not in bars:
                        bars[event.task] = _TaskBar(
                            self._make(desc=clean(f"{flow} {event.task}"), unit="call")
                        )
                    bars[event.task].queued(event.total)
                elif event.kind == "task_finished":
                    bars[event.task].finished("on disk" if event.outcome == "cached" else event.outcome)

    def _write_digest(self, event: FlowFinished) -> None:
        """Name the first calls that went wrong, below the bars."""
        digest = event.digest
        write = getattr(self._make, "write", None)  # a method of tqdm's own classes
        for line in digest_lines(digest.groups, digest.left_out, digest.folder):
            if write is not None:
                write(plain(line), file=sys.stderr)

    def __repr__(self) -> str:
        return f"TqdmSink({'' if self._given is None else short(self._given)})"


class _TaskBar:
    def __init__(self, bar: _Bar) -> None:
        self._bar = bar
        self._calls = 0
        self._others: dict[str, int] = {}

    def queued(self, total: int | None) -> None:
        self._calls += 1
        self._bar.total = max(self._calls, total or 0)

    def finished(self, outcome: str) -> None:
        if outcome != "completed":
            self._others[outcome] = self._others.get(outcome, 0) + 1
            words = ", ".join(f"{count:,} {word}" for word, count in self._others.items())
            self._bar.set_postfix_str(words, refresh=False)
        self._bar.update(1)

    def close(self) -> None:
        self._bar.refresh()  # tqdm skips updates that come fast; the last state must be shown
        self._bar.close()


def _default() -> Callable[..., object]:
    try:
        from tqdm.auto import tqdm
    except ImportError:
        raise MissingExtraError("TqdmSink(): tqdm is not installed; run pip install 'asflow[tqdm]'") from None
    return tqdm
