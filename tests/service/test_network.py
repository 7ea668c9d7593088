"""Network devices in the exposition: read without privileges, of the host that --path.procfs shows."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.exporter_process import ExporterProcess
from tests.support.requirements import skip_for_kernel
from tests.support.scrape import Scrape
from tests.support.wait import wait_until

LOOPBACK = "lo"


def numbers(device: str) -> dict[str, int]:
    """The counters in sysfs."""
    directory = Path("/sys/class/net", device, "statistics")
    return {name: int((directory / f"{name}_bytes").read_text()) for name in ("rx", "tx")}


def ready(service: ExporterProcess) -> Scrape:
    """A scrape after the first answers of the drivers."""
    wait_until(lambda: Scrape(service.metrics()).series("copy_network_scatter_gather"), "the first refresh")
    return Scrape(service.metrics())


@pytest.fixture(scope="module")
def service() -> Iterator[ExporterProcess]:
    with ExporterProcess() as started:
        yield started


def test_bytes_are_the_kernels(service: ExporterProcess) -> None:
    others, before = set(os.listdir("/sys/class/net")), numbers(LOOPBACK)
    scrape = ready(service)
    after = numbers(LOOPBACK)
    assert before["rx"] <= scrape.sum("copy_network_receive_bytes_total", device=LOOPBACK) <= after["rx"]
    assert before["tx"] <= scrape.sum("copy_network_transmit_bytes_total", device=LOOPBACK) <= after["tx"]
    devices = {row["device"] for row in scrape.series("copy_network_transmit_bytes_total")}
    others_later = set(os.listdir("/sys/class/net"))  # containers of the host come and go, with their devices
    assert others & others_later <= devices <= others | others_later


def test_speeds_are_those_of_sysfs_or_absent(service: ExporterProcess) -> None:
    scrape = ready(service)
    wired = [path.parent.name for path in Path("/sys/class/net").glob("*/device")]
    if not wired:
        skip_for_kernel("a network card")
    for device in wired:
        try:
            mbits = int(Path("/sys/class/net", device, "speed").read_text())
        except OSError:
            mbits = -1
        series = scrape.series("copy_network_speed_bytes", device=device)
        assert len(series) == (mbits > 0)
        assert scrape.sum("copy_network_speed_bytes", device=device) == (mbits * 125_000 if series else 0)


def test_loopback_gathers_and_has_no_speed(service: ExporterProcess) -> None:
    scrape = ready(service)
    assert scrape.sum("copy_network_scatter_gather", device=LOOPBACK) == 1
    assert scrape.series("copy_network_speed_bytes", device=LOOPBACK) == []
