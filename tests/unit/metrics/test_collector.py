"""The whole exposition of a small host, against golden files; and every family against the contract.

To accept a wanted change: rerun with --accept and look at the difference in git.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from exporter.counting.attribution import Attribution
from exporter.counting.sampler import Sampler
from exporter.counting.series import Limits
from exporter.metrics import catalog, docs
from exporter.metrics.catalog.exporter import SCRAPE_DURATION
from exporter.metrics.collector import CopyCollector, NetworkCollector, ProcessesCollector
from exporter.metrics.text_format import encode, negotiate
from exporter.model import ProbeState
from tests.support.sample_data import COPYING, DIRECT, DISK, EAGAIN, READ, RECEIVED, SENDFILE, SLOW, SampleHost
from tests.support.sample_network_devices import SampleNetworkDevices

GOLDEN = Path(__file__).parent / "golden"
CHANGING = re.compile(
    r"^(copy_exporter_scrape_duration_seconds\{[^}]*\} |copy_host_cpus |copy_exporter_build_info\{|"
    r"\w+_created\{[^}]*\} )(.*)$",
    re.MULTILINE,
)
PROBES = (
    ProbeState("syscalls", "sys_exit", "raw_tracepoint", True),
    ProbeState("sendfile", "syscalls/sys_enter_sendfile64", "tracepoint", False, "Permission denied", "run as root"),
)


def small_host() -> SampleHost:
    host = SampleHost()
    java = host.start(100, "java")
    for row, amount in ((READ, 4096), (SENDFILE, 1 << 40), (EAGAIN, 0), (DISK, 8192), (RECEIVED, 512)):
        host.count(java, row, amount)
    host.count(java, DIRECT, 4096)
    host.count(java, SLOW, 5_000_000, events=2)
    host.count(java, COPYING, 3 * 10_101_010, events=3)
    host.count(host.start(101, 'a"b\\c\nd'), READ, 1)
    short = host.start(102, "cat")
    host.count(short, READ, 7)
    host.end(short)
    return host


def registry(host: SampleHost, *, created: bool = False, by_comm: bool = False) -> CollectorRegistry:
    attribution = Attribution(Limits(by_comm=by_comm))
    sampler = Sampler(host, host, attribution, lambda: host.now_ns)  # type: ignore[arg-type]
    flags = {family.flag for family in catalog.FAMILIES}
    processes = ProcessesCollector(sampler.read, flags=flags, created=created)
    made = CollectorRegistry()
    made.register(
        CopyCollector([processes, NetworkCollector(SampleNetworkDevices())], PROBES, lambda: sampler.stalled_probes)
    )
    return made


def samples(families: Iterator[object]) -> set[tuple[str, tuple[tuple[str, str], ...], float]]:
    return {
        (sample.name, tuple(sorted(sample.labels.items())), sample.value)
        for family in families
        for sample in family.samples  # type: ignore[attr-defined]
        if not sample.name.endswith("_created") and sample.name != SCRAPE_DURATION.name
    }


@pytest.mark.parametrize(
    ("name", "created", "by_comm"), [("text", False, False), ("openmetrics", True, False), ("by_comm", False, True)]
)
def test_the_exposition_is_the_golden_one(name, created, by_comm, request):
    written = encode(registry(small_host(), created=created, by_comm=by_comm), openmetrics=created).decode()
    steady = CHANGING.sub(r"\1…", written)
    golden = GOLDEN / f"{name}.prom"
    if request.config.getoption("--accept"):
        golden.write_text(steady)
    assert steady == golden.read_text()


def test_text_has_the_samples_that_prometheus_client_writes():
    made = registry(small_host())
    ours, theirs = encode(made, openmetrics=False).decode(), generate_latest(made).decode()
    assert samples(parse_text(ours)) == samples(parse_text(theirs))


def test_openmetrics_has_the_samples_that_prometheus_client_writes():
    made = registry(small_host(), created=True)
    ours, theirs = encode(made, openmetrics=True).decode(), generate_openmetrics(made).decode()
    assert samples(parse_openmetrics(ours)) == samples(parse_openmetrics(theirs))


def test_every_family_is_of_the_contract():
    collected = {family.name: family for family in registry(small_host()).collect()}
    promised = {family.name.removesuffix("_total"): family for family in catalog.FAMILIES}
    assert collected.keys() == promised.keys()
    for name, family in collected.items():
        assert family.type == promised[name].type
        for sample in family.samples:
            assert set(sample.labels) - {"le"} == set(promised[name].labels) - {"partition"}, sample


def test_kept_labels_show_the_present_values():
    host = small_host()
    made = registry(host)
    encode(made, openmetrics=False)
    host.count(next(iter(host.comms)), READ, 1)
    lines = encode(made, openmetrics=False).decode()
    expected = (
        'pid="100",comm="java",mechanism="cpu",syscall="read",source="page_cache",destination="user",port=""} 4097\n'
    )
    assert f"copy_bytes_total{{{expected}" in lines


def test_a_failed_read_leaves_no_half_filled_families(caplog):
    host = small_host()
    made = registry(host)
    host.sample = lambda: (_ for _ in ()).throw(OSError(1, "Operation not permitted"))  # type: ignore[method-assign]
    families = {family.name: family for family in parse_text(encode(made, openmetrics=False).decode())}
    success = {sample.labels["collector"]: sample.value for sample in families["copy_exporter_scrape_success"].samples}
    assert success == {"processes": 0, "network": 1}
    assert "copy_syscalls" not in families
    assert "copy_exporter_probe_attached" in families
    assert "Operation not permitted" in caplog.text


@pytest.mark.parametrize(
    ("accept", "openmetrics"),
    [
        ("", False),
        ("*/*", False),
        ("text/plain;version=0.0.4", False),
        ("application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75", True),
    ],
)
def test_negotiation(accept, openmetrics):
    wanted, content_type = negotiate(accept)
    assert wanted is openmetrics
    assert content_type.startswith("application/openmetrics-text" if openmetrics else "text/plain")


def test_the_page_in_docs_is_the_contract():
    page = Path(__file__).parents[3] / "docs" / "metrics.md"
    assert page.read_text() == docs.page(), "run make docs"
