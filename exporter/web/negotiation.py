"""Chooses the format and the compression of metrics from a client's Accept headers (RFC 9110, section 12)."""

import re
from collections.abc import Iterator

OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"
TEXT = "text/plain; version=0.0.4; charset=utf-8"
_OPENMETRICS_VERSIONS = ("1.0.0", "")
"""Versions that a client can ask for and gets 1.0.0. For any other, OpenMetrics is not among what it accepts."""
_QUALITY = re.compile(r"0(\.[0-9]{0,3})?|1(\.0{0,3})?")


def choose_format(accept: str) -> tuple[bool, str]:
    """Whether to answer in OpenMetrics, and the content type of the answer. Text is the default."""
    openmetrics, text = 0.0, 0.0
    for value, parameters, quality in _preferences(accept):
        if value == "application/openmetrics-text" and parameters.get("version", "") in _OPENMETRICS_VERSIONS:
            openmetrics = max(openmetrics, quality)
        elif value in ("text/plain", "text/*", "*/*"):
            text = max(text, quality)
    wanted = 0 < openmetrics >= text
    return wanted, OPENMETRICS if wanted else TEXT


def accepts_gzip(accept_encoding: str) -> bool:
    """Whether the client names gzip, with a quality above 0."""
    return any(value == "gzip" and quality > 0 for value, _, quality in _preferences(accept_encoding))


def _preferences(header: str) -> Iterator[tuple[str, dict[str, str], float]]:
    """Value, parameters and quality of each member of the header. A quality that is not a number counts as 1."""
    for member in header.lower().split(","):
        value, *texts = (part.strip() for part in member.split(";"))
        parameters = {name.strip(): text.strip() for name, _, text in (part.partition("=") for part in texts)}
        quality = parameters.get("q", "1")
        yield value, parameters, float(quality) if _QUALITY.fullmatch(quality) else 1.0
