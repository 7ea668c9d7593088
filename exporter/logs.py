"""Log lines on standard error, as logfmt or JSON."""

import json
import logging
import re
import sys
import time
from typing import TextIO

FORMATS = ("logfmt", "json")
LEVELS = ("debug", "info", "warning", "error")
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
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    # uvicorn logs its start and end, and each malformed request: any client could fill the log
    logging.getLogger("uvicorn").setLevel(logging.ERROR)
