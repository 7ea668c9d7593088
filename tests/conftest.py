"""Options of the whole suite, and the rule that continuous integration skips nothing that should run."""

import os

import pytest

MAY_BE_ABSENT = "not in this kernel:"
"""How the reason of a skip begins that continuous integration accepts: the machine's kernel lacks what is tested."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--accept", action="store_true", help="take what is written now for golden")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> object:  # noqa: ARG001
    report: pytest.TestReport = yield
    if report.skipped and os.environ.get("CI") == "true" and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        if not reason.removeprefix("Skipped: ").startswith(MAY_BE_ABSENT):
            report.outcome = "failed"
            report.longrepr = f"skipped, where continuous integration runs everything: {reason}"
    return report
