"""A sink that shows each flow on the Streamlit page from which it was called."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from functools import partial
from importlib.util import find_spec
from typing import TYPE_CHECKING, Literal, NamedTuple, final

from asflow._checks import check_flag
from asflow._reporter import checked_wish
from asflow.errors import MissingExtraError
from asflow.sinks._base import checked_rate
from asflow.sinks._rich import RichSink
from asflow.sinks._tee import Tee

if TYPE_CHECKING:
    from collections.abc import Generator

    from asflow.events import Event, FlowFinished, FlowStarted
    from asflow.protocols import ProgressSink
    from asflow.sinks._streamlit.page import Page
    from asflow.sinks._streamlit.places import Place
    from asflow.sinks._streamlit.stop import Interruption


class _Run(NamedTuple):
    """How a running flow is shown: on a page, by another sink, or not at all.

    Attributes:
        root: the id of the outermost flow.
        page: shows it, if the flow was called on a page.
        interruption: cancels it, if the page is rerun, left or stopped.
        elsewhere: receives its events, if it runs on no page.
    """

    root: int
    page: Page | None = None
    interruption: Interruption | None = None
    elsewhere: ProgressSink | None = None


_MOST_SHADOWS = 3  # flows of other sessions on one page


class _Watcher:
    """Shows on one session's page what others run."""

    def __init__(self, context: object, every: float) -> None:
        import streamlit as st

        from asflow.sinks._streamlit.places import Place

        self._context = context
        self._every = every
        # Made on the script's own thread, since Streamlit sends what another one makes to that one's page.
        self._places: list[Place] = []
        self._places += [Place(st.empty(), self._places.append) for _ in range(_MOST_SHADOWS)]
        self._shadows: list[tuple[Page, Page]] = []

    def show(self, page: Page) -> None:
        """Show what *page* shows, if it is another session's."""
        if page.belongs_to(self._context) or not self._places:
            return
        from asflow.sinks._streamlit.page import Page

        shadow = Page.in_place(self._context, self._places.pop(0), every=self._every)
        self._shadows.append((page, shadow))
        page.shown_by(shadow)

    def close(self) -> None:
        """Leave nothing on the page."""
        for page, shadow in self._shadows:
            page.remove(shadow)
            shadow.clear()


@final
class StreamlitSink:
    """Shows a flow on the Streamlit page that called it: a status, and a progress bar for each task.

        flow = Flow(sink=StreamlitSink())

    One sink serves all sessions: a flow is shown on the page of the session whose script called it, in
    the container that is open there (`with st.sidebar:`), and the flows that it calls in the same
    status. `st.cache_data` does not record it: a cached result is returned without a status. Outside a
    Streamlit session (`python -m flows.playlist`, a thread without Streamlit's context) *elsewhere*
    receives the events instead.

    When the page is rerun, left or stopped while the script awaits a flow (`asyncio.run(pipeline())`),
    the flow is cancelled: published outputs stay, unfinished ones are discarded, and the next run continues
    from there. A flow of plain functions runs to its end first, as does one that blocks its loop.

    Threads: `emit` may be called from any thread. Each flow on a page has a thread while it runs, which reads
    the counts a few times a second; calls of tasks cost nothing extra. The exceptions by which Streamlit
    ends a script (a rerun, a stop) pass through `emit`, and so end the flow.
    """

    def __init__(
        self,
        *,
        keep: bool = True,
        interrupt: bool = True,
        updates_per_second: float = 4.0,
        elsewhere: ProgressSink | None = None,
    ) -> None:
        """Make a sink; Streamlit is not imported by it.

        Args:
            keep: whether the summary of a completed flow remains on the page.
            interrupt: False lets a flow run to its end when its page is rerun, left or stopped.
            updates_per_second: how often a page is refreshed, at most; 0.1 to 20.
            elsewhere: the sink for flows that run on no page, and for tasks outside any flow; None: the live
                display.

        Raises:
            MissingExtraError: Streamlit is not installed.
            TypeError: an argument has the wrong type.
            ValueError: *updates_per_second* is out of range.
        """
        check_flag("StreamlitSink()", "keep", keep)
        check_flag("StreamlitSink()", "interrupt", interrupt)
        if find_spec("streamlit") is None:
            raise MissingExtraError(
                "StreamlitSink(): Streamlit is not installed; run pip install 'asflow[streamlit]'"
            )
        self._keep = keep
        self._interrupt = interrupt
        self._every = 1 / checked_rate("StreamlitSink()", "updates_per_second", updates_per_second, 20)
        sink = RichSink() if elsewhere is None else elsewhere
        checked_wish(sink, "StreamlitSink(): elsewhere")
        self._elsewhere = Tee(sink)  # a Tee drops a sink that raises; the pages go on
        self._runs: dict[int, _Run] = {}
        self._pages: list[Page] = []
        self._watchers: list[_Watcher] = []

    @contextmanager
    def others(self) -> Generator[None]:
        """Show the flows that other sessions run, here on the page, until the block is left.

        For calls of functions under `@st.cache_data`: a script that waits for the session that computes the
        value would show nothing. Outside Streamlit the block only runs.
        """
        context = _context()
        if context is None:
            yield
            return
        watcher = _Watcher(context, self._every)
        self._watchers.append(watcher)
        for page in list(self._pages):
            watcher.show(page)
        try:
            yield
        finally:
            self._watchers.remove(watcher)
            watcher.close()

    @property
    def wants_tasks(self) -> Literal["all", "made", "finished", "outside", "none"]:
        """As much as *elsewhere* asks for; a page needs only the counts."""
        return self._elsewhere.wants_tasks

    def emit(self, event: Event, /) -> None:
        """Show *event*, now or with the next refresh.

        Raises:
            BaseException: Streamlit's own, which ends the script that runs on this thread.
        """
        match event.kind:
            case "flow_started":
                self._started(event)
            case "flow_finished":
                self._finished(event)
            case _:
                run = None if event.flow_id is None else self._runs.get(event.flow_id)
                sink = self._elsewhere if run is None else run.elsewhere
                if sink is not None:
                    sink.emit(event)

    def _started(self, event: FlowStarted) -> None:
        outer = None if event.parent_id is None else self._runs.get(event.parent_id)
        run = self._root(event) if outer is None else outer
        self._runs[event.flow_id] = run
        if run.elsewhere is not None:
            run.elsewhere.emit(event)
        elif run.page is not None:
            run.page.started(event)

    def _root(self, event: FlowStarted) -> _Run:
        """Decide how a flow without a parent is shown."""
        context = _context()
        if context is None:
            return _Run(event.flow_id, elsewhere=self._elsewhere)
        from asflow.sinks._streamlit.page import Page
        from asflow.sinks._streamlit.stop import Interruption

        page = None
        if event.progress:
            page = Page.open(context, brief=event.brief, every=self._every, keep=self._keep)
        if page is not None:
            self._pages.append(page)
            for watcher in list(self._watchers):
                watcher.show(page)
        interruption = Interruption.begin(event.flow_id, self._every) if self._interrupt else None
        return _Run(event.flow_id, page, interruption)

    def _finished(self, event: FlowFinished) -> None:
        run = self._runs.pop(event.flow_id, None)
        if run is None:
            return
        if run.elsewhere is not None:
            run.elsewhere.emit(event)
        if run.page is not None:
            if event.flow_id == run.root:
                self._pages.remove(run.page)
            run.page.finished(event)
        if run.interruption is not None and event.flow_id == run.root:
            run.interruption.end(event.flow_id)

    def __repr__(self) -> str:
        return f"StreamlitSink(keep={self._keep}, interrupt={self._interrupt})"

    def __reduce__(self) -> tuple[object, ...]:
        made_again = partial(
            StreamlitSink,
            keep=self._keep,
            interrupt=self._interrupt,
            updates_per_second=1 / self._every,
            elsewhere=self._elsewhere,
        )
        return made_again, ()


def _context() -> object | None:
    """Return Streamlit's context of the script that runs on this thread, or None if there is none."""
    if "streamlit" not in sys.modules:  # then there is no page; importing it takes a second
        return None
    from streamlit.runtime.scriptrunner import get_script_run_ctx

    return get_script_run_ctx(suppress_warning=True)
