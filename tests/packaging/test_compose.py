"""compose.yaml and the configuration files that it mounts: valid, and ports, paths, rights and names in them agree."""

import posixpath
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.exporter_process import COMMAND
from tests.support.paths import ROOT
from tests.support.prometheus import Prometheus
from tests.support.wait import wait_until

DEPLOY = ROOT / "deploy"
DASHBOARDS = ROOT / "dashboards" / "grafana"
RULES = sorted((ROOT / "dashboards" / "prometheus").glob("*.rules.yml"))
PROMETHEUS = DEPLOY / "prometheus" / "prometheus.yml"
ALERTMANAGER = DEPLOY / "alertmanager" / "alertmanager.yml"
PROVISIONING = DEPLOY / "grafana" / "provisioning"
COMPOSE: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
KAFKA_PROFILE = {"kafka", "producer", "consumer"}
SERVICE_KEYS = {
    *("build", "cap_add", "cap_drop", "command", "depends_on", "environment", "image", "network_mode", "pid"),
    *("profiles", "read_only", "restart", "security_opt", "tmpfs", "ulimits", "volumes"),
}
"""Keys of the Compose specification that are used here: a typing error is none of them."""


def output(*command: str | Path) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def rules() -> list[dict[str, str]]:
    return [rule for path in RULES for group in yaml.safe_load(path.read_text())["groups"] for rule in group["rules"]]


def command_of(service: str) -> str:
    return " ".join(SERVICES[service]["command"])


def port(service: str) -> str:
    """The port on which a service listens, from its environment or command."""
    environment = SERVICES[service].get("environment", {})
    if "GF_SERVER_HTTP_PORT" in environment:
        return str(environment["GF_SERVER_HTTP_PORT"])
    found = re.search(r"--web\.listen-address[= ]127\.0\.0\.1:(\d+)", command_of(service))
    assert found
    return found[1]


def mounts(service: str) -> dict[str, str]:
    """Sources of the mounts, by their path in the container."""
    volumes = [volume.split(":") for volume in SERVICES[service].get("volumes", [])]
    return {target: source for source, target, *_ in volumes}


def on_host(service: str, path: str) -> Path:
    """The file of the checkout that a service sees under a path."""
    for target, source in mounts(service).items():
        if path == target or path.startswith(f"{target}/"):
            return (DEPLOY / source / path.removeprefix(target).lstrip("/")).resolve()
    raise AssertionError(f"{service} has no {path}")


def test_services() -> None:
    assert set(COMPOSE) <= {"name", "services", "volumes", "x-common"}
    assert set(SERVICES) == {"exporter", "prometheus", "alertmanager", "grafana", *KAFKA_PROFILE}
    assert {name for name, service in SERVICES.items() if service.get("profiles")} == KAFKA_PROFILE
    for service in SERVICES.values():
        assert set(service) <= SERVICE_KEYS
        assert service["network_mode"] == "host"
        assert set(service.get("depends_on", [])) <= set(SERVICES)


@pytest.mark.parametrize("service", sorted(set(SERVICES) - {"exporter"}))
def test_images_have_a_version(service: str) -> None:
    assert re.fullmatch(r"[a-z]+/[a-z]+:v?\d+\.\d+\.\d+", SERVICES[service]["image"])


def test_the_exporters_image_is_built_from_the_dockerfile() -> None:
    context = (DEPLOY / SERVICES["exporter"]["build"]["context"]).resolve()
    assert context == ROOT
    assert (context / "Dockerfile").is_file()


def test_the_exporters_capabilities_are_those_of_the_unit() -> None:
    exporter = SERVICES["exporter"]
    unit = (DEPLOY / "systemd/copy-exporter.service").read_text()
    (ambient,) = re.findall(r"^AmbientCapabilities=(.*)$", unit, re.MULTILINE)
    assert {f"CAP_{name}" for name in exporter["cap_add"]} == set(ambient.split())
    assert exporter["cap_drop"] == ["ALL"]
    assert exporter["pid"] == "host"
    assert exporter["read_only"] is True


def test_the_exporters_flags_exist() -> None:
    flags = [word for word in SERVICES["exporter"]["command"] if word.startswith("--")]
    known = re.findall(r"--[\w.-]+", output(COMMAND, "serve", "--help"))
    assert flags
    assert set(flags) <= set(known)


@pytest.mark.parametrize("service", SERVICES)
def test_mounted_files_exist(service: str) -> None:
    for target, source in mounts(service).items():
        assert source in COMPOSE["volumes"] or (DEPLOY / source).exists(), f"{service}: {source} for {target}"


def test_volumes_are_used() -> None:
    assert {source for service in SERVICES for source in mounts(service).values()} >= set(COMPOSE["volumes"])


def test_ports_agree() -> None:
    prometheus = yaml.safe_load(PROMETHEUS.read_text())
    (job,) = prometheus["scrape_configs"]
    assert job["static_configs"] == [{"targets": [f"localhost:{port('exporter')}"]}]
    (source,) = yaml.safe_load((PROVISIONING / "datasources" / "prometheus.yaml").read_text())["datasources"]
    assert source["url"] == f"http://localhost:{port('prometheus')}"
    assert source["jsonData"]["timeInterval"] == prometheus["global"]["scrape_interval"]
    brokers = re.findall(r"127\.0\.0\.1:(\d+)", SERVICES["kafka"]["environment"]["KAFKA_LISTENERS"])
    used = [*brokers, *(port(name) for name in ("exporter", "prometheus", "alertmanager", "grafana"))]
    assert len(set(used)) == len(used) == 6
    for client in ("producer", "consumer"):
        assert f"127.0.0.1:{brokers[0]}" in command_of(client)


@pytest.mark.parametrize(("service", "file"), [("prometheus", PROMETHEUS), ("alertmanager", ALERTMANAGER)])
def test_a_server_finds_its_configuration(service: str, file: Path) -> None:
    (path,) = re.findall(r"--config\.file=(\S+)", command_of(service))
    assert on_host(service, path) == file


def test_prometheus_finds_the_rules() -> None:
    (config,) = re.findall(r"--config\.file=(\S+)", command_of("prometheus"))
    (pattern,) = yaml.safe_load(PROMETHEUS.read_text())["rule_files"]
    path = posixpath.normpath(posixpath.join(posixpath.dirname(config), pattern))
    assert sorted(on_host("prometheus", posixpath.dirname(path)).glob(posixpath.basename(path))) == RULES


def test_grafana_finds_the_dashboards() -> None:
    environment = SERVICES["grafana"]["environment"]
    assert on_host("grafana", environment["GF_PATHS_PROVISIONING"]) == PROVISIONING
    assert on_host("grafana", environment["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]).parent == DASHBOARDS
    assert on_host("grafana", environment["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]).is_file()
    assert on_host("grafana", environment["DASHBOARDS"]) == DASHBOARDS
    (provider,) = yaml.safe_load((PROVISIONING / "dashboards" / "copy-exporter.yaml").read_text())["providers"]
    assert provider["options"]["path"] == "$DASHBOARDS"


def test_prometheus_accepts_its_configuration_and_all_rules() -> None:
    assert output("promtool", "check", "config", PROMETHEUS).count("rules found") == len(RULES)


def test_alertmanager_accepts_its_configuration() -> None:
    assert "SUCCESS" in output("amtool", "check-config", ALERTMANAGER)


def test_prometheus_runs_from_the_same_file_without_a_container(tmp_path: Path) -> None:
    with Prometheus(tmp_path, PROMETHEUS) as server:
        wait_until(server.ready, "Prometheus")
        loaded = [rule["name"] for group in server.get("rules")["groups"] for rule in group["rules"]]
        assert sorted(loaded) == sorted(rule.get("record") or rule["alert"] for rule in rules())
        wait_until(lambda: server.get("targets")["activeTargets"], "the target")
        (target,) = server.get("targets")["activeTargets"]
        assert target["labels"]["job"] == "copy-exporter"
        (manager,) = yaml.safe_load(PROMETHEUS.read_text())["alerting"]["alertmanagers"]
        assert manager["static_configs"][0]["targets"] == [f"localhost:{port('alertmanager')}"]


def test_alertmanager_routes_alerts_that_exist() -> None:
    routed = re.findall(r"alertname = (\w+)", ALERTMANAGER.read_text())
    assert routed
    assert set(routed) <= {rule["alert"] for rule in rules() if "alert" in rule}
