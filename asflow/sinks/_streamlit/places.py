"""Where the flows of a page are shown, and the place that brief flows of one page share.

Each call of a `DataFlow` is a flow: hundreds on one page would leave as many statuses, or empty places.

Imported only in a process that runs Streamlit.
"""

from __future__ import annotations

import threading
import weakref
from typing import TYPE_CHECKING, final

import streamlit as st

from asflow import _forks
from asflow.sinks._live.quiet import Quiet

if TYPE_CHECKING:
    from collections.abc import Callable

    from streamlit.delta_generator import DeltaGenerator
    from streamlit.runtime.scriptrunner import ScriptRunContext

    from asflow.events import FlowFinished
    from asflow.sinks._words import Counts, Piece


@final
class Place:
    """An empty place on a page, and what to call when nothing is left in it."""

    def __init__(self, slot: DeltaGenerator, free: Callable[[Place], None]) -> None:
        self.slot: DeltaGenerator = slot
        self._free = free

    def free(self) -> None:
        """Let another flow have it."""
        self._free(self)


@final
class Places:
    """The places of one run of a script. Threads: safe from any."""

    def __init__(self, cursors: object) -> None:
        """Start without a place; *cursors* is replaced when the script runs again."""
        self._cursors = cursors
        self._lock = _forks.renewed(self, "_lock", threading.Lock)
        self._quiet = Quiet()
        # By the container that they are in.
        self._free: dict[object, list[Place]] = {}

    @classmethod
    def of(cls, context: ScriptRunContext) -> Places:
        """Return those of the script that runs in *context*."""
        cursors: object = getattr(context, "cursors", None)
        found = _by_context.get(id(context))
        if found is None:
            weakref.finalize(context, _by_context.pop, id(context), None).atexit = False
        if found is None or found._cursors is not cursors:
            found = _by_context[id(context)] = cls(cursors)
        return found

    def take(self, *, brief: bool) -> Place:
        """Return a new place at the script's position; for a brief flow one that is empty again, if any."""
        container = _open_container()
        with self._lock:
            free = self._free.setdefault(container, [])
            if brief and free:
                return free.pop()
        return Place(st.empty(), free.append)

    def omits(self, event: FlowFinished, counts: Counts) -> bool:
        """Whether a flow leaves no summary, see `Quiet`."""
        with self._lock:
            return self._quiet.omits(event, counts)

    def noted(self, event: FlowFinished) -> list[Piece]:
        """Note that a flow leaves a summary; return what it says about those that left none."""
        with self._lock:
            return self._quiet.noted(event)


def _open_container() -> object:
    """Return the container that the script writes to (`with st.sidebar:`)."""
    try:
        from streamlit.delta_generator_singletons import context_dg_stack
    except ImportError:  # an older Streamlit: each flow has a place of its own
        return object()
    return context_dg_stack.get()[-1]


_by_context: dict[int, Places] = {}
