"""Network devices: parsed traffic, the metrics of them, and the log lines when they cannot be read."""

import os

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families

from exporter.host.network_devices import NetworkDevices, Traffic, parse_traffic
from exporter.metrics.collector import CopyCollector, NetworkCollector
from exporter.metrics.text_format import encode
from tests.support.sample_network_devices import SampleNetworkDevices

DEV = """\
Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo: 124765741687 10607328 0 0 0 0 0 0 124765741687 10607328 0 0 0 0 0 0
eth0:2751971037   67938    0    0    0     0          0         0  5021975   46242    0    0    0     0       0          0
 br:0: 1 2 3 4 5 6 7 8 18446744073709551615 10 11 12 13 14 15 16
"""  # noqa: E501


def shown(devices: SampleNetworkDevices) -> dict[str, float]:
    registry = CollectorRegistry()
    registry.register(CopyCollector([NetworkCollector(devices)], (), tuple, {}))
    families = text_string_to_metric_families(encode(registry, openmetrics=False).decode())
    return {
        f"{sample.name} {next(iter(sample.labels.values()), '')}".rstrip(): sample.value
        for family in families
        for sample in family.samples
    }


def test_numbers_of_each_device():
    assert parse_traffic(DEV) == {
        "lo": Traffic(124765741687, 124765741687),
        "eth0": Traffic(2751971037, 5021975),
        "br:0": Traffic(1, 18446744073709551615),
    }


@pytest.mark.parametrize("separator", [b"\x1c", b"\x1e", b"\xc2\x85", b"\xe2\x80\xa8"])
def test_only_a_newline_ends_the_line_of_a_device(separator, tmp_path):
    net = tmp_path / "1/net"
    net.mkdir(parents=True)
    names = [b"a" + separator + b"b", separator, b"\xff", b"\xfe"]
    header, lines = b"1\n2\n", [b"%6s: 1 0 0 0 0 0 0 0 2 0 0 0 0 0 0 0\n" % name for name in names]
    (net / "dev").write_bytes(header + b"".join(lines))
    assert {os.fsencode(name) for name in NetworkDevices(str(tmp_path)).traffic()} == set(names)


def test_what_is_not_known_is_absent():
    values = shown(SampleNetworkDevices())
    assert {name for name in values if "speed" in name} == {"copy_network_speed_bytes eth0"}
    gather = {name.split()[1]: value for name, value in values.items() if "scatter_gather" in name}
    assert gather == {"lo": 1, "eth0": 0}
    assert values["copy_network_receive_bytes_total eth0"] == 1 << 40
    assert values["copy_network_transmit_bytes_total new"] == 8


def test_unreadable_devices_are_logged_once_until_they_can_be_read(caplog):
    devices = SampleNetworkDevices(readable=False)
    registry = CollectorRegistry()
    registry.register(CopyCollector([NetworkCollector(devices)], (), tuple, {}))

    def scrape() -> str:
        return encode(registry, openmetrics=False).decode()

    failed = 'copy_exporter_scrape_success{collector="network"} 0\n'
    assert failed in scrape()
    assert failed in scrape()
    assert "copy_network" not in scrape()
    assert caplog.text.count("/proc/1/net/dev") == 1
    devices.readable = True
    assert "copy_network_receive_bytes_total{" in scrape()
    devices.readable = False
    assert failed in scrape()
    assert caplog.text.count("/proc/1/net/dev") == 2


def test_a_host_without_such_files_is_no_error(tmp_path, caplog):
    network = NetworkDevices(str(tmp_path))
    network.refresh()
    assert network.links == {}
    assert "copy_network_speed_bytes" in caplog.text
