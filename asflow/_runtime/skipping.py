"""Passing over the items of a map whose outputs exist, without a call for each.

What decides is what decides in the quick calls: `step`, once ("started, then found: cached"), and the store.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from asflow._runtime.current import pinned, reports_found
from asflow._runtime.found import look_of
from asflow._runtime.observing import FREE_THREADED
from asflow._runtime.wrapping import found_is_cached

if TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Set as AbstractSet

    from asflow._runtime.calls import FlowCall, TaskCall
    from asflow._runtime.spec import Outputs, TaskSpec
    from asflow.events import Tally

    Run = TaskCall | FlowCall | None


_NOTHING: AbstractSet[str] = frozenset()


class Seen(Protocol):
    """Outputs that were seen a moment ago; `asflow.stores._local_scan.Scans` is one."""

    @property
    def names(self) -> AbstractSet[str]:
        """The names of those that are whole."""
        ...

    def found(self, name: str) -> None:
        """Note that a look has found *name*, which is not one of these."""
        ...


class Skips:
    """Says for which items a call would have nothing to do, and counts them.

    Args:
        spec: the task.
        output: its outputs.
        locate: names the output of an item.

    Attributes:
        locate: as above; the names are absolute behind `start`.
    """

    __slots__ = ("_look", "_output", "_spec", "locate")

    def __init__(self, spec: TaskSpec, output: Outputs, locate: Callable[[Any], str]) -> None:
        self._spec = spec
        self._output = output
        self.locate: Callable[[Any], str] = locate
        self._look = look_of(output)

    def start(self, run: Run) -> str:
        """Return what the names of outputs are relative to, in *run*."""
        return pinned("", run) if self._output.is_relative else ""

    def check(self, run: Run, seen: Seen | None = None) -> Callable[[object], bool | None] | None:
        """Return a check of the items that are pulled now, in *run*; None if each has to be called.

        The check returns what `look_of` does, and never raises: a call finds out what is wrong. With *seen*,
        which knows of many outputs, it is for a few milliseconds.
        """
        if self._spec.reporter.swapped or reports_found(self._spec, run):
            return None
        locate, look, start = self.locate, self._look, self.start(run)
        names, found = (_NOTHING, None) if seen is None else (seen.names, seen.found)

        def is_there(item: object) -> bool | None:
            try:
                name = locate(item)
                if name in names:
                    return True
                if not (there := look(start + name)):
                    return there
            except Exception:  # noqa: BLE001 - the call raises it
                return False
            if found is not None:
                found(name)
            return True

        return is_there

    def count(self, run: Run, number: int) -> None:
        """Count *number* calls in *run* that had nothing to do."""
        if run is None or run.flow is None:
            return
        tally = run.flow.tally(self._spec.name)
        if FREE_THREADED:
            with tally.lock:
                _add(tally, number)
        else:
            _add(tally, number)


def _add(tally: Tally, number: int) -> None:
    tally.queued += number
    tally.cached += number


def skips_of(spec: TaskSpec, locate: Callable[[Any], str] | None) -> Skips | None:
    """Return how to pass over items of a map of this task; None if each has to be called.

    Args:
        spec: the task.
        locate: names the output of an item; None if that is not known.
    """
    output = spec.output
    if locate is None or output is None or spec.limits is not None:
        return None
    if output.ages or spec.policy.saved or not found_is_cached(spec):
        return None
    return Skips(spec, output, locate)
