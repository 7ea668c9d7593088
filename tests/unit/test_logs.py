"""The rate limit of log lines: which are left out, and how their number is reported."""

import logging

import pytest

from exporter.logs import RateLimit


class LimitedLog:
    """A logger with the limit, a clock that only the test moves, and the lines that were written."""

    def __init__(self) -> None:
        self.now = 0.0
        self.limit = RateLimit(lambda: self.now)
        self.logger = logging.getLogger("tests.limited")

    def warn(self, count: int) -> None:
        for number in range(count):
            self.logger.warning("client %d", number)


@pytest.fixture
def log(caplog):
    limited = LimitedLog()
    caplog.handler.addFilter(limited.limit)
    yield limited
    caplog.handler.removeFilter(limited.limit)


def test_surplus_lines_are_left_out_and_counted(log, caplog):
    log.warn(RateLimit.LINES + 5)
    assert len(caplog.messages) == RateLimit.LINES
    log.limit.report()
    assert len(caplog.messages) == RateLimit.LINES
    log.now = RateLimit.SECONDS
    log.limit.report()
    assert caplog.messages[-1] == "left out 5 lines in 60 s like: client 0"
    log.warn(1)
    assert caplog.messages[-1] == "client 0"


def test_the_number_is_reported_before_a_later_line(log, caplog):
    log.warn(RateLimit.LINES + 1)
    log.now = RateLimit.SECONDS
    log.warn(1)
    assert caplog.messages[-2:] == ["left out 1 lines in 60 s like: client 0", "client 0"]


def test_each_place_has_a_limit_and_information_a_higher_one(log, caplog):
    log.warn(RateLimit.LINES)
    caplog.set_level(logging.INFO)
    log.logger.warning("another place")
    for _ in range(2 * RateLimit.INFORMATION_LINES):
        log.logger.info("information")
    assert len(caplog.messages) == RateLimit.LINES + 1 + RateLimit.INFORMATION_LINES
    log.now = RateLimit.SECONDS
    log.limit.report()
    assert caplog.messages[-1] == "left out 100 lines in 60 s like: information"
