"""The manifests, as kustomize builds them, compared with the published schemas, the image and the systemd unit."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from exporter import __version__
from tests.support.paths import CACHE, ROOT

MANIFESTS = ROOT / "deploy/kubernetes"
OPERATOR = "@kubernetes-models/prometheus-operator@6.0.0"
KUBERNETES = "1.31"
VALIDATE = f"""
import {{ PodMonitor }} from "{OPERATOR.rpartition("@")[0]}/monitoring.coreos.com/v1/PodMonitor";
new PodMonitor(JSON.parse(process.argv[2])).validate();
"""


@pytest.fixture(scope="module")
def manifests() -> dict[str, dict[str, Any]]:
    """The manifests by kind."""
    built = subprocess.run(["kubectl", "kustomize", MANIFESTS], check=True, capture_output=True, text=True).stdout
    return {manifest["kind"]: manifest for manifest in yaml.safe_load_all(built)}


def container(manifests: dict[str, dict[str, Any]]) -> dict[str, Any]:
    (only,) = manifests["DaemonSet"]["spec"]["template"]["spec"]["containers"]
    return dict(only)


def test_kinds_and_names(manifests: dict[str, dict[str, Any]]) -> None:
    assert set(manifests) == {"Namespace", "DaemonSet", "PodMonitor"}
    assert {each["metadata"].get("namespace", "copy-exporter") for each in manifests.values()} == {"copy-exporter"}
    assert container(manifests)["image"] == f"copy-exporter:{__version__}"


@pytest.mark.parametrize("kind", ["Namespace", "DaemonSet"])
def test_schema(manifests: dict[str, dict[str, Any]], kind: str) -> None:
    kubernetes_validate.validate(manifests[kind], KUBERNETES, strict=True)


def test_the_schema_rejects_an_unknown_key(manifests: dict[str, dict[str, Any]]) -> None:
    wrong = json.loads(json.dumps(manifests["DaemonSet"]).replace("readOnlyRootFilesystem", "readOnlyRoot"))
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, KUBERNETES, strict=True)


@pytest.fixture(scope="module")
def operator() -> Path:
    """A directory with the schemas of the Prometheus operator for node."""
    if not shutil.which("npm"):
        pytest.skip("not installed: npm")
    directory = CACHE / "npm"
    directory.mkdir(parents=True, exist_ok=True)
    install = ["npm", "install", "--silent", "--no-audit", "--no-fund", "--no-save", "--prefix", directory, OPERATOR]
    subprocess.run(install, check=True, capture_output=True)
    (directory / "validate.mjs").write_text(VALIDATE)
    return directory


def checked(operator: Path, manifest: dict[str, Any]) -> subprocess.CompletedProcess[str]:
    command = ["node", operator / "validate.mjs", json.dumps(manifest)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_pod_monitor(manifests: dict[str, dict[str, Any]], operator: Path) -> None:
    done = checked(operator, manifests["PodMonitor"])
    assert done.returncode == 0, done.stderr
    wrong = json.loads(json.dumps(manifests["PodMonitor"]).replace("15s", "15 seconds"))
    assert "must match pattern" in checked(operator, wrong).stderr


def test_the_pod_monitor_finds_the_pods(manifests: dict[str, dict[str, Any]]) -> None:
    template = manifests["DaemonSet"]["spec"]["template"]
    assert manifests["PodMonitor"]["spec"]["selector"]["matchLabels"].items() <= template["metadata"]["labels"].items()
    (endpoint,) = manifests["PodMonitor"]["spec"]["podMetricsEndpoints"]
    assert endpoint["port"] in {port["name"] for port in container(manifests)["ports"]}


def test_the_rights_are_those_of_the_unit(manifests: dict[str, dict[str, Any]]) -> None:
    """The file capabilities of the image's interpreter include them all."""
    rights = container(manifests)["securityContext"]["capabilities"]
    assert rights["drop"] == ["ALL"]
    capabilities = {f"CAP_{name}" for name in rights["add"]}
    assert capabilities
    unit = (ROOT / "deploy/systemd/copy-exporter.service").read_text()
    (ambient,) = [line.partition("=")[2] for line in unit.splitlines() if line.startswith("AmbientCapabilities=")]
    assert capabilities == set(ambient.split())
    assert all(name.lower() in (ROOT / "Dockerfile").read_text() for name in capabilities)
    context = container(manifests)["securityContext"]
    assert f"USER {context['runAsUser']}:{context['runAsGroup']}" in (ROOT / "Dockerfile").read_text()
