"""What ends a flow early: Streamlit wants the script that awaits it to end.

Streamlit ends a script inside the commands that the script calls, by an exception. A script that waits in
`asyncio.run` calls none; so the loop on which its flows run looks in its place.

Only imported where Streamlit runs.
"""

from __future__ import annotations

import asyncio
from typing import Any, final

import streamlit as st
from streamlit.runtime.scriptrunner import RerunException, StopException

__all__ = ["Interruption"]


# As a KeyboardInterrupt they end the loop at once, whichever task they come from: a TaskGroup would wrap
# them up, and Streamlit not know them again. asyncio.run then cancels what is left on the loop.
class _Stop(StopException, KeyboardInterrupt):
    pass


class _Rerun(RerunException, KeyboardInterrupt):
    pass


@final
class Interruption:
    """Cancels the flows of one loop once Streamlit wants the script on this thread to end.

    Threads: belongs to the thread of its loop.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, every: float) -> None:
        """See `begin`."""
        self._loop = loop
        self._every = every
        self._tasks: dict[int, asyncio.Task[object]] = {}
        self._request: BaseException | None = None
        self._timer = loop.call_later(every, self._look)

    @classmethod
    def begin(cls, flow_id: int, every: float) -> Interruption | None:
        """Look each *every* seconds whether the flow that begins here is wanted; None without a loop."""
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return None
        task = asyncio.current_task(loop)
        if task is None:
            return None
        found = _by_loop.get(loop)
        if found is None:
            found = _by_loop[loop] = cls(loop, every)
        found._tasks[flow_id] = task
        return found

    def end(self, flow_id: int) -> None:
        """Forget a flow that has ended.

        Raises:
            BaseException: what Streamlit wants the script to end with, if it does; once.
        """
        self._tasks.pop(flow_id, None)
        if not self._tasks:
            self._timer.cancel()
            _by_loop.pop(self._loop, None)
        request, self._request = self._request, None
        if request is not None:
            raise request

    def _look(self) -> None:
        try:
            # Asking for anything in the session is one of Streamlit's yield points; it sends nothing.
            _ = "asflow" in st.session_state
        except StopException:
            self._stop(_Stop())
        except RerunException as request:
            self._stop(_Rerun(request.rerun_data))
        except Exception:  # noqa: BLE001 - a session that is gone wants nothing any more
            return
        else:
            self._timer = self._loop.call_later(self._every, self._look)

    def _stop(self, request: BaseException) -> None:
        self._request = request
        _keep_quiet(self._loop)
        for task in self._tasks.values():
            task.cancel()


def _keep_quiet(loop: asyncio.AbstractEventLoop) -> None:
    """Have *loop* log nothing about tasks that end by what ends the script: nobody awaits them any more."""
    before = loop.get_exception_handler()

    def handle(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        if isinstance(context.get("exception"), (_Stop, _Rerun)):
            return
        if before is None:
            loop.default_exception_handler(context)
        else:
            before(loop, context)

    loop.set_exception_handler(handle)


_by_loop: dict[asyncio.AbstractEventLoop, Interruption] = {}
