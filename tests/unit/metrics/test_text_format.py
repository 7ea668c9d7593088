"""The whole exposition of a small host, against golden files and prometheus-client's own writers.

To accept a wanted change: run again with --accept, and read the difference in git.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.exposition import generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from exporter.metrics.catalog.exporter import SCRAPE_DURATION
from exporter.metrics.text_format import encode
from tests.unit.metrics.small_host import registry_of, small_host

GOLDEN = Path(__file__).parent / "golden"
CHANGING = re.compile(
    r"^(copy_exporter_scrape_duration_seconds\{[^}]*\} |copy_host_cpus |copy_exporter_build_info\{|"
    r"\w+_created\{[^}]*\} )(.*)$",
    re.MULTILINE,
)


def samples(metrics: Iterator[object]) -> set[tuple[str, tuple[tuple[str, str], ...], float]]:
    return {
        (sample.name, tuple(sorted(sample.labels.items())), sample.value)
        for metric in metrics
        for sample in metric.samples  # type: ignore[attr-defined]
        if not sample.name.endswith("_created") and sample.name != SCRAPE_DURATION.name
    }


@pytest.mark.parametrize(
    ("name", "created", "by_comm"), [("text", False, False), ("openmetrics", True, False), ("by_comm", False, True)]
)
def test_the_exposition_is_the_golden_one(name, created, by_comm, request):
    written = encode(registry_of(small_host(), created=created, by_comm=by_comm), openmetrics=created).decode()
    steady = CHANGING.sub(r"\1…", written)
    golden = GOLDEN / f"{name}.prom"
    if request.config.getoption("--accept"):
        golden.write_text(steady)
    assert steady == golden.read_text()


def test_text_has_the_samples_that_prometheus_client_writes():
    registry = registry_of(small_host())
    ours, theirs = encode(registry, openmetrics=False).decode(), generate_latest(registry).decode()
    assert samples(parse_text(ours)) == samples(parse_text(theirs))


def test_openmetrics_has_the_samples_that_prometheus_client_writes():
    registry = registry_of(small_host(), created=True)
    ours, theirs = encode(registry, openmetrics=True).decode(), generate_openmetrics(registry).decode()
    assert samples(parse_openmetrics(ours)) == samples(parse_openmetrics(theirs))
