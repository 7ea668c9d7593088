"""docs/web.md has the keys of the web configuration file and the limits that the code has."""

import re
from pathlib import Path

import pytest

import exporter
from exporter.web import connections, middleware, server, viewers
from exporter.web.web_config import UNSUPPORTED_KEYS, HttpServerConfig, TlsServerConfig, WebConfigFile

PAGE = (Path(exporter.__file__).parent.parent / "docs/web.md").read_text()
ROWS = [[cell.strip() for cell in line.strip("|").split("|")] for line in PAGE.splitlines() if line.startswith("| ")]


def test_every_key_is_listed():
    sections = {"tls_server_config", "http_server_config"}
    models = (TlsServerConfig, HttpServerConfig, WebConfigFile)
    keys = {key for model in models for key in model.model_fields} - sections | set(UNSUPPORTED_KEYS)
    listed = {key for row in ROWS if len(row) == 2 for key in re.findall(r"`(\w+)`", row[0])}
    assert listed == keys
    for section in sections:
        assert section in PAGE


@pytest.mark.parametrize(
    ("subject", "limit"),
    [
        ("connections", f"`--web.max-requests` + {server.CONNECTIONS_BESIDE_SCRAPES}"),
        ("viewers of the", f"{viewers.MAX_VIEWERS};"),
        ("time for a viewer", f"{connections.STREAM_SECONDS:g} s"),
        ("request line and headers", f"{middleware.MAX_HEADER_BYTES >> 10} KiB"),
        ("request body", f"{middleware.MAX_BODY_BYTES >> 10} KiB"),
        ("time from connecting", f"{connections.REQUEST_SECONDS:g} s"),
        ("time from the request", f"{connections.ANSWER_SECONDS:g} s"),
        ("idle time", f"{connections.IDLE_SECONDS:g} s"),
        ("time for unfinished requests", f"{server.SHUTDOWN_SECONDS} s"),
    ],
)
def test_limits_are_listed(subject, limit):
    (row,) = (row for row in ROWS if row[0].startswith(subject))
    assert row[1].startswith(limit)
