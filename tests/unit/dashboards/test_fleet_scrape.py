"""deploy/prometheus/fleet.yml keeps what docs/fleet.md promises."""

import re

import pytest
import yaml

from exporter.metrics.catalog import FAMILIES
from tests.support.paths import ROOT
from tests.support.rule_files import ALERTS, rules
from tests.support.shipped_queries import selectors_behind

JOBS = yaml.safe_load((ROOT / "deploy" / "prometheus" / "fleet.yml").read_text())["scrape_configs"]
ALERTS_ON_TOTALS = {
    "ZeroCopyLost",
    "ZeroCopyRegression",
    "NetworkSaturatedBeforeCPU",
    "ExporterBlindDroppedUpdates",
    "ExporterBlindMissedRuns",
    "ExporterBlindProbeNotAttached",
    "ExporterBlindScrapeFailing",
    "ExporterBlindBrokerDiscovery",
}
"""Alerts on hosts, ports and the exporter, not on processes."""


def kept(name: str, port: str = "") -> bool:
    """Whether the job ``copy-exporter-totals`` keeps a series."""
    (job,) = [job for job in JOBS if job["job_name"] == "copy-exporter-totals"]
    (rule,) = job["metric_relabel_configs"]
    assert (rule["action"], rule["source_labels"]) == ("keep", ["__name__", "port"])
    return re.fullmatch(rule["regex"], f"{name};{port}") is not None


@pytest.mark.parametrize("name", sorted(ALERTS_ON_TOTALS))
def test_totals_are_enough_for_alerts_on_hosts_and_ports(name: str):
    found = {
        selector.name for rule in rules(ALERTS) if rule.name == name for selector in selectors_behind(rule.expression)
    }
    assert found
    assert {series for series in found if not kept(series, port="9092")} == set()


def test_totals_have_no_series_of_processes_but_those_of_watched_ports():
    of_processes = {family.name for family in FAMILIES if "pid" in family.labels and "_kafka_" not in family.name}
    assert {name for name in of_processes if kept(name)} == set()
    of_ports = {"copy_bytes_total", "copy_syscalls_total", "copy_zero_copy_lost_bytes_total"}
    assert {name for name in of_processes if kept(name, port="9092")} == of_ports
