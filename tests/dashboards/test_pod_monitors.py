"""The shipped PodMonitors, as the operator's scrape configuration in a real Prometheus, whose targets are pods."""

import base64
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.paths import ROOT
from tests.support.pod_monitor import pod, scrape_configuration
from tests.support.ports import LOOPBACK
from tests.support.prometheus import Prometheus
from tests.support.rule_files import ALERTS, rules
from tests.support.wait import wait_until

from . import constant_series as constants

FAST = {"scrape_interval": "1s", "scrape_timeout": "1s"}
USERNAME, PASSWORD, NODE = "prometheus", "secret", "broker-1"
SERIES = Counter(row.name for row in constants.ROWS)
(DOWN,) = [rule.expression for rule in rules(ALERTS) if rule.name == "ExporterDown"]
AUTHORIZATION = {
    "kubernetes": "",
    "kubernetes-with-users": f"Basic {base64.b64encode(f'{USERNAME}:{PASSWORD}'.encode()).decode()}",
}


@pytest.fixture(params=AUTHORIZATION)
def manifests(request: pytest.FixtureRequest, tmp_path: Path) -> list[dict[str, Any]]:
    """As kustomize builds them."""
    for folder in AUTHORIZATION:
        shutil.copytree(ROOT / "deploy" / folder, tmp_path / folder)
    for name, text in {"web.yml": "{}", "username": USERNAME, "password": PASSWORD}.items():
        (tmp_path / "kubernetes-with-users" / name).write_text(text)
    built = subprocess.run(
        ["kubectl", "kustomize", tmp_path / request.param], check=True, capture_output=True, text=True
    ).stdout
    return list(yaml.safe_load_all(built))


@pytest.fixture
def address(request: pytest.FixtureRequest) -> Iterator[str]:
    """Of an exporter, which asks for the password where the manifests have one."""
    server = constants.serve(authorization=AUTHORIZATION[request.node.callspec.params["manifests"]])
    yield f"{LOOPBACK}:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_it_scrapes_the_pods_of_the_daemon_set_once(manifests: list[dict[str, Any]], address: str, tmp_path: Path):
    """A series is of a node, not of a pod. Other ports, other pods and pods that have ended are no targets."""
    (monitor,) = [manifest for manifest in manifests if manifest["kind"] == "PodMonitor"]
    (daemon,) = [manifest for manifest in manifests if manifest["kind"] == "DaemonSet"]
    labels = daemon["spec"]["template"]["metadata"]["labels"]
    (container,) = daemon["spec"]["template"]["spec"]["containers"]
    (port,) = [each["name"] for each in container["ports"]]
    targets = [
        pod(address, NODE, labels, port=port),
        pod(address, "another-port", labels, port="http"),
        pod(address, "another-pod", {"app.kubernetes.io/name": "node-exporter"}, port=port),
        pod(address, "ended", labels, port=port, phase="Succeeded"),
    ]
    config = {"scrape_configs": [{**scrape_configuration(monitor, secrets(manifests), targets), **FAST}]}
    with Prometheus(tmp_path, config) as prometheus:
        wait_until(prometheus.ready, "Prometheus")
        wait_until(lambda: prometheus.number("sum(up)") == 1, "a scrape")
        (up,) = prometheus.instant("up")
        found = prometheus.instant('count by (__name__, instance) ({__name__=~"(copy|process)_.+"})')
        down = DOWN.replace("== 0", "== 1")
        assert [series.labels["instance"] for series in prometheus.instant(down)] == [NODE]
    assert up.labels["instance"] == NODE
    assert Counter({series.labels["__name__"]: int(series.values[0]) for series in found}) == SERIES
    assert {series.labels["instance"] for series in found} == {NODE}


def secrets(manifests: list[dict[str, Any]]) -> dict[tuple[str, str], str]:
    return {
        (manifest["metadata"]["name"], key): base64.b64decode(value).decode()
        for manifest in manifests
        if manifest["kind"] == "Secret"
        for key, value in manifest["data"].items()
    }
