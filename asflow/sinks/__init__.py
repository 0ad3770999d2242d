"""Sinks: what shows the progress of flows and tasks.

- `RichSink`: the default, a live display on terminals and in notebooks, plain lines elsewhere.
- `LineSink`: plain lines, for logs and CI.
- `NullSink`: nothing.
- `TqdmSink`: a tqdm bar for each task (extra `tqdm`).
- `LogSink`: records of the standard library's logging.
- `HistorySink`: what each run did, a file of JSON lines a run.
- `TraceSink`: a timeline in a file, for Perfetto or any browser.
- `OpenTelemetrySink`, `PrometheusSink`, `StructlogSink`: spans, metrics, structured logs (an extra each).
- `GitHubActionsSink`: groups and annotations in the log of a job.
- `WebhookSink`: a message for each flow that has ended (extra `webhook`).
- `StreamlitSink`: a status on the Streamlit page that called a flow.
- `Tee`: several sinks at once.

Each is imported when its name is first used, and what it needs, as rich or tqdm, when it is.
"""

from typing import TYPE_CHECKING

from asflow._names import lazily

if TYPE_CHECKING:
    from asflow.sinks._github import GitHubActionsSink
    from asflow.sinks._history import HistorySink
    from asflow.sinks._lines import LineSink
    from asflow.sinks._log import LogSink
    from asflow.sinks._null import NullSink
    from asflow.sinks._opentelemetry import OpenTelemetrySink
    from asflow.sinks._prometheus import PrometheusSink
    from asflow.sinks._rich import RichSink
    from asflow.sinks._streamlit.sink import StreamlitSink
    from asflow.sinks._structlog import StructlogSink
    from asflow.sinks._tee import Tee
    from asflow.sinks._tqdm import TqdmSink
    from asflow.sinks._trace import TraceSink
    from asflow.sinks._webhook import WebhookSink
else:
    # Imported on first use, because starting a program must be fast.
    __getattr__, __dir__ = lazily(
        __name__,
        {
            "GitHubActionsSink": "._github",
            "HistorySink": "._history",
            "LineSink": "._lines",
            "LogSink": "._log",
            "NullSink": "._null",
            "OpenTelemetrySink": "._opentelemetry",
            "PrometheusSink": "._prometheus",
            "RichSink": "._rich",
            "StreamlitSink": "._streamlit.sink",
            "StructlogSink": "._structlog",
            "Tee": "._tee",
            "TqdmSink": "._tqdm",
            "TraceSink": "._trace",
            "WebhookSink": "._webhook",
        },
    )

__all__ = [
    "GitHubActionsSink",
    "HistorySink",
    "LineSink",
    "LogSink",
    "NullSink",
    "OpenTelemetrySink",
    "PrometheusSink",
    "RichSink",
    "StreamlitSink",
    "StructlogSink",
    "Tee",
    "TqdmSink",
    "TraceSink",
    "WebhookSink",
]
