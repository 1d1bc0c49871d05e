"""What holds for every test: nothing is left behind for the next one, and in CI nothing is left out for want of
something the machine should have."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator

import pytest
import structlog

WANT = "needs"
"""How the reason of such a skip begins: ``needs a second user``, ``needs tmpfs``."""


@pytest.fixture(autouse=True)
def _logs_as_they_were() -> Iterator[None]:
    """A command that a test runs in this process sets up logging for the whole process."""
    root = logging.getLogger()
    level = root.level
    yield
    if structlog.is_configured():
        structlog.reset_defaults()
        root.setLevel(level)
        for handler in [one for one in root.handlers if type(one).__module__.startswith("syncd.")]:
            root.removeHandler(handler)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    lacking = [_told(report) for report in _lacking(terminalreporter)]
    if lacking and _in_ci():
        terminalreporter.section("left out in CI for want of something", sep="=", red=True)
        for line in lacking:
            terminalreporter.line(line)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """A green run that left something out for want of a service is red in CI."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter is not None and _in_ci() and session.exitstatus == pytest.ExitCode.OK and _lacking(reporter):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def _in_ci() -> bool:
    return os.environ.get("CI", "").lower() in {"1", "true", "yes"}


def _lacking(reporter: pytest.TerminalReporter) -> list[pytest.TestReport]:
    return [report for report in reporter.stats.get("skipped", []) if _reason(report).startswith(WANT)]


def _reason(report: pytest.TestReport) -> str:
    text = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    return str(text).removeprefix("Skipped: ")


def _told(report: pytest.TestReport) -> str:
    return f"{report.nodeid}: {_reason(report)}"
