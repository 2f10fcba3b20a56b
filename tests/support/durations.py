"""What each test takes, so that the suite can be kept quick: ``-p durations`` adds a line for each to the file DURATIONS names.

A line holds seconds on the wall, seconds of processor of the tests' own process and of the processes that it waited for, the
outcome, and the test.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

NAME = "DURATIONS"
_began: dict[str, tuple[float, float, float]] = {}
_failed: set[str] = set()


def _now() -> tuple[float, float, float]:
    times = os.times()
    return time.monotonic(), times.user + times.system, times.children_user + times.children_system


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> Iterator[None]:
    """Where a test begins."""
    _began[item.nodeid] = _now()
    return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[pytest.TestReport]:
    """What was spent when its last part ended; a worker's report carries it to who gathers."""
    report: pytest.TestReport = yield
    if report.when == "teardown" and item.nodeid in _began:
        report.spent = [b - a for a, b in zip(_began.pop(item.nodeid), _now(), strict=True)]
    return report


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Add the line; where there are workers, only who gathers has all reports, and they have none of the file."""
    if report.outcome != "passed":
        _failed.add(report.nodeid)
    spent = getattr(report, "spent", None)
    if spent is None or "PYTEST_XDIST_WORKER" in os.environ:
        return
    outcome = "other" if report.nodeid in _failed else "passed"
    with Path(os.environ[NAME]).open("a", encoding="utf-8") as out:
        out.write("{:8.3f} {:8.3f} {:8.3f} {} {}\n".format(*spent, outcome, report.nodeid))
