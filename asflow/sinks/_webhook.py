"""A sink that posts a message when a flow has ended."""

from __future__ import annotations

import queue
import threading
import time
from typing import TYPE_CHECKING, Any, Literal, final

from asflow import _forks
from asflow._checks import checked_seconds
from asflow._labels import clean, error_line, short
from asflow.errors import DefinitionTypeError, DefinitionValueError
from asflow.sinks._extras import needed
from asflow.sinks._words import Counts, flow_summary, plain

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from asflow.events import Event, FlowFinished, FlowStarted

_WAITS = (1.0, 5.0, 25.0)  # seconds before each further try
_WAIT_FOR_THE_REST = 60.0  # seconds, in close


@final
class WebhookSink:
    """Posts one JSON message for each outermost flow that has ended: to a chat, or to a service of your own.

    The message is sent by a thread, so that no flow waits for it; `close` waits for the messages under way.
    A server that can't be reached, or that answers 429 or 5xx, is asked again after 1, 5 and 25 seconds;
    then, or after another answer, the message is logged as lost. The default message has the keys `text`,
    the flow's summary in one line, as Slack and Mattermost show it; `flow`, `label`, `outcome`, `error`,
    `seconds`, `run_id`; and `counts`, the calls by outcome.

    Threads: `emit` may be called from any thread.
    """

    wants_tasks: Literal["none"] = "none"

    def __init__(
        self,
        url: str,
        *,
        when: Literal["always", "problems", "failed"] = "always",
        message: Callable[[FlowFinished, Mapping[str, Any]], Any] | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float = 10,
    ) -> None:
        """Make a sink. It connects when there is something to send.

        Args:
            url: where to post.
            when: for which flows: all; those in which something failed or was skipped, suppressed or
                cancelled; or those that raised, or in which a call failed.
            message: returns what is posted, as JSON, for an event and the default message; None: that one.
            headers: sent with it, such as an authorization.
            timeout: seconds for each try, more than 0.

        Raises:
            MissingExtraError: httpx is not installed (extra `webhook`).
            TypeError, ValueError: an argument is not one of these.
        """
        if not isinstance(url, str):  # pyright: ignore[reportUnnecessaryIsInstance] - users may not check
            raise DefinitionTypeError(
                f"WebhookSink(): url takes a str, not {short(url)}; write for example 'https://example.org/hook'"
            )
        if not url.startswith(("https://", "http://")):
            raise DefinitionValueError(
                f"WebhookSink(): url takes an http URL, not {short(url)}; write it with its 'https://'"
            )
        if when not in ("always", "problems", "failed"):
            raise DefinitionValueError(
                f"WebhookSink(): when takes 'always', 'problems' or 'failed', not {short(when)}; "
                f"leave it out for every flow"
            )
        if message is not None and not callable(message):
            raise DefinitionTypeError(
                f"WebhookSink(): message takes a function, not {short(message)}; "
                f"write for example message=lambda event, default: default"
            )
        self._httpx = needed("WebhookSink", "webhook", "httpx", "httpx")
        self._url, self._when, self._message = url, when, message
        self._headers = dict(headers or {})
        self._timeout = checked_seconds("WebhookSink()", "timeout", timeout, positive=True, longest=1e6)
        self._flows: dict[int, FlowStarted] = {}
        self._lock = _forks.renewed(self, "_lock", threading.Lock)
        self._queue: queue.SimpleQueue[object] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None

    def __repr__(self) -> str:
        return f"WebhookSink({self._url.partition('?')[0]!r})"

    def emit(self, event: Event, /) -> None:
        """Post a message if *event* ends an outermost flow."""
        if event.kind == "flow_started" and event.parent_id is None:
            self._flows[event.flow_id] = event
        elif event.kind == "flow_finished":
            started = self._flows.pop(event.flow_id, None)
            if started is not None:
                self._finished(started, event)

    def _finished(self, started: FlowStarted, event: FlowFinished) -> None:
        counts = Counts()
        for tally in list(started.tallies.values()):
            counts.add(tally)
        bad = event.outcome != "completed" or counts.failed > 0
        odd = bad or counts.skipped + counts.suppressed + counts.cancelled > 0
        if (self._when == "failed" and not bad) or (self._when == "problems" and not odd):
            return
        message: Any = _message(started, event, counts)
        if self._message is not None:
            message = self._message(event, message)
        with self._lock:
            if self._thread is None:
                # A daemon: a service that hangs must not keep the process; `close` waits, for so long.
                self._thread = threading.Thread(target=self._send_all, name="asflow-webhook", daemon=True)
                self._thread.start()
            self._queue.put(message)

    def close(self) -> None:
        """Wait until the messages are sent or lost, for at most a minute. Called once at the end."""
        with self._lock:
            thread, self._thread = self._thread, None
            if thread is not None:
                self._queue.put(None)
        if thread is not None:
            thread.join(_WAIT_FOR_THE_REST)

    def _send_all(self) -> None:
        with self._httpx.Client(timeout=self._timeout, headers=self._headers) as client:
            while (message := self._queue.get()) is not None:
                try:
                    self._send(client, message)
                except Exception as error:  # noqa: BLE001 - httpx's, or of a message that JSON can not hold
                    import logging

                    logging.getLogger("asflow").warning("%r lost a message: %s", self, error_line(error))

    def _send(self, client: Any, message: object) -> None:
        for wait in (*_WAITS, None):
            try:
                answer = client.post(self._url, json=message)
                if answer.status_code == 429 or answer.status_code >= 500:
                    answer.raise_for_status()
            except self._httpx.HTTPError:
                if wait is None:
                    raise
                time.sleep(wait)
            else:
                answer.raise_for_status()
                return


def _message(started: FlowStarted, event: FlowFinished, counts: Counts) -> dict[str, Any]:
    title = f"{clean(event.flow)}({clean(started.label)})"
    outcomes = ("completed", "cached", "skipped", "suppressed", "failed", "cancelled")
    return {
        "text": plain(flow_summary(title, event.outcome, event.error, counts, event.seconds)),
        "flow": event.flow,
        "label": started.label,
        "outcome": event.outcome,
        "error": None if event.error is None else error_line(event.error, 1000),
        "seconds": event.seconds,
        "run_id": event.run_id,
        "counts": {name: getattr(counts, name) for name in outcomes},
    }
