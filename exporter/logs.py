"""Log lines for machines: logfmt or JSON, on standard error."""

import json
import logging
import re
import sys
import time

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


def set_up(level: str, style: str) -> None:
    """Send everything from ``level`` upwards to standard error in ``style``."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Formatter(as_json=style == "json"))
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    # uvicorn tells of its own start and end, and of each request that is malformed: anybody could fill the log
    logging.getLogger("uvicorn").setLevel(logging.ERROR)
