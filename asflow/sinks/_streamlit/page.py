"""One flow on one Streamlit page: a status that a thread keeps up to date.

Imported only in a process that runs Streamlit.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Literal, NamedTuple, cast, final

from streamlit.runtime.scriptrunner import add_script_run_ctx

from asflow import _forks
from asflow._labels import clean, cut
from asflow._tracebacks import log_error
from asflow.sinks._live.model import first_values
from asflow.sinks._streamlit.lines import Line, escape, problems
from asflow.sinks._streamlit.places import Places
from asflow.sinks._words import Counts, flow_summary, plain

if TYPE_CHECKING:
    from collections.abc import Mapping

    from streamlit.delta_generator import DeltaGenerator
    from streamlit.elements.lib.mutable_status_container import StatusContainer
    from streamlit.runtime.scriptrunner import ScriptRunContext

    from asflow.events import Digest, FlowFinished, FlowStarted, Tally
    from asflow.sinks._streamlit.places import Place

_FIRST = 0.15  # seconds until a flow is shown; a shorter one leaves only its summary
_CPU_SHARE = 0.02  # of a core, at most, is spent on refreshing a page
_JOIN_SECONDS = 5.0  # a flow that has ended waits at most this long for its last refresh
_MOST_LINES = 24
_TITLE_LIMIT = 120

_ICONS = {"completed": ":material/check:", "failed": ":material/error:", "cancelled": ":material/error:"}


class _Running(NamedTuple):
    """A running flow of the page.

    Attributes:
        path: goes before the names of its tasks, as in `monthly / `.
        shown: whether its tasks have lines.
        tallies: their counts.
    """

    path: str
    shown: bool
    tallies: Mapping[str, Tally]


class _Body:
    """What is inside a status: the lines of tasks, and below them what went wrong."""

    def __init__(self, container: DeltaGenerator) -> None:
        self._lines = container.container()
        self._more = container.empty()
        self._problems = container.empty()
        self._shown = 0, ""

    def show(self, lines: list[tuple[Line, float | None, str, str]], more: int, problems: str) -> None:
        """Update what has changed; each task keeps its place."""
        for line, done, text, calls in lines:
            if line.bar is None or line.calls is None:
                line.bar, line.calls = self._lines.empty(), self._lines.empty()
            if line.shown != (done, text):
                # Streamlit has no moving bar: without a known total there is only the text.
                _ = line.bar.caption(text) if done is None else line.bar.progress(min(1.0, done), text)
                line.shown = done, text
            if line.shown_calls != calls:
                _ = line.calls.caption(calls) if calls else line.calls.empty()
                line.shown_calls = calls
        before, self._shown = self._shown, (more, problems)
        if more != before[0]:
            self._more.caption(f"… and {more:,} more tasks")
        if problems != before[1]:
            self._problems.markdown(problems)


@final
class Page:
    """A flow and all flows that it calls, as a status on a page. Threads: safe from any."""

    def __init__(
        self, context: ScriptRunContext, places: Places, place: Place, every: float, keep: bool
    ) -> None:
        """See `open`."""
        self._context = context
        self._places = places
        self._cursors: object = getattr(context, "cursors", None)
        self._place = place
        self._every = every
        self._keep = keep
        self._lock = _forks.renewed(self, "_lock", threading.Lock)
        self._flows: dict[int, _Running] = {}
        self._lines: dict[str, Line] = {}
        self._unshown: dict[str, Line] = {}
        self._began: dict[str, float | None] = {}
        self._root = 0
        self._title = ""
        self._status: StatusContainer | None = None
        self._body: _Body | None = None
        self._digest: Digest | None = None
        self._events: dict[int, FlowStarted] = {}
        self._shadows: list[Page] = []
        self._stopping = threading.Event()
        self._end: FlowFinished | None = None
        self._left_nothing = False
        self._thread = threading.Thread(target=self._run, name="asflow-streamlit", daemon=True)

    @classmethod
    def open(cls, context: object, *, brief: bool, every: float, keep: bool) -> Page | None:
        """Reserve a place at the current position of the script on this thread; None if that fails.

        Args:
            context: Streamlit's context of this thread.
            brief: whether the flow is one of many, which then share a place.
            every: seconds between two refreshes.
            keep: whether a summary remains when the flow has completed.
        """
        # All that an enclosing st.cache_data records is this empty place: a thread fills it.
        known = cast("ScriptRunContext", context)
        try:
            places = Places.of(known)
            place = places.take(brief=brief)
        except Exception as error:  # noqa: BLE001 - the flow goes on without a display
            _log_failure(error)
            return None
        return cls(known, places, place, every, keep)

    @classmethod
    def in_place(cls, context: object, place: Place, *, every: float) -> Page:
        """Make one that shows another session's flow in *place*; from any thread.

        Args:
            context: Streamlit's context of the page.
            place: an empty one on it.
            every: seconds between two refreshes.
        """
        known = cast("ScriptRunContext", context)
        return cls(known, Places.of(known), place, every, keep=True)

    def started(self, event: FlowStarted) -> None:
        """Add a flow: the page's own, or one that it called."""
        for shadow in self._shadows:
            shadow.started(event)
        outer = self._flows.get(event.parent_id or 0)
        with self._lock:
            self._events[event.flow_id] = event
            if not self._root:
                self._root = event.flow_id
                self._digest = event.live.digest
                self._title = cut(f"{clean(event.flow)}({clean(event.label)})", _TITLE_LIMIT, "…")
                path = ""
            else:
                path = (outer.path if outer else "") + f"{clean(event.flow)} / "
            shown = event.progress and (outer is None or outer.shown)
            self._flows[event.flow_id] = _Running(path, shown, event.tallies)
        if event.flow_id == self._root:
            add_script_run_ctx(self._thread, self._context)
            self._thread.start()

    def finished(self, event: FlowFinished) -> None:
        """Record a flow that has ended. For the page's own, return once its summary is shown."""
        for shadow in self._shadows:
            shadow.finished(event)
        self._events.pop(event.flow_id, None)
        if event.flow_id == self._root:
            self._end = event
            self._stopping.set()
            self._thread.join(_JOIN_SECONDS)
            if self._left_nothing:
                self._place.free()
            return
        with self._lock:
            self._add_lines()
            self._flows.pop(event.flow_id, None)
            for line in (*self._lines.values(), *self._unshown.values()):
                line.end(event.flow_id)

    def shown_by(self, shadow: Page) -> None:
        """Let *shadow*, on the page of another session, show the same flows from now on."""
        with self._lock:
            events = list(self._events.values())
            shadow._began = {title: line.began for title, line in self._lines.items()}
            self._shadows.append(shadow)
        for event in events:
            shadow.started(event)

    def belongs_to(self, context: object) -> bool:
        """Whether this is on the page of the session that *context* is of."""
        return self._context is context

    def remove(self, shadow: Page) -> None:
        """End a *shadow*, which shows nothing any more."""
        with self._lock:
            if shadow in self._shadows:
                self._shadows.remove(shadow)

    def clear(self) -> None:
        """Stop, and leave nothing on the page."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(_JOIN_SECONDS)
        if not self._stale:
            self._place.slot.empty()

    @property
    def _stale(self) -> bool:
        """Whether the page is being redrawn, so that this place belongs to another run."""
        return getattr(self._context, "cursors", None) is not self._cursors

    def _run(self) -> None:
        try:
            wait = min(_FIRST, self._every)
            while not self._stopping.wait(wait) and not self._stale:
                started = time.thread_time()
                self._show()
                wait = max(self._every, (time.thread_time() - started) / _CPU_SHARE)
            if self._end is not None and not self._stale:
                self._show_end(self._end)
        except Exception as error:  # noqa: BLE001 - the flow goes on without a display
            _log_failure(error)

    def _show(self) -> None:
        if self._status is None:
            self._status = self._place.slot.status(escape(self._title), expanded=True)
        self._draw(self._status)

    def _show_end(self, end: FlowFinished) -> None:
        """Show the summary of the flow, with the lines of its tasks inside, or nothing."""
        with self._lock:
            self._add_lines()
            counts = Counts()
            for line in (*self._lines.values(), *self._unshown.values()):
                counts.add(line.ended)
                for tally in first_values(line.live, len(line.live)):
                    counts.add(tally)
        if self._omits(end, counts):
            if self._status is not None:
                self._place.slot.empty()
            self._left_nothing = True
            return
        more = self._places.noted(end)
        summary = plain([*flow_summary(self._title, end.outcome, end.error, counts, end.seconds), *more])
        label = escape(summary.removeprefix("Flow "))
        completed = end.outcome == "completed" and not counts.failed
        self._digest = end.digest
        if self._status is None:  # st.status would block the script for 50 ms
            icon = _ICONS["completed" if completed else "failed"]
            self._draw(self._place.slot.expander(label, icon=icon, expanded=not completed), ended=True)
        else:
            self._draw(self._status, ended=True)
            state: Literal["complete", "error"] = "complete" if completed else "error"
            self._status.update(label=label, state=state, expanded=not completed)

    def _omits(self, end: FlowFinished, counts: Counts) -> bool:
        """Whether the flow leaves nothing on the page: it went well, and is of no interest any more."""
        if not self._keep and end.outcome == "completed" and not end.digest:
            return True
        return self._places.omits(end, counts)

    def _add_lines(self) -> None:
        """Add lines for the tasks first called since the last refresh. Call with the lock held."""
        for flow_id, flow in self._flows.items():
            lines = self._lines if flow.shown else self._unshown
            for tally in first_values(flow.tallies, len(flow.tallies)):
                title = escape(flow.path + clean(tally.task))
                if title not in lines:
                    lines[title] = Line(title, self._began.get(title))
                lines[title].live[flow_id] = tally

    def _draw(self, container: DeltaGenerator, *, ended: bool = False) -> None:
        """Update the lines that have changed; each task keeps its place."""
        with self._lock:
            self._add_lines()
            now = time.monotonic()
            lines = [(line, *line.state(now, ended=ended)) for line in first_values(self._lines, _MOST_LINES)]
            more = len(self._lines) - len(lines)
        if self._body is None:
            self._body = _Body(container)
        self._body.show(lines, more, problems(self._digest) if self._digest else "")


def _log_failure(error: Exception) -> None:
    import logging

    logger = logging.getLogger("asflow.sinks")
    message = "StreamlitSink: the display on the page failed; the flow goes on without it"
    log_error(logger, logging.WARNING, error, message)
