"""Run on an installed wheel, without pytest: import every module, then use each extra once.

`python extras.py` uses the installed extras and lists the others; with `--all` a missing extra is a failure.
The extras are read from the installed metadata, so that a new one without a use here fails.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import importlib.metadata
import io
import os
import pkgutil
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import asflow
from asflow import Flow

if TYPE_CHECKING:
    from collections.abc import Callable

    from asflow.protocols import ProgressSink


def check(condition: bool, what: str) -> None:
    """Check *condition*, also under -O, which removes `assert`."""
    if not condition:
        raise SystemExit(f"smoke test failed: {what}")


def quiet(base: str, sink: ProgressSink | None = None) -> Flow:
    """Return a flow that logs nothing."""
    return Flow(base=base, sink=sink, verbose=False)


def command_line() -> None:
    """`asflow ls` lists an output, as a module and as the script beside the interpreter."""
    flow = quiet("cli")

    @flow.task(on="{n}.jsonl")
    def one(n: int) -> None:
        flow.task.write({"n": n})

    one(1)
    for command in ([sys.executable, "-m", "asflow"], [Path(sys.executable).with_name("asflow")]):
        done = subprocess.run([*command, "ls", "cli"], capture_output=True, text=True, check=False)
        check(done.returncode == 0 and "1.jsonl" in done.stdout, f"{command} ls: {done.stdout}{done.stderr}")


def parquet() -> None:
    """A Parquet file is written, and read back as records."""
    flow = quiet("parquet")

    @flow.task(on="{n}.parquet")
    def squares(n: int) -> None:
        for i in range(n):
            flow.task.write({"i": i, "square": i * i})

    squares(4)
    rows = list(flow.task.output(squares, 4).records(dict[str, int]))
    check([row["square"] for row in rows] == [0, 1, 4, 9], f"Parquet held {rows}")


PAGE = """
import asyncio
from asflow import Flow
from asflow.sinks import StreamlitSink

flow = Flow(sink=StreamlitSink(), verbose=False)

@flow.task
async def double(n):
    return 2 * n

@flow
async def doubles():
    return await flow.task.map(double, range(3))

asyncio.run(doubles())
"""


def streamlit() -> None:
    """A page shows that its flow is done."""
    from streamlit.testing.v1 import AppTest

    page = AppTest.from_string(PAGE, default_timeout=60).run()
    check(not page.exception, f"the page raised {page.exception}")
    # A flow that ends before it is shown becomes an expander, which looks the same.
    labels = [each.label for each in (*page.status, *page.expander)]
    check(len(labels) == 1 and "doubles" in labels[0] and "3 done" in labels[0], f"the page shows {labels}")


def tqdm() -> None:
    """A bar is drawn and reaches its end."""
    from functools import partial

    from tqdm import tqdm as bar

    from asflow.sinks import TqdmSink

    drawn = io.StringIO()
    flow = quiet("tqdm", TqdmSink(partial(bar, file=drawn)))

    @flow.task
    async def double(n: int) -> int:
        return 2 * n

    @flow
    async def doubles() -> list[int]:
        return await flow.task.map(double, range(5))

    check(asyncio.run(doubles()) == [0, 2, 4, 6, 8], "values of a flow with bars")
    check("double" in drawn.getvalue() and "5/5" in drawn.getvalue(), f"tqdm drew {drawn.getvalue()!r}")


def opentelemetry() -> None:
    """Spans and metrics go to the providers that are there: without an SDK they go nowhere."""
    from asflow.sinks import OpenTelemetrySink

    observed("opentelemetry", OpenTelemetrySink())


def prometheus() -> None:
    """A call is counted."""
    from prometheus_client import REGISTRY

    from asflow.sinks import PrometheusSink

    observed("prometheus", PrometheusSink())
    found = REGISTRY.get_sample_value("asflow_flows_total", {"flow": "main", "outcome": "completed"})
    check(found == 1, "the count of flows")


def structlog() -> None:
    """Each event is a line."""
    from structlog.testing import capture_logs

    from asflow.sinks import StructlogSink

    with capture_logs() as lines:
        observed("structlog", StructlogSink())
    check(lines[-1]["event"] == "flow_finished", "the last line")


def webhook() -> None:
    """A message is sent to a server on loopback."""
    import threading
    from http.server import BaseHTTPRequestHandler, HTTPServer

    from asflow.sinks import WebhookSink

    bodies: list[bytes] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.end_headers()

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        sink = WebhookSink(f"http://127.0.0.1:{server.server_address[1]}")
        observed("webhook", sink)
        sink.close()
        thread.join()
    check(b"Flow main(): 1 done" in bodies[0], "the message")


def observed(name: str, sink: ProgressSink) -> None:
    """Run a flow whose events go to *sink*."""
    flow = Flow(name, sink=sink)

    @flow.task
    def work() -> None: ...

    @flow
    def main() -> None:
        work()

    main()


def object_storage() -> None:
    """An output is published to an object store; the next call finds it there."""
    from asflow.stores import ObjectStore

    calls: list[int] = []
    flow = Flow(store=ObjectStore("memory:///smoke"), verbose=False)

    @flow.task(on="{n}.jsonl.zst")
    async def one(n: int) -> None:
        calls.append(n)
        flow.task.write({"n": n})

    asyncio.run(one(1))
    asyncio.run(one(1))
    output = flow.task.output(one, 1)
    check(calls == [1], f"the body ran for {calls}")
    check(list(output.records(dict[str, int])) == [{"n": 1}], "records of an object")


def dask() -> None:
    """A body runs in a cluster's worker; its output is published here."""
    from distributed import Client

    flow = quiet("dask")
    cluster: dict[str, Any] = {"processes": False, "n_workers": 1, "dashboard_address": ":0"}
    with cast("Any", Client)(**cluster) as client:  # untyped

        @flow.task(on="{n}.jsonl", executor=client.get_executor())
        def write(n: int) -> None:
            flow.task.write({"n": n})

        @flow.task(save="{n}.json", executor=client.get_executor())
        def double(n: int) -> int:
            return 2 * n

        write(2)
        check(double(2) == double(2) == 4, "the value of a remote call")
    check(Path("dask/2.jsonl").read_bytes() == b'{"n":2}\n', "the output of a remote call")
    check(Path("dask/2.json").read_bytes() == b"4\n", "the saved value of a remote call")


def ray() -> None:
    """A body runs in a worker of Ray; what it returns is saved here."""
    import ray as cluster

    from asflow.executors.ray import RayExecutor

    start = cast("Callable[..., object]", cluster.init)
    start(num_cpus=1, include_dashboard=False, log_to_driver=False)
    flow = quiet("ray")

    @flow.task(save="{n}.json", executor=RayExecutor(num_cpus=1))
    def double(n: int) -> int:
        return 2 * n

    check(double(2) == double(2) == 4, "the value of a remote call")
    cluster.shutdown()
    check(Path("ray/2.json").read_bytes() == b"4\n", "the saved value of a remote call")


USES: dict[str, Callable[[], None]] = {
    "cli": command_line,
    "parquet": parquet,
    "streamlit": streamlit,
    "tqdm": tqdm,
    "opentelemetry": opentelemetry,
    "prometheus": prometheus,
    "structlog": structlog,
    "webhook": webhook,
    "s3": object_storage,
    "dask": dask,
    "ray": ray,
}


def packages() -> dict[str, list[str]]:
    """Return the extras of the installed wheel, each with its packages."""
    found: dict[str, list[str]] = {}
    for requirement in importlib.metadata.requires("asflow") or []:
        extra = re.search(r"extra == ['\"]([\w-]+)['\"]", requirement)
        name = re.match(r"[\w-]+", requirement)
        if extra and name:
            found.setdefault(extra[1], []).append(name[0])
    return found


def import_everything() -> int:
    """Import every module except `__main__`, which would run; return their number."""
    names = [name for _, name, _ in pkgutil.walk_packages(asflow.__path__, "asflow.")]
    for name in names:
        if not name.endswith(".__main__"):
            importlib.import_module(name)
    return len(names)


def main() -> None:
    """Use each installed extra and list the others; with `--all` these are an error."""
    if "--installed" in sys.argv:
        check(Path(sys.prefix) in Path(asflow.__file__).parents, f"{asflow.__file__} is not installed")
    extras = packages()
    named = extras.pop("all", [])
    check(set(USES) == set(extras), f"the extras are {sorted(extras)}, the uses {sorted(USES)}")
    check(set(named) == {package for each in extras.values() for package in each}, f"`all` names {named}")
    missing = [extra for extra, each in extras.items() if not all(map(installed, each))]
    check("--all" not in sys.argv or not missing, f"not installed: {missing}")
    modules = import_everything() if not missing else 0
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        for extra in sorted(set(USES) - set(missing)):
            USES[extra]()
    used = ", ".join(sorted(set(USES) - set(missing)))
    print(f"OK: {modules} modules and {used} on Python {sys.version.split()[0]}", end="")
    print(f"; not installed: {', '.join(missing)}" if missing else "")


def installed(package: str) -> bool:
    """Return whether a distribution is installed."""
    try:
        importlib.metadata.distribution(package)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


if __name__ == "__main__":
    os.environ["STREAMLIT_BROWSER_GATHER_USAGE_STATS"] = "false"
    main()
