"""What holds for every test: a skip can be made a failure, and hypothesis measures no time.

What all of them need is kept out of the garbage collector, which would go through it again and again.
"""

from __future__ import annotations

import gc
import logging
import os
import re
import signal
import sys
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings, strategies
from support.drawing import examples

if TYPE_CHECKING:
    from collections.abc import Generator

    from _pytest.terminal import TerminalReporter

# A shared machine stalls now and then; slowness is measured by benchmarks, not by tests.
settings.register_profile(
    "asflow",
    settings(),
    deadline=None,
    max_examples=examples(100),
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("asflow")

# A shell starts background jobs with Ctrl-C ignored, and every process that a test starts would inherit that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Have three workers for two processors with `-n auto`: a third of a test's time it waits."""
    processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return processors + (processors + 1) // 2


def _forbidden_skips(config: pytest.Config) -> list[object]:
    """Skipped tests and modules, where ASFLOW_NO_SKIP forbids them (in CI everything is installed).

    ASFLOW_MAY_SKIP is a regular expression: a skip whose reason matches it is allowed all the same.
    """
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None or not os.environ.get("ASFLOW_NO_SKIP"):
        return []
    allowed = re.compile(os.environ.get("ASFLOW_MAY_SKIP") or "(?!)")
    skipped: list[object] = list(reporter.stats.get("skipped", ()))
    return [report for report in skipped if not allowed.search(str(getattr(report, "longrepr", "")))]


def _register() -> None:
    """Have Hypothesis make its random numbers now: `gc.get_referrers` does not see what is frozen later."""

    @given(strategies.none())
    def nothing(_: None) -> None: ...

    nothing()


@pytest.hookimpl(wrapper=True)
def pytest_collection(session: pytest.Session) -> Generator[None, object, object]:
    """Collect without the garbage collector: nearly all that is made then stays to the end."""
    _register()
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()


@pytest.fixture
def monkeypatch(request: pytest.FixtureRequest) -> Generator[pytest.MonkeyPatch]:
    """As pytest's, but undone before the test's folder is removed, which calls what a test may replace."""
    if "tmp_path" in request.fixturenames:
        request.getfixturevalue("tmp_path")
    with pytest.MonkeyPatch.context() as patch:
        yield patch


@pytest.fixture(scope="module", autouse=True)
def _small_heap() -> None:
    """Let the garbage collector pass over what is there before the tests of a file: tests, and libraries.

    Many tests call `gc.collect()`, which takes a millisecond then instead of half a second. Forked children
    copy fewer pages.
    """
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="module", autouse=True)
def _loggers() -> None:
    """Let Streamlit's sixty loggers pass on what they are given: pytest listens at the one at the top.

    Six times in each test it would add its handler to every logger that doesn't, and remove it again.
    """
    for name, logger in list(logging.root.manager.loggerDict.items()):
        if isinstance(logger, logging.Logger) and name.startswith("streamlit"):
            logger.propagate = True


@pytest.fixture(autouse=True)
def _own_main(monkeypatch: pytest.MonkeyPatch) -> None:
    """Restore `__main__`, which a page run by Streamlit's AppTest leaves behind: spawned processes run it."""
    monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    if exitstatus in {pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED} and _forbidden_skips(
        session.config
    ):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: TerminalReporter) -> None:
    if skipped := _forbidden_skips(terminalreporter.config):
        terminalreporter.section("failed: ASFLOW_NO_SKIP is set", red=True)
        for report in skipped:
            reason = getattr(report, "longrepr", None)
            terminalreporter.write_line(f"skipped: {getattr(report, 'nodeid', report)}: {reason}")
