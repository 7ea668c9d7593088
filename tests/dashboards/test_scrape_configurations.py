"""Every scrape configuration that is shipped, run by a real Prometheus: it keeps what it promises, and once."""

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from exporter.metrics.catalog import FAMILIES
from tests.support.paths import ROOT
from tests.support.ports import LOOPBACK
from tests.support.prometheus import Prometheus
from tests.support.wait import wait_until

from . import constant_series as constants

SHIPPED = sorted((ROOT / "deploy" / "prometheus").glob("*.yml"))
FAST = {"scrape_interval": "1s", "scrape_timeout": "1s"}
TOTALS = "copy-exporter-totals"
SERIES = Counter(row.name for row in constants.ROWS)
OF_PROCESSES = {family.name for family in FAMILIES if "pid" in family.labels and "_kafka_" not in family.name}


@pytest.fixture(scope="module")
def target() -> Iterator[str]:
    server = constants.serve()
    yield f"{LOOPBACK}:{server.server_port}"
    server.shutdown()
    server.server_close()


def kept(directory: Path, config: dict[str, Any], target: str) -> Counter[str]:
    """How many series of each name a Prometheus has of the one exporter that the configuration names."""
    jobs = [{**job, **FAST} for job in config["scrape_configs"]]
    text = yaml.safe_dump({"scrape_configs": jobs}).replace("localhost:10435", target)
    file = directory / "prometheus.yml"
    file.write_text(text)
    with Prometheus(directory, file) as prometheus:
        wait_until(prometheus.ready, "Prometheus")
        wait_until(lambda: prometheus.number("min(up)") == 1, "a scrape")
        found = prometheus.instant('count by (__name__) ({__name__=~"(copy|process)_.+"})')
        return Counter({series.labels["__name__"]: int(series.values[0]) for series in found})


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_each_configuration_keeps_every_series_once(path: Path, target: str, tmp_path: Path):
    assert kept(tmp_path, yaml.safe_load(path.read_text()), target) == SERIES


def test_the_scrape_job_of_the_readme(target: str, tmp_path: Path):
    """Five lines below scrape_configs."""
    (block,) = re.findall(r"^( +)scrape_configs:\n((?:\1 .*\n)+)", (ROOT / "README.md").read_text(), re.MULTILINE)
    lines = block[1].splitlines()
    assert len(lines) <= 5
    assert kept(tmp_path, yaml.safe_load("\n".join([f"{block[0]}scrape_configs:", *lines])), target) == SERIES


def test_the_totals_keep_what_is_not_about_single_processes(target: str, tmp_path: Path):
    config = yaml.safe_load((ROOT / "deploy" / "prometheus" / "fleet.yml").read_text())
    (job,) = [job for job in config["scrape_configs"] if job["job_name"] == TOTALS]
    job["static_configs"] = [{"targets": ["localhost:10435"]}]
    found = kept(tmp_path, {"scrape_configs": [job]}, target)
    on_ports = Counter(row.name for row in constants.ROWS if row.name in OF_PROCESSES and row.labels.get("port"))
    of_hosts = {name: count for name, count in SERIES.items() if not is_of_processes(name)}
    assert found == Counter(of_hosts) + on_ports


def is_of_processes(name: str) -> bool:
    return any(name.startswith(family) for family in OF_PROCESSES)
