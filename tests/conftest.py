"""Options of the whole suite, and the rule that continuous integration skips only what the kernel lacks."""

import os

import pytest

from tests.support import progress
from tests.support.requirements import NOT_IN_THIS_KERNEL


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--accept", action="store_true", help="write golden files and budgets anew")


def pytest_configure() -> None:
    """Here pytest does not capture yet, and standard error is that of the caller."""
    progress.use(os.dup(2))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> object:  # noqa: ARG001
    report: pytest.TestReport = yield
    if report.skipped and os.environ.get("CI") == "true" and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        if not reason.removeprefix("Skipped: ").startswith(NOT_IN_THIS_KERNEL):
            report.outcome = "failed"
            report.longrepr = f"skipped in continuous integration: {reason}"
    return report
