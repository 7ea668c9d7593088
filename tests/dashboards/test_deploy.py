"""deploy/: every file is valid for the server that reads it, and ports, paths and names in them agree."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.exporter_process import COMMAND
from tests.support.prometheus import Prometheus
from tests.support.wait import wait_until

from .documents import DOCUMENTS, ROOT, RULES
from .test_contract import rules

DEPLOY = ROOT / "deploy"
PROMETHEUS = DEPLOY / "prometheus" / "prometheus.yml"
ALERTMANAGER = DEPLOY / "alertmanager" / "alertmanager.yml"
PROVISIONING = DEPLOY / "grafana" / "provisioning"
COMPOSE: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]


def said(*command: str | Path) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_prometheus_takes_its_configuration_and_all_rules():
    assert said("promtool", "check", "config", PROMETHEUS).count("rules found") == len(RULES)


def test_alertmanager_takes_its_configuration():
    assert "SUCCESS" in said("amtool", "check-config", ALERTMANAGER)


def test_a_prometheus_without_a_container_runs_from_the_same_file(tmp_path: Path):
    with Prometheus(tmp_path, PROMETHEUS) as server:
        wait_until(server.ready, "Prometheus")
        loaded = [rule["name"] for group in server.get("rules")["groups"] for rule in group["rules"]]
        assert sorted(loaded) == sorted(rule.get("record") or rule["alert"] for rule in rules())
        wait_until(lambda: server.get("targets")["activeTargets"], "the target")
        (target,) = server.get("targets")["activeTargets"]
        assert target["labels"]["job"] == "copy-exporter"
        (manager,) = yaml.safe_load(PROMETHEUS.read_text())["alerting"]["alertmanagers"]
        assert manager["static_configs"][0]["targets"] == [f"localhost:{port('alertmanager')}"]


def port(service: str) -> str:
    """Where it listens, as its command or environment has it."""
    told = SERVICES[service].get("environment", {})
    if "GF_SERVER_HTTP_PORT" in told:
        return str(told["GF_SERVER_HTTP_PORT"])
    found = re.search(r"--web\.listen-address[= ]127\.0\.0\.1:(\d+)", " ".join(SERVICES[service]["command"]))
    assert found
    return found[1]


def test_ports_agree():
    prometheus = yaml.safe_load(PROMETHEUS.read_text())
    (scraped,) = prometheus["scrape_configs"]
    assert scraped["static_configs"] == [{"targets": [f"localhost:{port('exporter')}"]}]
    (source,) = yaml.safe_load((PROVISIONING / "datasources" / "prometheus.yaml").read_text())["datasources"]
    assert source["url"] == f"http://localhost:{port('prometheus')}"
    assert source["jsonData"]["timeInterval"] == prometheus["global"]["scrape_interval"]
    used = re.findall(r"127\.0\.0\.1:(\d+)", SERVICES["kafka"]["environment"]["KAFKA_LISTENERS"])
    used += [port(name) for name in ("exporter", "prometheus", "alertmanager", "grafana")]
    assert len(used) == len(set(used))


def mounts(service: str) -> dict[str, str]:
    """Sources by paths in the container."""
    return {target: source for source, target, *_ in (one.split(":") for one in SERVICES[service].get("volumes", []))}


@pytest.mark.parametrize("service", SERVICES)
def test_what_is_mounted_is_there(service):
    for target, source in mounts(service).items():
        known = source in COMPOSE["volumes"] or (DEPLOY / source).exists()
        assert known, f"{service}: {source} for {target}"


def outside(service: str, path: str) -> Path:
    """The file of this repository that a service finds under a path."""
    for target, source in mounts(service).items():
        if path == target or path.startswith(f"{target}/"):
            return (DEPLOY / source / path.removeprefix(target).lstrip("/")).resolve()
    raise AssertionError(f"{service} has no {path}")


def test_paths_in_containers_lead_to_our_files():
    for service, file in (("prometheus", PROMETHEUS), ("alertmanager", ALERTMANAGER)):
        found = re.search(r"--config\.file=(\S+)", " ".join(SERVICES[service]["command"]))
        assert found
        assert outside(service, found[1]) == file
        if service == "prometheus":
            (pattern,) = yaml.safe_load(file.read_text())["rule_files"]
            folder = (Path(found[1]).parent / pattern).parent
            inside = Path("/").joinpath(*_without_dots(folder.parts[1:]))
            assert outside(service, str(inside)) == RULES[0].parent
    told = SERVICES["grafana"]["environment"]
    assert outside("grafana", told["GF_PATHS_PROVISIONING"]) == PROVISIONING
    home = outside("grafana", told["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"])
    assert home.stem in DOCUMENTS
    (provider,) = yaml.safe_load((PROVISIONING / "dashboards" / "copy-exporter.yaml").read_text())["providers"]
    assert provider["options"]["path"] == "$DASHBOARDS"
    assert {path.stem for path in outside("grafana", told["DASHBOARDS"]).glob("*.json")} == set(DOCUMENTS)


def _without_dots(parts: tuple[str, ...]) -> list[str]:
    kept: list[str] = []
    for part in parts:
        if part == "..":
            kept.pop()
        else:
            kept.append(part)
    return kept


def test_the_image_is_built_from_our_dockerfile():
    context = (DEPLOY / SERVICES["exporter"]["build"]["context"]).resolve()
    assert context == ROOT
    assert (context / "Dockerfile").is_file()


def test_the_exporters_flags_exist():
    command = said(COMMAND, "serve", "--help")
    for word in SERVICES["exporter"]["command"]:
        assert not word.startswith("--") or word in command


def test_alerts_that_the_alertmanager_knows_exist():
    names = {rule["alert"] for rule in rules() if "alert" in rule}
    named = re.findall(r"alertname = (\w+)", ALERTMANAGER.read_text())
    assert set(named) <= names
