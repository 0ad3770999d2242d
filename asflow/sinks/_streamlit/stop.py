"""Ends a flow early when Streamlit asks the script that awaits it to end.

Streamlit ends a script by raising an exception from the commands that the script calls. A script that waits
in `asyncio.run` calls none, so the loop of its flows checks for the request instead.

Imported only in a process that runs Streamlit.
"""

from __future__ import annotations

import asyncio
from typing import Any, final

import streamlit as st
from streamlit.runtime.scriptrunner import RerunException, StopException


# As a KeyboardInterrupt they end the loop at once, whichever task raises them: a TaskGroup would wrap another
# exception in a group, which Streamlit doesn't recognize. asyncio.run then cancels what is left on the loop.
class _Stop(StopException, KeyboardInterrupt):
    pass


class _Rerun(RerunException, KeyboardInterrupt):
    pass


@final
class Interruption:
    """Cancels the flows of one loop when Streamlit asks the script on its thread to end.

    Threads: only that of its loop.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, every: float) -> None:
        """See `begin`."""
        self._loop = loop
        self._every = every
        self._tasks: dict[int, asyncio.Task[object]] = {}
        self._request: BaseException | None = None
        self._timer = loop.call_later(every, self._check)

    @classmethod
    def begin(cls, flow_id: int, every: float) -> Interruption | None:
        """Watch the flow that starts here, checking every *every* seconds; None without a running loop."""
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
            BaseException: Streamlit's request to end the script, if there is one; only once.
        """
        self._tasks.pop(flow_id, None)
        if not self._tasks:
            self._timer.cancel()
            _by_loop.pop(self._loop, None)
        request, self._request = self._request, None
        if request is not None:
            raise request

    def _check(self) -> None:
        try:
            # Reading the session state is one of Streamlit's yield points, and sends nothing.
            _ = "asflow" in st.session_state
        except StopException:
            self._cancel(_Stop())
        except RerunException as request:
            self._cancel(_Rerun(request.rerun_data))
        except Exception:  # noqa: BLE001 - the session is gone: no request will come
            return
        else:
            self._timer = self._loop.call_later(self._every, self._check)

    def _cancel(self, request: BaseException) -> None:
        self._request = request
        _silence(self._loop)
        for task in self._tasks.values():
            task.cancel()


def _silence(loop: asyncio.AbstractEventLoop) -> None:
    """Keep *loop* from logging the request as the exception of tasks that are never awaited."""
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
