"""What the user sees: sinks that show the progress of flows and tasks.

- `RichSink`: the default, a live display on terminals and in notebooks, plain lines elsewhere.
- `LineSink`: plain lines, for logs and CI.
- `NullSink`: nothing.
- `TqdmSink`: a tqdm bar for each task (extra `tqdm`).
- `LogSink`: the standard library's logging.
- `TraceSink`: a timeline in a file, for Perfetto or any browser.
- `StreamlitSink`: a status on the Streamlit page from which a flow was called.
- `Tee`: several at once.

Importing this package imports neither rich nor tqdm; their sinks do when they need them.
"""

from asflow.sinks.lines import LineSink
from asflow.sinks.log import LogSink
from asflow.sinks.null import NullSink
from asflow.sinks.rich import RichSink
from asflow.sinks.streamlit_sink import StreamlitSink
from asflow.sinks.tee import Tee
from asflow.sinks.tqdm_bars import TqdmSink
from asflow.sinks.trace import TraceSink

__all__ = [
    "LineSink",
    "LogSink",
    "NullSink",
    "RichSink",
    "StreamlitSink",
    "Tee",
    "TqdmSink",
    "TraceSink",
]
