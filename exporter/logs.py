"""Log lines on standard error, as logfmt or JSON. Lines that a client or a process can cause are limited by rate."""

import json
import logging
import re
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TextIO

FORMATS = ("logfmt", "json")
LEVELS = ("debug", "info", "warning", "error")
_log = logging.getLogger(__name__)
_BARE = re.compile(r"[^\s\"=]+")


class _Formatter(logging.Formatter):
    def __init__(self, as_json: bool) -> None:
        super().__init__()
        self._as_json = as_json

    def format(self, record: logging.LogRecord) -> str:
        seconds = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        fields = {
            "ts": f"{seconds}.{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "msg": record.getMessage(),
        }
        if record.exc_info:
            fields["exception"] = self.formatException(record.exc_info)
        if self._as_json:
            return json.dumps(fields)
        return " ".join(
            f"{key}={value if _BARE.fullmatch(value) else json.dumps(value)}" for key, value in fields.items()
        )


@dataclass
class _Window:
    end: float
    example: str
    max_lines: int
    lines: int = 0


class RateLimit(logging.Filter):
    """Leaves out lines from a place in the code that has written too many, and counts them."""

    LINES = 10
    """Warnings and errors."""
    INFORMATION_LINES = 100
    """More than a busy host has: a process that pretends to be a broker can start again and again."""
    SECONDS = 60.0

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """``clock`` returns seconds."""
        super().__init__()
        self._clock = clock
        self._lock = threading.Lock()
        self._windows: dict[tuple[str, int], _Window] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether to write the line."""
        if record.name == __name__:
            return True
        self.report()
        place = record.pathname, record.lineno
        with self._lock:
            if place not in self._windows:
                max_lines = self.LINES if record.levelno >= logging.WARNING else self.INFORMATION_LINES
                example = record.getMessage().strip()
                self._windows[place] = _Window(self._clock() + self.SECONDS, example, max_lines)
            window = self._windows[place]
            window.lines += 1
            return window.lines <= window.max_lines

    def report(self) -> None:
        """Log how many lines were left out in each period that has ended. Call it from time to time."""
        now = self._clock()
        with self._lock:
            ended = {place: window for place, window in self._windows.items() if window.end <= now}
            for place in ended:
                del self._windows[place]
        for window in ended.values():
            left_out = window.lines - window.max_lines
            if left_out > 0:
                _log.warning("left out %d lines in %g s like: %s", left_out, self.SECONDS, window.example)


rate_limit = RateLimit()
"""Of the log of the process."""


class _Handler(logging.StreamHandler[TextIO]):
    """Counts the lines that cannot be written, instead of printing a traceback for each: the disk may be full."""

    lost = 0

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: ARG002, N802  # the standard library's name
        """Count the line; the caller holds the handler's lock."""
        _Handler.lost += 1


def lost_lines() -> int:
    """The number of log lines that could not be written since the start."""
    return _Handler.lost


def set_up(level: str, log_format: str) -> None:
    """Write lines of ``level`` and above to standard error, in one of :data:`FORMATS`."""
    handler = _Handler(sys.stderr)
    handler.setFormatter(_Formatter(as_json=log_format == "json"))
    handler.addFilter(rate_limit)
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    # uvicorn logs its start and end, and each malformed request; asyncio each client that leaves during an answer
    logging.getLogger("uvicorn").setLevel(logging.ERROR)
    logging.getLogger("asyncio").setLevel(logging.ERROR)
