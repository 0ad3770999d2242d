"""What a terminal shows, tested with a real program on a pseudo-terminal."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals are POSIX")

TIME = r"\[\d\d:\d\d:\d\d\]"
FLOW = r"@flow transcripts\(\) ━{8,40} +\d+  (\d[\d.]*/s  )?\d+\.\d s"


def test_the_picture_of_the_tutorial(terminal: Callable[..., Any]) -> None:
    """A flow, its task with bar, percentage and the running calls by argument, on 80 columns."""
    term = terminal()
    term.do("start(1); tally(1, queued=870, completed=7)")
    term.frames()
    term.do("tally(1, completed=18)")
    term.do(
        "tally(1).active.update({i: Call(repr(v)) for i, v in enumerate(['F6PqxbvOCUI', 'Pv0iVoSZzN8'])})"
    )
    lines = term.shows("Pv0iVoSZzN8", "  2% ", "/s")
    assert re.fullmatch(FLOW, lines[0])
    numbers = r" +2% [\d:-]+ left  18/870 +[\d.]+/s  \d+\.\d s"
    assert re.fullmatch(rf" @task extract\(\)    [╸━]{{8,40}}{numbers}", lines[1])
    assert re.fullmatch(r"       F6PqxbvOCUI  ━{8,40}", lines[2])
    assert re.fullmatch(r"       Pv0iVoSZzN8  ━{8,40}", lines[3])
    assert len(lines) == 4
    assert not any("%" in line for line in (lines[0], *lines[2:]))


def test_a_loop_has_no_percentage(terminal: Callable[..., Any]) -> None:
    """Each call is made when the one before has ended: how many will come is not known."""
    term = terminal()
    term.do("start(1); tally(1, queued=1)")
    term.frames()
    term.do("tally(1, queued=4, completed=3)")
    term.frames()
    term.do("tally(1, queued=60, completed=59).active[1] = Call('59')")
    line = next(line for line in term.shows("59  ") if "@task" in line)
    assert "%" not in line
    assert "left" not in line
    assert re.search(r"  59 +[\d.,]+/s  \d+\.\d s$", line)


def test_a_flow_that_counts_its_steps_has_a_share(terminal: Callable[..., Any]) -> None:
    """`Flow.track` and a total of the flow's calls: percentage, time left, description."""
    term = terminal(columns=120)
    term.do("live = Flow(); live.completed, live.total, live.description = 12, 30, 'days'")
    term.do("start(1, live=live)")
    line = next(line for line in term.shows("days", "/s") if "@flow" in line)
    assert re.search(r"  40% 0:\d\d left  12/30  [\d.]+/s  \d+\.\d s  days$", line)


def test_what_went_wrong_is_named_while_the_flow_runs_and_at_its_end(terminal: Callable[..., Any]) -> None:
    """By name, grouped by exception, the first five, and how many more; nothing hidden in a text acts."""
    term = terminal(columns=100)
    term.do("live = Flow(); live.digest = digest = Digest(); start(1, live=live)")
    term.do("tally(1, queued=40, completed=20, failed=7, skipped=1)")
    term.do(
        "for n in range(7): digest.add('extract', 'failed', 'HTTPError', "
        "lambda: ProblemCall(f\"'v{n}'\", '503 \\x1b[2J unavailable'))"
    )
    term.do("digest.add('extract', 'skipped', 'KeyError', lambda: ProblemCall('x=1', 'rows'))")
    term.shows(
        "failed, 7 HTTPError: v0, v1, v2, v3, v4, … and 2 more: 503  [2J unavailable",
        "extract() skipped, 1 KeyError: x=1: rows",
    )
    term.do("finish(1, digest=digest)")
    assert [line[11:] for line in term.end()[1:]] == [
        "extract() failed, 7 HTTPError",
        "  v0, v1, v2, v3, v4: 503  [2J unavailable",
        "  … and 2 more",
        "extract(x=1) skipped: KeyError: rows",
    ]


def test_calls_that_wait_say_for_what_and_how_long(terminal: Callable[..., Any]) -> None:
    """For a retry, with the exception; and for another process that makes the output."""
    term = terminal(columns=100)
    term.do("start(1); tally(1, queued=9, completed=2, retries=1)")
    term.do("now = time.monotonic(); why = 'OSError: 503'")
    term.do("tally(1).waiting[1] = WaitingCall(Call('v1'), 'retry', now, until=now + 90, detail=why)")
    term.do("tally(1).waiting[2] = WaitingCall(Call('v2'), 'owner', now - 12, detail='host:7')")
    lines = term.shows("v1", "v2")
    assert any(re.search(r"v1 +again in 1 min \d\d s: OSError: 503", line) for line in lines)
    assert any(re.search(r"v2 +waits 1\d s for its output, made by host:7", line) for line in lines)


def test_the_cursor_is_below_the_frame(terminal: Callable[..., Any]) -> None:
    """What kills or stops the program leaves the shell's prompt below it; so does a print before it."""
    term = terminal(rows=12)
    term.do("print('before, ', end='', flush=True)")
    term.do("start(1); tally(1, queued=4)")
    term.shows("@task", until=lambda: (term.screen.cursor.y, term.screen.cursor.x) == (3, 0))
    assert term.lines[0] == "before,"
    term.do("for i in range(30): print('line', i)")
    term.shows("line 29", "@task", until=lambda: (term.screen.cursor.y, term.screen.cursor.x) == (11, 0))


def test_only_the_summary_stays(terminal: Callable[..., Any]) -> None:
    """At the end of a flow one line remains, which counts the outcomes."""
    term = terminal()
    term.do("start(1); tally(1, queued=900, cached=870)")
    term.shows("@task")
    term.do("tally(1, completed=23, skipped=2, suppressed=1); finish(1)")
    lines = term.end()
    assert re.fullmatch(
        rf"{TIME} Flow transcripts\(\): 23 done, 870 on disk, 2 skipped, 1 suppressed\n {{11}}in 41 s",
        "\n".join(lines),
    )


def test_counts_of_problems_are_shown_below_the_bar_or_after_it(terminal: Callable[..., Any]) -> None:
    """Retries, skips, suppressions and failures have their own line on a narrow terminal."""
    numbers = "queued=10, completed=1, cached=1, skipped=2, suppressed=1, failed=1, retries=3"
    counts = "1 on disk, 2 skipped, 1 suppressed, 1 failed, 3 retries"
    narrow, wide = terminal(), terminal(columns=160)
    for term in (narrow, wide):
        term.do(f"start(1); tally(1, {numbers})")
    assert f"   {counts}" in narrow.shows("retries")
    line = next(line for line in wide.shows("retries") if "@task" in line)
    assert line.endswith(f"  {counts}")
    assert " 60% " in line
    assert " 6/10 " in line


def test_log_lines_outside_flows_show_the_time_once_a_second(terminal: Callable[..., Any]) -> None:
    """As on the first page: the second line of a second is aligned below the first."""
    term = terminal()
    term.do("time.strftime = lambda *_: '[12:49:06]'")
    term.do("done(); done(label=repr('World'), seconds=1.01)")
    term.do("done('transform', \"[{'word': 'Hello', 'count': 1}, ...]\", seconds=0.001)")
    assert term.end() == [
        "[12:49:06] Task extract('Hello') finished in 1.00s",
        "           Task extract('World') finished in 1.01s",
        "           Task transform([{'word': 'Hello', 'count': 1}, ...]) finished in",
        "           0.00s",
    ]


def test_print_and_logging_pass_above_the_display(terminal: Callable[..., Any]) -> None:
    """Also a handler that was made before the display; no line is broken, doubled or lost."""
    term = terminal(early=True)
    term.do("start(1); tally(1, queued=4)")
    term.shows("@task")
    term.do("print('from print'); logging.getLogger('user').warning('from logging')")
    term.do("sys.stderr.write('from stderr\\n'); print('old', file=sys.__stdout__)")
    printed = ["from print", "WARNING from logging", "from stderr", "old"]
    lines = term.shows("old", "@task")
    assert lines[:4] == printed
    assert re.fullmatch(FLOW, lines[4])
    term.do("finish(1); print('after')")
    assert [line for line in term.end() if "Flow" not in line] == [*printed, "after"]


def test_long_output_scrolls_and_the_display_stays_at_the_end(terminal: Callable[..., Any]) -> None:
    """More lines than the terminal has: each appears once and in order."""
    term = terminal(rows=12)
    term.do("start(1); tally(1, queued=4)")
    term.shows("@task")
    term.do("for i in range(200): print('line', i)")
    lines = term.shows("line 199", "@task")
    assert lines[:9] == [f"line {i}" for i in range(191, 200)]
    assert lines[9].startswith("@flow")
    assert term.raw.count(b"line 150\r\n") == 1


def test_unfinished_lines_stay_where_they_are(terminal: Callable[..., Any]) -> None:
    """`print(end='')` is shown once flushed, and continues after it; `\\r` restarts the line."""
    term = terminal()
    term.do("start(1); tally(1, queued=4)")
    term.shows("@task")
    term.do("print('loading', end='', flush=True)")
    assert term.shows("loading")[0] == "loading"
    term.frames()
    term.do("print(' ... ready'); print('10%', end='\\r'); print('20%', end='\\r')")
    term.frames()
    lines = term.shows("20%", "@task")
    assert lines[:2] == ["loading ... ready", "20%"]
    assert re.fullmatch(FLOW, lines[2])
    term.do("print('100%'); print('held back', end=''); finish(1)")
    lines = term.end()
    assert lines[:2] == ["loading ... ready", "100%"]
    assert sum("held back" in line for line in lines) == 1


def test_prints_of_many_threads_keep_their_lines(terminal: Callable[..., Any]) -> None:
    """Lines are written whole, however many threads print."""
    term = terminal(rows=60)
    term.do("start(1); tally(1, queued=4)")
    term.shows("@task")
    term.do("def many(n):\n    for i in range(5): print(n, 'says', i)")
    term.do("ts = [threading.Thread(target=many, args=(n,)) for n in range(8)]")
    term.do("[t.start() for t in ts]; [t.join() for t in ts]; finish(1)")
    lines = [line for line in term.end() if "Flow" not in line]
    assert sorted(lines) == sorted(f"{n} says {i}" for n in range(8) for i in range(5))


def test_output_of_a_subprocess_is_kept(terminal: Callable[..., Any]) -> None:
    """A program that inherits the terminal writes where the cursor is, above the display."""
    term = terminal()
    term.do("start(1); tally(1, queued=4)")
    term.shows("@task")
    term.do("os.system('echo WARNING: from outside >&2')")
    term.frames()
    assert term.shows("@task")[0] == "WARNING: from outside"
    term.do("print('next'); finish(1)")
    assert term.end()[:2] == ["WARNING: from outside", "next"]


def test_streams_and_thread_are_restored(terminal: Callable[..., Any]) -> None:
    """After the last flow, streams, threads and cursor are as before, even if it failed."""
    term = terminal()
    term.do("before = dict(vars(sys.stdout)), dict(vars(sys.stderr)), sys.stdout, sys.stderr")
    term.do("start(1); tally(1, queued=4)")
    term.shows("@task")
    term.do("assert 'write' in vars(sys.stderr); tally(1, failed=1)")
    term.do("finish(1, 'failed', ValueError('no\\nvideo'), 3.2)")
    term.do("assert before == (dict(vars(sys.stdout)), dict(vars(sys.stderr)), sys.stdout, sys.stderr)")
    term.do("[thread.join() for thread in threading.enumerate() if thread.name == 'asflow-summary']")
    term.do("assert threading.active_count() == 1, threading.enumerate()")
    assert "failed (ValueError: no video): 1 failed in 3.2 s" in term.end()[0]
    assert not term.screen.cursor.hidden


def test_ctrl_c_leaves_a_clean_terminal(terminal: Callable[..., Any]) -> None:
    """An interrupted flow removes its lines; the summary follows the traceback, which is whole."""
    term = terminal(rows=40)
    term.do("import traceback; start(1); tally(1, queued=4)")
    term.shows("@task")
    term.do(
        "try:\n    raise KeyboardInterrupt\nexcept KeyboardInterrupt as e:\n"
        "    finish(1, 'cancelled', e, 0.5); traceback.print_exc()"
    )
    lines = term.end()
    assert lines[0] == "Traceback (most recent call last):"
    assert lines[-2] == "KeyboardInterrupt"
    assert "Flow transcripts() cancelled after 0.5 s" in lines[-1]
    assert not any("━" in line for line in lines)


def test_a_program_that_ends_in_the_middle_leaves_a_clean_terminal(terminal: Callable[..., Any]) -> None:
    """A flow on a daemon thread never reports its end; the display is removed at exit."""
    term = terminal()
    term.do("start(1); tally(1, queued=4)")
    term.shows("@task")
    term.do("print('last words')")
    assert term.end() == ["last words"]
    assert term.process.returncode == 0


@pytest.mark.parametrize("columns", [10, 20, 24, 40, 60, 100, 160])
def test_any_width(terminal: Callable[..., Any], columns: int) -> None:
    """Narrow or wide, each row is one line, and the most important parts are there."""
    term = terminal(columns=columns)
    term.do("start(1); tally(1, queued=100, completed=50)")
    term.do("tally(1).active.update({i: Call('number=' + str(i)) for i in range(9)})")
    term.frames()
    lines = term.shows("…" if columns < 20 else "… and 5"[: columns - 9])
    assert len(lines) == 7
    assert lines[0].startswith("@flow"[: columns - 2])
    if columns >= 20:
        assert "  50/100" in lines[1]
    if columns >= 40:
        assert re.search(r"  50/100 +[\d.]+/s  \d+\.\d s$", lines[1])
    if columns >= 100:
        assert re.search(r"━+[╸╺]━+  50% [\d:]+ left  50/100", lines[1])


def test_resize(terminal: Callable[..., Any]) -> None:
    """The display fits the current window, and nothing of the old width remains."""
    term = terminal(columns=120, rows=20)
    term.do("print('above'); start(1); tally(1, queued=100, completed=50)")
    term.shows("50/100")
    term.resize(50, 20)
    term.shows("@task extr", until=lambda: len(term.lines) == 3 and not any("━" in at for at in term.lines))
    term.resize(120, 20)
    lines = term.shows("50/100", "@task extract()", "━")
    assert lines[0] == "above"
    assert len(lines) == 3
    term.do("finish(1)")
    assert len(term.end()) == 2


def test_more_than_the_height_holds(terminal: Callable[..., Any]) -> None:
    """With many tasks, the display fits the screen, shows less detail, and says how much it omits."""
    term = terminal(rows=10)
    term.do("start(1, 'big')")
    term.do("calls = {j: Call(str(j)) for j in range(9)}")
    term.do("for i in range(40): tally(1, f'task{i}', queued=9).active.update(calls)")
    lines = term.shows("more lines")
    assert len(lines) <= 10
    assert "@flow big()" in lines[0]


def test_thousands_of_flows_in_a_flow(terminal: Callable[..., Any]) -> None:
    """Flows called by a flow share a row that counts them, and have no summary each."""
    term = terminal()
    term.do("start(1, 'all')")
    term.do("for i in range(2, 2002): start(i, 'part', str(i), parent=1); tally(i, queued=1, completed=1)")
    term.do("for i in range(2, 502): finish(i)")
    lines = term.shows("@flow part()", "500/2,000", "… and 1,496 more flows")
    assert len(lines) <= 24
    assert any("@flow part(502)" in line for line in lines)
    term.do("for i in range(502, 2002): finish(i)")
    term.do("finish(1)")
    lines = term.end()
    assert len(lines) == 1
    assert "Flow all(): 2,000 done in 41 s" in lines[0]


def test_concurrent_flows_of_several_sinks_share_one_display(terminal: Callable[..., Any]) -> None:
    """Two sinks, flows in two threads: one live area; the first summary is above the other flow."""
    term = terminal()
    term.do("other = RichSink(refresh_per_second=20)")
    term.do("start(1, 'one'); t = threading.Thread(target=start, args=(2, 'two'), kwargs={'sink': other})")
    term.do("t.start(); t.join(); tally(1, queued=1); tally(2, queued=1)")
    term.frames()
    lines = term.shows("@flow one", "@flow two")
    titles = ["@flow one", "@task extract", "@flow two", "@task extract"]
    assert [line.split("(")[0].strip() for line in lines] == titles
    term.do("finish(1)")
    summary = "Flow one() finished in 41 s"
    lines = term.shows(summary, "@flow two", until=lambda: not any("@flow one" in at for at in term.lines))
    assert summary in lines[0]
    assert "@flow two()" in lines[1]
    term.do("finish(2, sink=other)")
    assert len(term.end()) == 2


def test_progress_false_shows_nothing_of_the_flow_and_what_it_calls(terminal: Callable[..., Any]) -> None:
    """`@flow(progress=False)`: no display, no summary, no thread."""
    term = terminal()
    term.do("start(1, progress=False); start(2, 'inner', parent=1); tally(2, queued=1)")
    term.do("assert threading.active_count() == 1")
    term.do("finish(2); finish(1); print('end')")
    assert term.end() == ["end"]


def test_progress_of_the_only_call_is_shown_in_the_task_line(terminal: Callable[..., Any]) -> None:
    """`flow.task.progress` moves the task's own bar; its description is shown after the numbers."""
    term = terminal(columns=110)
    term.do("start(1); tally(1, queued=1)")
    term.do("tally(1).active[1] = Call('x', time.monotonic() - 30, 30, 100, 'page 3')")
    line = next(line for line in term.shows("page 3") if "@task" in line)
    assert re.fullmatch(
        r" @task extract\(\)    ━+[╸╺]━+  30% 1:\d\d left  30/100  1\.0/s +(29|30) s  page 3", line
    )


def test_amounts_in_bytes(terminal: Callable[..., Any]) -> None:
    """With `unit='B'`: how many, of how many, how fast. Words take the bar's place if need be.

    The frame may have been begun before the call was added, so that less time has passed in it.
    """
    term = terminal()
    term.do("start(1); tally(1, queued=1)")
    term.do("call = Call('x', time.monotonic() - 4, 4_100_000, 12_000_000, 'fetching'); call.unit = 'B'")
    term.do("tally(1).active[1] = call")
    line = next(line for line in term.shows("fetching") if "@task" in line)
    assert re.fullmatch(
        r" @task extract\(\) +fetching +34% 0:0\d left  4\.1/12\.0 MB +[\d.]+ [kM]B/s  (3\.9|4\.\d) s", line
    )


def test_no_color(terminal: Callable[..., Any]) -> None:
    """With NO_COLOR, the finished part of a bar still differs from the rest."""
    term = terminal(env={"NO_COLOR": "1"})
    term.do("start(1); tally(1, queued=100, completed=50, skipped=1)")
    lines = term.shows("@task", "1 skipped")
    assert re.search("━{4,}[╸╺]?─{4,}", lines[1])
    term.do("finish(1); done()")
    term.end()
    assert not re.search(rb"\x1b\[[0-9;]*[34][0-9][0-9;]*m", term.raw)


def test_color(terminal: Callable[..., Any]) -> None:
    """With color, the finished part of a bar has one and the rest another."""
    term = terminal()
    term.do("start(1); tally(1, queued=100, completed=50)")
    term.frames()
    term.shows("@task")
    end = term.lines[1].rindex("━")
    row = term.screen.buffer[1]
    assert row[20].fg != row[end].fg != "default"


def test_ascii_if_the_terminal_has_nothing_else(terminal: Callable[..., Any]) -> None:
    """An old code page: only ASCII characters are written."""
    term = terminal(env={"PYTHONUTF8": "0", "PYTHONIOENCODING": "ascii"})
    term.do("start(1); tally(1, queued=100, completed=50).active.update({i: Call(str(i)) for i in range(9)})")
    lines = term.shows("@task", "... and 5 more calls")
    assert "####" in lines[1]
    assert "----" in lines[1]
    term.do("done(label='gr\\u00f6\\u00dfe')")
    term.do("finish(1)")
    term.end()
    assert term.raw.isascii()


@pytest.mark.parametrize("env", [{"TERM": "dumb"}, {"CI": "true"}, {"TTY_INTERACTIVE": "0"}])
def test_plain_lines_on_terminals_without_a_viewer(terminal: Callable[..., Any], env: dict[str, str]) -> None:
    """A dumb terminal, and one that a CI service records, get lines without escape codes."""
    term = terminal(env=env)
    term.do("start(1); tally(1, queued=1, completed=1); finish(1); done()")
    lines = term.end()
    assert [line[11:] for line in lines] == [
        "Flow transcripts() started",
        "Flow transcripts(): 1 done in 41 s",
        "Task extract('Hello') finished in 1.00s",
    ]
    assert b"\x1b" not in term.raw


def test_stdout_in_a_file_is_left_alone(terminal: Callable[..., Any], tmp_path: Path) -> None:
    """`python main.py > out.txt`: the file has what was printed, the terminal the display."""
    out = tmp_path / "out.txt"
    term = terminal(stdout=out)
    term.do("start(1); tally(1, queued=4)")
    term.shows("@task")
    term.do("assert 'write' not in vars(sys.stdout); print('table'); finish(1)")
    lines = term.end()
    assert len(lines) == 1
    assert "Flow transcripts() finished" in lines[0]
    assert out.read_bytes() == b"table\n"


def test_a_forked_child_leaves_the_display_to_its_parent(terminal: Callable[..., Any]) -> None:
    """The child can print and run flows; it shows no bars, and the parent's go on."""
    term = terminal()
    term.do("start(1); tally(1, queued=4)")
    term.shows("@task")
    term.do(
        "import warnings; warnings.simplefilter('ignore')\n"
        "pid = os.fork()\n"
        "if not pid:\n"
        "    print('child', flush=True); finish(1); start(2, 'inner'); tally(2, queued=1)\n"
        "    os._exit(threading.active_count() - 1)\n"
        "status = os.waitpid(pid, 0)[1]"
    )
    term.do("assert os.waitstatus_to_exitcode(status) == 0")
    term.frames()
    assert term.shows("@task")[0] == "child"
    term.do("finish(1)")
    assert not any("inner" in line for line in term.end())


def test_labels_that_raise_or_hold_control_characters(terminal: Callable[..., Any]) -> None:
    """A user's repr can't break the display."""
    term = terminal()
    term.do("class Bad(Call):\n    label = property(lambda self: 1 / 0)")
    term.do("start(1); tally(1, queued=4).active.update({1: Bad(''), 2: Call('a\\nb\\x1b[2Jc')})")
    lines = term.shows("@task", "a b [2Jc")
    assert lines[2].lstrip().startswith("?")


def test_a_display_that_fails_restores_the_terminal(terminal: Callable[..., Any]) -> None:
    """An error in the display's thread is logged once; the flow goes on without a display."""
    term = terminal(rows=60)
    term.do("start(1); tally(1, queued=4)")
    term.shows("@task")
    term.do("tally(1, queued=None)")
    term.shows("asflow's display failed; the flow goes on")
    term.do("[t.join(20) for t in threading.enumerate() if t.name == 'asflow-display']")
    term.do("assert 'write' not in vars(sys.stderr); tally(1, queued=4); print('going on'); finish(1)")
    lines = term.end()
    assert "going on" in lines
    assert "finished in 41 s" in lines[-1]


def test_verbose_true_logs_above_the_display(terminal: Callable[..., Any]) -> None:
    """Log lines of calls in flows, and one for a flow in a flow."""
    term = terminal()
    term.do("sink = RichSink(verbose=True, refresh_per_second=20); start(1, sink=sink); tally(1, queued=2)")
    term.shows("@task")
    term.do("done(flow_id=1, outcome='skipped', error=ValueError('odd'), sink=sink)")
    assert term.shows("Task extract('Hello') skipped after 1.00s: ValueError: odd", "@task")
    term.do("start(2, 'inner', parent=1, sink=sink); finish(2, sink=sink); finish(1, sink=sink)")
    assert sum("Flow" in line for line in term.end()) == 2
