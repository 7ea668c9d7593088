"""From a reading to metrics: which samples there are, and what happens when a collector fails."""

from dataclasses import replace

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families as parse_text

from exporter.metrics import catalog
from exporter.metrics.catalog.exporter import PROBE_RUN_SECONDS, PROBE_RUNS, PROCESSES
from exporter.metrics.text_format import encode
from tests.support.sample_data import READ, SLOW
from tests.unit.metrics.small_host import JAVA, PORTS, registry_of, small_host


def values(registry: CollectorRegistry, name: str, **labels: str) -> list[float]:
    """The values of all samples that have this name and these labels."""
    return [
        sample.value
        for metric in registry.collect()
        for sample in metric.samples
        if sample.name == name and labels.items() <= sample.labels.items()
    ]


def test_kept_labels_show_the_present_values():
    host = small_host()
    registry = registry_of(host)
    labels = {"pid": str(JAVA), "syscall": "read"}
    assert values(registry, "copy_bytes_total", **labels) == [4096]
    host.count(host.alive(JAVA), READ, 1)
    assert values(registry, "copy_bytes_total", **labels) == [4097]


def test_the_ports_of_a_process_are_one_series_of_the_host():
    registry = registry_of(small_host())
    sendfile = {"mechanism": "zero_copy", "syscall": "sendfile"}
    ports = [values(registry, "copy_bytes_total", port=str(port), **sendfile) for port in PORTS]
    assert ports == [[1 << 40], [1]]
    assert values(registry, "copy_host_bytes_total", **sendfile) == [(1 << 40) + 1]
    assert values(registry, "copy_host_syscalls_total", syscall="sendfile") == [3]


def test_only_copies_with_a_reason_are_lost_zero_copy():
    registry = registry_of(small_host())
    labels = {"pid": "100", "comm": "java", "port": "9093", "reason": "kernel_tls"}
    assert values(registry, "copy_zero_copy_lost_bytes_total") == [2048]
    assert values(registry, "copy_zero_copy_lost_bytes_total", **labels) == [2048]
    assert values(registry, "copy_bytes_total", mechanism="cpu", syscall="sendfile") == [2048]


def test_reads_of_the_block_layer_are_bytes_and_no_system_calls():
    registry = registry_of(small_host())
    assert values(registry, "copy_bytes_total", source="disk", syscall="") == [8192]
    assert values(registry, "copy_syscalls_total", source="disk") == values(
        registry, "copy_syscalls_total", source="disk", syscall="pread64"
    )


def test_rows_of_one_bucket_are_added_up():
    host = small_host()
    host.count(host.alive(JAVA), SLOW._replace(port=PORTS[0]), 7_000_000, events=3)
    registry = registry_of(host)
    assert values(registry, "copy_sendfile_duration_seconds_count", pid=str(JAVA)) == [5]
    assert values(registry, "copy_sendfile_duration_seconds_sum", pid=str(JAVA)) == [0.012]


def test_families_with_a_flag_need_it():
    host = small_host()
    for family in (PROBE_RUNS, PROBE_RUN_SECONDS):
        assert values(registry_of(host, [family.flag]), family.name)
        assert not values(registry_of(host, []), family.name)
    assert values(registry_of(host, []), "copy_exporter_probe_missed_runs_total")


@pytest.mark.parametrize("error", [OSError(1, "Operation not permitted"), ValueError("Operation not permitted" * 999)])
def test_a_collector_that_fails_leaves_out_its_families_alone(error, caplog):
    host = small_host()
    registry, sample = registry_of(host), host.sample
    host.sample = lambda: (_ for _ in ()).throw(error)
    for _ in range(2):
        names = {metric.name for metric in parse_text(encode(registry, openmetrics=False).decode())}
        assert "copy_syscalls" not in names
        assert {"copy_exporter_probe_attached", "copy_network_receive_bytes"} <= names
        assert values(registry, "copy_exporter_scrape_success", collector="processes") == [0]
        assert values(registry, "copy_exporter_scrape_success", collector="network") == [1]
    (line,) = caplog.messages
    assert type(error).__name__ in line
    assert "Operation not permitted" in line
    assert len(line) < 400
    host.sample = sample
    assert values(registry, "copy_exporter_scrape_success", collector="processes") == [1]
    assert values(registry, "copy_syscalls_total")


def test_families_are_made_whole_before_any_is_shown(monkeypatch):
    """The last family of the collector fails, after it has shown a sample."""

    def fail(_reading):
        yield ("tracked",), 1
        raise LookupError("a bad value")

    monkeypatch.setattr(catalog, "READING_FAMILIES", (*catalog.READING_FAMILIES, replace(PROCESSES, values=fail)))
    registry = registry_of(small_host())
    names = {metric.name for metric in parse_text(encode(registry, openmetrics=False).decode())}
    assert not {"copy_syscalls", "copy_bytes", "copy_exporter_processes"} & names
    assert "copy_network_receive_bytes" in names
    assert values(registry, "copy_exporter_scrape_success", collector="processes") == [0]
