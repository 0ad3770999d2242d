"""What the user sees: sinks that show the progress of flows and tasks.

- `RichSink`: the default, a live display on terminals and in notebooks, plain lines elsewhere.
- `LineSink`: plain lines, for logs and CI.
- `NullSink`: nothing.
- `StreamlitSink`: a status on the Streamlit page from which a flow was called.
- `Tee`: several at once.

Importing this package does not import rich; the first event does.
"""

from asflow.sinks.lines import LineSink
from asflow.sinks.null import NullSink
from asflow.sinks.rich import RichSink
from asflow.sinks.streamlit_sink import StreamlitSink
from asflow.sinks.tee import Tee

__all__ = ["LineSink", "NullSink", "RichSink", "StreamlitSink", "Tee"]
