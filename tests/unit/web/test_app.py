"""The application with a host in memory: what it answers while a collector fails."""

import asyncio
from collections.abc import Iterator
from types import SimpleNamespace

import httpx
import pytest

from exporter.counting.attribution import Attribution
from exporter.counting.sampler import Sampler
from exporter.counting.series import Limits
from exporter.metrics.collector import NetworkCollector
from exporter.web.app import create_app
from tests.support.sample_network_devices import SampleNetworkDevices
from tests.unit.metrics.small_host import PROBES, small_host

OPENMETRICS = {"accept": "application/openmetrics-text; version=1.0.0"}


@pytest.fixture
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as running:
        yield running


def test_not_ready_while_the_processes_collector_fails(
    runner: asyncio.Runner, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    host = small_host()
    sampler = Sampler(host, host, Attribution(Limits()), lambda: host.now_ns)  # type: ignore[arg-type]
    config = SimpleNamespace(telemetry_path="/metrics", enabled_flags=(), disable_ui=True)
    app = create_app(sampler, PROBES, [NetworkCollector(SampleNetworkDevices())], config, None)  # type: ignore[arg-type]

    client = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test")

    def get(path: str, **headers: str) -> httpx.Response:
        return runner.run(client.get(path, headers=headers))

    sampler.drain()
    assert get("/-/ready").status_code == 200
    with monkeypatch.context() as patched:
        patched.setattr(host, "stat", lambda _: int("no number"))
        for headers in ({}, OPENMETRICS, {}):
            scrape = get("/metrics", **headers)
            assert scrape.status_code == 200
            assert 'copy_exporter_scrape_success{collector="processes"} 0\n' in scrape.text
            assert 'copy_exporter_scrape_success{collector="network"} 1\n' in scrape.text
            assert "copy_bytes" not in scrape.text
        sampler.drain()
        ready = get("/-/ready")
        assert ready.status_code == 503
        assert "ValueError: invalid literal" in ready.text
        (line,) = [message for message in caplog.messages if "collector" in message]
        assert "ValueError" in line
    assert 'copy_exporter_scrape_success{collector="processes"} 1\n' in get("/metrics").text
    assert get("/-/ready").status_code == 200
