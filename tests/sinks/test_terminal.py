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
BAR = "━" * 40


def test_the_picture_of_the_tutorial(terminal: Callable[..., Any]) -> None:
    """A flow, its task with bar, percentage and the running calls by argument, on 80 columns."""
    term = terminal()
    term.do("start(1); tally(1, queued=870, completed=7)")
    term.frames()
    term.do("tally(1, completed=18)")
    term.do(
        "tally(1).active.update({i: Call(repr(v)) for i, v in enumerate(['F6PqxbvOCUI', 'Pv0iVoSZzN8'])})"
    )
    lines = term.shows("Pv0iVoSZzN8", "  2% 0:")
    assert lines[0] == ""
    assert lines[1] == f"@flow transcripts() {BAR}   0% -:--:--"
    assert re.fullmatch(r" @task extract\(\)    ╸━{39}   2% \d:\d\d:\d\d", lines[2])
    assert lines[3] == f"       F6PqxbvOCUI  {BAR}   0% -:--:--"
    assert lines[4] == f"       Pv0iVoSZzN8  {BAR}   0% -:--:--"
    assert len(lines) == 5


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
    assert line.endswith(f"  6/10, {counts}")
    assert " 60% " in line


def test_log_lines_outside_flows_show_the_time_once_a_second(terminal: Callable[..., Any]) -> None:
    """As on the first page: the second line of a second is aligned below the first."""
    term = terminal()
    term.do("time.strftime = lambda *_: '[12:49:06]'")
    term.do("done(); done(label=repr('World'), seconds=1.01)")
    term.do("done('transform', \"[{'word': 'Hello', 'count': 1}, ...]\", seconds=0.001)")
    assert term.end() == [
        "[12:49:06] Task extract('Hello') finished in 1.00s",
        "           Task extract('World') finished in 1.01s",
        "           Task transform([{'word': 'Hello', 'count': 1}, ...]) finished in 0.00",
        "s",  # wrapped by the terminal
    ]


def test_print_and_logging_pass_above_the_display(terminal: Callable[..., Any]) -> None:
    """Also a handler that was made before the display; no line is broken, doubled or lost."""
    term = terminal(early=True)
    term.do("start(1); tally(1, queued=4)")
    term.shows("@task")
    term.do("print('from print'); logging.getLogger('user').warning('from logging')")
    term.do("sys.stderr.write('from stderr\\n'); print('old', file=sys.__stdout__)")
    printed = ["from print", "WARNING from logging", "from stderr", "old"]
    assert term.shows("old", "@task")[:6] == [*printed, "", f"@flow transcripts() {BAR}   0% -:--:--"]
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
    assert lines[9] == ""
    assert lines[10].startswith("@flow")
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
    assert term.shows("20%", "@task")[:3] == [
        "loading ... ready",
        "20%",
        f"@flow transcripts() {BAR}   0% -:--:--",
    ]
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
    term.do("assert threading.active_count() == 1, threading.enumerate()")
    assert "failed (ValueError: no video): 1 failed in 3.2 s" in term.end()[0]
    assert not term.screen.cursor.hidden


def test_ctrl_c_leaves_a_clean_terminal(terminal: Callable[..., Any]) -> None:
    """An interrupted flow removes its lines; the traceback follows whole."""
    term = terminal(rows=40)
    term.do("import traceback; start(1); tally(1, queued=4)")
    term.shows("@task")
    term.do(
        "try:\n    raise KeyboardInterrupt\nexcept KeyboardInterrupt as e:\n"
        "    finish(1, 'cancelled', e, 0.5); traceback.print_exc()"
    )
    lines = term.end()
    assert "Flow transcripts() cancelled after 0.5 s" in lines[0]
    assert lines[1] == "Traceback (most recent call last):"
    assert lines[-1] == "KeyboardInterrupt"
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
    assert len(lines) == 8
    assert lines[1].startswith("@flow"[: columns - 2])
    if columns >= 20:
        assert " 50%" in lines[2]
    if columns >= 40:
        assert re.search(r"━+[╸╺]━+  50% -:--:--", lines[2])


def test_resize(terminal: Callable[..., Any]) -> None:
    """The display fits the current window, and nothing of the old width remains."""
    term = terminal(columns=120, rows=20)
    term.do("print('above'); start(1); tally(1, queued=100, completed=50)")
    term.shows("50/100")
    term.resize(50, 20)
    term.shows(until=lambda: any(line.endswith("-:--:--") for line in term.lines))
    assert len(term.lines) == 4
    term.resize(120, 20)
    lines = term.shows("50/100")
    assert lines[0] == "above"
    assert len(lines) == 4
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
    assert "@flow big()" in lines[1]


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
    assert [line.split("(")[0].strip() for line in lines[1:]] == titles
    term.do("finish(1)")
    summary = "Flow one() finished in 41 s"
    lines = term.shows(summary, "@flow two", until=lambda: not any("@flow one" in at for at in term.lines))
    assert summary in lines[0]
    assert "@flow two()" in lines[2]
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
    """`flow.task.progress` moves the task's own bar; its description is shown after it."""
    term = terminal()
    term.do("start(1); tally(1, queued=1)")
    term.do("tally(1).active[1] = Call('x', time.monotonic() - 30, 30, 100, 'page 3')")
    line = next(line for line in term.shows("page 3") if "@task" in line)
    assert re.fullmatch(r" @task extract\(\)    ━+[╸╺]━+  30% 0:01:\d\d  page 3", line)


def test_no_color(terminal: Callable[..., Any]) -> None:
    """With NO_COLOR, the finished part of a bar still differs from the rest."""
    term = terminal(env={"NO_COLOR": "1"})
    term.do("start(1); tally(1, queued=100, completed=50, skipped=1)")
    lines = term.shows("@task", "1 skipped")
    assert re.search("━{17}╸?─{17}", lines[2])
    term.do("finish(1); done()")
    term.end()
    assert not re.search(rb"\x1b\[[0-9;]*[34][0-9][0-9;]*m", term.raw)


def test_color(terminal: Callable[..., Any]) -> None:
    """With color, the finished part of a bar has one and the rest another."""
    term = terminal()
    term.do("start(1); tally(1, queued=100, completed=50)")
    term.frames()
    term.shows("@task")
    row = term.screen.buffer[2]
    assert row[20].fg != row[58].fg != "default"


def test_ascii_if_the_terminal_has_nothing_else(terminal: Callable[..., Any]) -> None:
    """An old code page: only ASCII characters are written."""
    term = terminal(env={"PYTHONUTF8": "0", "PYTHONIOENCODING": "ascii"})
    term.do("start(1); tally(1, queued=100, completed=50).active.update({i: Call(str(i)) for i in range(9)})")
    lines = term.shows("@task", "... and 5 more calls")
    assert "####" in lines[2]
    assert "----" in lines[2]
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
    assert lines[3].lstrip().startswith("?")


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
