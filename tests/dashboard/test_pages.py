"""The dashboard's pages, and what StreamlitSink shows, in Streamlit's own test runner."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from asflow import Flow
from asflow.errors import MissingExtraError
from asflow.events import Tally
from asflow.sinks import NullSink, StreamlitSink
from asflow.sinks._streamlit.lines import Line

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from dashboard.conftest import Service

    from asflow.events import Event

pytestmark = pytest.mark.timeout(180)

SCRIPT = """
import asyncio
import threading
import streamlit as st
from asflow import Flow
from asflow.sinks import StreamlitSink

flow_sink = StreamlitSink({options})
flow = Flow(sink=flow_sink)

@flow.task
async def square(number):
    flow.task.progress("*half* way", total=4).advance()
    await asyncio.sleep(0.2)
    if number > 2:
        raise ValueError("too :red[large]")
    return number * number

@flow
async def squares(numbers, name=""):
    return await asyncio.gather(*(square(number) for number in numbers))

@flow
async def outer():
    await squares([1])
    return await squares([1, 2])
"""


def page(code: str, options: str = "") -> AppTest:
    """Run a script to its end."""
    return AppTest.from_string(SCRIPT.replace("{options}", options) + code, default_timeout=60).run()


def bars(app: AppTest) -> list[str]:
    """The texts beside the progress bars, without rates and times."""
    texts = [bar.proto.text for bar in app.get("progress")]
    return [re.sub(r"( · [\d.,]+/(s|min))?( · ([\d.]+ s|\d+:\d\d))?$", "", text) for text in texts]


def statuses(app: AppTest) -> list[tuple[str, str]]:
    """Label and icon of each status, backslashes and times taken out of the labels.

    A flow that has ended before it was shown leaves an expander, which looks the same.
    """
    left = [*app.status, *app.expander]
    return [(one.label.replace("\\", "").rpartition(" in ")[0], one.icon) for one in left]


def test_a_page_is_up_to_date(imported: Path, service: Service) -> None:
    """The first run downloads; a rerun and another session find everything on disk."""
    app = AppTest.from_file(str(imported / "app.py"), default_timeout=60).run()
    assert not app.exception
    assert statuses(app) == [("monthly(1): 31 done, 1 suppressed", ":material/check:")]
    assert app.markdown[-1].value == "30 days, 720 hours"
    assert "**Archive\\.download** 31/31 · :orange[1 suppressed]" in bars(app)
    for later in (app.run(), AppTest.from_file(str(imported / "app.py"), default_timeout=60).run()):
        assert statuses(later) == [("monthly(1): 1 done, 30 on disk, 1 suppressed", ":material/check:")]
        assert later.markdown[-1].value == "30 days, 720 hours"
    assert set(service.asked.values()) == {1}
    app.selectbox[0].select("February").run()
    assert app.markdown[-1].value == "27 days, 648 hours"


def test_a_cached_page_runs_its_flow_once(imported: Path, service: Service) -> None:
    """`st.cache_data` replays no status: if no flow ran, none is shown. Flows in a flow share one."""
    script = str(imported / "pages" / "year.py")
    first = AppTest.from_file(script, default_timeout=60).run()
    assert not first.exception
    assert statuses(first) == [("yearly(): 365 done, 12 suppressed", ":material/check:")]
    assert "**monthly \\/ Archive\\.download** 365/365 · :orange[12 suppressed]" in bars(first)
    asked = service.asked.total()
    for later in (first.run(), AppTest.from_file(script, default_timeout=60).run()):
        assert not later.exception
        assert statuses(later) == []
        assert later.dataframe[0].value.equals(first.dataframe[0].value)
    assert service.asked.total() == asked == 365


def test_the_status_is_where_the_flow_was_called() -> None:
    app = page("with st.sidebar:\n    asyncio.run(outer())\nst.write('below')\n")
    assert not app.exception
    left = [*app.sidebar.status, *app.sidebar.expander]
    assert [status.label.partition("\\:")[0] for status in left] == ["outer\\(\\)"]
    assert bars(app) == ["**squares \\/ square** 3/3"]
    assert app.main.markdown[0].value == "below"


def test_flows_that_run_together_have_a_status_each() -> None:
    app = page(
        "async def both():\n    await asyncio.gather(squares([1]), squares([2, 1]))\nasyncio.run(both())\n"
    )
    assert not app.exception
    assert sorted(statuses(app)) == [
        ("squares([1]): 1 done", ":material/check:"),
        ("squares([2, ...]): 2 done", ":material/check:"),
    ]


def test_a_failure_is_shown_and_raised() -> None:
    app = page("asyncio.run(squares([3], name='a:smile:'))\n")
    assert [error.message for error in app.exception] == ["too :red[large]"]
    [(label, icon)] = statuses(app)
    assert label == "squares([3], name='a:smile:') failed (ValueError: too :red[large]): 1 failed"
    assert icon == ":material/error:"
    assert "left" not in "".join(bars(app))
    assert app.markdown[0].value == "- square\\(3\\) :red[failed]\\: ValueError\\: too \\:red\\[large\\]"
    [label] = [each.label for each in (*app.status, *app.expander)]
    assert "\\:smile\\:" in label
    assert "\\:red\\[large\\]" in label


def test_failed_calls_are_named_and_no_tick_is_shown() -> None:
    """The flow returned, but not all of its calls."""
    app = page(
        "@flow\nasync def some():\n    await flow.task.map(square, range(1, 12), on_error='collect')\n"
        "asyncio.run(some())\n"
    )
    assert not app.exception
    assert statuses(app) == [("some(): 2 done, 9 failed", ":material/error:")]
    assert bars(app) == ["**square** 11/11 · :red[9 failed]"]
    said = app.markdown[0].value.replace("\\", "")
    assert said.startswith("- square() :red[failed], 9 ValueError\n    - 3, 4, 5, 6, 7: too :red[large]\n")
    assert "… and 4 more" in said


def test_other_sessions_flows_are_shown_while_one_waits() -> None:
    """A script that waits for another session shows what that one does."""
    app = page(
        "from streamlit.runtime.scriptrunner import add_script_run_ctx, get_script_run_ctx\n"
        "import copy\n"
        "first = threading.Thread(target=lambda: asyncio.run(squares([1, 2])))\n"
        "other = copy.copy(get_script_run_ctx())\n"
        "add_script_run_ctx(first, other)\n"
        "shown = []\n"
        "with flow_sink.others():\n"
        "    first.start()\n"
        "    first.join()\n"
        "    shown = [len(watcher._shadows) for watcher in flow_sink._watchers]\n"
        "st.write(f'shadows: {shown}')\n"
    )
    assert not app.exception
    assert app.markdown[-1].value == "shadows: [1]"
    assert len(statuses(app)) == 1  # that of the session that runs it


def test_a_flow_without_progress_and_one_that_is_not_kept() -> None:
    app = page("@flow(progress=False)\nasync def quiet():\n    await outer()\nasyncio.run(quiet())\n")
    assert not app.exception
    assert statuses(app) == []
    app = page("asyncio.run(outer())\nst.write('below')", "keep=False")
    assert statuses(app) == []
    assert bars(app) == []
    app = page("asyncio.run(squares([3]))", "keep=False")
    assert len(statuses(app)) == 1


def test_a_flow_without_progress_in_one_that_is_shown() -> None:
    """Neither it nor the flows that it calls have bars; the summary still counts their tasks."""
    app = page(
        "@flow(progress=False)\nasync def quiet():\n    await squares([1, 2])\n    await square(1)\n"
        "@flow\nasync def loud():\n    await quiet()\n    await square(2)\nasyncio.run(loud())\n"
    )
    assert not app.exception
    assert bars(app) == ["**square** 1/1"]
    assert statuses(app) == [("loud(): 4 done", ":material/check:")]


BRIEF = """
from asflow.dataflow import DataFlow

async def double(number):
    if number < 0:
        raise ValueError("below zero")
    return {"doubled": 2 * number}

doubling = DataFlow((double,), name="doubling", flow=flow)
"""


def test_calls_of_a_data_flow_by_the_hundred_leave_one_place() -> None:
    """All went well and took no time: neither a summary each, nor an empty place each."""
    app = page(
        BRIEF + "async def all():\n    for number in range(100):\n        await doubling(number=number)\n"
        "asyncio.run(all())\nasyncio.run(squares([1]))\nst.write('below')\n"
    )
    assert not app.exception
    assert statuses(app) == [("squares([1]): 1 done", ":material/check:")]
    assert len(app.main.children) <= 3


def test_a_call_of_a_data_flow_that_fails_is_shown_where_it_was_made() -> None:
    app = page(
        BRIEF + "async def all():\n    await doubling(number=1)\n    await doubling(number=-1)\n"
        "asyncio.run(all())\n"
    )
    assert [error.message for error in app.exception] == ["below zero"]
    [(label, icon)] = statuses(app)
    assert label == "doubling(number=-1) failed (ValueError: below zero): 1 failed"
    assert icon == ":material/error:"


def test_a_long_call_of_a_data_flow_leaves_a_summary_that_counts_those_before_it() -> None:
    """As in a terminal: one that took more than a second, of ten seconds; the place is then taken."""
    app = page(
        BRIEF + "async def slow(number):\n    await asyncio.sleep(1.05)\n    return {'waited': number}\n"
        "slowly = DataFlow((slow,), name='doubling', flow=flow)\n"
        "async def all():\n"
        "    await doubling(number=1)\n    await doubling(number=2)\n    await slowly(number=3)\n"
        "    await slowly(number=4)\nasyncio.run(all())\n"
    )
    assert not app.exception
    [label] = [each.label.replace("\\", "") for each in (*app.status, *app.expander)]
    assert re.fullmatch(r"doubling\(number=3\): 1 done in 1\.\d s, and 2 more calls before it", label)


def test_what_went_wrong_is_below_the_lines_of_all_tasks() -> None:
    app = page(
        "@flow.task\nasync def count():\n    await asyncio.sleep(0.3)\n"
        "@flow\nasync def some():\n    await flow.task.map(square, [3], on_error='collect')\n"
        "    await count()\nasyncio.run(some())\n"
    )
    assert not app.exception
    kinds = [each.type for left in (*app.status, *app.expander) for each in left]
    assert kinds[-1] == "markdown"
    assert kinds.count("progress") == 2


def test_a_sync_flow_and_one_in_a_thread_of_the_users_own() -> None:
    """Streamlit's own function assigns a thread to its page."""
    app = page(
        "from streamlit.runtime.scriptrunner import add_script_run_ctx\n"
        "@flow\n"
        "def plain():\n"
        "    return asyncio.run(squares([1, 2]))\n"
        "thread = add_script_run_ctx(threading.Thread(target=plain))\n"
        "thread.start()\nthread.join()\n"
    )
    assert not app.exception
    assert statuses(app) == [("plain(): 2 done", ":material/check:")]


class Recorder:
    """Keeps the kinds of the events that it receives."""

    def __init__(self) -> None:
        self.kinds: list[str] = []

    def emit(self, event: Event) -> None:
        self.kinds.append(event.kind)


def test_elsewhere_receives_the_flows_that_run_on_no_page() -> None:
    """In a plain program, and in a thread without Streamlit's context."""
    recorder = Recorder()
    flow = Flow(sink=StreamlitSink(elsewhere=recorder))

    @flow.task
    async def work() -> int:
        return 1

    @flow
    async def inner() -> int:
        return await work()

    @flow
    async def pipeline() -> int:
        return await inner()

    assert asyncio.run(pipeline()) == 1
    calls = ["task_queued", "task_started", "task_finished"]
    inside = ["flow_started", "flow_started", *calls, "flow_finished", "flow_finished"]
    assert recorder.kinds == inside
    thread = threading.Thread(target=lambda: asyncio.run(pipeline()))
    thread.start()
    thread.join()
    asyncio.run(work())
    assert recorder.kinds == inside + inside + calls


def test_a_page_that_fails_fails_no_flow(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """If Streamlit refuses the place, the flow goes on, and the next one is shown."""
    real: Callable[[], object] = st.empty

    def refuse() -> object:
        monkeypatch.setattr(st, "empty", real)
        raise RuntimeError("no place here")

    monkeypatch.setattr(st, "empty", refuse)
    app = page("st.write(asyncio.run(squares([2])))\nasyncio.run(squares([1]))\n")
    assert not app.exception
    assert statuses(app) == [("squares([1]): 1 done", ":material/check:")]
    assert "no place here" in caplog.text


def test_what_the_sink_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match=r"updates_per_second takes a number from 0\.1 to 20, not 0;"):
        StreamlitSink(updates_per_second=0)
    with pytest.raises(TypeError, match=r"StreamlitSink\(\): elsewhere takes an object with a method emit"):
        StreamlitSink(elsewhere=object())  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    assert StreamlitSink(elsewhere=NullSink()).wants_tasks == "none"
    monkeypatch.setitem(sys.modules, "streamlit", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'asflow\[streamlit\]'"):
        StreamlitSink()


def test_the_sink_does_not_import_streamlit() -> None:
    """Neither the package of the sinks, nor a sink, nor a flow outside Streamlit."""
    code = """
import sys, asyncio
from asflow import Flow
from asflow.sinks import StreamlitSink
flow = Flow(sink=StreamlitSink())
@flow
async def pipeline(): pass
asyncio.run(pipeline())
print("streamlit" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
    assert "Flow pipeline() " in done.stderr


def test_a_second_session_shows_the_pace_of_the_first_one() -> None:
    """Not as if all that is done had been done since it began to look."""
    tally = Tally("square")
    tally.queued, tally.completed = 40, 20
    late, shared = Line("square"), Line("square", began=90.0)
    for line in (late, shared):
        line.live[1] = tally
    assert "left" not in late.state(100.0)[1]
    share, text, _ = shared.state(100.0)
    assert (share, text) == (0.5, "**square** 20/40 · 2.0/s · 10 s · 0:10 left")
