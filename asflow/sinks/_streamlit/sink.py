"""A sink that shows each flow on the Streamlit page from which it was called."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from typing import TYPE_CHECKING, Literal, NamedTuple, final

from asflow.errors import MissingExtraError
from asflow.sinks._rich import RichSink
from asflow.sinks._tee import Tee

if TYPE_CHECKING:
    from asflow.events import Event, FlowFinished, FlowStarted
    from asflow.protocols import ProgressSink
    from asflow.sinks._streamlit.page import Page
    from asflow.sinks._streamlit.stop import Interruption

__all__ = ["StreamlitSink"]


class _Run(NamedTuple):
    """What is done about a flow that runs: shown on a page, told to another sink, or neither."""

    root: int
    page: Page | None = None
    interruption: Interruption | None = None
    elsewhere: ProgressSink | None = None


@final
class StreamlitSink:
    """Shows a flow where it was called in a Streamlit script: a status, and a progress bar for each task.

        flow = Flow(sink=StreamlitSink())

    One sink serves all sessions: a flow is shown on the page of the session whose script called it, in
    the container that is open there (`with st.sidebar:`), and the flows that it calls in the same
    status. Nothing of it gets into `st.cache_data`: a cached result is returned without a status. Outside
    a Streamlit session (`python -m flows.playlist`, a thread without Streamlit's context) *elsewhere* is
    told instead.

    When the page is rerun, left or stopped while the script awaits a flow (`asyncio.run(pipeline())`),
    the flow is cancelled: what was written stays, what is half done is discarded, and the next run goes
    on from there. A flow of plain functions ends first, as does one that blocks its loop.

    Threads: `emit` may be called from any thread. Each flow that is shown has a thread of its own while it
    runs, which reads the counts a few times a second; calls of tasks cost nothing extra. What Streamlit
    raises to end a script (a rerun, a stop) passes through `emit`, and so ends the flow.
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
            keep: True leaves a line that sums up the flow; False takes the status of a flow away that
                ended well.
            interrupt: False lets a flow run to its end when its page is rerun, left or stopped.
            updates_per_second: how often a page is refreshed at the most, 0.1 to 20.
            elsewhere: who is told of flows that run on no page, and of tasks outside any flow; None: the
                live display.

        Raises:
            MissingExtraError: Streamlit is not installed.
            TypeError: *elsewhere* is no sink.
            ValueError: *updates_per_second* is out of range.
        """
        if find_spec("streamlit") is None:
            raise MissingExtraError("StreamlitSink needs Streamlit. Run: pip install 'asflow[streamlit]'")
        if not 0.1 <= updates_per_second <= 20:
            raise ValueError(f"updates_per_second must be between 0.1 and 20, not {updates_per_second!r}")
        self._keep = keep
        self._interrupt = interrupt
        self._every = 1 / updates_per_second
        # A Tee of one: should that sink raise, the pages are still told.
        self._elsewhere = Tee(RichSink() if elsewhere is None else elsewhere)
        self._runs: dict[int, _Run] = {}

    @property
    def wants_tasks(self) -> Literal["all", "outside", "none"]:
        """As much as *elsewhere* wants; a page needs nothing but the counts."""
        return self._elsewhere.wants_tasks

    def emit(self, event: Event, /) -> None:
        """Show what happened, or note it for the next refresh.

        Raises:
            BaseException: Streamlit's own, which end the script that runs on this thread.
        """
        match event.kind:
            case "flow_started":
                self._started(event)
            case "flow_finished":
                self._finished(event)
            case _:
                run = None if event.flow_id is None else self._runs.get(event.flow_id)
                told = self._elsewhere if run is None else run.elsewhere
                if told is not None:
                    told.emit(event)

    def _started(self, event: FlowStarted) -> None:
        outer = None if event.parent_id is None else self._runs.get(event.parent_id)
        run = self._root(event) if outer is None else outer
        self._runs[event.flow_id] = run
        if run.elsewhere is not None:
            run.elsewhere.emit(event)
        elif run.page is not None:
            run.page.started(event)

    def _root(self, event: FlowStarted) -> _Run:
        """Decide what is done about a flow that no other flow has called."""
        context = _context()
        if context is None:
            return _Run(event.flow_id, elsewhere=self._elsewhere)
        from asflow.sinks._streamlit.page import Page
        from asflow.sinks._streamlit.stop import Interruption

        page = Page.open(context, every=self._every, keep=self._keep) if event.progress else None
        interruption = Interruption.begin(event.flow_id, self._every) if self._interrupt else None
        return _Run(event.flow_id, page, interruption)

    def _finished(self, event: FlowFinished) -> None:
        run = self._runs.pop(event.flow_id, None)
        if run is None:
            return
        if run.elsewhere is not None:
            run.elsewhere.emit(event)
        if run.page is not None:
            run.page.finished(event)
        if run.interruption is not None and event.flow_id == run.root:
            run.interruption.end(event.flow_id)

    def __repr__(self) -> str:
        return f"StreamlitSink(keep={self._keep}, interrupt={self._interrupt})"


def _context() -> object | None:
    """Return Streamlit's context of the script that runs on this thread, or None outside of any."""
    if "streamlit" not in sys.modules:  # no page can be there, and importing it takes a second
        return None
    from streamlit.runtime.scriptrunner import get_script_run_ctx

    return get_script_run_ctx(suppress_warning=True)
