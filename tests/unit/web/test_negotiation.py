"""Which format and compression an Accept header chooses."""

import pytest

from exporter.web.negotiation import OPENMETRICS, TEXT, accepts_gzip, choose_format


@pytest.mark.parametrize(
    "accept",
    [
        "application/openmetrics-text",
        "application/openmetrics-text; version=1.0.0",
        "Application/OpenMetrics-Text ; Version=1.0.0 ; Q=0.1",
        "application/openmetrics-text;version=2.0.0,application/openmetrics-text;version=1.0.0;q=0.5",
        "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,*/*;q=0.1",
        "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;q=0.5",
    ],
)
def test_openmetrics(accept):
    assert choose_format(accept) == (True, OPENMETRICS)


@pytest.mark.parametrize(
    "accept",
    [
        "",
        "*/*",
        "text/plain;version=0.0.4",
        "text/plain;version=1.0.0",
        *(
            f"application/openmetrics-text;version={version}"
            for version in ("abc", "1..0", '"1.0.0"', "2.0.0", "0.0.1")
        ),
        "application/openmetrics-text;q=0",
        "application/openmetrics-text;q=0.000, */*;q=0.1",
        "application/openmetrics-text;q=0.4,text/plain;q=0.5",
        "application/openmetrics-text;q=0.4,text/*",
        ";=;,;q=,=",
    ],
)
def test_text(accept):
    assert choose_format(accept) == (False, TEXT)


@pytest.mark.parametrize(
    ("accept_encoding", "is_accepted"),
    [("", False), ("gzip", True), ("br, GZIP;q=0.1", True), ("gzip;q=0", False), ("gzip;q=0.0", False), ("*", False)],
)
def test_gzip(accept_encoding, is_accepted):
    assert accepts_gzip(accept_encoding) is is_accepted
